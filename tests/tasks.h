/* SPDX-License-Identifier: MIT */
/*
 * tasks.h: what tests that run tasks share.
 *
 * A test body runs as the main task of a runtime of its own, in a process of its own (Check forks), with 1, 2 and 4
 * processors in turn: TEST_TASKS(name) { body } defines it, add_tasks_test(tcase, name) registers it.
 */
#ifndef TESTS_TASKS_H
#define TESTS_TASKS_H

#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "weft/weft.h"

static const unsigned tasks_processors[] = {1, 2, 4};

static inline int tasks_run(unsigned processors, int (*main_task)(void *arg), void *arg)
{
	struct weft_options o = {.size = sizeof(o), .processors = processors};
	return weft_run(&o, main_task, arg);
}

#define TEST_TASKS(name) \
	static void name##_body(void); \
	static int name##_main(void *arg) \
	{ \
		name##_body(); \
		return 42; \
	} \
	START_TEST(name) \
	{ \
		ck_assert_int_eq(tasks_run(tasks_processors[_i], name##_main, NULL), 42); \
	} \
	END_TEST \
	static void name##_body(void)

#define add_tasks_test(tcase, name) tcase_add_loop_test(tcase, name, 0, 3)

enum { MS = 1000 * 1000 };

/* For what should happen at once on any machine, and must not hang the test. */
static inline int64_t soon(void)
{
	return weft_after(20 * 1000 * (int64_t)MS);
}

/* A flag or counter that several threads use without waiting for each other. */
static inline int flag(const int *f)
{
	return __atomic_load_n(f, __ATOMIC_ACQUIRE);
}

static inline void flag_set(int *f, int value)
{
	__atomic_store_n(f, value, __ATOMIC_RELEASE);
}

/* A task whose result is joined later; the test fails when it cannot be started. */
static inline struct weft_task *tasks_start(int (*fn)(void *arg), void *arg)
{
	struct weft_task *task;
	ck_assert_int_eq(weft_spawn(&task, NULL, fn, arg), 0);
	return task;
}

static inline int tasks_join(struct weft_task *task)
{
	int result = -1;
	ck_assert_int_eq(weft_join(task, &result, soon()), 0);
	return result;
}

/* Lets every other task run until it waits, or as long as that takes on one processor. */
static inline void tasks_settle(void)
{
	for (int i = 0; i < 20; i++)
		weft_yield();
	weft_sleep(2 * MS);
}

#define TESTS_MAIN(suite_name, add_all) \
	int main(void) \
	{ \
		Suite *suite = suite_create(suite_name); \
		TCase *tcase = tcase_create(suite_name); \
		tcase_set_timeout(tcase, 120); \
		add_all(tcase); \
		suite_add_tcase(suite, tcase); \
		SRunner *runner = srunner_create(suite); \
		srunner_run_all(runner, CK_ENV); \
		int failed = srunner_ntests_failed(runner); \
		srunner_free(runner); \
		return failed != 0; \
	}

#endif
