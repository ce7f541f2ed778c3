/* SPDX-License-Identifier: MIT */
/*
 * quiet.c: what src/sched/park.c and foreign.c call and their scenarios do without: timers, a
 * poller, traces, a clock, another CPU.
 */
#include <errno.h>

#include "base/sys.h"
#include "explore.h"
#include "sched/netpoll.h"
#include "sched/proc.h"
#include "sched/runtime.h"
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

int weft__timer_put(struct processor *p, struct timer *timer)
{
	explore_fail("no timers here");
}

bool weft__proc_poller_missing(void)
{
	explore_fail("no poller here");
}

void weft__proc_wake(void)
{
	explore_fail("no poller here");
}

void weft__proc_look_stuck(void)
{
	explore_fail("no poller here");
}

void weft__netpoll_kick(void)
{
	explore_fail("no poller here");
}

int weft__runtime_state(void)
{
	return load_acquire(&sched.running) == RUNTIME_RUNS ? 0 : -EINVAL;
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
