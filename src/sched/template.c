/* SPDX-License-Identifier: MIT */
/*
 * template.c: the thread that starts and reaps all others.
 *
 * The template is a clean thread: it runs no task, so new threads inherit nothing that a task did
 * to its thread. It is the thread that called weft_run, or, with WEFT_LOCK_MAIN, one that was
 * started before the main task ran. It sleeps on sched.template.wake and does two things:
 *
 *   start   a thread for each processor on sched.template.wanted; the new thread holds it from the
 *           start. While such births follow each other closely, also two spare threads ahead of
 *           demand: a dying thread hands its processor to one of them, and nobody waits for a
 *           birth. Whoever leaves fewer than two wakes the template
 *   reap    threads on sched.leaving, with pthread_tryjoin_np: a dying thread runs the program's
 *           key destructors, which may take long, and the template must not wait for them; at the
 *           very end it may
 *
 * When no thread can be started (pids limit, memory, max_threads) the processor lies idle, its work
 * in the global queues, and whoever becomes free takes it up (proc.c). The template tries again
 * every 10 ms; only when for ten seconds no task has run and nothing could wake one it says so and
 * aborts: docs/THREADS.md.
 *
 * Rejected: more spares (with eight, births come in batches, the kernel's small caches of thread
 * stacks run dry, and a storm takes a fifth longer), a wake-up for each second spare (then
 * everybody waits for the template), starting threads where they are needed (they would inherit
 * what a locked task did), detached threads (weft_run could not promise that all are gone).
 */
#include "sched/template.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/sys.h"
#include "base/time.h"
#include "sched/foreign.h"
#include "sched/netpoll.h"
#include "sched/proc.h"
#include "sched/schedule.h"
#include "sched/thread.h"

#define RETRY_FIRST MS(1)   /* until the next try to start a thread; doubles each time ... */
#define RETRY_LAST MS(10)   /* ... up to this */
#define PATIENCE MS(500)    /* until a message says that a thread is missing */
#define GIVE_UP SECONDS(10) /* when all has stood still for so long */
#define STORM_GAP MS(1)	    /* births closer than this follow each other */

enum {
	START_BATCH = 16, /* threads started before the dead are looked after */
	STORM_BIRTHS = 8, /* so many in a row are a storm */
	SPARES = 2,	  /* threads kept ready in one */
};

static struct {
	int64_t first;	   /* a thread has been missing since then; 0: none is */
	int64_t since;	   /* and all has stood still since then */
	uint64_t switches; /* of all processors then */
	int error;	   /* of the last birth; 0: it succeeded */
	bool said;	   /* the message: once a run */
} missing;
static int64_t last_birth;
static uint32_t births; /* in a row, closely */

/* ---- births ---- */

void weft__template_wake(void)
{
	if (!swap_acq_rel(&sched.template.wake, 1)) /* pairs with template_sleep */
		weft__futex_wake(&sched.template.wake, 1);
}

void weft__thread_want(struct processor *p)
{
	list_push_tail(&sched.template.wanted, &p->idle);
	store_relaxed(&sched.template.wanted_count, sched.template.wanted_count + 1);
}

/* Returns a new record for no processor. Its thread is idle before it has begun, and taken last.
 * NULL: max_threads is reached. [S] */
static struct thread *record_idle(void)
{
	struct thread *t = weft__thread_record_take();
	if (t)
		thread_idle_add(t, IDLE_LAST);
	return t;
}

/* Returns a new record for a wanted processor; or, while threads are in demand, for none: it counts
 * as idle at once, and whoever finds it there may give it a processor before it has begun. NULL: no
 * thread is needed. */
static struct thread *record_wanted(void)
{
	struct thread *t = NULL;
	lock_take(&sched.lock, RANK_SCHED);
	struct list *l = list_pop_head(&sched.template.wanted);
	if (l) {
		store_relaxed(&sched.template.wanted_count, sched.template.wanted_count - 1);
		t = weft__thread_record_take(); /* never NULL: the lock is held since the wish */
		weft__proc_attach(t, container_of(l, struct processor, idle));
	} else if (sched.idle.thread_count < sched.template.spares &&
		   sched.running == RUNTIME_RUNS) {
		t = record_idle();
	}
	sched.counts.threads_started += t != NULL;
	lock_drop(&sched.lock, RANK_SCHED);
	return t;
}

