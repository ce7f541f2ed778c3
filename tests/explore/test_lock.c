/* SPDX-License-Identifier: MIT */
/*
 * test_lock.c: the runtime's own lock (src/base/lock.c) in every schedule: one holder at a time,
 * none left asleep. The kernel's half is futex.c.
 */
#include "base/lock.h"
#include "explore.h"

static struct lock lock;
static unsigned inside, entered;
static uint32_t elsewhere;

static void setup(void)
{
	lock.word = 0;
	inside = entered = 0;
	explore_futex_reset();
}

static void section(unsigned n)
{
	lock_take(&lock, RANK_SCHED);
	inside++;
	explore_check(inside == 1);
	add_relaxed(&elsewhere, 1); /* somewhere to be interrupted */
	explore_check(inside == 1);
	inside--;
	entered++;
	lock_drop(&lock, RANK_SCHED);
}

static void two_sections(unsigned n)
{
	section(n);
	section(n);
}

static void free_again(void)
{
	explore_check(lock.word == 0 && inside == 0 && entered > 0);
}

SCENARIO("two threads, two sections each", .threads = 2, .preemptions = 4, .setup = setup,
	 .thread = two_sections, .finish = free_again);

SCENARIO("three threads, a section each", .threads = 3, .preemptions = 3, .setup = setup,
	 .thread = section, .finish = free_again);

SCENARIO("planted: compare, then swap", .threads = 2, .preemptions = 2, .fails = "inside == 1",
	 .faults = EXPLORE_SPLIT, .setup = setup, .thread = two_sections, .finish = free_again);
