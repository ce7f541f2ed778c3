/* SPDX-License-Identifier: MIT */
/*
 * test_timer.c: the timers of one processor, from inside: order, stopping, what fires, and how long
 * to sleep.
 */
#include <stdlib.h>

#include "../tasks.h"
#include "sched/sched.h"
#include "sched/timer.h"

enum { TIMERS = 10000 };

static struct processor processor;
static struct thread thread;
static struct timer timers[TIMERS];
static int64_t last_fired;
static unsigned fired;

static void fire(struct timer *timer, struct list *ready)
{
	expect_ge(timer->when, last_fired);
	last_fired = timer->when;
	fired++;
}

static void setup(void)
{
	thread.lease.in_runtime = 1;
	thread.processor = &processor;
	processor.thread = &thread;
	processor.timers.queue.earliest = INT64_MAX;
	sched.poller.until = INT64_MIN; /* no thread sleeps in the poller */
	sched.processors = &processor;
	sched.processor_count = 1;
	last_fired = INT64_MIN;
	fired = 0;
}

static void start_all(unsigned seed)
{
	for (int i = 0; i < TIMERS; i++) {
		timers[i].when = rand_r(&seed) % 1000;
		timers[i].fire = fire;
		expect_eq(weft__timer_start(&thread, &timers[i]), 0);
	}
}

TEST("timers fire in order whatever the order in which they were started", .times = 5)
{
	setup();
	struct list ready;
	list_init(&ready);
	start_all((unsigned)nth + 1);
	expect_eq(weft__timer_run(&processor, -1, &ready), 0);
	for (int64_t now = 0; now < 1000; now += 50) {
		weft__timer_run(&processor, now, &ready);
		expect_gt(weft__timer_earliest(), now);
	}
	weft__timer_run(&processor, 1000, &ready);
	expect_eq(fired, TIMERS);
	expect_eq(weft__timer_earliest(), INT64_MAX);
}

TEST("a stopped timer never fires and stop says what happened", .times = 5)
{
	setup();
	struct list ready;
	unsigned seed = (unsigned)nth + 7, stopped = 0;
	list_init(&ready);
	start_all(seed);
	weft__timer_run(&processor, 300, &ready);
	for (int i = 0; i < TIMERS; i++) {
		bool live = timers[i].when > 300;
		if (rand_r(&seed) % 2)
			continue;
		expect_eq(weft__timer_stop(&timers[i]), live);
		expect(!weft__timer_stop(&timers[i]));
		stopped += live;
	}
	weft__timer_run(&processor, 1000, &ready);
	expect_eq(fired + stopped, TIMERS);
}

TEST("deadlines at both ends of time are kept apart")
{
	setup();
	struct list ready;
	list_init(&ready);
	timers[0] = (struct timer){.when = INT64_MAX - 1, .fire = fire};
	timers[1] = (struct timer){.when = INT64_MIN + 1, .fire = fire};
	weft__timer_start(&thread, &timers[0]);
	weft__timer_start(&thread, &timers[1]);
	expect_eq(weft__timer_run(&processor, 0, &ready), 1);
	expect_eq(weft__timer_earliest(), INT64_MAX - 1);
	expect(weft__timer_stop(&timers[0]));
	expect(!weft__timer_stop(&timers[1]));
}

TEST("others leave a heap to the processor that looks at it")
{
	setup();
	struct list ready;
	list_init(&ready);
	start_all(1);
	expect_eq(weft__timer_run_own(&processor, -1, &ready, 1), 0);
	expect_eq(weft__timer_run(&processor, 1000, &ready), 0);
	expect_gt(weft__timer_earliest(), 1000);
	expect_gt(weft__timer_run(&processor, weft__timer_earliest(), &ready), 0);
	expect_eq(fired, TIMERS);
}

TEST("a processor that goes idle leaves its timers to others at once")
{
	setup();
	struct list ready;
	list_init(&ready);
	start_all(1);
	weft__timer_run_own(&processor, -1, &ready, 1);
	weft__timer_leave(&processor);
	expect_lt(weft__timer_earliest(), 1000);
	expect_eq(weft__timer_run(&processor, 1000, &ready), TIMERS);
}

