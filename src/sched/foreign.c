/* SPDX-License-Identifier: MIT */
/*
 * foreign.c: threads that are not the runtime's: their calls, their waits, and how the runtime ends
 * around them.
 *
 * Such a thread sleeps in the kernel where a task parks, on the word of a waiter that lies on its
 * stack (park.h). Its waits are of two kinds:
 *
 *   unbound   for time, and for objects in the program's memory: channels, mutexes. They go on
 *             when the runtime has ended; those for objects begin before it, too
 *   bound     for what a run owns: tasks, groups, descriptors. The thread is inside, which is
 *             counted, from its first look at the runtime to its last, waits included, but for
 *             plain calls that may block (api/attempt.h). The runtime gives nothing back while
 *             anybody is inside. So its end ends all bound waits, with WAKE_ENDED
 *
 * A thread of the runtime's that leaves is such a thread while it runs the program's key
 * destructors (exit.c), and the template joins it. So the template ends the bound waits before it
 * joins, and only when all its threads are gone the end waits until nobody is inside.
 *
 *   move of a thread      who, in this order
 *   outside -> inside     itself: counts itself, then looks at `running`; not RUNS: leaves again
 *   awake   -> asleep     itself: onto the list, under the lock; a bound one then looks at
 *                         `running`, and ends its wait itself if that is not RUNS
 *   asleep  -> woken      a waker, by the waiter's word; or the end: `running`, then all bound
 *                         ones on the list, under the lock
 *   woken   -> awake      itself: off the list, under the lock
 *   inside  -> outside    itself: counts itself off, then looks at `running`; not RUNS, and it is
 *                         the last: wakes the end
 *
 * A wait that races with the end: whoever has the lock first is seen by the other. If it is the
 * wait, the walk finds it; if it is the walk, `running` was set before, and the wait's look, which
 * follows its own turn at the lock, sees that. A wait that something else ends at the same time
 * ends for one of the two reasons, as any (park.h).
 *
 * Deadlocks. A thread that sleeps without a deadline wakes nobody until it is woken. The judge
 * holds the list: nobody gets onto it or off it meanwhile. Each thread that it finds asleep was so
 * since it took the lock and stays so until somebody awake wakes it, so what it sees one after the
 * other was true at one moment. One that was woken, and is still on the list, counts as awake.
 *
 * The poller. Such a thread never sleeps in the poller for others, and its waits and timers are
 * looked after as everybody's. When it begins one while no thread polls and nobody runs, it has an
 * idle processor's thread look around, which then sleeps in the poller; when the wait is over, it
 * looks whether the tasks that are left wait for ever, as the others' looks counted on it. Its
 * timers go to the first processor.
 *
 * In the deterministic mode such threads are not virtual (sim.c): a deadline is as far ahead on the
 * real clock as it is on the virtual one when the wait begins.
 *
 * Rejected: poll(2) in the waiting thread (weft_close, tokens and lives of numbers would need a
 * second way to wake it), a reference count in each task and group instead of the count of who is
 * inside (their memory ends with the run as a whole), a task that waits in the thread's place (two
 * switches, and who waits for that one?), ending all waits with the runtime (channels outlive it,
 * and two threads may go on talking).
 */
#include "sched/foreign.h"

#include <errno.h>

#include "base/sys.h"
#include "sched/netpoll.h"
#include "sched/park.h"
#include "sched/proc.h"
#include "sched/runtime.h"
#include "sched/sched.h"

/* A thread that is asleep, on its own stack. */
struct sleeper {
	struct list link; /* [lock] */
	const struct waiter *waiter;
	pid_t tid;
	bool bound, forever;
};

static struct lock lock; /* rank FOREIGN */
static struct list sleepers = {&sleepers, &sleepers};

/* ---- inside ---- */

int weft__foreign_enter(void)
{
	int err = weft__runtime_state();
	if (err)
		return err;
	add_seq_cst(&sched.foreign_inside, 1); /* pairs with weft__foreign_await_outside */
	/* pairs with runtime.c:run, runtime.c:weft__runtime_run */
	if (load_seq_cst(&sched.running) == RUNTIME_RUNS) {
		tsan_acquire(&sched.foreign_inside);
		return 0;
	}
	weft__foreign_leave();
	return -EINVAL;
}

void weft__foreign_leave(void)
{
	tsan_release(&sched.foreign_inside);
	/* The count, then `running`; the end does it in the other order: pairs with
	 * weft__foreign_await_outside */
	if (sub_seq_cst(&sched.foreign_inside, 1) == 1 &&
	    load_seq_cst(&sched.running) != RUNTIME_RUNS)
		weft__futex_wake(&sched.foreign_inside, 1);
}

/* ---- asleep ---- */

static void list_sleeper(struct sleeper *s)
{
	lock_take(&lock, RANK_FOREIGN);
	list_push_tail(&sleepers, &s->link);
	lock_drop(&lock, RANK_FOREIGN);
	if (s->bound && load_relaxed(&sched.running) != RUNTIME_RUNS)
		weft__wait_give_up((struct waiter *)s->waiter, WAKE_ENDED);
}

