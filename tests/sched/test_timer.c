/* SPDX-License-Identifier: MIT */
/* test_timer.c: the timers of one processor, from inside: order, stopping, what fires, and how long to sleep. */
#include <check.h>
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
	ck_assert_int_ge(timer->when, last_fired);
	last_fired = timer->when;
	fired++;
}

static void setup(void)
{
	thread.lease.in_runtime = 1;
	thread.processor = &processor;
	processor.thread = &thread;
	processor.timers.queue.earliest = INT64_MAX;
	sched.poller.until = INT64_MIN; /* nobody sleeps in the poller */
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
		ck_assert_int_eq(weft__timer_start(&thread, &timers[i]), 0);
	}
}

START_TEST(timers_fire_in_order_whatever_the_order_in_which_they_were_started)
{
	struct list ready;
	list_init(&ready);
	start_all((unsigned)_i + 1);
	ck_assert_int_eq(weft__timer_run(&processor, -1, &ready), 0);
	for (int64_t now = 0; now < 1000; now += 50) {
		weft__timer_run(&processor, now, &ready);
		ck_assert_int_gt(weft__timer_earliest(), now);
	}
	weft__timer_run(&processor, 1000, &ready);
	ck_assert_uint_eq(fired, TIMERS);
	ck_assert_int_eq(weft__timer_earliest(), INT64_MAX);
}
END_TEST

START_TEST(a_stopped_timer_never_fires_and_stop_says_what_happened)
{
	struct list ready;
	unsigned seed = (unsigned)_i + 7, stopped = 0;
	list_init(&ready);
	start_all(seed);
	weft__timer_run(&processor, 300, &ready);
	for (int i = 0; i < TIMERS; i++) {
		bool live = timers[i].when > 300;
		if (rand_r(&seed) % 2)
			continue;
		ck_assert_int_eq(weft__timer_stop(&timers[i]), live);
		ck_assert(!weft__timer_stop(&timers[i]));
		stopped += live;
	}
	weft__timer_run(&processor, 1000, &ready);
	ck_assert_uint_eq(fired + stopped, TIMERS);
}
END_TEST

START_TEST(deadlines_at_both_ends_of_time_are_kept_apart)
{
	struct list ready;
	list_init(&ready);
	timers[0] = (struct timer){.when = INT64_MAX - 1, .fire = fire};
	timers[1] = (struct timer){.when = INT64_MIN + 1, .fire = fire};
	weft__timer_start(&thread, &timers[0]);
	weft__timer_start(&thread, &timers[1]);
	ck_assert_uint_eq(weft__timer_run(&processor, 0, &ready), 1);
	ck_assert_int_eq(weft__timer_earliest(), INT64_MAX - 1);
	ck_assert(weft__timer_stop(&timers[0]));
	ck_assert(!weft__timer_stop(&timers[1]));
}
END_TEST

START_TEST(others_leave_a_heap_to_the_processor_that_looks_at_it)
{
	struct list ready;
	list_init(&ready);
	start_all(1);
	ck_assert_uint_eq(weft__timer_run_own(&processor, -1, &ready, 1), 0);
	ck_assert_uint_eq(weft__timer_run(&processor, 1000, &ready), 0);
	ck_assert_int_gt(weft__timer_earliest(), 1000);
	ck_assert_uint_gt(weft__timer_run(&processor, weft__timer_earliest(), &ready), 0);
	ck_assert_uint_eq(fired, TIMERS);
}
END_TEST

START_TEST(a_processor_that_goes_idle_leaves_its_timers_to_others_at_once)
{
	struct list ready;
	list_init(&ready);
	start_all(1);
	weft__timer_run_own(&processor, -1, &ready, 1);
	weft__timer_leave(&processor);
	ck_assert_int_lt(weft__timer_earliest(), 1000);
	ck_assert_uint_eq(weft__timer_run(&processor, 1000, &ready), TIMERS);
}
END_TEST

START_TEST(a_processor_fires_no_more_than_it_has_room_for)
{
	struct list ready;
	unsigned n, all = 0;
	list_init(&ready);
	start_all(1);
	ck_assert_uint_eq(weft__timer_run_own(&processor, 1000, &ready, 7), 7);
	while ((n = weft__timer_run_own(&processor, 1000, &ready, TIMERS)))
		all += n;
	ck_assert_uint_eq(all, TIMERS - 7);
}
END_TEST

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
			ck_assert_int_le(due[i]->when, now);
			ck_assert_int_eq(due[i]->when, earliest_by_search());
			due[i]->index = 0;
		}
	} while (n == 7);
	ck_assert_int_gt(earliest_by_search(), now);
}

