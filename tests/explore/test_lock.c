/* SPDX-License-Identifier: MIT */
/*
 * test_lock.c: the runtime's own lock (src/base/lock.c) in every schedule: one holder at a time,
 * nobody left asleep.
 *
 * The futex is the kernel's half of the protocol: it compares and falls asleep in one step.
 */
#include <errno.h>
#include <string.h>

#include "base/lock.h"
#include "base/sys.h"
#include "explore.h"

static struct lock lock;
static unsigned inside, entered;
static const uint32_t *asleep[EXPLORE_THREADS_MAX];
static uint32_t kernel;

int weft__futex_wait(const uint32_t *word, uint32_t expected, int64_t deadline)
{
	unsigned self = explore_self();
	add_seq_cst(&kernel, 1); /* a system call empties the store buffer */
	if (load_relaxed(word) != expected)
		return -EAGAIN;
	asleep[self] = word;
	while (asleep[self])
		cpu_relax();
	return 0;
}

int weft__futex_wake(const uint32_t *word, int count)
{
	int woken = 0;
	for (unsigned i = 0; i < EXPLORE_THREADS_MAX && woken < count; i++)
		if (asleep[i] == word) {
			asleep[i] = NULL;
			woken++;
		}
	add_seq_cst(&kernel, 1);
	return woken;
}

static void setup(void)
{
	lock.word = 0;
	inside = entered = 0;
	memset(asleep, 0, sizeof(asleep));
}

static void section(unsigned n)
{
	lock_take(&lock, RANK_SCHED);
	inside++;
	explore_check(inside == 1);
	add_relaxed(&kernel, 1); /* somewhere to be interrupted */
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

static void try_section(unsigned n)
{
	if (n == 0) {
		section(n);
	} else if (lock_try(&lock, RANK_SCHED)) {
		explore_check(inside == 0);
		lock_drop(&lock, RANK_SCHED);
	}
}

static void free_again(void)
{
	explore_check(lock.word == 0 && inside == 0 && entered > 0);
}

static const struct explore_scenario scenarios[] = {
	{"two threads, two sections each", NULL, 2, 4, 0, setup, two_sections, free_again},
	{"three threads, a section each", NULL, 3, 3, 0, setup, section, free_again},
	{"try beside take", NULL, 2, 4, 0, setup, try_section, free_again},
	{"planted: compare, then swap", "inside == 1", 2, 2, EXPLORE_SPLIT, setup, two_sections,
	 free_again},
};

int main(int argc, char **argv)
{
	return explore_main(argc, argv, scenarios, array_len(scenarios));
}
