/* SPDX-License-Identifier: MIT */
/* sleep.h: how a thread without a processor waits for one. */
#ifndef WEFT_SCHED_SLEEP_H
#define WEFT_SCHED_SLEEP_H

#include "sched/sched.h"

/* Sleeps until t holds a processor. False: the runtime ends. */
bool weft__thread_sleep(struct thread *t);

#endif
