/* SPDX-License-Identifier: MIT */
/* sched.c: the runtime's one instance, the current thread, and the slow way into the runtime. */
#include "sched/sched.h"

#include "base/sys.h"
#include "sched/schedule.h"
#include "sched/sim.h"
#include "sched/trace.h"

struct runtime weft__sched;

__thread struct thread *weft__self;

/* Neither inlined nor cloned, as self.h says why. */
void noipa weft__thread_set_self(struct thread *t)
{
	weft__self = t;
}

int64_t weft__sched_now(void)
{
	return unlikely(sched.sim) ? weft__sim_now() : weft__clock();
}

#ifdef WEFT_TSAN
struct thread *weft__enter(void)
{
	return enter_inline();
}

void weft__leave(struct thread *t)
{
	leave_inline(t);
}
#endif

void weft__enter_twice(void)
{
	weft__fatal("a weft call inside a weft call: a signal handler may only call weft_now, "
		    "weft_stop and the "
		    "random functions");
}

struct thread *weft__enter_slow(struct thread *t)
{
	if (lease_answer(&t->lease))
		return unlikely(sched.sim) ? weft__sim_entered(t) : t;
	t->task->why = "processor";
	if (weft__proc_return(t)) {
		trace_exact(t, run, t->task->id, NULL);
		return t;
	}
	return weft__switch_away(t, AFTER_QUEUE);
}
