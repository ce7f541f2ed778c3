/* SPDX-License-Identifier: MIT */
/* kit_run.h: what the two halves of the kit share: the tests, and what a run reports of itself. */
#ifndef TESTS_KIT_RUN_H
#define TESTS_KIT_RUN_H

#include "kit.h"

enum { KIT_FAILED = 1, KIT_USAGE = 2, KIT_SKIPPED = 77 };

struct kit_report {
	bool ended;  /* the body came to its end */
	bool failed; /* an expectation did not hold, perhaps in a child of the run */
	bool drew;   /* the seed was asked for */
	char doing[256];
	char skipped[256];
};

extern struct kit_test *kit_tests;
extern struct kit_report *kit_report;
extern uint64_t kit_given_seed;

#endif