/* t could not be started: frees its record, and gives its processor to any other thread. */
static void unborn(struct thread *t)
{
	lock_take(&sched.lock, RANK_SCHED);
	struct processor *p = t->processor ? weft__proc_detach(t) : NULL;
	if (p)
		p->next = t->next;
	else
		thread_idle_remove(t);
	/* pairs with proc.c:weft__proc_wake */
	if (t->spinning)
		sub_seq_cst(&sched.spinning, 1);
	sched.template.failed = 1;
	sched.counts.threads_started--;
	list_remove(&t->all);
	weft__thread_record_free(t);
	lock_drop(&sched.lock, RANK_SCHED);
	if (p)
		weft__proc_start(p);
}

static void start_failed(struct thread *t, int err)
{
	births = 0;
	missing.error = err;
	store_relaxed(&sched.template.spares, 0);
	unborn(t);
}

/* While births follow each other closely, a few threads are kept ready. */
static void note_birth(void)
{
	int64_t now = weft__clock();
	missing.error = 0;
	births = now - last_birth < STORM_GAP ? births + 1 : 0;
	last_birth = now;
	store_relaxed(&sched.template.spares, births < STORM_BIRTHS || sched.sim ? 0 : SPARES);
}

static void start_wanted(void)
{
	struct thread *t;
	/* Not for ever: in a storm the next thread is wanted while this one is started, and the
	 * dead must be reaped. */
	for (int n = 0; n < START_BATCH && (t = record_wanted()); n++) {
		int err = weft__thread_create(t);
		if (err)
			start_failed(t, err);
		else
			note_birth();
	}
}

int weft__thread_first(void)
{
	missing.first = 0;
	missing.error = 0;
	missing.said = false;
	lock_take(&sched.lock, RANK_SCHED);
	struct thread *t = record_idle();
	sched.counts.threads_started += t != NULL;
	lock_drop(&sched.lock, RANK_SCHED);
	int err = t ? weft__thread_create(t) : -EAGAIN;
	if (t && err)
		start_failed(t, err);
	return err;
}

/* ---- the dead ---- */

/* How long to wait for a dying thread, which runs the program's key destructors. */
enum patience { JOIN_NOW, JOIN_SOON, JOIN_WHENEVER };

static int join(pthread_t pthread, enum patience patience)
{
	struct timespec now, until;
	if (patience == JOIN_NOW)
		return pthread_tryjoin_np(pthread, NULL);
	if (patience == JOIN_WHENEVER)
		return pthread_join(pthread, NULL);
	clock_gettime(CLOCK_REALTIME, &now); /* pthread_timedjoin_np knows no other clock */
	until = timespec_of(nanoseconds_of(now) + RETRY_LAST);
	return pthread_timedjoin_np(pthread, NULL, &until);
}

/* Joins the threads that have ended. Returns true when some have not yet. */
static bool reap(enum patience patience)
{
	struct list dead, joined, later;
	list_init(&dead);
	list_init(&joined);
	list_init(&later);
	lock_take(&sched.lock, RANK_SCHED);
	list_move_all(&dead, &sched.leaving);
	sched.leaving_count = 0;
	lock_drop(&sched.lock, RANK_SCHED);
	for (struct list *l; (l = list_pop_head(&dead));) {
		int busy = join(container_of(l, struct thread, all)->pthread, patience);
		list_push_tail(busy ? &later : &joined, l);
		if (patience == JOIN_SOON)
			patience = JOIN_NOW; /* one is enough to continue */
	}
	bool left = !list_empty(&later);
	lock_take(&sched.lock, RANK_SCHED);
	for (struct list *l; (l = list_pop_head(&joined));)
		weft__thread_record_free(container_of(l, struct thread, all));
	list_move_all(&sched.leaving, &later);
	lock_drop(&sched.lock, RANK_SCHED);
	return left;
}

/* ---- when no thread can be started ---- */

struct holders {
	uint32_t locked, in_code, leaving;
};

/* What the existing threads do. [S] */
static struct holders count_holders(void)
{
	struct holders n = {0};
	list_each (l, &sched.threads) {
		const struct thread *t = container_of(l, struct thread, all);
		bool in_code = load_relaxed(&t->task) && !load_relaxed(&t->lease.in_runtime);
		n.locked += t->locked_task != NULL;
		n.in_code += in_code && !t->locked_task;
	}
	list_each (l, &sched.leaving)
		n.leaving++;
	return n;
}

/* Says why: what the existing threads do, or what the kernel answered. Returns false when a thread
 * can be had by now. */
static bool describe(char *text, size_t size)
{
	lock_take(&sched.lock, RANK_SCHED);
	bool limit = sched.thread_count >= sched.max_threads;
	struct holders n = count_holders();
	lock_drop(&sched.lock, RANK_SCHED);
	if (limit)
		snprintf(text, size,
			 "the limit of %u threads is reached: %u belong to locked tasks, %u are in "
			 "code that blocks or computes, %u are ending; raise "
			 "weft_options.max_threads",
			 sched.max_threads, n.locked, n.in_code, n.leaving);
	else if (missing.error)
		snprintf(text, size,
			 "cannot start a thread: %s (pids limit, RLIMIT_NPROC or memory)",
			 strerror(-missing.error));
	return limit || missing.error;
}

