/* SPDX-License-Identifier: MIT */
/* elder.h: never-run tasks that have waited for long: elder.c. */
#ifndef WEFT_SCHED_ELDER_H
#define WEFT_SCHED_ELDER_H

#include "sched/sched.h"

/* Whether p's holder has to see to some. */
static inline bool elders_wait(const struct processor *p)
{
	return load_relaxed(&p->elders) || load_relaxed(&sched.elders);
}

/* The holder's: some of them become woken tasks of its processor. */
void weft__elder_bring(struct thread *t);
/* The monitor's, once a round. */
void weft__elder_look(int64_t now);

#endif
