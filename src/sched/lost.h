/* SPDX-License-Identifier: MIT */
/* lost.h: a task that ends its thread is named; see lost.c. */
#ifndef WEFT_SCHED_LOST_H
#define WEFT_SCHED_LOST_H

#include <stdint.h>

struct thread;

/* Once in a process, before there are threads. 0, or -EAGAIN: no key is to be had. */
int weft__lost_begin(void);
/* The calling thread is `t` from now on. */
void weft__lost_watch(struct thread *t);
/* The monitor's, at each round: now and then looks for threads that are gone. */
void weft__lost_look(int64_t now);

#endif
