/* SPDX-License-Identifier: MIT */
/*
 * proc.c: processors change hands. Everything here happens under sched.lock, and is rare.
 *
 *   a processor is   held      p->thread is its thread, running or (for a moment) about to be woken
 *                    leased    held by a thread whose task is in user code; the monitor may take it
 *                    idle      on sched.idle.processors, all its queues empty
 *                    wanted    on sched.template.wanted, until the template has started a thread
 *                              for it (docs/THREADS.md: what happens when none can be had)
 *
 *   a thread without a processor is
 *                    idle      on sched.idle.threads, asleep on its futex; one in the poller
 *                              instead
 *                    locked    asleep until a processor comes for its locked task; perhaps in the
 *                              poller
 *                    away      its task is in user code and its processor was taken (sched.in_user)
 *
 * No wake-up is lost: work reaches the global queues under sched.lock, and whoever puts it there
 * looks at the idle list under the same lock; whoever lets a processor go looks at the global
 * queues first, under that lock too. Work in a processor's own queues belongs to its holder, which
 * runs it before it lets go. So no work lies while everybody sleeps, and the common case needs no
 * fence. Work behind a busy holder is noticed by the monitor.
 */
#include "sched/proc.h"

#include "base/sys.h"
#include "sched/monitor.h"
#include "sched/netpoll.h"
#include "sched/sim.h"
#include "sched/task.h"
#include "sched/template.h"
#include "sched/thread.h"
#include "sched/timer.h"
#include "sched/trace.h"

void weft__proc_check(const struct thread *t, const char *what)
{
	require(proc_held(t), "%s without a processor", what);
}

/* ---- with sched.lock held ---- */

void weft__proc_attach(struct thread *t, struct processor *p)
{
	check(!p->thread && !t->processor);
	t->next = p->next;
	p->next = NULL;
	t->taken_busy = 0;
	t->parent = 0;
	trace_new_holder(p);
	/* pairs with monitor.c:watch */
	store_release(&p->thread, t);
	/* The monitor does not change TAKEN, so no CAS is needed. In the deterministic mode every
	 * entry asks sim.c. It pairs with lease.h:lease_take. */
	store_release(&t->lease.word, unlikely(sched.sim) ? LEASE_REQUESTED : LEASE_HELD);
	/* Last, because a locked task's thread may be awake and run the task from here on; were the
	 * word still TAKEN, its next entry would think that this processor was lost. It pairs with
	 * proc.h:proc_given. */
	store_release(&t->processor, p);
}

struct processor *weft__proc_detach(struct thread *t)
{
	struct processor *p = t->processor;
	uint32_t seen = LEASE_HELD;
	check(p && p->thread == t);
	/* pairs with lease.h:lease_take */
	while (!cas_acq_rel(&t->lease.word, &seen, LEASE_TAKEN)) {
		lease_answer(&t->lease);
		seen = LEASE_HELD;
	}
	store_relaxed(&p->thread, NULL);
	t->processor = NULL;
	return p;
}

static void idle_push(struct processor *p)
{
	debug_check(!p->thread && !p->next && !proc_has_work(p));
	list_push_head(&sched.idle.processors, &p->idle);
	store_relaxed(&sched.idle.processor_count, sched.idle.processor_count + 1);
}

static struct processor *idle_pop(void)
{
	struct list *l = list_pop_head(&sched.idle.processors);
	debug_check(!l == !sched.idle.processor_count);
	if (!l)
		return NULL;
	store_relaxed(&sched.idle.processor_count, sched.idle.processor_count - 1);
	return container_of(l, struct processor, idle);
}

/* Takes any idle thread; those on a futex first, the one in the poller last. */
static struct thread *idle_thread_pop(void)
{
	const struct list *all = &sched.idle.threads;
	if (list_empty(all))
		return NULL;
	struct thread *t = container_of(all->next, struct thread, idle);
	if (t->polling && t->idle.next != all)
		t = container_of(t->idle.next, struct thread, idle);
	thread_idle_remove(t);
	sched.idle.thread_low = min_of(sched.idle.thread_low, sched.idle.thread_count);
	return t;
}

