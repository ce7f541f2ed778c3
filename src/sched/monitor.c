/* SPDX-License-Identifier: MIT */
/*
 * monitor.c: the thread that watches processors whose holders are in user code (the lease:
 * lease.h).
 *
 * In each round it looks at every processor whose holder is in user code while work waits in that
 * processor's queues or in the global ones:
 *
 *   blocked   the holder's CPU clock stands still between two looks, and the kernel says that it
 *             does not run (state other than R in /proc/self/task/TID/stat): the processor is taken
 *             at once, 2 ms after the call began at most (4 ms when all was calm), a few us while
 *             such takes succeed. Both tests are needed: a runnable thread that waits for a CPU
 *             burns none either, and without the second test a machine shared with two busy
 *             processes took 1,000 leases wrongly.
 *   busy      the holder computes: taken after 10 ms of CPU time (holder.c)
 *
 * A take hands the processor to another thread, so the task that blocks stalls nobody. Without
 * /proc only the 10 ms rule is left. Without a thread to be had the lease stays.
 *
 * It also does what nobody else can do while all processors are in user code: it fires due timers
 * and wakes the waiters of ready descriptors. And it wakes idle processors for queues that hold
 * more than their holder runs.
 *
 * Rounds are 20 us to 1 ms apart, doubling while they find nothing; user code in which tasks come
 * and go is nothing. While takes follow each other closely, the monitor does not sleep in the 100
 * us after each, but goes on looking, and yields its CPU between the looks: so 1,000 tasks that
 * block one after the other need 50 us each, not 150. While all is calm, rounds are 4 ms apart: a
 * round costs its CPU 20 to 35 us on a virtual machine, and a server on one CPU lost 3 % to a
 * thousand of them a second, which nobody needed. When nothing runs, it sleeps until it is woken:
 * an idle runtime has no wake-ups at all. Before it sleeps it looks for a deadlock; while only
 * threads that are not the runtime's could end the wait, it looks again, at ever longer intervals.
 *
 * Rejected: a signal to the holder (libraries would see EINTR), one clock read per switch, rounds
 * of 100 us wherever work waits (a TCP server on one CPU lost a fifth of it to them).
 */
#include "sched/monitor.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/sys.h"
#include "base/time.h"
#include "sched/cache.h"
#include "sched/elder.h"
#include "sched/holder.h"
#include "sched/lost.h"
#include "sched/netpoll.h"
#include "sched/park.h"
#include "sched/proc.h"
#include "sched/record.h"
#include "sched/schedule.h"
#include "sched/stack.h"
#include "sched/task.h"
#include "sched/template.h"
#include "sched/thread.h"
#include "sched/tid.h"
#include "sched/timer.h"
#include "sched/trace.h"

enum {
	STREAK = 2,	   /* takes that follow each other, each within STREAK_GAP */
	QUIET_ROUNDS = 16, /* without anything running, before it sleeps until it is woken */
};
#define ROUND_SHORT US(20)
#define ROUND US(100)
#define ROUND_LONG MS(1)
#define ROUND_CALM MS(4)
#define CALM_AFTER SECONDS(1) /* since the last take */
#define SAME_CODE US(5)	      /* in the same user code, before its clock is looked at */
#define TRIM_EVERY MS(500)
#define STREAK_GAP MS(1)
#define STREAK_LOOKS US(100) /* with yields between them, after the last take of a streak */
#define DOUBT MS(5)
#define DOUBT_LONG SECONDS(10)

static struct {
	pthread_t pthread;
	int64_t last_take, last_trim;
	int64_t doubt;	 /* pause before the next look for a deadlock; 0: there is none */
	uint32_t streak; /* takes that followed each other closely */
	bool stop, trimming, calm;
	bool asked; /* the threads pay for fences */
} monitor;

/* ---- taking ---- */

static int barrier(void)
{
	int err = sys_membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
	if (err < 0)
		store_relaxed(&sched.membarrier, 0); /* it is not tried again */
	return err;
}

/* membarrier has failed, though it worked when the runtime began: a sandbox was closed in mid-run.
 * From now on threads pay for the order themselves (lease.h). All looks begin anew: a clock that
 * stands still between two of them shows that a thread has left its CPU since. */
static void ask_for_fences(void)
{
	lock_take(&sched.lock, RANK_SCHED);
	list_each (l, &sched.threads)
		lease_ask(&container_of(l, struct thread, all)->lease);
	lock_drop(&sched.lock, RANK_SCHED);
	/* And the kernel's own at a change of threads: pairs with lease.h:lease_enter. */
	fence_seq_cst();
	for (unsigned i = 0; i < sched.processor_count; i++)
		sched.processors[i].seen.thread = NULL;
	monitor.asked = true;
	weft__warn("membarrier(2) is refused from now on: each call pays for a fence");
}

