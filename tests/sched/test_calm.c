/* SPDX-License-Identifier: MIT */
/*
 * test_calm.c: when the monitor takes its time (monitor.c, from inside), and that it notices a task
 * that blocks after that.
 *
 * Whether rounds really are rare depends on what else the machine does, so the decision is tested
 * with processors of the test's own, and the calls that block with the real ones.
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

TEST("all is calm while every processor looks and nobody blocks")
{
	make_calm();
	expect(all_is_calm(now));
	monitor.calm = true;
	expect_eq(next_pause(ROUND_LONG, false), 2 * ROUND_LONG);
	expect_eq(next_pause(ROUND_CALM, false), ROUND_CALM);
	monitor.calm = false;
	expect_eq(next_pause(ROUND_CALM, false), ROUND_LONG);
}

TEST("a call that blocked lately disturbs it")
{
	make_calm();
	monitor.last_take = now - SECOND / 2;
	expect(!all_is_calm(now));
}

TEST("a processor that does not look disturbs it")
{
	make_calm();
	looks(&processors[1], sched.coarse_now - MS);
	expect(!all_is_calm(now));
}

TEST("an idle processor beside one that runs disturbs it")
{
	make_calm();
	sched.idle.processor_count = 1;
	expect(!all_is_calm(now));
	sched.idle.processor_count = 2;
	expect(all_is_calm(now));
}

TEST("a trace disturbs it")
{
	make_calm();
	sched.trace.on = 1;
	expect(!all_is_calm(now));
}

/* ---- a holder that blocks, seen for the first time ---- */

static int ends[2];

static void *read_a_byte(void *arg)
{
	char byte;
	__atomic_store_n((pid_t *)arg, sys_gettid(), __ATOMIC_RELEASE);
	expect_eq(read(ends[0], &byte, 1), 1);
	return NULL;
}

static void await_sleep(pid_t tid)
{
	for (int i = 0; i < 10000 && !weft__tid_asleep(tid); i++)
		usleep(1000);
}

TEST("the first look sees whether the holder sleeps")
{
	struct thread holder = {0};
	pthread_t reader;
	make_calm();
	expect_eq(pipe(ends), 0);
	pthread_create(&reader, NULL, read_a_byte, &holder.tid);
	while (!__atomic_load_n(&holder.tid, __ATOMIC_ACQUIRE))
		usleep(100);
	await_sleep(holder.tid);
	processors[0].thread = &holder;
	sched.global_ready.length = 1; /* work waits */
	expect(!watch(&processors[0], now));
	expect(!suspicious()); /* it may as well compute */
	processors[0].switches++;
	monitor.calm = true;
	expect(!watch(&processors[0], now));
	expect(suspicious());
	expect_eq(write(ends[1], "x", 1), 1);
	pthread_join(reader, NULL);
}

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
	expect_eq(write(ends[1], "x", 1), 1);
	return NULL;
}

static void block_until_let_go(void)
{
	pthread_t thread;
	char byte;
	yields_before = flag(&yields);
	pthread_create(&thread, NULL, let_go_when_others_went_on, NULL);
	expect_eq(read(ends[0], &byte, 1), 1);
	pthread_join(thread, NULL);
}

TASK_TEST("a call that blocks after a calm second stalls nobody")
{
	expect_eq(pipe(ends), 0);
	flag_set(&yielding, 1);
	struct weft_task *task = tasks_start(yield_on, NULL);
	weft_sleep(SECOND + SECOND / 10);
	block_until_let_go();
	flag_set(&yielding, 0);
	expect_eq(tasks_join(task), 0);
}
