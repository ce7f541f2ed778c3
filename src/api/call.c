/* SPDX-License-Identifier: MIT */
/* call.c: see call.h. */
#include "api/call.h"

#include "sched/chance.h"
#include "sched/sim.h"
#include "sched/task.h"

void weft__foreign_wake(struct waiter *w, uint32_t reason)
{
	/*
	 * A task that waits keeps the runtime alive, except in the child of a fork, where there is
	 * no runtime.
	 */
	bool task = w->task;
	if (task && weft__foreign_enter() < 0)
		return;
	weft__wait_end(NULL, w, reason);
	if (task)
		weft__foreign_leave();
}

void weft__wake_all(struct thread *t, const struct waitq *claimed)
{
	for (struct waitq_node *node = claimed->first, *next; node; node = next) {
		next = node->next; /* the node belongs to its owner again once the owner is woken */
		call_wake(t, node->waiter, WAKE_USER);
	}
}

int weft__would_wait(void)
{
	const struct task *task = call_task();
	/* pairs with park.c:weft__task_cancel */
	return task && load_acquire(&task->cancelled) && !task->cancel_masked ? -ECANCELED
									      : -EAGAIN;
}

int weft__wait_alone(const char *why, int64_t deadline, bool bound)
{
	struct waiter lone;
	struct thread *t = enter();
	if (call_forked(t))
		return -ENOTSUP;
	struct waiter *w = weft__wait_begin(t, &lone, why, true);
	if (bound)
		wait_bind(w);
	uint32_t reason = weft__wait_park(&t, w, deadline);
	call_leave(t);
	return weft__wait_result(reason, deadline);
}

int weft__outside(void)
{
	return sched.forked ? -ENOTSUP : -EINVAL;
}

void weft__misuse(const char *call, const char *what)
{
	const struct task *task = call_task();
	if (!task)
		weft__fatal("%s: %s (called outside of a task)", call, what);
	weft__fatal("%s: %s (called by task %llu '%s')", call, what, (unsigned long long)task->id,
		    task_name(task));
}

/* Weyl's sequence through a mixer: for threads that have no stream of their own. */
static uint32_t pick_shared(void)
{
	static uint64_t sum;
	uint64_t x = add_relaxed(&sum, CHANCE_STEP);
	if (unlikely(!x)) { /* the first draw: the sequence begins at a random place */
		x = chance_seed();
		add_relaxed(&sum, x);
	}
	x = (x ^ x >> 32) * 0xd6e8feb86659fd93u; /* Mulvey, "Bit mixing", 2016 */
	return (uint32_t)(x >> 32);
}

uint32_t weft__pick(struct thread *t, uint32_t bound)
{
	uint32_t draw;
	if (!t)
		draw = pick_shared();
	else if (unlikely(sched.sim))
		draw = (uint32_t)weft__sim_draw();
	else
		draw = thread_chance(t);
	return (uint32_t)((uint64_t)draw * bound >> 32);
}
