/* SPDX-License-Identifier: MIT */
/* lost.h: finds a task that has ended its thread; see lost.c. */
#ifndef WEFT_SCHED_LOST_H
#define WEFT_SCHED_LOST_H

#include <stdint.h>

#include "base/time.h"

#define LOST_EVERY MS(500) /* between two looks */

struct thread;

/* Called once in a process, before there are threads. 0, or -EAGAIN: there is no free key. */
int weft__lost_begin(void);
/* Watches the calling thread, which is `t`. */
void weft__lost_watch(struct thread *t);
/* The monitor calls this in each round; now and then it looks for threads that are gone. */
void weft__lost_look(int64_t now);

#endif
