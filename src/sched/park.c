/* SPDX-License-Identifier: MIT */
/* park.c: waiting and waking; the protocol is in park.h. */
#include "sched/park.h"

#include <errno.h>

#include "base/sys.h"
#include "sched/foreign.h"
#include "sched/schedule.h"
#include "sched/timer.h"
#include "sched/trace.h"

#ifdef WEFT_TSAN
struct waiter *weft__wait_begin(struct thread *t, struct waiter *lone, const char *why,
				bool cancellable)
{
	return wait_begin_inline(t, lone, why, cancellable);
}
#endif

struct waiter *weft__wait_begin_foreign(struct waiter *lone)
{
	lone->task = NULL;
	/* pairs with park.h:wait_claim */
	store_release(&lone->word, WAIT_OPEN);
	return lone;
}

void weft__wait_cancelled(struct waiter *w)
{
	wait_end_open(w, WAKE_CANCELLED);
}

static void fire_timeout(struct timer *timer, struct list *ready)
{
	weft__wait_finish(&container_of(timer, struct task, timer)->waiter, WAKE_TIMEOUT, ready);
}

static bool wait_open(const struct waiter *w)
{
	/* pairs with park.h:wait_publish, park.h:wait_end_open */
	return load_acquire(&w->word) & WAIT_OPEN;
}

static struct thread *park(struct thread *t, struct task *task)
{
	task->state = TASK_WAITING;
	count_owned(&t->processor->parks, 1);
	return weft__switch_away(t, AFTER_PARK);
}

/* Somebody else has the claim and will publish in a few instructions; the caller may not continue
 * before. */
static void await_publish(struct waiter *w)
{
	for (unsigned i = 0; wait_open(w); i++)
		weft__await_other(i);
}

void weft__wait_give_up(struct waiter *w, enum wake_reason reason)
{
	if (!wait_end_open(w, reason))
		await_publish(w);
}

void weft__wait_abandon(struct waiter *w)
{
	/* only weft_cancel could still be about to claim it, and then it has set `cancelled`,
	 * too */
	weft__wait_give_up(w, WAKE_TIMEOUT);
}

/* Returns the reason why the wait of a task has ended. */
static uint32_t ended(struct waiter *w)
{
	tsan_acquire(w);
	uint32_t reason = wait_reason(w);
	if (unlikely(reason ==
		     WAKE_CANCELLED)) /* a cancel that overtook weft_cancel_clear stays in force */
		store_relaxed(&w->task->cancelled, 1);
	return reason;
}

uint32_t weft__wait_park_forever(struct thread **t, struct waiter *w)
{
	if (likely(wait_open(w)))
		*t = park(*t, w->task);
	return ended(w);
}

static void park_timed(struct thread **t, struct waiter *w, int64_t deadline)
{
	struct timer *timer = &w->task->timer;
	timer->when = deadline;
	timer->fire = fire_timeout;
	if (weft__timer_start(*t, timer) < 0) {
		weft__wait_give_up(w, WAKE_NO_TIMER);
		return;
	}
	*t = park(*t, w->task);
	if (wait_reason(w) != WAKE_TIMEOUT)
		weft__timer_stop(timer);
}

uint32_t weft__wait_park_ahead(struct thread **t, struct waiter *w, int64_t deadline)
{
	if (!*t)
		return weft__foreign_sleep(w, deadline);
	if (deadline == WEFT_FOREVER)
		return weft__wait_park_forever(t, w);
	if (wait_open(w))
		park_timed(t, w, deadline);
	return ended(w);
}

int64_t weft__wait_until(const struct waiter *w, int64_t deadline)
{
	const struct task *task = w->task;
	if (likely(!task) || likely(!task->limited) || !(load_relaxed(&w->word) & WAIT_CANCEL))
		return deadline;
	return min_of(deadline, task->limit);
}

uint32_t weft__wait_park_until(struct thread **t, struct waiter *w, int64_t deadline)
{
	deadline = weft__wait_until(w, deadline);
	if (deadline != WEFT_FOREVER && (deadline <= 0 || deadline <= weft__sched_now()))
		weft__wait_give_up(w, WAKE_TIMEOUT);
	return weft__wait_park_ahead(t, w, deadline);
}

/* A function of its own, so that weft__wake, which is called for every wake, needs no frame. */
static noinline void wake_stamped(struct thread *t, struct task *task)
{
	weft__trace_exact(t, TRACE_wake, task->id, 0);
	weft__ready(t, task);
}

void weft__wake(struct thread *t, struct task *task, const uint32_t *word)
{
	if (!task) {
		weft__futex_wake(word, 1); /* the word may be gone by now; then nobody is woken */
		return;
	}
	trace_probe(wake, task->id, t && t->task ? t->task->id : 0);
	if (trace_on() && !trace_put(t, TRACE_wake, task->id, 0))
		wake_stamped(t, task);
	else
		weft__ready(t, task);
}

static void collect(struct task *task, const struct waiter *w, struct list *ready)
{
	if (task)
		list_push_tail(ready, &task->link);
	else
		weft__wake(NULL, NULL, &w->word);
}

void weft__wait_end_list(struct waiter *w, uint32_t reason, struct list *ready)
{
	struct task *task = w->task;
	if (wait_publish(w, reason))
		collect(task, w, ready);
}

bool weft__wait_finish(struct waiter *w, uint32_t reason, struct list *ready)
{
	struct task *task = w->task;
	uint32_t word = wait_end_open(w, reason);
	if (word & WAIT_PARKED)
		collect(task, w, ready);
	return word;
}

int weft__wait_result(uint32_t reason, int64_t deadline)
{
	switch (reason) {
	case WAKE_TIMEOUT:
		return deadline == 0 ? -EAGAIN : -ETIMEDOUT;
	case WAKE_CANCELLED:
		return -ECANCELED;
	case WAKE_NO_TIMER:
		return -ENOMEM;
	case WAKE_ENDED:
		return -ESHUTDOWN;
	default:
		return 0;
	}
}

void weft__task_cancel(struct thread *t, struct task *task)
{
	/* A task opens its word first and then looks at `cancelled`: pairs with
	 * park.h:wait_begin_inline. What was done to its groups before is seen with the mark: pairs
	 * with api/cancel.c:weft_cancelled, api/call.c:weft__would_wait. */
	store_seq_cst(&task->cancelled, 1);
	/* pairs with park.h:wait_begin_inline */
	fence_seq_cst();
	if (wait_claim_cancel(&task->waiter))
		weft__wait_end(t, &task->waiter, WAKE_CANCELLED);
}