/* Gives p to t, which sleeps or is about to. Returns t, which the caller has to wake. [S] */
static struct thread *start_on(struct processor *p, struct thread *t)
{
	sched.counts.handoffs++;
	trace_exact(NULL, handoff, p->number, t->number);
	if (unlikely(t->processor))
		t->given = p; /* its thread has not let go yet: sleep_begin takes it */
	else
		weft__proc_attach(t, p);
	/* pairs with sleep.c:sleep_once: its futex */
	store_release(&t->wake, 1);
	return t;
}

/* In the deterministic mode only a holder sees the tasks that can run, and moves the clock. Called
 * by the holder, or while there is none. */
static bool sim_goes_on(void)
{
	return unlikely(sched.sim) && weft__sim_goes_on();
}

/* Is there work that belongs to no processor? [S] */
static bool work_waits(void)
{
	return global_work_waits() || sim_goes_on();
}

/* Moves all that lies in the queues of p, which nobody holds, to the global ones. [S] */
static void give_work_up(struct processor *p)
{
	struct task *task;
	if (p->next)
		list_push_head(&sched.global_ready.list, &p->next->link);
	store_relaxed(&sched.global_ready.length, sched.global_ready.length + (p->next != NULL));
	p->next = NULL;
	for (; (task = runq_pop(&p->ready)); sched.global_ready.length++)
		list_push_tail(&sched.global_ready.list, &task->link);
	for (; (task = deque_pop(&p->fresh)); sched.global_fresh.length++)
		list_push_head(&sched.global_fresh.list, &task->link);
	for (; sched.sim && (task = weft__sim_give_up()); sched.global_ready.length++)
		list_push_tail(&sched.global_ready.list, &task->link);
}

/* Returns the first task of the global queue that is locked to a sleeping thread: it needs no other
 * one. [S] */
static struct task *locked_sleeper(void)
{
	list_each (l, &sched.global_ready.list) {
		struct task *task = container_of(l, struct task, link);
		struct thread *own = task->locked_thread;
		if (own && own->phase == THREAD_LOCKED && !own->processor && !own->given)
			return task;
	}
	return NULL;
}

/*
 * There is no thread for p, so what waits goes on waiting, and the template keeps trying to start
 * one. But a locked task has a thread of its own. Returns that thread, which the caller has to
 * wake; NULL: there is none, and p is idle. [S]
 */
static struct thread *do_without_a_thread(struct processor *p)
{
	struct task *task = locked_sleeper();
	if (task) {
		list_remove(&task->link);
		store_relaxed(&sched.global_ready.length, sched.global_ready.length - 1);
	}
	store_relaxed(&sched.template.missed, sched.template.missed | work_waits());
	if (!task) {
		idle_push(p);
		return NULL;
	}
	p->next = task;
	return start_on(p, task->locked_thread);
}

/* Finds a thread for p, which nobody holds: an idle one, else a new one, else none. Returns the
 * thread that the caller has to wake; NULL: the template. [S] */
static struct thread *start(struct processor *p)
{
	struct thread *t = idle_thread_pop();
	if (t)
		return start_on(p, t);
	if (weft__thread_birth_possible()) {
		sched.counts.handoffs++;
		trace_exact(NULL, handoff, p->number, 0);
		weft__thread_want(p);
		return NULL;
	}
	give_work_up(p);
	return do_without_a_thread(p);
}

/* Returns true when tasks wait and nothing of the runtime's can wake one. [S] */
static bool stuck(void)
{
	/* Read last, as sched.h says: pairs with monitor.c:serve, monitor.c:round_sim,
	 * sleep.c:sleep_polling */
	return sched.on_stuck && sched.stopping == sched.stopped &&
	       weft__timer_earliest() == INT64_MAX && !weft__netpoll_waiters() &&
	       !load_seq_cst(&sched.carrying);
}

/* Returns true when a task runs, be it in user code without a processor. [S] */
static bool any_runs(void)
{
	bool runs = sched.in_user;
	for (unsigned i = 0; i < sched.processor_count && !runs; i++) {
		const struct thread *t = sched.processors[i].thread;
		runs = t && load_relaxed(&t->task);
	}
	return runs;
}

