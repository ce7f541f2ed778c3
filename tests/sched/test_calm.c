/* SPDX-License-Identifier: MIT */
/*
 * test_calm.c: when the monitor takes its time (monitor.c, from inside), and that it notices who blocks after that.
 *
 * Whether rounds really are rare depends on what else the machine does, so the decision is tested with processors of the
 * test's own, and the calls that block with the real ones.
 */
#include "../../src/sched/monitor.c"

#include "../tasks.h"

enum { MOMENT = 1000, SECOND = 1000 * MS };

/* ---- the decision ---- */

static struct processor processors[2];
static int64_t now;

static void looks(struct processor *p, int64_t when)
{
	struct list ready;
	list_init(&ready);
	weft__timer_run_own(p, when, &ready, 1);
}

/* Two processors whose holders look, and no take for long. */
static void make_calm(void)
{
	sched.processors = processors;
	sched.processor_count = 2;
	now = 100 * (int64_t)SECOND;
	sched.coarse_now = now - MS; /* the round before this one */
	monitor.last_take = now - 2 * (int64_t)SECOND;
	for (int i = 0; i < 2; i++) {
		processors[i].timers.queue.earliest = INT64_MAX;
		looks(&processors[i], now - MOMENT);
	}
}

START_TEST(all_is_calm_while_every_processor_looks_and_nobody_blocks)
{
	make_calm();
	ck_assert(all_is_calm(now));
	monitor.calm = true;
	ck_assert_int_eq(next_pause(ROUND_LONG, false), 2 * ROUND_LONG);
	ck_assert_int_eq(next_pause(ROUND_CALM, false), ROUND_CALM);
	monitor.calm = false;
	ck_assert_int_eq(next_pause(ROUND_CALM, false), ROUND_LONG);
}
END_TEST

START_TEST(a_call_that_blocked_lately_disturbs_it)
{
	make_calm();
	monitor.last_take = now - SECOND / 2;
	ck_assert(!all_is_calm(now));
}
END_TEST

START_TEST(a_processor_that_does_not_look_disturbs_it)
{
	make_calm();
	looks(&processors[1], sched.coarse_now - MS);
	ck_assert(!all_is_calm(now));
}
END_TEST

START_TEST(an_idle_processor_beside_one_that_runs_disturbs_it)
{
	make_calm();
	sched.idle.processor_count = 1;
	ck_assert(!all_is_calm(now));
	sched.idle.processor_count = 2;
	ck_assert(all_is_calm(now));
}
END_TEST

START_TEST(a_trace_disturbs_it)
{
	make_calm();
	sched.trace.on = 1;
	ck_assert(!all_is_calm(now));
}
END_TEST

/* ---- a holder that blocks, seen for the first time ---- */

static int ends[2];

static void *read_a_byte(void *arg)
{
	char byte;
	__atomic_store_n((pid_t *)arg, sys_gettid(), __ATOMIC_RELEASE);
	ck_assert_int_eq(read(ends[0], &byte, 1), 1);
	return NULL;
}

static void await_sleep(pid_t tid)
{
	for (int i = 0; i < 10000 && !thread_asleep(tid); i++)
		usleep(1000);
}

START_TEST(the_first_look_sees_whether_the_holder_sleeps)
{
	struct thread holder = {0};
	pthread_t reader;
	make_calm();
	ck_assert_int_eq(pipe(ends), 0);
	pthread_create(&reader, NULL, read_a_byte, &holder.tid);
	while (!__atomic_load_n(&holder.tid, __ATOMIC_ACQUIRE))
		usleep(100);
	await_sleep(holder.tid);
	processors[0].thread = &holder;
	sched.global_ready.length = 1; /* work waits */
	ck_assert(!watch(&processors[0], now));
	ck_assert(!suspicious()); /* it may as well compute */
	processors[0].switches++;
	monitor.calm = true;
	ck_assert(!watch(&processors[0], now));
	ck_assert(suspicious());
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	pthread_join(reader, NULL);
}
END_TEST

/* ---- the whole of it ---- */

enum { YIELDS = 1000 };

static int yielding, yields, yields_before;

static int yield_on(void *arg)
{
	while (flag(&yielding)) {
		weft_yield();
		__atomic_fetch_add(&yields, 1, __ATOMIC_RELEASE);
	}
	return 0;
}

static void *let_go_when_others_went_on(void *arg)
{
	while (flag(&yields) - yields_before < YIELDS)
		usleep(500);
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	return NULL;
}

static void block_until_let_go(void)
{
	pthread_t thread;
	char byte;
	yields_before = flag(&yields);
	pthread_create(&thread, NULL, let_go_when_others_went_on, NULL);
	ck_assert_int_eq(read(ends[0], &byte, 1), 1);
	pthread_join(thread, NULL);
}

TEST_TASKS(a_call_that_blocks_after_a_calm_second_stalls_nobody)
{
	ck_assert_int_eq(pipe(ends), 0);
	flag_set(&yielding, 1);
	struct weft_task *task = tasks_start(yield_on, NULL);
	weft_sleep(SECOND + SECOND / 10);
	block_until_let_go();
	flag_set(&yielding, 0);
	ck_assert_int_eq(tasks_join(task), 0);
}

static void add_all(TCase *t)
{
	tcase_add_test(t, all_is_calm_while_every_processor_looks_and_nobody_blocks);
	tcase_add_test(t, a_call_that_blocked_lately_disturbs_it);
	tcase_add_test(t, a_processor_that_does_not_look_disturbs_it);
	tcase_add_test(t, an_idle_processor_beside_one_that_runs_disturbs_it);
	tcase_add_test(t, a_trace_disturbs_it);
	tcase_add_test(t, the_first_look_sees_whether_the_holder_sleeps);
	add_tasks_test(t, a_call_that_blocks_after_a_calm_second_stalls_nobody);
}

TESTS_MAIN("calm", add_all)
