/* SPDX-License-Identifier: MIT */
/* test_group.c: members end together, fail together, and are all found. */
#include "../tasks.h"

static int running;

static int give(void *arg)
{
	return (int)(intptr_t)arg;
}

static int wait_for_cancel(void *arg)
{
	__atomic_fetch_add(&running, 1, __ATOMIC_SEQ_CST);
	int err = weft_sleep_until(WEFT_FOREVER);
	__atomic_fetch_sub(&running, 1, __ATOMIC_SEQ_CST);
	return err;
}

static void await_running(int n)
{
	while (__atomic_load_n(&running, __ATOMIC_SEQ_CST) != n)
		weft_sleep(MS);
}

TASK_TEST("a group waits for all its members")
{
	struct weft_group *g = weft_group_new();
	int result = -1;
	for (int i = 0; i < 100; i++)
		expect_eq(weft_group_go(g, give, (void *)0), 0);
	expect_eq(weft_group_wait(g, &result, soon()), 0);
	expect_eq(result, 0);
}

TASK_TEST("an empty group has ended")
{
	int result = -1;
	expect_eq(weft_group_wait(weft_group_new(), &result, 0), 0);
	expect_eq(result, 0);
	expect_eq(weft_group_wait(weft_group_new(), NULL, WEFT_FOREVER), 0);
}

TASK_TEST("the first failure cancels the others and is the result")
{
	struct weft_group *g = weft_group_new();
	int result = 0;
	for (int i = 0; i < 10; i++)
		expect_eq(weft_group_go(g, wait_for_cancel, NULL), 0);
	await_running(10);
	expect_eq(weft_group_go(g, give, (void *)7), 0);
	expect_eq(weft_group_wait(g, &result, soon()), 0);
	expect_eq(result, 7);
	expect_eq(running, 0);
}

TASK_TEST("a cancelled group stays cancelled")
{
	struct weft_group *g = weft_group_new();
	int result = 0;
	for (int i = 0; i < 5; i++)
		expect_eq(weft_group_go(g, wait_for_cancel, NULL), 0);
	await_running(5);
	expect_eq(weft_group_cancel(g), 0);
	expect_eq(weft_group_cancel(g), 0);
	expect_eq(weft_group_go(g, give, NULL), -ECANCELED);
	expect_eq(weft_group_wait(g, &result, soon()), 0);
	expect_eq(result, -ECANCELED);
}

TASK_TEST("members cancelled before they ran run cancelled")
{
	struct weft_group *g = weft_group_new();
	int result = 0;
	for (int i = 0; i < 5; i++)
		expect_eq(weft_group_go(g, wait_for_cancel, NULL), 0);
	expect_eq(weft_group_cancel(g), 0);
	expect_eq(weft_group_wait(g, &result, soon()), 0);
	expect_eq(result, -ECANCELED);
}

TASK_TEST("an unfinished wait leaves the group alone")
{
	struct weft_group *g = weft_group_new();
	int result = 99;
	expect_eq(weft_group_go(g, wait_for_cancel, NULL), 0);
	expect_eq(weft_group_wait(g, &result, 0), -EAGAIN);
	expect_eq(weft_group_wait(g, &result, 1), -ETIMEDOUT);
	expect_eq(weft_group_wait(g, &result, weft_after(MS)), -ETIMEDOUT);
	expect_eq(result, 99);
	await_running(1);
	weft_group_cancel(g);
	expect_eq(weft_group_wait(g, &result, soon()), 0);
}

static unsigned key;
static int destroyed;

static void destroy(void *value)
{
	weft_sleep(2 * MS);
	__atomic_fetch_add(&destroyed, 1, __ATOMIC_SEQ_CST);
}

static int exit_with_value(void *arg)
{
	weft_key_set(key, arg);
	weft_exit(5);
}

TASK_TEST("a member that exits has ended with its keys")
{
	struct weft_group *g = weft_group_new();
	int result = 0;
	expect_eq(weft_key_create(&key, destroy), 0);
	expect_eq(weft_group_go(g, exit_with_value, &key), 0);
	expect_eq(weft_group_wait(g, &result, soon()), 0);
	expect_eq(result, 5);
	expect_eq(destroyed, 1);
}

static int grow(void *arg)
{
	int depth = __atomic_sub_fetch(&running, 1, __ATOMIC_SEQ_CST);
	return depth > 0 ? weft_group_go(arg, grow, arg) : 0;
}

TASK_TEST("members may start members")
{
	struct weft_group *g = weft_group_new();
	int result = -1;
	running = 200;
	expect_eq(weft_group_go(g, grow, g), 0);
	expect_eq(weft_group_wait(g, &result, soon()), 0);
	expect_eq(result, 0);
	expect_eq(running, 0);
}

TASK_TEST("wrong arguments start nothing")
{
	struct weft_group *g = weft_group_new();
	expect_eq(weft_group_go(NULL, give, NULL), -EINVAL);
	expect_eq(weft_group_go(g, NULL, NULL), -EINVAL);
	expect_eq(weft_group_wait(NULL, NULL, 0), -EINVAL);
	expect_eq(weft_group_cancel(NULL), -EINVAL);
	expect_eq(weft_stop(), 0);
	expect_eq(weft_group_go(g, give, NULL), -ESHUTDOWN);
	expect_eq(weft_group_wait(g, NULL, WEFT_FOREVER), 0);
}

TEST("outside of tasks there are no groups")
{
	expect_eq(weft_group_new(), NULL);
}
