/* SPDX-License-Identifier: MIT */
/*
 * tasks.h: what tests that run tasks share.
 *
 * TASK_TEST is TEST (kit.h) whose body runs as the main task of a runtime of its own, with 1, 2 and
 * 4 processors in turn.
 */
#ifndef TESTS_TASKS_H
#define TESTS_TASKS_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kit.h"
#include "weft/weft.h"

static const unsigned tasks_processors[] = {1, 2, 4};

static inline int tasks_run(unsigned processors, int (*main_task)(void *arg), void *arg)
{
	struct weft_options o = {.size = sizeof(o), .processors = processors};
	return weft_run(&o, main_task, arg);
}

struct tasks_body {
	const struct kit_test *test;
	int nth;
};

static inline int tasks_body_main(void *arg)
{
	struct tasks_body *b = arg;
	b->test->body(b->nth);
	return 42;
}

static inline void tasks_around(const struct kit_test *test, int nth)
{
	struct tasks_body b = {test, nth};
	expect_eq(tasks_run(tasks_processors[nth], tasks_body_main, &b), 42);
}

#define TASK_TEST(name, ...) TEST(name, .around = tasks_around, .times = 3, __VA_ARGS__)

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
	expect_eq(weft_spawn(&task, NULL, fn, arg), 0);
	return task;
}

static inline int tasks_join(struct weft_task *task)
{
	int result = -1;
	expect_eq(weft_join(task, &result, soon()), 0);
	return result;
}

/* Lets every other task run until it waits, or as long as that takes on one processor. */
static inline void tasks_settle(void)
{
	for (int i = 0; i < 20; i++)
		weft_yield();
	weft_sleep(2 * MS);
}

#endif
