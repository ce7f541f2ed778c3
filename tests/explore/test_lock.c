/* SPDX-License-Identifier: MIT */
/*
 * test_lock.c: the runtime's own lock (src/base/lock.c) in every schedule: one holder at a time,
 * nobody left asleep. The kernel's half is futex.c.
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

static const struct explore_scenario scenarios[] = {
	{"two threads, two sections each", NULL, 2, 4, 0, setup, two_sections, free_again},
	{"three threads, a section each", NULL, 3, 3, 0, setup, section, free_again},
	{"planted: compare, then swap", "inside == 1", 2, 2, EXPLORE_SPLIT, setup, two_sections,
	 free_again},
};

int main(int argc, char **argv)
{
	return explore_main(argc, argv, scenarios, array_len(scenarios));
}
