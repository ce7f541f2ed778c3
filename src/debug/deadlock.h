/* SPDX-License-Identifier: MIT */
/* deadlock.h: see deadlock.c. */
#ifndef WEFT_DEBUG_DEADLOCK_H
#define WEFT_DEBUG_DEADLOCK_H

#include <stdbool.h>

/*
 * For sched.on_stuck. Returns only when something that can wake a task is, or may be, left. Returns
 * true when that is a handler or a foreign thread, which may go away without waking one: ask again.
 */
bool weft__deadlock_judge(void);
/* For sched.outside_wakes: the same question alone. Returns true also when it cannot be found
 * out. */
bool weft__deadlock_outside(void);
/*
 * Returns true when all threads in this /proc/self/task are the runtime's; false also when it
 * cannot be found out. [S] is held. For tests, too.
 */
bool weft__deadlock_threads_known(int directory);

#endif