/* The last processor went idle: have all tasks ended? Returns true when not, and they may wait for
 * ever. [S] */
static bool over_or_stuck(void)
{
	if (sched.idle.processor_count != sched.processor_count || sched.in_user ||
	    sched.running != RUNTIME_RUNS)
		return false;
	/* pairs with runtime.c:run_free, runtime.c:run_locked */
	if (!load_acquire(&sched.begun) || work_waits())
		return false;
	if (weft__task_count())
		return stuck();
	/* pairs with template.c:weft__template_loop, which weft__template_wake wakes */
	store_relaxed(&sched.running, RUNTIME_ENDS);
	weft__template_wake();
	return false;
}

/* A judgement reads the list of the process's threads; where threads that are not the runtime's
 * bring the work, this would happen each time they do. So it is left to the monitor, after some
 * quiet time. */
void weft__proc_all_idle(void)
{
	if (over_or_stuck())
		weft__monitor_wake();
}

/* Nobody holds p, and no work waits for it. [S] */
static void go_idle(struct processor *p)
{
	idle_push(p);
	weft__proc_all_idle();
}

/* ---- with sched.lock dropped ---- */

/* One is asked for, or missed though another was `found`; or fewer are ready than should be. */
static bool template_needed(const struct thread *found)
{
	return load_relaxed(&sched.template.missed) ||
	       (found ? load_relaxed(&sched.idle.thread_count) <
				load_relaxed(&sched.template.spares)
		      : load_relaxed(&sched.template.wanted_count));
}

static void wake_thread(struct thread *t)
{
	if (t && t->polling)
		weft__netpoll_kick();
	/* A thread that starts looks under the lock before it sleeps. */
	else if (t && load_relaxed(&t->phase) != THREAD_STARTING)
		weft__futex_wake(&t->wake, 1);
	if (template_needed(t))
		weft__template_wake();
}

bool weft__proc_take_idle(struct thread *t)
{
	lock_take(&sched.lock, RANK_SCHED);
	struct processor *p = idle_pop();
	if (p)
		weft__proc_attach(t, p);
	lock_drop(&sched.lock, RANK_SCHED);
	if (p)
		weft__monitor_wake();
	return p;
}

bool weft__proc_return(struct thread *t)
{
	lock_take(&sched.lock, RANK_SCHED);
	t->processor = NULL;
	sched.busy_away -= t->taken_busy;
	struct processor *p = idle_pop();
	if (p) {
		weft__proc_attach(t, p);
		sched.in_user--;
	}
	lock_drop(&sched.lock, RANK_SCHED);
	if (p)
		weft__monitor_wake();
	return p;
}

/* Returns true when p may not go idle yet. Only its holder sees what lies in its queues. */
static bool needs_holder(const struct processor *p)
{
	return proc_has_work(p) || sim_goes_on();
}

bool weft__proc_release(struct thread *t)
{
	debug_check(proc_held(t) && !needs_holder(t->processor));
	lock_take(&sched.lock, RANK_SCHED);
	bool idle = !work_waits();
	if (idle)
		go_idle(weft__proc_detach(t));
	lock_drop(&sched.lock, RANK_SCHED);
	return idle;
}

void weft__proc_hand_off(struct thread *t, struct task *next)
{
	struct processor *p = t->processor;
	weft__proc_check(t, "hand-off");
	if (!next && !needs_holder(t->processor) && weft__proc_release(t))
		return;
	lock_take(&sched.lock, RANK_SCHED);
	weft__proc_detach(t);
	p->next = next;
	struct thread *to = start(p);
	lock_drop(&sched.lock, RANK_SCHED);
	wake_thread(to);
}

/* Returns true when something may become ready that only a thread in the poller sees, and none
 * sleeps there. [S] */
static bool poller_missing(void)
{
	return sched.poller.until == INT64_MIN &&
	       (weft__timer_earliest() != INT64_MAX || weft__netpoll_waiters());
}

