/* SPDX-License-Identifier: MIT */
/* overflow.h: a stack that is too small says so; see overflow.c. */
#ifndef WEFT_SCHED_OVERFLOW_H
#define WEFT_SCHED_OVERFLOW_H

void weft__overflow_watch(void);
void weft__overflow_unwatch(void);

#endif
