/* SPDX-License-Identifier: MIT */
/*
 * promise.h: promises of Go's runtime, kept here, too. Each test carries the name under which Go's own tests check the
 * promise; the tests are written from the promise.
 *
 * A promise is kept with 1, 2 and 4 processors, and in the deterministic mode under SEEDS schedules (1,000 with
 * WEFT_TEST_SEEDS=1000). A body may therefore run many times in one process: it sets up all it uses, and it must not
 * wait for time to pass without a weft call that waits. promise_real is for bodies that cannot do without: threads of
 * their own, or code that computes for a while.
 */
#ifndef TESTS_CONFORMANCE_PROMISE_H
#define TESTS_CONFORMANCE_PROMISE_H

#include "../tasks.h"

enum { SEEDS = 10, REAL_RUNS = 3 };

static inline int promise_seeds(void)
{
	const char *text = getenv("WEFT_TEST_SEEDS");
	return text ? atoi(text) : SEEDS;
}

static inline void promise_keep(int run, int (*main_task)(void *arg))
{
	uint64_t failed = 0;
	if (run < REAL_RUNS)
		ck_assert_int_eq(tasks_run(tasks_processors[run], main_task, NULL), 0);
	else
		ck_assert_int_eq(weft_sim_search(1, (uint64_t)promise_seeds(), NULL, main_task,
						 NULL, &failed),
				 0);
}

#define PROMISE(name) \
	static void name##_body(void); \
	static int name##_main(void *arg) \
	{ \
		name##_body(); \
		return 0; \
	} \
	START_TEST(name) \
	{ \
		promise_keep(_i, name##_main); \
	} \
	END_TEST \
	static void name##_body(void)

#define promise(tcase, name) tcase_add_loop_test(tcase, name, 0, REAL_RUNS + 1)
#define promise_real(tcase, name) tcase_add_loop_test(tcase, name, 0, REAL_RUNS)

#endif
