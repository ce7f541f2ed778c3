/* SPDX-License-Identifier: MIT */
/* steal.h: looking for work everywhere. */
#ifndef WEFT_SCHED_STEAL_H
#define WEFT_SCHED_STEAL_H

#include "sched/sched.h"

/* t no longer looks for work, whether it found some or was handed some. Every way out of looking
 * calls this; otherwise the count in sched.spinning stays up and no thread is woken again. */
void weft__stop_spinning(struct thread *t, bool found);
/* p's queues hold more than its holder runs next: wakes another processor, if that was worth it
 * lately. */
void weft__offer(struct processor *p);
/* Returns a task for the holder of a processor to run, from anywhere, without sleeping. NULL: there
 * is none now. */
struct task *weft__find_work(struct thread *t);

#endif
