/* SPDX-License-Identifier: MIT */
/*
 * test_pool.c: the free list of random states (src/random/pool.c, compiled into this file) in every
 * schedule.
 *
 * Two states to a page, pages from an array: the list is empty, grows, and is contended within a
 * few steps.
 */
#include <string.h>

#include "explore.h"
#include "random/pool.c"

enum { PER_PAGE = 2, PAGE = 256, PAGES = 16, THREADS = 3 };

static char pages[PAGES][PAGE] __attribute__((aligned(PAGE)));
static unsigned pages_used;

struct vdso weft__vdso = {.state_size = 64, .stride = 64, .page_size = PAGE};

unsigned weft__vdso_per_page(void)
{
	return PER_PAGE;
}

/* mmap. */
long weft__syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	explore_check(nr == SYS_mmap && b <= PAGE && pages_used < PAGES);
	return (long)pages[pages_used++];
}

static char self[THREADS];
static struct slot *mine[THREADS][2];

static void setup(void)
{
	memset(pages, 0, sizeof(pages));
	memset(mine, 0, sizeof(mine));
	pages_used = 0;
	free_list = 0;
	taker = NULL;
	blocks = NULL;
	spare = NULL;
}

/* One page of states, all free. */
static void setup_with_a_page(void)
{
	int error;
	setup();
	struct slot *slot = weft__pool_take(self, &error);
	weft__pool_give(slot);
}

static bool is_mine(const struct slot *slot, unsigned n)
{
	return mine[n][0] == slot || mine[n][1] == slot;
}

static bool is_taken(const struct slot *slot)
{
	for (unsigned n = 0; n < THREADS; n++)
		if (is_mine(slot, n))
			return true;
	return false;
}

static void take(unsigned i)
{
	unsigned n = explore_self();
	int error;
	struct slot *slot = weft__pool_take(&self[n], &error);
	if (!slot) {
		explore_check(error == POOL_BUSY);
		return;
	}
	explore_check(!is_taken(slot));
	mine[n][i] = slot;
}

static void give(unsigned i)
{
	struct slot **slot = &mine[explore_self()][i];
	struct slot *given = *slot;
	*slot = NULL;
	if (given)
		weft__pool_give(given);
}

/* Every slot either has an owner or is in the list, and there once. */
static void all_accounted_for(void)
{
	unsigned listed = 0, taken = 0;
	explore_check(taker == NULL);
	for (struct slot *s = first_of(free_list); s; s = s->next) {
		explore_check(*s->owner == NULL && !is_taken(s));
		explore_check(++listed <= pages_used * PER_PAGE);
	}
	for (unsigned n = 0; n < THREADS; n++)
		for (unsigned i = 0; i < 2; i++)
			taken += mine[n][i] != NULL;
	explore_check(listed + taken == weft__pool_count().mapped);
	explore_check(weft__pool_count().free == listed);
}

static void take_give_take(unsigned n)
{
	take(0);
	give(0);
	take(0);
}

/* The schedule that needs one taker at a time: both slots go, the first comes back. */
static void one_takes_one_churns(unsigned n)
{
	take(0);
	if (n == 1) {
		take(1);
		give(0);
	}
}

static void givers_and_taker(unsigned n)
{
	if (n == 2) {
		take(0);
	} else {
		take(0);
		give(0);
	}
}

static void abandon(void)
{
	weft__pool_abandon(&self[explore_self()]);
}

static void abandon_and_take(void)
{
	abandon();
	take(1);
}

/* What abandon would be without the epoch. */
static void abandon_in_the_old_epoch(void)
{
	if (load_relaxed(&taker) == &self[explore_self()])
		store_release(&taker, NULL);
}

static void interrupted_by(unsigned n, void (*handler)(void))
{
	if (n == 0)
		explore_interrupt(handler);
	one_takes_one_churns(n);
}

static void abandoned(unsigned n)
{
	interrupted_by(n, abandon);
}

static void abandoned_for_another(unsigned n)
{
	interrupted_by(n, abandon_and_take);
}

static void abandoned_badly(unsigned n)
{
	interrupted_by(n, abandon_in_the_old_epoch);
}

SCENARIO("two threads take, give and take again", .threads = 2, .preemptions = 3, .setup = setup,
	 .thread = take_give_take, .finish = all_accounted_for);

SCENARIO("one takes while another churns", .threads = 2, .preemptions = 4,
	 .setup = setup_with_a_page, .thread = one_takes_one_churns, .finish = all_accounted_for);

SCENARIO("two give while a third takes", .threads = 3, .preemptions = 3, .setup = setup,
	 .thread = givers_and_taker, .finish = all_accounted_for);

SCENARIO("a signal handler abandons its thread's take", .threads = 2, .preemptions = 3,
	 .setup = setup_with_a_page, .thread = abandoned, .finish = all_accounted_for);

SCENARIO("a signal handler abandons its thread's take and takes for itself", .threads = 2,
	 .preemptions = 3, .setup = setup_with_a_page, .thread = abandoned_for_another,
	 .finish = all_accounted_for);

SCENARIO("planted: abandoning without a new epoch", .threads = 2, .preemptions = 4,
	 .fails = "is_taken", .setup = setup_with_a_page, .thread = abandoned_badly,
	 .finish = all_accounted_for);

SCENARIO("planted: compare, then swap", .threads = 2, .preemptions = 2, .fails = "is_taken",
	 .faults = EXPLORE_SPLIT, .setup = setup_with_a_page, .thread = take_give_take,
	 .finish = all_accounted_for);
