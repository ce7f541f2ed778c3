/* SPDX-License-Identifier: MIT */
/*
 * promise.h: promises of Go's runtime, kept here, too. Each test carries the name under which Go's own tests check the
 * promise; the tests are written from the promise.
 *
 * A promise is kept with 1, 2 and 4 processors, and in the deterministic mode under a few schedules; with
 * WEFT_TEST_SEEDS=n under n schedules, and that alone. A body may therefore run many times in one process: it sets up
 * all it uses, and it must not wait for time to pass without a weft call that waits. The seed of a schedule that fails
 * is said; WEFT_SIM=seed runs it again.
 *
 * promise_real is for bodies for which that is no use: test_network.c, whose peers are the kernel's (when a connection
 * or its bytes arrive is decided there, and the virtual clock runs past time limits meanwhile), and what the tests
 * themselves name.
 */
#ifndef TESTS_CONFORMANCE_PROMISE_H
#define TESTS_CONFORMANCE_PROMISE_H

#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>

#include "../tasks.h"

enum { SEEDS = 10, REAL_RUNS = 3 };

/* The schedule that runs now, for the process that runs the tests and for the next test: a failed one just ends. */
static struct {
	const char *name;
	uint64_t seed;
} * promise_now;

static inline void promise_say_failed(void)
{
	if (promise_now->name)
		fprintf(stderr, "%s failed in the schedule of WEFT_SIM=%" PRIu64 "\n",
			promise_now->name, promise_now->seed);
	promise_now->name = NULL;
}

static __attribute__((constructor)) void promise_begin(void)
{
	promise_now = mmap(NULL, sizeof(*promise_now), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	atexit(promise_say_failed);
}

static inline void promise_keep_simulated(const char *name, int (*main_task)(void *arg))
{
	const char *seeds = getenv("WEFT_TEST_SEEDS"), *one = getenv("WEFT_SIM");
	uint64_t first = one ? strtoull(one, NULL, 0) : 1,
		 count = seeds ? strtoull(seeds, NULL, 0) : SEEDS;
	promise_say_failed();
	promise_now->name = name;
	for (uint64_t seed = first; seed < first + (one ? 1 : count); seed++) {
		promise_now->seed = seed;
		ck_assert_int_eq(weft_sim_run(seed, NULL, main_task, NULL), 0);
	}
	promise_now->name = NULL;
}

static inline void promise_keep(int run, const char *name, int (*main_task)(void *arg))
{
	if (run >= REAL_RUNS)
		promise_keep_simulated(name, main_task);
	else if (!getenv("WEFT_TEST_SEEDS"))
		ck_assert_int_eq(tasks_run(tasks_processors[run], main_task, NULL), 0);
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
		promise_keep(_i, #name, name##_main); \
	} \
	END_TEST \
	static void name##_body(void)

#define promise(tcase, name) tcase_add_loop_test(tcase, name, 0, REAL_RUNS + 1)
#define promise_real(tcase, name) tcase_add_loop_test(tcase, name, 0, REAL_RUNS)

#endif