START_TEST(whatever_is_started_and_stopped_comes_out_in_order_and_once)
{
	struct timer_queue q = {.earliest = INT64_MAX};
	unsigned seed = (unsigned)_i + 3;
	int64_t now = _i % 2 ? 0 : INT64_C(123456789) << 20;
	for (int step = 0; step < STEPS; step++) {
		struct timer *t = &timers[rand_r(&seed) % (TIMERS / 10)];
		if (!t->index) {
			t->when = now + some_span(&seed);
			ck_assert_int_eq(weft__timerq_add(&q, t), 0);
		} else if (rand_r(&seed) % 4 == 0) {
			weft__timerq_remove(&q, t);
			ck_assert_uint_eq(t->index, 0);
		}
		ck_assert_int_le(q.earliest, earliest_by_search());
		if (rand_r(&seed) % 8 == 0) {
			now += some_span(&seed) / 64;
			take_all(&q, now);
		}
	}
	take_all(&q, INT64_MAX - 1);
	ck_assert_uint_eq(q.count, 0);
	ck_assert_int_eq(q.earliest, INT64_MAX);
	weft__timerq_free(&q);
}
END_TEST

START_TEST(a_wake_for_a_timer_that_was_stopped_happens_once)
{
	struct timer_queue q = {.earliest = INT64_MAX};
	struct timer *due;
	int64_t second = INT64_C(1000000000);
	for (int i = 0; i < 3; i++) {
		timers[i].when = (100 + i) * second;
		ck_assert_int_eq(weft__timerq_add(&q, &timers[i]), 0);
	}
	weft__timerq_remove(&q, &timers[0]);
	ck_assert_uint_eq(weft__timerq_take(&q, 100 * second, &due, 1), 0);
	ck_assert_int_eq(q.earliest, 101 * second);
	weft__timerq_remove(&q, &timers[1]);
	weft__timerq_remove(&q, &timers[2]);
	ck_assert_int_eq(q.earliest, INT64_MAX);
	weft__timerq_free(&q);
}
END_TEST

START_TEST(timers_that_are_started_and_stopped_for_ever_need_no_memory)
{
	struct timer_queue q = {.earliest = INT64_MAX};
	unsigned seed = 11;
	for (int i = 0; i < 100 * TIMERS; i++) {
		struct timer *t = &timers[i % 200];
		if (t->index)
			weft__timerq_remove(&q, t);
		t->when = i * INT64_C(1000) + some_span(&seed);
		ck_assert_int_eq(weft__timerq_add(&q, t), 0);
	}
	ck_assert_uint_eq(q.room, 256);
	ck_assert_uint_le(q.chunks_used, 200);
	weft__timerq_free(&q);
}
END_TEST

START_TEST(only_a_crowd_gathers)
{
	ck_assert_int_eq(weft__timer_gather(1000, 990, 0), 1000);
	ck_assert_int_eq(weft__timer_gather(5 * MS, MS, 1000), 5 * MS);
	ck_assert_int_eq(weft__timer_gather(INT64_MAX, MS, 1000), INT64_MAX);
	int64_t later = weft__timer_gather(1000, 990, 1000);
	ck_assert_int_gt(later, 1000);
	ck_assert_int_lt(later, MS);
}
END_TEST

static void add_all(TCase *t)
{
	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_loop_test(t, timers_fire_in_order_whatever_the_order_in_which_they_were_started,
			    0, 5);
	tcase_add_loop_test(t, a_stopped_timer_never_fires_and_stop_says_what_happened, 0, 5);
	tcase_add_test(t, deadlines_at_both_ends_of_time_are_kept_apart);
	tcase_add_test(t, others_leave_a_heap_to_the_processor_that_looks_at_it);
	tcase_add_test(t, a_processor_that_goes_idle_leaves_its_timers_to_others_at_once);
	tcase_add_test(t, a_processor_fires_no_more_than_it_has_room_for);
	tcase_add_loop_test(t, whatever_is_started_and_stopped_comes_out_in_order_and_once, 0, 8);
	tcase_add_test(t, a_wake_for_a_timer_that_was_stopped_happens_once);
	tcase_add_test(t, timers_that_are_started_and_stopped_for_ever_need_no_memory);
	tcase_add_test(t, only_a_crowd_gathers);
}

TESTS_MAIN("timers", add_all)
