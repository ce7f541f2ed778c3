/* SPDX-License-Identifier: MIT */
/* overflow.h: reports a task that overflows its stack; see overflow.c. */
#ifndef WEFT_SCHED_OVERFLOW_H
#define WEFT_SCHED_OVERFLOW_H

void weft__overflow_watch(void);
void weft__overflow_unwatch(void);

#endif
