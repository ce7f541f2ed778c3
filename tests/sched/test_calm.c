/* SPDX-License-Identifier: MIT */
/*
 * test_calm.c: the monitor's rounds while nobody needs it: rare, and soon enough when somebody does (monitor.c).
 *
 * Naps are counted against the time that they took, and a loaded machine only makes them longer; that a call which
 * blocks is noticed is tested by letting it go from outside only when the others have gone on.
 */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "../tasks.h"
#include "sched/sched.h"

enum { WINDOW = 50 * MS, WINDOWS = 200, YIELDS = 1000 };

static int yielding, yields;

static int yield_on(void *arg)
{
	while (flag(&yielding)) {
		weft_yield();
		__atomic_fetch_add(&yields, 1, __ATOMIC_RELEASE);
	}
	return 0;
}

/* How often the monitor has gone to sleep. */
static long naps(void)
{
	char path[64], line[128];
	long n = -1;
	snprintf(path, sizeof(path), "/proc/self/task/%d/status", (int)sched.monitor_tid);
	FILE *f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	while (n < 0 && fgets(line, sizeof(line), f))
		sscanf(line, "voluntary_ctxt_switches: %ld", &n);
	fclose(f);
	ck_assert_int_ge(n, 0);
	return n;
}

/* At most one nap in two milliseconds, in some window: in all others the machine was busy with something else. */
static void await_calm(void)
{
	for (int i = 0; i < WINDOWS; i++) {
		long before = naps();
		int64_t begin = weft_now();
		weft_sleep(WINDOW);
		int64_t took = weft_now() - begin;
		if (naps() - before <= took / (2 * MS))
			return;
	}
	ck_abort_msg("the monitor never took its time");
}

static int ends[2], yields_before;

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
	ck_assert_int_eq(pipe(ends), 0);
	yields_before = flag(&yields);
	pthread_create(&thread, NULL, let_go_when_others_went_on, NULL);
	ck_assert_int_eq(read(ends[0], &byte, 1), 1);
	pthread_join(thread, NULL);
	close(ends[0]);
	close(ends[1]);
}

static int calm_and_not(void *arg)
{
	flag_set(&yielding, 1);
	struct weft_task *task = tasks_start(yield_on, NULL);
	await_calm();
	block_until_let_go();
	flag_set(&yielding, 0);
	return tasks_join(task);
}

START_TEST(the_monitor_takes_its_time_until_somebody_blocks)
{
	struct weft_options o = {.processors = 1};
	ck_assert_int_eq(weft_run(&o, calm_and_not, NULL), 0);
}
END_TEST

static void add_all(TCase *t)
{
	tcase_add_test(t, the_monitor_takes_its_time_until_somebody_blocks);
}

TESTS_MAIN("calm", add_all)
