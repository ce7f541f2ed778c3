/* SPDX-License-Identifier: MIT */
/* steal.h: looking for work everywhere. */
#ifndef WEFT_SCHED_STEAL_H
#define WEFT_SCHED_STEAL_H

#include "sched/sched.h"

/* t looks for work no more, whether it found some or was handed some: every way out of looking comes by here, or the
 * count in sched.spinning stays up and nobody is woken again. */
void weft__stop_spinning(struct thread *t, bool found);
/* p's holder has more to do than it will do next: wakes another processor, if that has been worth it of late. */
void weft__offer(struct processor *p);
/* Work for the holder of a processor, from anywhere, without sleeping. NULL: there is none now. */
struct task *weft__find_work(struct thread *t);

#endif
