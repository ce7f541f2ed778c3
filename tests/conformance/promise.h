/* SPDX-License-Identifier: MIT */
/*
 * promise.h: promises of Go's runtime, kept here, too. Each test carries the name under which Go's
 * own tests check the promise; the tests are written from the promise.
 *
 * A promise is kept with 1, 2 and 4 processors, and in the deterministic mode under a few
 * schedules; with WEFT_TEST_SEEDS=n under n schedules, and that alone. A body may therefore run
 * many times in one process: it sets up all it uses, and it must not wait for time to pass without
 * a weft call that waits. The seed of a schedule that fails is said; WEFT_SIM=seed runs it again.
 *
 * PROMISE_REAL is for bodies for which that is no use: test_network.c, whose peers are the kernel's
 * (when a connection or its bytes arrive is decided there, and the virtual clock runs past time
 * limits meanwhile), and what the tests themselves name.
 */
#ifndef TESTS_CONFORMANCE_PROMISE_H
#define TESTS_CONFORMANCE_PROMISE_H

#include <inttypes.h>

#include "../tasks.h"

enum { SEEDS = 10, REAL_RUNS = 3 };

static inline int promise_main(void *arg)
{
	return tasks_body_main(arg) - 42;
}

static inline void promise_keep_simulated(struct tasks_body *b)
{
	const char *seeds = getenv("WEFT_TEST_SEEDS"), *one = getenv("WEFT_SIM");
	uint64_t first = one ? strtoull(one, NULL, 0) : 1,
		 count = seeds ? strtoull(seeds, NULL, 0) : SEEDS;
	for (uint64_t seed = first; seed < first + (one ? 1 : count); seed++) {
		kit_doing("WEFT_SIM=%" PRIu64, seed);
		expect_eq(weft_sim_run(seed, NULL, promise_main, b), 0);
	}
}

static inline void promise_keep(const struct kit_test *test, int nth)
{
	struct tasks_body b = {test, nth};
	if (nth >= REAL_RUNS)
		promise_keep_simulated(&b);
	else if (!getenv("WEFT_TEST_SEEDS"))
		expect_eq(tasks_run(tasks_processors[nth], promise_main, &b), 0);
}

#define PROMISE(name, ...) TEST(name, .around = promise_keep, .times = REAL_RUNS + 1, __VA_ARGS__)
#define PROMISE_REAL(name, ...) TEST(name, .around = promise_keep, .times = REAL_RUNS, __VA_ARGS__)

#endif
