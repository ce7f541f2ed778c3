/* SPDX-License-Identifier: MIT */
/* members.h: what tests of groups let their members do, and how they wait for them. */
#ifndef TESTS_SYNC_MEMBERS_H
#define TESTS_SYNC_MEMBERS_H

#include "../tasks.h"

static int running;

static int one(void *arg)
{
	return 0;
}

static int until_cancelled(void *arg)
{
	__atomic_fetch_add(&running, 1, __ATOMIC_SEQ_CST);
	int err = weft_sleep_until(WEFT_FOREVER);
	__atomic_fetch_sub(&running, 1, __ATOMIC_SEQ_CST);
	return arg ? 0 : err; /* with an argument it keeps the cancel to itself */
}

static void await_running(int n)
{
	while (__atomic_load_n(&running, __ATOMIC_SEQ_CST) != n)
		weft_sleep(MS);
}

static int wait_for(struct weft_group *g)
{
	int result = 99;
	expect_eq(weft_group_wait(g, &result, WEFT_FOREVER), 0);
	return result;
}

#endif
