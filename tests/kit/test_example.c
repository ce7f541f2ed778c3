/* SPDX-License-Identifier: MIT */
/* test_example.c: a join stores what the function of a task returned. */
#include "../tasks.h"

static int twice(void *arg)
{
	return 2 * *(int *)arg;
}

TASK_TEST("join stores what the function returned")
{
	int number = 21;
	expect_eq(tasks_join(tasks_start(twice, &number)), 42);
}

TEST("outside of the runtime there is no task")
{
	expect_eq(weft_self(), NULL);
}
