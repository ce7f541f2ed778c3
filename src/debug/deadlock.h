/* SPDX-License-Identifier: MIT */
/* deadlock.h: see deadlock.c. */
#ifndef WEFT_DEBUG_DEADLOCK_H
#define WEFT_DEBUG_DEADLOCK_H

#include <stdbool.h>

/* For sched.on_stuck: returns when there is, or may be, somebody left who wakes a task; true: who may
 * go without doing so. */
bool weft__deadlock_judge(void);
/* Are all threads in this /proc/self/task the runtime's? False also when it cannot be told. [S] is
 * held. For tests, too. */
bool weft__deadlock_threads_known(int directory);

#endif
