/* SPDX-License-Identifier: MIT */
/* sched.c: the runtime's one instance, the current thread, and the slow way into the runtime. */
#include "sched/sched.h"

#include "base/sys.h"
#include "sched/proc.h"
#include "sched/schedule.h"
#include "sched/sim.h"
#include "sched/stack.h"
#include "sched/task.h"
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

/* The processor was lent: any call that needs one shows it, whichever it is. */
static _Noreturn cold void enter_lent(const struct task *task)
{
	weft__fatal("weft_blocking_begin: nothing may wait, wake or start before weft_blocking_end "
		    "(called by task %llu '%s')",
		    (unsigned long long)task->id, task_name(task));
}

struct thread *weft__enter_slow(struct thread *t)
{
	if (lease_answer(&t->lease))
		return unlikely(sched.sim) ? weft__sim_entered(t) : t;
	if (unlikely(t->task->stack->in_user_wait))
		enter_lent(t->task);
	t->task->why = "processor";
	if (weft__proc_return(t)) {
		trace_exact(t, run, t->task->id, NULL);
		return t;
	}
	return weft__switch_away(t, t->taken_busy ? AFTER_BUSY : AFTER_QUEUE);
}