void weft__proc_leave(struct thread *t)
{
	struct thread *to = NULL;
	weft__proc_check(t, "leaving");
	lock_take(&sched.lock, RANK_SCHED);
	struct processor *p = weft__proc_detach(t);
	bool needed = proc_has_work(p) || work_waits() || poller_missing();
	if (needed)
		to = start(p);
	else
		go_idle(p);
	lock_drop(&sched.lock, RANK_SCHED);
	if (needed)
		wake_thread(to);
}

bool weft__proc_poller_missing(void)
{
	lock_take(&sched.lock, RANK_SCHED);
	bool missing = poller_missing();
	lock_drop(&sched.lock, RANK_SCHED);
	return missing;
}

void weft__proc_look_stuck(void)
{
	lock_take(&sched.lock, RANK_SCHED);
	weft__proc_all_idle();
	lock_drop(&sched.lock, RANK_SCHED);
}

bool weft__proc_stands_still(void)
{
	lock_take(&sched.lock, RANK_SCHED);
	bool still = !any_runs() && stuck();
	lock_drop(&sched.lock, RANK_SCHED);
	return still;
}

bool weft__proc_outside_wakes(void)
{
	lock_take(&sched.lock, RANK_SCHED);
	bool wakes = sched.outside_wakes();
	lock_drop(&sched.lock, RANK_SCHED);
	return wakes;
}

bool weft__proc_judge(void)
{
	lock_take(&sched.lock, RANK_SCHED);
	bool again = over_or_stuck() && sched.on_stuck();
	lock_drop(&sched.lock, RANK_SCHED);
	return again;
}

void weft__proc_lend(struct thread *t)
{
	weft__proc_check(t, "lending a processor");
	lock_take(&sched.lock, RANK_SCHED);
	bool lent = weft__thread_available();
	struct thread *to = NULL;
	if (lent) {
		sched.in_user++;
		to = start(weft__proc_detach(t));
	}
	lock_drop(&sched.lock, RANK_SCHED);
	if (lent)
		wake_thread(to);
}

void weft__proc_start(struct processor *p)
{
	lock_take(&sched.lock, RANK_SCHED);
	struct thread *to = start(p);
	lock_drop(&sched.lock, RANK_SCHED);
	wake_thread(to);
}

void weft__proc_give(struct thread *t, struct thread *to, struct task *task)
{
	weft__proc_check(t, "giving a processor");
	lock_take(&sched.lock, RANK_SCHED);
	struct processor *p = weft__proc_detach(t);
	p->next = task;
	start_on(p, to);
	lock_drop(&sched.lock, RANK_SCHED);
	wake_thread(to);
}

void weft__proc_wake(void)
{
	uint32_t none = 0;
	/* pairs with weft__proc_wake, steal.c:weft__stop_spinning, steal.c:spin,
	 * template.c:unborn */
	if (!load_relaxed(&sched.idle.processor_count) || !cas_seq_cst(&sched.spinning, &none, 1))
		return;
	lock_take(&sched.lock, RANK_SCHED);
	struct processor *p = idle_pop();
	struct thread *to = p ? start(p) : NULL;
	if (to && to->processor == p)
		p->helps = HELPS_SOON;
	if (to)
		to->spinning = 1;
	/* A thread that must be started first does not look for work yet: pairs with
	 * weft__proc_wake. */
	else
		sub_seq_cst(&sched.spinning, 1);
	lock_drop(&sched.lock, RANK_SCHED);
	if (p) {
		weft__monitor_wake();
		wake_thread(to);
	}
}

void weft__proc_serve_waiting(void)
{
	struct processor *p = NULL;
	struct thread *to = NULL;
	lock_take(&sched.lock, RANK_SCHED);
	if (sched.idle.processor_count && work_waits())
		p = idle_pop();
	if (p)
		to = start(p);
	bool runs = sched.idle.processor_count < sched.processor_count;
	lock_drop(&sched.lock, RANK_SCHED);
	if (p && runs) /* each try that fails would wake it otherwise */
		weft__monitor_wake();
	if (p)
		wake_thread(to);
}
