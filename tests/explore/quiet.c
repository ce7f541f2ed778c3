/* SPDX-License-Identifier: MIT */
/*
 * quiet.c: what src/sched/park.c calls and its scenarios do without: timers, traces, a clock,
 * another CPU.
 */
#include "base/sys.h"
#include "explore.h"
#include "sched/sched.h"
#include "sched/timer.h"
#include "sched/trace.h"

int weft__timer_start(struct thread *t, struct timer *timer)
{
	explore_fail("no timers here");
}

bool weft__timer_stop(struct timer *timer)
{
	explore_fail("no timers here");
}

void weft__trace_exact(const struct thread *t, enum trace_kind kind, uint64_t a, uint64_t b)
{
}

void weft__trace_note(const struct thread *t, enum trace_kind kind, uint64_t a, uint64_t b)
{
}

int64_t weft__sched_now(void)
{
	return 0;
}

void weft__await_other(unsigned round)
{
	cpu_relax();
}
