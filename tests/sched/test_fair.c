/* SPDX-License-Identifier: MIT */
/*
 * test_fair.c: the order of tasks beside some that compute: how long a holder is left alone
 * (holder.c, from inside, with processors of the test's own), and that a task which lost its
 * processor because it computed goes behind all others, and that one which only
 * yields keeps nothing waiting that comes from outside.
 */
#include <pthread.h>
#include <unistd.h>

#include "../../src/sched/holder.c"

#include "../tasks.h"
#include "weft/debug.h"

enum { MOST_OTHERS = 3, ATTEMPTS = 1000 };

/* ---- how long ---- */

static struct processor processor;
static struct thread holder;
static struct task computing, waiting;

/* A holder whose user code was first seen at time 0, with its CPU clock at 0. */
static void hold(void)
{
	sched.processors = &processor;
	sched.processor_count = 1;
	computing.id++; /* nothing is known of it */
	holder.task = &computing;
	processor.seen.thread = &holder;
	processor.seen.since = 0;
	processor.seen.cpu_start = 0;
}

TEST("a woken task waits for ten milliseconds, however many compute already")
{
	runq_push(&processor.ready, &waiting);
	for (sched.busy_away = 0; sched.busy_away < 100; sched.busy_away++) {
		hold();
		expect(!weft__holder_busy(&processor, BUSY, BUSY - 1));
		expect(weft__holder_busy(&processor, BUSY, BUSY));
	}
}

TEST("others wait the longer the more compute")
{
	hold();
	for (sched.busy_away = 0; sched.busy_away < 100; sched.busy_away++) {
		int64_t most = BUSY * (1 + sched.busy_away);
		expect(!weft__holder_busy(&processor, most, most - 1));
		expect(weft__holder_busy(&processor, most, most));
	}
}

TEST("behind a task that has computed lately a woken one waits for a millisecond")
{
	hold();
	sched.global_ready.length = 1;
	note_computed(&computing, 0);
	expect(!weft__holder_busy(&processor, MS, MS - 1));
	expect(weft__holder_busy(&processor, MS, MS));
	sched.busy_away = 4;
	expect(!weft__holder_busy(&processor, 5 * MS, 5 * MS - 1));
	expect(weft__holder_busy(&processor, 5 * MS, 5 * MS));
	sched.busy_away = 40;
	expect(weft__holder_busy(&processor, BUSY, BUSY));
}

TEST("what a task was known for is forgotten, and does not stick to another one")
{
	hold();
	note_computed(&computing, 0);
	expect(known_to_compute(&computing, KNOWN_FOR - 1));
	expect(!known_to_compute(&computing, KNOWN_FOR));
	computing.id += KNOWN;
	expect(!known_to_compute(&computing, 0));
	expect(!known_to_compute(NULL, 0));
}

TEST("by the clock it waits for ten times as long at most")
{
	hold();
	runq_push(&processor.ready, &waiting);
	expect(!weft__holder_busy(&processor, WALL * BUSY - 1, 0));
	expect(weft__holder_busy(&processor, WALL * BUSY, 0));
}

/* ---- the order ---- */

static int others, ahead, released, returned;

static uint64_t leases(void)
{
	struct weft_stats s = {.size = sizeof(s)};
	expect_eq(weft_stats(&s), 0);
	return s.leases_taken;
}

/* In user code until its processor has been taken, and then until the other lets it go. */
static int computes(void *arg)
{
	(void)arg;
	while (!flag(&released))
		;
	weft_yield();
	flag_set(&ahead, flag(&others));
	flag_set(&returned, 1);
	return 0;
}

static int counts(void *arg)
{
	(void)arg;
	flag_set(&others, flag(&others) + 1);
	return 0;
}

/* Returns true when the caller kept its processor until the others had been started. */
static bool let_it_return(struct weft_task **task)
{
	uint64_t before = leases();
	flag_set(&released, 1);
	while (load_relaxed(&sched.global_busy.length) + load_relaxed(&sched.global_ready.length) ==
	       0)
		;
	for (int i = 0; i < MOST_OTHERS; i++)
		task[i] = tasks_start(counts, NULL);
	return leases() == before;
}

/* One attempt; false: the machine came in between, and nothing is known. */
static bool order_seen(void)
{
	struct weft_task *task[MOST_OTHERS];
	others = ahead = returned = 0;
	flag_set(&released, 0);
	struct weft_task *busy = tasks_start(computes, NULL);
	for (uint64_t before = leases(); leases() == before;)
		weft_yield(); /* it runs, and this one waits, until it has computed for too long */
	bool seen = let_it_return(task);
	for (int i = 0; i < MOST_OTHERS; i++)
		tasks_join(task[i]);
	tasks_join(busy);
	expect(flag(&returned));
	return seen;
}

static int main_task(void *arg)
{
	for (int i = 0; i < ATTEMPTS; i++)
		if (order_seen()) {
			expect_eq(flag(&ahead), MOST_OTHERS);
			return 0;
		}
	return *(int *)arg;
}

TEST("a task that computed until its processor was taken goes behind all others")
{
	int never = 1;
	expect_eq(tasks_run(1, main_task, &never), 0);
}

/* ---- what comes from outside, beside a task that only yields ---- */

enum { ROUNDS = 20, SOON = 2 * LOOK_EVERY };

static int happened, seen, ends[2];

static void begins(void *arg)
{
	(void)arg;
	flag_set(&seen, 1);
}

static void reads(void *arg)
{
	char byte;
	expect_eq(weft_read(ends[0], &byte, 1, WEFT_FOREVER), 1);
	begins(arg);
}

static void *start_one(void *arg)
{
	expect_eq(weft_go(begins, arg), 0);
	flag_set(&happened, 1);
	return NULL;
}

static void *write_one(void *arg)
{
	(void)arg;
	expect_eq(write(ends[1], "", 1), 1);
	flag_set(&happened, 1);
	return NULL;
}

/* Yields of the only runnable task from what a foreign thread does until a task has seen it. */
static int yields_until_seen(void *(*does)(void *arg))
{
	pthread_t outside;
	int yields = 0;
	flag_set(&happened, 0);
	flag_set(&seen, 0);
	expect_eq(pthread_create(&outside, NULL, does, NULL), 0);
	while (!flag(&happened))
		weft_yield();
	for (; !flag(&seen); yields++)
		weft_yield();
	pthread_join(outside, NULL);
	return yields;
}

static int yield_beside_births(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++)
		expect_le(yields_until_seen(start_one), SOON);
	return 0;
}

TEST("a task that was started from outside begins beside one that only yields")
{
	expect_eq(tasks_run(1, yield_beside_births, NULL), 0);
}

/* Not each time: the monitor may be at the poller, and off its CPU there. */
static int yield_beside_readers(void *arg)
{
	int soon_enough = 0;
	expect_eq(pipe(ends), 0);
	for (int i = 0; i < ROUNDS; i++) {
		expect_eq(weft_go(reads, arg), 0);
		weft_yield();
		soon_enough += yields_until_seen(write_one) <= SOON;
	}
	expect_ge(soon_enough, ROUNDS / 2);
	return 0;
}

TEST("a reader goes on beside a task that only yields")
{
	expect_eq(tasks_run(1, yield_beside_readers, NULL), 0);
}
