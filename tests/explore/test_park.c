/* SPDX-License-Identifier: MIT */
/*
 * test_park.c: one wait (src/sched/park.c, park.h and foreign.c, compiled) in every schedule: a
 * waker that finds the waiter in a list, another one, a cancellation, a time limit, the end of the
 * runtime. Each wait ends once, for one reason, and its owner goes on.
 *
 * Thread 0 waits, as a task or as a thread that is not the runtime's.
 */
#include "base/sys.h"
#include "one_task.h"
#include "sched/foreign.h"

enum { WAITS = 2 };

struct runtime weft__sched;

static struct lock list_lock;
static struct waiter *listed; /* what wakers find [list_lock] */
static struct waiter lone;
static unsigned handed, waits_over;
static uint32_t inside;

/* gettid(2) */
long weft__syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	return 1;
}

/* ---- the scenario's parts ---- */

static void setup(void)
{
	memset(&list_lock, 0, sizeof(list_lock));
	memset(&lone, 0, sizeof(lone));
	listed = NULL;
	handed = waits_over = 0;
	inside = 0;
	weft__sched.running = RUNTIME_RUNS;
	weft__sched.foreign_inside = 0;
	weft__foreign_forget();
	one_task_reset();
}

static void show(struct waiter *w)
{
	lock_take(&list_lock, RANK_SYNC);
	listed = w;
	lock_drop(&list_lock, RANK_SYNC);
}

/* One wait; `t` NULL: not a task. Returns the reason. */
static uint32_t wait_once(struct thread *t, int64_t deadline)
{
	handed = 0;
	struct waiter *w = weft__wait_begin(t, &lone, "test", true);
	if (load_relaxed(&inside))
		wait_bind(w);
	show(w);
	uint32_t reason = weft__wait_park(&t, w, deadline);
	show(NULL);
	add_relaxed(&waits_over, 1);
	explore_check(reason < WAKE_USER || handed == reason);
	explore_check(reason == WAKE_TIMEOUT || reason == WAKE_CANCELLED || reason >= WAKE_USER ||
		      (reason == WAKE_ENDED && load_relaxed(&inside)));
	return reason;
}

/* As a channel's peer does it: finds and claims under the lock, hands over and ends without. */
static void wake_as(uint32_t reason)
{
	lock_take(&list_lock, RANK_SYNC);
	struct waiter *w = listed;
	bool mine = w && wait_claim(w);
	if (mine)
		listed = NULL;
	lock_drop(&list_lock, RANK_SYNC);
	if (!mine)
		return;
	explore_check(handed == 0);
	handed = reason;
	weft__wait_end(NULL, w, reason);
}

/*
 * As a timer ends it, whose heap's lock is this list's: nothing to hand over, so claim and end are
 * one move.
 */
static void pass_limit(void)
{
	struct list woken;
	list_init(&woken);
	lock_take(&list_lock, RANK_SYNC);
	if (listed && weft__wait_finish(listed, WAKE_TIMEOUT, &woken))
		listed = NULL;
	lock_drop(&list_lock, RANK_SYNC);
	if (!list_empty(&woken))
		weft__ready(NULL, container_of(list_pop_head(&woken), struct task, link));
}

/* Tries until it has woken the waiter, or none waits any more. For scenarios with one wait. */
static void wake_for_certain(uint32_t reason)
{
	while (handed == 0 && load_relaxed(&waits_over) == 0) {
		wake_as(reason);
		if (handed == 0)
			cpu_relax();
	}
}

static void cancelled_once(unsigned n)
{
	if (n == 0) {
		for (int i = 0; i < WAITS; i++)
			wait_once(&thread, WEFT_FOREVER);
	} else if (n == 1) {
		weft__task_cancel(NULL, &task);
	} else {
		wake_as(WAKE_USER);
	}
}

/* As by weft_cancel_clear: a cancel that began before it may end a wait that began after it. */
static void cleared_and_cancelled(unsigned n)
{
	if (n == 0) {
		store_relaxed(&task.cancelled, 0);
		uint32_t reason = wait_once(&thread, WEFT_FOREVER);
		explore_check(reason != WAKE_CANCELLED || load_relaxed(&task.cancelled));
	} else if (n == 1) {
		weft__task_cancel(NULL, &task);
	} else {
		wake_for_certain(WAKE_USER);
	}
}

static void two_wakers(unsigned n)
{
	if (n == 0)
		wait_once(&thread, WEFT_FOREVER);
	else if (n == 1)
		wake_for_certain(WAKE_USER + n);
	else
		wake_as(WAKE_USER + n);
}