static void unlist_sleeper(struct sleeper *s)
{
	lock_take(&lock, RANK_FOREIGN);
	list_remove(&s->link);
	lock_drop(&lock, RANK_FOREIGN);
}

static int64_t real_deadline(int64_t deadline)
{
	if (likely(!sched.sim) || deadline == WEFT_FOREVER)
		return deadline;
	int64_t now = weft__sched_now(), real;
	int64_t ahead = max_of(deadline, now) - now;
	return __builtin_add_overflow(weft__clock(), ahead, &real) ? WEFT_FOREVER : real;
}

static void sleep_on(struct waiter *w, int64_t deadline)
{
	/* pairs with park.h:wait_publish, park.h:wait_end_open */
	uint32_t word = load_acquire(&w->word);
	while (word & WAIT_OPEN) {
		if (!(word & WAIT_PARKED)) {
			/* pairs with park.h:wait_claim, park.h:wait_publish */
			if (!cas_acq_rel(&w->word, &word, word | WAIT_PARKED))
				continue;
			word |= WAIT_PARKED;
		}
		if (weft__futex_wait(&w->word, word, deadline) == -ETIMEDOUT)
			weft__wait_give_up(w, WAKE_TIMEOUT);
		/* pairs with park.h:wait_publish, park.h:wait_end_open */
		word = load_acquire(&w->word);
	}
}

uint32_t weft__foreign_sleep(struct waiter *w, int64_t deadline)
{
	/* once ended, a wait has no such bits any more */
	struct sleeper s = {.waiter = w,
			    .tid = sys_gettid(),
			    .bound = load_relaxed(&w->word) & WAIT_BOUND,
			    .forever = deadline == WEFT_FOREVER};
	list_sleeper(&s);
	sleep_on(w, real_deadline(deadline));
	unlist_sleeper(&s);
	tsan_acquire(w);
	return wait_reason(w);
}

/* ---- what the poller does for them ---- */

/* Nothing of theirs waits for a poller that is not there, or sleeps beyond `until`. */
static void rouse_poller(int64_t until)
{
	if (unlikely(sched.sim) || weft__proc_poller_missing())
		weft__proc_wake();
	else if (until < load_relaxed(&sched.poller.until))
		weft__netpoll_kick();
}

void weft__foreign_polls(int more)
{
	add_relaxed(&sched.foreign_polls, (uint32_t)more);
	if (more > 0)
		rouse_poller(INT64_MAX);
	else
		weft__proc_look_stuck();
}

int weft__foreign_timer_start(struct timer *timer)
{
	int err = weft__timer_put(&sched.processors[0], timer);
	if (!err)
		rouse_poller(timer->when);
	return err;
}

/* ---- the end ---- */

void weft__foreign_end_waits(void)
{
	lock_take(&lock, RANK_FOREIGN);
	list_each (l, &sleepers) {
		const struct sleeper *s = container_of(l, struct sleeper, link);
		if (s->bound)
			weft__wait_finish((struct waiter *)s->waiter, WAKE_ENDED, NULL);
	}
	lock_drop(&lock, RANK_FOREIGN);
}

/* A thread may stay inside for long: a dump to a pipe that nobody reads. */
void weft__foreign_await_outside(void)
{
	uint32_t inside;
	/* after `running`: pairs with weft__foreign_enter, weft__foreign_leave */
	fence_seq_cst();
	/* pairs with weft__foreign_enter, weft__foreign_leave */
	while ((inside = load_seq_cst(&sched.foreign_inside)))
		weft__futex_wait(&sched.foreign_inside, inside, INT64_MAX);
	tsan_acquire(&sched.foreign_inside);
}

void weft__foreign_forget(void)
{
	list_init(&sleepers);
	lock = (struct lock){0};
	store_relaxed(&sched.foreign_inside, 0);
}

/* ---- the judge's ---- */

void weft__foreign_hold(void)
{
	lock_take(&lock, RANK_FOREIGN);
}

void weft__foreign_release(void)
{
	lock_drop(&lock, RANK_FOREIGN);
}

static bool sleeps(const struct sleeper *s)
{
	return s->forever &&
	       (load_relaxed(&s->waiter->word) & (WAIT_OPEN | WAIT_CLAIMED)) == WAIT_OPEN;
}

bool weft__foreign_sleeps(pid_t tid)
{
	list_each (l, &sleepers) {
		const struct sleeper *s = container_of(l, struct sleeper, link);
		if (s->tid == tid)
			return sleeps(s);
	}
	return false;
}

bool weft__foreign_stirs(void)
{
	uint32_t asleep = 0;
	list_each (l, &sleepers) {
		const struct sleeper *s = container_of(l, struct sleeper, link);
		asleep += s->bound && sleeps(s);
	}
	return load_relaxed(&sched.foreign_inside) != asleep;
}
