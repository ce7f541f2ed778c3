/* SPDX-License-Identifier: MIT */
/* deadlock.h: see deadlock.c. */
#ifndef WEFT_DEBUG_DEADLOCK_H
#define WEFT_DEBUG_DEADLOCK_H

#include <stdbool.h>

/*
 * For sched.on_stuck. Returns when something is, or may be, left that can wake a task; true when
 * that is foreign threads, which may end without doing so: ask again.
 */
bool weft__deadlock_judge(void);
/*
 * Returns true when all threads in this /proc/self/task are the runtime's; false also when it
 * cannot be told. [S] is held. For tests, too.
 */
bool weft__deadlock_threads_known(int directory);

#endif