static void a_waker_and_a_limit(unsigned n)
{
	if (n == 0)
		wait_once(&thread, WEFT_FOREVER);
	else if (n == 1)
		wake_for_certain(WAKE_USER + n);
	else
		pass_limit();
}

static void foreign(unsigned n)
{
	if (n == 0)
		wait_once(NULL, WEFT_FOREVER);
	else if (n == 1)
		wake_for_certain(WAKE_USER + n);
	else
		wake_as(WAKE_USER + n);
}

static void foreign_with_a_limit(unsigned n)
{
	if (n == 0)
		wait_once(NULL, 1000);
	else
		wake_for_certain(WAKE_USER + n);
}

static void task_that_only_tries(unsigned n)
{
	if (n == 0)
		wait_once(&thread, 0);
	else
		wake_as(WAKE_USER + n);
}

/* A call that needs the runtime. */
static void wait_inside(void)
{
	if (weft__foreign_enter() < 0)
		return;
	store_seq_cst(&inside, 1);
	wait_once(NULL, WEFT_FOREVER);
	store_seq_cst(&inside, 0);
	weft__foreign_leave();
}

static void end_of_the_runtime(unsigned n)
{
	if (n == 0) {
		wait_inside();
	} else if (n == 1) {
		store_relaxed(&weft__sched.running, RUNTIME_ENDS);
		weft__foreign_end_waits();
		weft__foreign_await_outside();
		explore_check(load_relaxed(&inside) == 0);
	} else {
		wake_as(WAKE_USER + n);
	}
}

static void end_too_late(unsigned n)
{
	if (n == 0) {
		wait_inside();
	} else {
		weft__foreign_end_waits();
		store_relaxed(&weft__sched.running, RUNTIME_ENDS);
		weft__foreign_await_outside();
	}
}

static void nobody_is_inside(void)
{
	explore_check(weft__sched.foreign_inside == 0 && listed == NULL);
}

static void wait_is_over(void)
{
	explore_check(waits_over > 0 && runnable == 0 && listed == NULL);
}

/* The planted case that shows that the limit passes as well as not. */
static void never_times_out(unsigned n)
{
	if (n == 0)
		explore_check(wait_once(NULL, 1000) != WAKE_TIMEOUT);
	else
		wake_for_certain(WAKE_USER + n);
}

SCENARIO("a task waits twice, is woken and cancelled", .threads = 3, .preemptions = 3,
	 .setup = setup, .thread = cancelled_once, .finish = wait_is_over);

SCENARIO("a task clears its mark while it is cancelled", .threads = 3, .preemptions = 2,
	 .setup = setup, .thread = cleared_and_cancelled, .finish = wait_is_over);

SCENARIO("a task and two wakers", .threads = 3, .preemptions = 3, .setup = setup,
	 .thread = two_wakers, .finish = wait_is_over);

SCENARIO("a task, a waker and a limit that passes", .threads = 3, .preemptions = 3, .setup = setup,
	 .thread = a_waker_and_a_limit, .finish = wait_is_over);

SCENARIO("a task that only tries", .threads = 3, .preemptions = 3, .setup = setup,
	 .thread = task_that_only_tries, .finish = wait_is_over);

SCENARIO("a foreign thread and two wakers", .threads = 3, .preemptions = 3, .setup = setup,
	 .thread = foreign, .finish = wait_is_over);

SCENARIO("a foreign thread with a limit", .threads = 2, .preemptions = 4, .setup = setup,
	 .thread = foreign_with_a_limit, .finish = wait_is_over);

SCENARIO("a foreign thread, a waker and the end of the runtime", .threads = 3, .preemptions = 3,
	 .setup = setup, .thread = end_of_the_runtime, .finish = nobody_is_inside);

SCENARIO("planted: the end looks for waits before it is announced", .threads = 2, .preemptions = 2,
	 .fails = "nobody can go on", .setup = setup, .thread = end_too_late);

SCENARIO("limits do pass", .threads = 2, .preemptions = 2, .fails = "WAKE_TIMEOUT", .setup = setup,
	 .thread = never_times_out);

SCENARIO("planted: no fence against cancellation", .threads = 3, .preemptions = 2,
	 .fails = "nobody can go on", .faults = EXPLORE_NO_FENCE, .setup = setup,
	 .thread = cancelled_once, .finish = wait_is_over);

SCENARIO("planted: compare, then swap", .threads = 3, .preemptions = 2, .fails = "handed == 0",
	 .faults = EXPLORE_SPLIT, .setup = setup, .thread = two_wakers, .finish = wait_is_over);
