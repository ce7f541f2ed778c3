/* SPDX-License-Identifier: MIT */
/*
 * test_offer.c: which offers of work are passed over while help is not worth it: steal.c, from
 * inside.
 */
#include "../tasks.h"

#include "sched/steal.h"

static struct processor processor;

/* What is offered while none is idle wakes none, but is counted. True: it was passed over. */
static bool passed_over(void)
{
	uint32_t before = sched.offers.passed;
	weft__offer(&processor);
	return sched.offers.passed != before && sched.offers.passed != 0;
}

static bool passed_over_next(void)
{
	processor.switches++;
	return passed_over();
}

TEST("each offer is taken up while help is worth it")
{
	for (int i = 0; i < 5; i++)
		expect(!passed_over_next());
}

TEST("as many are passed over as there is reluctance")
{
	sched.offers.reluctance = 3;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 3; i++)
			expect(passed_over_next());
		expect(!passed_over_next());
		expect_eq(sched.offers.passed, 0);
	}
}

TEST("a burst is one offer")
{
	sched.offers.reluctance = 3;
	expect(passed_over_next());
	for (int i = 0; i < 100; i++)
		expect(!passed_over());
	expect_eq(sched.offers.passed, 1);
}
