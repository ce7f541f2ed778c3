/* SPDX-License-Identifier: MIT */
/*
 * explore.h: runs small concurrent programs, made of the tree's own compiled C, in every schedule
 * that matters.
 *
 * The threads of a scenario are fibres of one OS thread. Each operation of base/atomic.h is a point
 * where another fibre may go on; where the program has a choice (which fibre runs, how much of a
 * store buffer reaches memory) the run takes one and writes it down. Then the program starts again
 * and takes the next, depth first, until there are no more (engine.c). A failing run is the string
 * of its choices: the same string replays the same run, step by step.
 *
 * What it covers: all schedules with at most `preemptions` switches away from a fibre that could
 * have gone on (few suffice for most bugs: Musuvathi and Qadeer, "Iterative context bounding",
 * 2007), and all that store buffers of TSO machines can do in them. What it does not: reorderings
 * that only weaker machines make, and plain variables, which are in memory at once.
 */
#ifndef WEFT_TESTS_EXPLORE_H
#define WEFT_TESTS_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../kit.h"

enum { EXPLORE_THREADS_MAX = 4 };

/* What a scenario may plant without touching the code that it runs. */
enum explore_fault {
	/* No fault: sequentially consistent, as if there were no store buffers. */
	EXPLORE_NO_BUFFERS = 1,
	/* Fences do nothing, nor does the half of a seq_cst store that is one. */
	EXPLORE_NO_FENCE = 2,
	/* explore_membarrier does nothing, and says that it worked. */
	EXPLORE_NO_BARRIER = 4,
	/* Read-change-write takes two steps. */
	EXPLORE_SPLIT = 8,
};

struct explore_scenario {
	/* NULL: every schedule must pass; otherwise one must fail with this in its words. */
	const char *fails;
	unsigned threads;
	unsigned preemptions;
	unsigned faults; /* enum explore_fault */
	/* Before each run and after it, when every store is in memory; not explored. */
	void (*setup)(void);
	void (*thread)(unsigned number);
	void (*finish)(void); /* may be NULL */
};

/*
 * A test (kit.h) that explores a scenario, whose fields follow the name:
 *
 *	SCENARIO("two threads, a section each", .threads = 2, .preemptions = 4, ...);
 *
 * `PROGRAM NAME -- CHOICES` runs the one run of these choices instead, telling each step.
 */
#define SCENARIO(name, ...) \
	static const struct explore_scenario KIT_PASTE(scenario_, __LINE__); \
	TEST(name, .seconds = 600) \
	{ \
		explore(name, &KIT_PASTE(scenario_, __LINE__)); \
	} \
	static const struct explore_scenario KIT_PASTE(scenario_, __LINE__) = {__VA_ARGS__}

void explore(const char *name, const struct explore_scenario *scenario);

/* In a scenario: this schedule is wrong. Ends the run. */
_Noreturn void explore_fail(const char *words);
#define explore_check(x) ((x) ? (void)0 : explore_fail(#x))

/* In a scenario: membarrier(2): all threads' stores are in memory. 0 */
int explore_membarrier(void);

/* In a scenario: `handler` may run once, as a signal handler would, at any later point of the
 * calling thread. */
void explore_interrupt(void (*handler)(void));
/* In a scenario: either; both are explored. */
bool explore_maybe(void);
/* futex.c: no fibre sleeps. For setup. */
void explore_futex_reset(void);
/* In a scenario: the calling thread's number. */
unsigned explore_self(void);

#endif
