/* SPDX-License-Identifier: MIT */
/* test_stats.c: the counters count, and the struct may grow. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "debug_test.h"

static struct weft_stats now(void)
{
	struct weft_stats s = {.size = sizeof(s)};
	expect_eq(weft_stats(&s), 0);
	return s;
}

static int nothing(void *arg)
{
	return 0;
}

static int count(void *arg)
{
	struct weft_task *tasks[100];
	struct weft_stats before = now();
	for (int i = 0; i < 100; i++)
		expect_eq(weft_spawn(&tasks[i], NULL, nothing, NULL), 0);
	for (int i = 0; i < 100; i++)
		expect_eq(weft_join(tasks[i], NULL, WEFT_FOREVER), 0);
	struct weft_stats after = now();
	expect_eq(after.tasks_started - before.tasks_started, 100);
	expect_ge(after.switches - before.switches, 100);
	expect_ge(after.tasks, 1);
	expect_le(after.tasks, 101); /* the last ones may be on their way out */
	expect_ge(after.threads, 1);
	uint64_t parks = after.parks;
	weft_sleep(MS);
	expect_ge(now().parks, parks + 1);
	return 0;
}

TEST("counters count")
{
	expect_eq(weft_run(NULL, count, NULL), 0);
}

static void sleep_long(void *arg)
{
	weft_sleep(3600ll * 1000 * MS);
}

static int count_timers(void *arg)
{
	for (int i = 0; i < 10; i++)
		weft_go(sleep_long, NULL);
	for (int i = 0; i < 2000 && now().timers < 10; i++)
		weft_sleep(MS);
	expect_eq(now().timers, 10);
	return weft_stop();
}

TEST("timers that have not run out are counted")
{
	expect_eq(weft_run(NULL, count_timers, NULL), 0);
}

static int sizes(void *arg)
{
	struct {
		struct weft_stats s;
		uint64_t beyond;
	} later = {.s.size = sizeof(later), .beyond = 1};
	struct weft_stats small = {.size = sizeof(small) - 1};
	expect_eq(weft_stats(NULL), -EINVAL);
	expect_eq(weft_stats(&small), -EINVAL);
	expect_eq(weft_stats(&later.s), 0);
	expect_eq(later.s.size, sizeof(later));
	expect_eq(later.beyond, 0); /* what this version does not know is zero */
	return 0;
}

TEST("the struct may grow")
{
	expect_eq(weft_run(NULL, sizes, NULL), 0);
}

TEST("without a runtime there is nothing to count")
{
	struct weft_stats s = {.size = sizeof(s)};
	expect_eq(weft_stats(&s), -EINVAL);
}

static void *count_outside(void *arg)
{
	*(struct weft_stats *)arg = now();
	return NULL;
}

static int from_a_thread(void *arg)
{
	struct weft_stats s = {0};
	pthread_t thread;
	pthread_create(&thread, NULL, count_outside, &s);
	pthread_join(thread, NULL);
	expect_eq(s.tasks, 1);
	return 0;
}

TEST("any thread may ask")
{
	expect_eq(weft_run(NULL, from_a_thread, NULL), 0);
}

TEST("weft stats in the environment prints them")
{
	run_in_child(NULL, nothing);
	assert_not_said("tasks started");
	setenv("WEFT_STATS", "1", 1);
	run_in_child(NULL, nothing);
	assert_said("weft: 1 tasks started, ");
}
