/* SPDX-License-Identifier: MIT */
/* test_offer.c: which offers of work are passed over while help is not worth it: steal.c, from inside. */
#include "../tasks.h"

#include "sched/steal.h"

static struct processor processor;

/* What is offered with nobody idle wakes nobody, but is counted. True: it was passed over. */
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

START_TEST(each_offer_is_taken_up_while_help_is_worth_it)
{
	for (int i = 0; i < 5; i++)
		ck_assert(!passed_over_next());
}
END_TEST

START_TEST(as_many_are_passed_over_as_there_is_reluctance)
{
	sched.offers.reluctance = 3;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 3; i++)
			ck_assert(passed_over_next());
		ck_assert(!passed_over_next());
		ck_assert_uint_eq(sched.offers.passed, 0);
	}
}
END_TEST

START_TEST(a_burst_is_one_offer)
{
	sched.offers.reluctance = 3;
	ck_assert(passed_over_next());
	for (int i = 0; i < 100; i++)
		ck_assert(!passed_over());
	ck_assert_uint_eq(sched.offers.passed, 1);
}
END_TEST

static void add_all(TCase *t)
{
	tcase_add_test(t, each_offer_is_taken_up_while_help_is_worth_it);
	tcase_add_test(t, as_many_are_passed_over_as_there_is_reluctance);
	tcase_add_test(t, a_burst_is_one_offer);
}

TESTS_MAIN("offers", add_all)