/* Says once, when it lasts, that tasks wait for a thread; aborts when all has stood still for too
 * long: none runs, be it in code that blocks, and nothing wakes one that holds a thread. */
static void mind_the_gap(int64_t now)
{
	char text[256];
	uint64_t switches = weft__all_switches();
	if (!missing.first)
		missing.first = now;
	if (missing.first == now || switches != missing.switches || !weft__proc_stands_still()) {
		missing.since = now;
		missing.switches = switches;
	}
	bool hopeless = now - missing.since > GIVE_UP && !weft__proc_outside_wakes();
	if (!hopeless && (missing.said || now - missing.first < PATIENCE))
		return;
	if (!describe(text, sizeof(text)))
		return;
	if (hopeless)
		weft__fatal("%s; no task runs, and nothing will wake one", text);
	weft__warn("%s; tasks wait for one", text);
	missing.said = true;
}

static void template_sleep(int64_t deadline)
{
	if (!swap_acq_rel(&sched.template.wake, 0)) /* pairs with weft__template_wake */
		weft__futex_wait(&sched.template.wake, 0, deadline);
	/* What others did before they set it is seen now: pairs with weft__template_wake. */
	swap_acq_rel(&sched.template.wake, 0);
}

/* Ends early when a birth is asked for, or the runtime ends. */
static void nap(void)
{
	int64_t until = weft__clock() + RETRY_LAST;
	while (!load_relaxed(&sched.template.wanted_count) &&
	       load_relaxed(&sched.running) == RUNTIME_RUNS && weft__clock() < until)
		template_sleep(until);
}

static bool take_missed(void)
{
	lock_take(&sched.lock, RANK_SCHED);
	bool missed = sched.template.missed;
	store_relaxed(&sched.template.missed, 0);
	lock_drop(&sched.lock, RANK_SCHED);
	return missed;
}

/* A thread is missing: waits a little, for a dying one or for better times, and tries again.
 * Returns false when none is missing. */
static bool try_on(void)
{
	if (!take_missed()) {
		missing.first = 0;
		return false;
	}
	mind_the_gap(weft__clock());
	if (list_empty(&sched.leaving)) /* nobody else takes anything out of it */
		nap();
	reap(JOIN_SOON);
	lock_take(&sched.lock, RANK_SCHED);
	sched.template.failed = 0;
	lock_drop(&sched.lock, RANK_SCHED);
	weft__proc_serve_waiting();
	return true;
}

static void wake_everybody(void)
{
	lock_take(&sched.lock, RANK_SCHED);
	list_each (l, &sched.threads) {
		struct thread *t = container_of(l, struct thread, all);
		/* pairs with sleep.c:sleep_once: its futex */
		store_release(&t->wake, 1);
		weft__futex_wake(&t->wake, 1);
	}
	lock_drop(&sched.lock, RANK_SCHED);
	weft__netpoll_kick();
}

void weft__template_loop(void)
{
	int64_t pause = RETRY_FIRST;
	for (;;) {
		start_wanted();
		/* pairs with runtime.c:begin_threads, proc.c:over_or_stuck */
		bool ending = load_acquire(&sched.running) == RUNTIME_ENDS;
		bool left = reap(JOIN_NOW);
		if (ending) {
			wake_everybody();
			weft__foreign_end_waits(); /* key destructors may be in one */
			reap(JOIN_WHENEVER);
			if (load_relaxed(&sched.thread_count) == sched.clean_threads)
				return;
		}
		pause = left ? min_of(2 * pause, RETRY_LAST) : RETRY_FIRST;
		if (load_relaxed(&sched.template.wanted_count) || (!ending && try_on()))
			continue;
		template_sleep(left || ending ? weft__clock() + pause : INT64_MAX);
	}
}

/* Looked for only where no other thread is to be had. [S] */
static bool locked_thread_sleeps(void)
{
	list_each (l, &sched.threads) {
		struct thread *t = container_of(l, struct thread, all);
		if (load_relaxed(&t->phase) == THREAD_LOCKED && !t->processor && !t->given)
			return true;
	}
	return false;
}

bool weft__thread_available(void)
{
	if (sched.idle.thread_count || weft__thread_birth_possible() || locked_thread_sleeps())
		return true;
	store_relaxed(&sched.template.missed, 1);
	weft__template_wake();
	return false;
}