static bool take(struct thread *t, bool busy)
{
	bool taken = false;
	struct processor *p = NULL;
	lock_take(&sched.lock, RANK_SCHED);
	if (!busy)
		lease_settle(&t->lease);
	if (weft__thread_available())
		taken = lease_take(&t->lease, barrier);
	if (taken) {
		p = t->processor;
		store_relaxed(&p->thread, NULL);
		t->taken_busy = busy;
		sched.in_user++;
		sched.busy_away += busy;
		sched.counts.leases_taken++;
		trace_exact(t, lease, p->number, busy);
	}
	lock_drop(&sched.lock, RANK_SCHED);
	if (taken)
		weft__proc_start(p);
	return taken;
}

static bool work_waits(const struct processor *p)
{
	return proc_has_work(p) || global_work_waits();
}

/* The holder is in other user code than last time. Where the next look would come late, this one
 * already asks whether it sleeps. */
static void note_holder(struct processor *p, struct thread *t, uint64_t switches, int64_t now)
{
	pid_t tid = load_relaxed(&t->tid);
	p->seen.thread = t;
	p->seen.switches = switches;
	p->seen.since = now;
	p->seen.asleep = monitor.calm && work_waits(p) && weft__tid_asleep(tid);
	p->seen.cpu = p->seen.asleep ? weft__tid_cpu(tid) : -1;
	p->seen.cpu_start = p->seen.cpu;
}

/* Returns true when the processor was taken. */
static bool watch(struct processor *p, int64_t now)
{
	/* pairs with proc.c:weft__proc_attach */
	struct thread *t = load_acquire(&p->thread);
	uint64_t switches = load_relaxed(&p->switches);
	if (!t || load_relaxed(&t->lease.in_runtime))
		return false;
	if (t != p->seen.thread || switches != p->seen.switches) {
		note_holder(p, t, switches, now);
		return false;
	}
	if (now - p->seen.since < SAME_CODE || !work_waits(p))
		return false;
	int64_t cpu = weft__tid_cpu(load_relaxed(&t->tid));
	bool blocked = weft__holder_blocked(p, load_relaxed(&t->tid), cpu);
	if (!blocked && !weft__holder_busy(p, now, cpu))
		return false;
	p->seen.thread = NULL;
	return take(t, !blocked);
}

/* ---- what nobody else can do now ---- */

static bool nothing_runs(void)
{
	return load_relaxed(&sched.idle.processor_count) == sched.processor_count;
}

static void serve_signals(struct list *ready)
{
	/* pairs with signal.c:install, signal.c:weft__signal_end */
	void (*signals)(struct list * ready) = load_acquire(&weft__netpoll_signals);
	if (signals)
		signals(ready);
}

/* Signals; due timers and ready descriptors while nobody sleeps in the poller. */
static void serve(int64_t now)
{
	struct list ready;
	bool polled = load_relaxed(&sched.poller.until) != INT64_MIN;
	list_init(&ready);
	/* pairs with proc.c:stuck */
	add_seq_cst(&sched.carrying, 1);
	serve_signals(&ready);
	for (unsigned i = 0; i < sched.processor_count; i++)
		weft__timer_run(&sched.processors[i], polled ? now - ROUND_LONG : now, &ready);
	if (!polled && !monitor.calm && weft__netpoll_interesting())
		weft__netpoll_look(&ready);
	/* Nothing runs and nobody polled: a thread went to sleep without leaving a poller (proc.c),
	 * or is about to. Late, but not lost. */
	sched.monitor.rescues += !polled && nothing_runs() && !list_empty(&ready);
	weft__ready_list(&ready);
	/* pairs with proc.c:stuck */
	sub_seq_cst(&sched.carrying, 1);
}

/* Does work lie in p's queues that its holder will not run at once? A single woken task does not
 * count while tasks come and go: it is next, and of two tasks that wake each other in turn, one is
 * best left where the other runs. */
static bool lies_waiting(const struct processor *p)
{
	uint32_t woken = runq_length(&p->ready);
	if (woken == 1 && load_relaxed(&p->switches) != p->seen.switches)
		woken = 0;
	return woken || deque_length(&p->fresh);
}

/* Work lies in a queue while a processor lies idle. */
static void spread(void)
{
	if (!load_relaxed(&sched.idle.processor_count))
		return;
	bool work = global_work_waits();
	for (unsigned i = 0; i < sched.processor_count && !work; i++)
		work = lies_waiting(&sched.processors[i]);
	if (work)
		weft__proc_wake();
}

