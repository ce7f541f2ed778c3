/* SPDX-License-Identifier: MIT */
/*
 * sleep.c: how a thread without a processor waits for one: on its futex, or, one of them, in the
 * poller, for timers and descriptors.
 *
 * The poller: while a timer runs or a descriptor is awaited, one thread sleeps there for all. Each
 * thread that goes to sleep looks whether there is one (sleep_begin), so a thread that lets its
 * processor go and then sleeps has no other duty. A thread that will not sleep, as its locked task
 * has ended, hands its processor on instead (proc.c:weft__proc_leave). The whole table of duties is
 * in docs/DUTIES.md.
 */
#include "sched/sleep.h"

#include "base/sys.h"
#include "sched/netpoll.h"
#include "sched/proc.h"
#include "sched/schedule.h"
#include "sched/thread.h"
#include "sched/timer.h"

/* Becomes the poller when there is none. [S] */
static bool poller_begin(struct thread *t)
{
	if (sched.poller.until != INT64_MIN)
		return false;
	t->polling = 1;
	/* From here on earlier timers kick the poller: pairs with timer.c:weft__timer_leave. */
	store_seq_cst(&sched.poller.until, INT64_MAX);
	return true;
}

static void poller_end(struct thread *t)
{
	lock_take(&sched.lock, RANK_SCHED);
	t->polling = 0;
	store_relaxed(&sched.poller.until, INT64_MIN);
	if (t->processor == NULL && !t->locked_task)
		thread_idle_remove(t);
	lock_drop(&sched.lock, RANK_SCHED);
}

/* Fires the due timers of all processors. Returns how many. */
static unsigned run_all_timers(struct list *ready)
{
	unsigned fired = 0;
	int64_t now = weft__sched_now();
	for (unsigned i = 0; i < sched.processor_count; i++)
		fired += weft__timer_run(&sched.processors[i], now, ready);
	return fired;
}

/* Takes the task that only t may run out of `ready`. */
static struct task *own_task(struct thread *t, struct list *ready)
{
	list_each (l, ready) {
		struct task *task = container_of(l, struct task, link);
		if (task->locked_thread == t)
			return task;
	}
	return NULL;
}

static bool has_or_takes_processor(struct thread *t)
{
	return proc_given(t) || weft__proc_take_idle(t);
}

/* t has brought these tasks from the poller; it runs those that it may itself, if it has or finds a
 * processor. */
static void keep_ready(struct thread *t, struct list *ready)
{
	if (list_empty(ready))
		return;
	if (!t->locked_task) {
		if (has_or_takes_processor(t))
			weft__ready_here(t, ready);
		return;
	}
	struct task *own = own_task(t, ready);
	if (own && has_or_takes_processor(t) && !t->next) {
		list_remove(&own->link);
		thread_run_next(t, own);
	}
}

static void sleep_polling(struct thread *t)
{
	struct netpoll_events got;
	struct list ready;
	list_init(&ready);
	int64_t until = weft__timer_earliest();
	store_relaxed(&sched.poller.until, until);
	weft__netpoll_sleep(weft__timer_gather(until, weft__sched_now(), sched.poller.fired), &got);
	/* Before any wait ends: pairs with proc.c:stuck. */
	add_seq_cst(&sched.carrying, 1);
	weft__netpoll_deliver(&got, &ready);
	sched.poller.fired = run_all_timers(&ready);
	poller_end(t);
	keep_ready(t, &ready);
	weft__ready_list(&ready);
	/* pairs with proc.c:stuck */
	sub_seq_cst(&sched.carrying, 1);
}

/* Returns true when t got a processor or must end; *poll: whether it is to sleep in the poller
 * otherwise. */
static bool sleep_begin(struct thread *t, bool *poll)
{
	lock_take(&sched.lock, RANK_SCHED);
	if (t->given) {
		weft__proc_attach(t, t->given);
		t->given = NULL;
	}
	bool awake = t->processor != NULL;
	bool ending = sched.running == RUNTIME_ENDS || t->leaving;
	if (!awake && !ending) {
		t->wake = 0;
		/* A look that was postponed because this thread counted in sched.carrying. */
		weft__proc_all_idle();
		ending = sched.running == RUNTIME_ENDS;
	}
	if (!awake && !ending) {
		*poll = poller_begin(t);
		if (!t->locked_task)
			thread_idle_add(t, IDLE_NEXT);
	}
	store_relaxed(&t->phase, awake		  ? THREAD_RUNNING
				 : t->locked_task ? THREAD_LOCKED
						  : THREAD_IDLE);
	lock_drop(&sched.lock, RANK_SCHED);
	return awake || ending;
}

/*
 * t is to be retired, but has started a child: one that asked for a signal at its parent's death
 * (PR_SET_PDEATHSIG) gets it when the thread that started it ends. So t stays, until it has run
 * something again.
 */
static bool stays_a_parent(struct thread *t)
{
	t->parent = t->leaving && load_relaxed(&sched.running) == RUNTIME_RUNS &&
		    sys_thread_has_child();
	if (t->parent)
		t->leaving = 0;
	return t->parent;
}

static void sleep_once(struct thread *t, bool poll)
{
	if (unlikely(load_relaxed(&sched.template.missed)))
		weft__proc_serve_waiting(); /* t itself may be the thread for it */
	if (poll)
		sleep_polling(t);
	/* pairs with proc.c:start_on, template.c:wake_everybody, thread.c:weft__thread_trim */
	else
		weft__futex_wait(&t->wake, 0, INT64_MAX);
}

bool weft__thread_sleep(struct thread *t)
{
	bool poll = false;
	do
		while (!sleep_begin(t, &poll))
			sleep_once(t, poll);
	while (stays_a_parent(t));
	return t->processor != NULL;
}
