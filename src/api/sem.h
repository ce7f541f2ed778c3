/* SPDX-License-Identifier: MIT */
/* sem.h: the inside of a semaphore, for sem.c and select_other.c. */
#ifndef WEFT_API_SEM_H
#define WEFT_API_SEM_H

#include <stdbool.h>
#include <stdint.h>

#include "api/waitq.h"
#include "weft/sync.h"

/* An acquire that waits; it lies on the caller's stack. */
struct wish {
	struct waitq_node link;
	unsigned units;
	bool served; /* it has them; written before its wait is published [lock] */
};

/* Could one unit be taken at this moment? */
bool weft__sem_ready(const struct weft_sem *sem);
/* Takes units, or puts the wish into the queue: false. Inside of the runtime, as the others. */
bool weft__sem_queue(struct weft_sem *sem, struct wish *wish);
/* Takes a wish that was not served out of the queue. */
void weft__sem_unqueue(struct thread *t, struct weft_sem *sem, struct wish *wish);
/* Gives units back. */
void weft__sem_give(struct thread *t, struct weft_sem *sem, unsigned count);

#endif