static bool stop_wanted(void)
{
	/* pairs with run.c:weft_stop */
	return load_seq_cst(&sched.stopping) && !load_relaxed(&sched.stopped);
}

static void cancel_one(struct task *task, void *arg)
{
	if (load_relaxed(&task->state) != TASK_FREE && !load_relaxed(&task->called_stop))
		weft__task_cancel(NULL, task);
}

static void cancel_groups(struct task *task, void *arg)
{
	if (load_relaxed(&task->state) != TASK_FREE && load_relaxed(&task->groups))
		weft__on_stop(task);
}

/* weft_stop: every task is cancelled, once, and its groups before. A spawn reads sched.stopping
 * after its task is in place, this walk reads the tasks after sched.stopping is set, with a barrier
 * on all threads between: no task is missed. */
void weft__monitor_stop_tasks(void)
{
	if (!stop_wanted())
		return;
	/* Without a barrier the spawn pays: pairs with api/task.c:weft__task_launch */
	if (sched.membarrier && barrier() < 0)
		return; /* in the next round those who have not fenced are seen all the same */
	if (load_relaxed(&weft__on_stop))
		weft__record_each(cancel_groups, NULL);
	weft__record_each(cancel_one, NULL);
	store_relaxed(&sched.stopped, 1);
	weft__proc_look_stuck(); /* those that cannot be cancelled may wait for ever */
}

static void trim(int64_t now)
{
	if (now - monitor.last_trim < TRIM_EVERY)
		return;
	monitor.last_trim = now;
	monitor.trimming = weft__cache_trim();
	monitor.trimming |= weft__stack_trim();
	monitor.trimming |= weft__thread_trim();
}

/* ---- the rounds ---- */

/* The deterministic mode does itself what the rounds do, except for signals, which are real. */
static void round_sim(void)
{
	struct list ready;
	list_init(&ready);
	/* pairs with proc.c:stuck */
	add_seq_cst(&sched.carrying, 1);
	serve_signals(&ready);
	weft__ready_list(&ready);
	/* pairs with proc.c:stuck */
	sub_seq_cst(&sched.carrying, 1);
	if (nothing_runs())
		weft__monitor_stop_tasks();
}

/* Returns true when nobody needs this thread soon: no code has blocked or computed for long lately,
 * and all processors serve their timers and the poller themselves, or all are idle. While one is
 * idle beside others that run, work may lie for it. */
static bool all_is_calm(int64_t now)
{
	if (now - monitor.last_take < CALM_AFTER || trace_on())
		return false;
	if (load_relaxed(&sched.idle.processor_count))
		return nothing_runs() && load_relaxed(&sched.poller.until) != INT64_MIN;
	for (unsigned i = 0; i < sched.processor_count; i++)
		if (!weft__timer_attended(&sched.processors[i], sched.coarse_now))
			return false;
	return true;
}

static void note_take(bool taken, int64_t now)
{
	if (!taken)
		return;
	monitor.streak = now - monitor.last_take < STREAK_GAP ? monitor.streak + 1 : 0;
	monitor.last_take = now;
}

static bool round_once(void)
{
	bool taken = false;
	int64_t now = weft__clock();
	weft__trace_tick(now);
	weft__lost_look(now);
	if (unlikely(sched.sim)) {
		round_sim();
		return false;
	}
	if (unlikely(!sched.membarrier && !monitor.asked))
		ask_for_fences();
	monitor.calm = all_is_calm(now); /* by the time of the round before this one */
	store_relaxed(&sched.coarse_now, now);
	weft__monitor_stop_tasks();
	serve(now);
	weft__elder_look(now);
	for (unsigned i = 0; i < sched.processor_count; i++)
		taken |= watch(&sched.processors[i], now);
	spread();
	if (nothing_runs()) /* a look was postponed, perhaps, while this thread was carrying */
		weft__proc_look_stuck();
	trim(now);
	note_take(taken, now);
	return taken;
}

/*
 * While takes follow each other, it is worth looking for the next one without sleeping: a sleep of
 * 20 us lasts 50 and more. Each look yields the CPU to whoever wants it. Returns true when a
 * processor was taken.
 */
static bool look_again(void)
{
	int64_t now = weft__clock();
	bool taken = false;
	while (monitor.streak >= STREAK && now - monitor.last_take < STREAK_LOOKS && !taken) {
		weft__yield_cpu();
		now = weft__clock();
		for (unsigned i = 0; i < sched.processor_count; i++)
			taken |= watch(&sched.processors[i], now);
	}
	note_take(taken, now);
	return taken;
}

