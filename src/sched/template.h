/* SPDX-License-Identifier: MIT */
/* template.h: the thread that starts and reaps all others. */
#ifndef WEFT_SCHED_TEMPLATE_H
#define WEFT_SCHED_TEMPLATE_H

#include "sched/sched.h"

/* The template thread's work; returns when the runtime has ended and every thread is reaped. */
void weft__template_loop(void);
void weft__template_wake(void);
/* Asks for a thread for a processor on sched.template.wanted; [S] is held. */
void weft__thread_want(struct processor *p);
/* May one more thread be born? [S] is held. */
static inline bool weft__thread_birth_possible(void)
{
	return sched.thread_count + sched.template.wanted_count < sched.max_threads &&
	       !sched.template.failed;
}
/* Is there one more thread: idle, to be started, or a locked task's that sleeps and whose task may
 * be among those that wait? If not, the template is told that one is missing. [S] is held. */
bool weft__thread_available(void);
/* Starts the first thread of a runtime, idle; called before any task runs. 0, -EAGAIN or
 * -ENOMEM. */
int weft__thread_first(void);

#endif
