/* SPDX-License-Identifier: MIT */
/* deadlock.h: see deadlock.c. */
#ifndef WEFT_DEBUG_DEADLOCK_H
#define WEFT_DEBUG_DEADLOCK_H

/* For sched.on_stuck: returns when there is, or may be, somebody left who wakes a task. */
void weft__deadlock_judge(void);

#endif