/* Returns true when something waits behind user code that has not switched since the round before
 * this one, or that sleeps. */
static bool suspicious(void)
{
	for (unsigned i = 0; i < sched.processor_count; i++) {
		struct processor *p = &sched.processors[i];
		bool doubt = p->seen.asleep || p->seen.since < sched.coarse_now;
		if (p->seen.thread && doubt && load_relaxed(&p->switches) == p->seen.switches &&
		    work_waits(p))
			return true;
	}
	return false;
}

static int64_t next_pause(int64_t pause, bool taken)
{
	if (taken ||
	    sched.coarse_now - monitor.last_take < ROUND_LONG) /* takes follow each other */
		return ROUND_SHORT;
	return suspicious() ? ROUND : min_of(2 * pause, monitor.calm ? ROUND_CALM : ROUND_LONG);
}

static void nap(int64_t until)
{
	/* pairs with weft__monitor_poke: its futex */
	weft__futex_wait(&sched.monitor.wake, 0, until);
	store_relaxed(&sched.monitor.wake, 0);
}

/* How long until the next look for the end of threads that are not the runtime's, or for a thread
 * of the runtime's that a task has ended; 0: neither. */
static int64_t next_doubt(void)
{
	int64_t first = weft__proc_judge() ? DOUBT : load_relaxed(&sched.in_user) ? LOST_EVERY : 0;
	return first ? min_of(max_of(2 * monitor.doubt, first), DOUBT_LONG) : 0;
}

/* When to look again: for memory to give back, or in doubt. */
static int64_t next_look(void)
{
	int64_t pause = monitor.trimming ? TRIM_EVERY : INT64_MAX;
	monitor.doubt = next_doubt();
	if (monitor.doubt)
		pause = min_of(pause, monitor.doubt);
	return pause == INT64_MAX ? pause : weft__clock() + pause;
}

/* Returns true when rounds have something to do though nothing runs. */
static bool rounds_needed(void)
{
	return stop_wanted() || weft__proc_poller_missing();
}

/* Sleeps until something runs. Whoever takes an idle processor calls weft__monitor_wake. */
static void sleep_deep(void)
{
	store_seq_cst(&sched.monitor.asleep, 1); /* pairs with weft__monitor_wake */
	/* Here, too, since each round that follows a sleep finds somebody running. */
	monitor.trimming |= weft__cache_trim();
	if (nothing_runs() && !rounds_needed())
		nap(next_look());
	store_relaxed(&sched.monitor.asleep, 0);
	if (!nothing_runs())
		monitor.doubt = 0;
}

void weft__monitor_wake(void)
{
	fence_seq_cst(); /* pairs with sleep_deep */
	if (load_relaxed(&sched.monitor.asleep))
		weft__monitor_poke();
}

void weft__monitor_poke(void)
{
	/* pairs with nap */
	store_release(&sched.monitor.wake, 1);
	weft__futex_wake(&sched.monitor.wake, 1);
}

static void *monitor_main(void *arg)
{
	int64_t pause = ROUND;
	unsigned quiet = 0;
	sigset_t all;
	store_relaxed(&sched.monitor.tid, sys_gettid());
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_TIMERSLACK, 1); /* 50 us by default: longer than a round */
	/* pairs with weft__monitor_stop */
	while (!load_acquire(&monitor.stop)) {
		pause = next_pause(pause, round_once());
		if (look_again())
			continue;
		quiet = nothing_runs() ? quiet + 1 : 0;
		if (quiet < QUIET_ROUNDS || rounds_needed()) {
			bool polled = load_relaxed(&sched.poller.until) != INT64_MIN;
			int64_t due = polled ? INT64_MAX : weft__timer_earliest();
			int64_t until = weft__clock() + pause;
			nap(min_of(until, due));
		} else {
			sleep_deep();
		}
	}
	return NULL;
}

int weft__monitor_start(void)
{
	monitor.stop = false;
	monitor.asked = !sched.membarrier;
	monitor.last_trim = weft__clock();
	monitor.last_take = monitor.last_trim - ROUND_LONG; /* neither calm nor just after a take */
	store_relaxed(&sched.coarse_now, monitor.last_trim);
	weft__tid_begin();
	int err = pthread_create(&monitor.pthread, NULL, monitor_main, NULL);
	if (err)
		weft__tid_end();
	return -err;
}

void weft__monitor_stop(void)
{
	/* pairs with monitor_main */
	store_release(&monitor.stop, true);
	for (unsigned i = 0; pthread_tryjoin_np(monitor.pthread, NULL) != 0; i++) {
		weft__monitor_poke(); /* it may be just before its sleep */
		weft__await_other(i);
	}
	weft__tid_end();
}