TEST("a processor fires no more than it has room for")
{
	setup();
	struct list ready;
	unsigned n, all = 0;
	list_init(&ready);
	start_all(1);
	expect_eq(weft__timer_run_own(&processor, 1000, &ready, 7), 7);
	while ((n = weft__timer_run_own(&processor, 1000, &ready, TIMERS)))
		all += n;
	expect_eq(all, TIMERS - 7);
}

/* ---- the queue against a table that is searched from end to end ---- */

enum { STEPS = 30000, SPAN_SHIFTS = 50 };

static int64_t earliest_by_search(void)
{
	int64_t earliest = INT64_MAX;
	for (int i = 0; i < TIMERS / 10; i++)
		if (timers[i].index && timers[i].when < earliest)
			earliest = timers[i].when;
	return earliest;
}

/* Nanoseconds to days ahead, each order of magnitude about as often. */
static int64_t some_span(unsigned *seed)
{
	int64_t span = (int64_t)rand_r(seed) << 31 | rand_r(seed);
	return span % (INT64_C(1) << rand_r(seed) % SPAN_SHIFTS);
}

static void take_all(struct timer_queue *q, int64_t now)
{
	struct timer *due[7];
	unsigned n;
	do {
		n = weft__timerq_take(q, now, due, 7);
		for (unsigned i = 0; i < n; i++) {
			expect_le(due[i]->when, now);
			expect_eq(due[i]->when, earliest_by_search());
			due[i]->index = 0;
		}
	} while (n == 7);
	expect_gt(earliest_by_search(), now);
}

TEST("whatever is started and stopped comes out in order and once", .times = 8)
{
	setup();
	struct timer_queue q = {.earliest = INT64_MAX};
	unsigned seed = (unsigned)nth + 3;
	int64_t now = nth % 2 ? 0 : INT64_C(123456789) << 20;
	for (int step = 0; step < STEPS; step++) {
		struct timer *t = &timers[rand_r(&seed) % (TIMERS / 10)];
		if (!t->index) {
			t->when = now + some_span(&seed);
			expect_eq(weft__timerq_add(&q, t), 0);
		} else if (rand_r(&seed) % 4 == 0) {
			weft__timerq_remove(&q, t);
			expect_eq(t->index, 0);
		}
		expect_le(q.earliest, earliest_by_search());
		if (rand_r(&seed) % 8 == 0) {
			now += some_span(&seed) / 64;
			take_all(&q, now);
		}
	}
	take_all(&q, INT64_MAX - 1);
	expect_eq(q.count, 0);
	expect_eq(q.earliest, INT64_MAX);
	weft__timerq_free(&q);
}

TEST("a wake for a timer that was stopped happens once")
{
	setup();
	struct timer_queue q = {.earliest = INT64_MAX};
	struct timer *due;
	int64_t second = INT64_C(1000000000);
	for (int i = 0; i < 3; i++) {
		timers[i].when = (100 + i) * second;
		expect_eq(weft__timerq_add(&q, &timers[i]), 0);
	}
	weft__timerq_remove(&q, &timers[0]);
	expect_eq(weft__timerq_take(&q, 100 * second, &due, 1), 0);
	expect_eq(q.earliest, 101 * second);
	weft__timerq_remove(&q, &timers[1]);
	weft__timerq_remove(&q, &timers[2]);
	expect_eq(q.earliest, INT64_MAX);
	weft__timerq_free(&q);
}

TEST("timers that are started and stopped for ever need no memory")
{
	setup();
	struct timer_queue q = {.earliest = INT64_MAX};
	unsigned seed = 11;
	for (int i = 0; i < 100 * TIMERS; i++) {
		struct timer *t = &timers[i % 200];
		if (t->index)
			weft__timerq_remove(&q, t);
		t->when = i * INT64_C(1000) + some_span(&seed);
		expect_eq(weft__timerq_add(&q, t), 0);
	}
	expect_eq(q.room, 256);
	expect_le(q.chunks_used, 200);
	weft__timerq_free(&q);
}

TEST("only a crowd gathers")
{
	setup();
	expect_eq(weft__timer_gather(1000, 990, 0), 1000);
	expect_eq(weft__timer_gather(5 * MS, MS, 1000), 5 * MS);
	expect_eq(weft__timer_gather(INT64_MAX, MS, 1000), INT64_MAX);
	int64_t later = weft__timer_gather(1000, 990, 1000);
	expect_gt(later, 1000);
	expect_lt(later, MS);
}
