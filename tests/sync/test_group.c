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

TEST_TASKS(a_group_waits_for_all_its_members)
{
	struct weft_group *g = weft_group_new();
	int result = -1;
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(weft_group_go(g, give, (void *)0), 0);
	ck_assert_int_eq(weft_group_wait(g, &result, soon()), 0);
	ck_assert_int_eq(result, 0);
}

TEST_TASKS(an_empty_group_has_ended)
{
	int result = -1;
	ck_assert_int_eq(weft_group_wait(weft_group_new(), &result, 0), 0);
	ck_assert_int_eq(result, 0);
	ck_assert_int_eq(weft_group_wait(weft_group_new(), NULL, WEFT_FOREVER), 0);
}

TEST_TASKS(the_first_failure_cancels_the_others_and_is_the_result)
{
	struct weft_group *g = weft_group_new();
	int result = 0;
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(weft_group_go(g, wait_for_cancel, NULL), 0);
	await_running(10);
	ck_assert_int_eq(weft_group_go(g, give, (void *)7), 0);
	ck_assert_int_eq(weft_group_wait(g, &result, soon()), 0);
	ck_assert_int_eq(result, 7);
	ck_assert_int_eq(running, 0);
}

TEST_TASKS(a_cancelled_group_stays_cancelled)
{
	struct weft_group *g = weft_group_new();
	int result = 0;
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(weft_group_go(g, wait_for_cancel, NULL), 0);
	await_running(5);
	ck_assert_int_eq(weft_group_cancel(g), 0);
	ck_assert_int_eq(weft_group_cancel(g), 0);
	ck_assert_int_eq(weft_group_go(g, give, NULL), -ECANCELED);
	ck_assert_int_eq(weft_group_wait(g, &result, soon()), 0);
	ck_assert_int_eq(result, -ECANCELED);
}

TEST_TASKS(members_cancelled_before_they_ran_run_cancelled)
{
	struct weft_group *g = weft_group_new();
	int result = 0;
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(weft_group_go(g, wait_for_cancel, NULL), 0);
	ck_assert_int_eq(weft_group_cancel(g), 0);
	ck_assert_int_eq(weft_group_wait(g, &result, soon()), 0);
	ck_assert_int_eq(result, -ECANCELED);
}

TEST_TASKS(an_unfinished_wait_leaves_the_group_alone)
{
	struct weft_group *g = weft_group_new();
	int result = 99;
	ck_assert_int_eq(weft_group_go(g, wait_for_cancel, NULL), 0);
	ck_assert_int_eq(weft_group_wait(g, &result, 0), -EAGAIN);
	ck_assert_int_eq(weft_group_wait(g, &result, 1), -ETIMEDOUT);
	ck_assert_int_eq(weft_group_wait(g, &result, weft_after(MS)), -ETIMEDOUT);
	ck_assert_int_eq(result, 99);
	await_running(1);
	weft_group_cancel(g);
	ck_assert_int_eq(weft_group_wait(g, &result, soon()), 0);
}

static int wait_group(void *arg)
{
	return weft_group_wait(arg, NULL, WEFT_FOREVER);
}

TEST_TASKS(a_cancelled_waiter_does_not_cancel_the_members)
{
	struct weft_group *g = weft_group_new();
	int result = 0;
	ck_assert_int_eq(weft_group_go(g, wait_for_cancel, NULL), 0);
	await_running(1);
	struct weft_task *waiter = tasks_start(wait_group, g);
	tasks_settle();
	weft_cancel(waiter);
	ck_assert_int_eq(tasks_join(waiter), -ECANCELED);
	ck_assert_int_eq(running, 1);
	weft_group_cancel(g);
	ck_assert_int_eq(weft_group_wait(g, &result, soon()), 0);
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

TEST_TASKS(a_member_that_exits_has_ended_with_its_keys)
{
	struct weft_group *g = weft_group_new();
	int result = 0;
	ck_assert_int_eq(weft_key_create(&key, destroy), 0);
	ck_assert_int_eq(weft_group_go(g, exit_with_value, &key), 0);
	ck_assert_int_eq(weft_group_wait(g, &result, soon()), 0);
	ck_assert_int_eq(result, 5);
	ck_assert_int_eq(destroyed, 1);
}

static int grow(void *arg)
{
	int depth = __atomic_sub_fetch(&running, 1, __ATOMIC_SEQ_CST);
	return depth > 0 ? weft_group_go(arg, grow, arg) : 0;
}

TEST_TASKS(members_may_start_members)
{
	struct weft_group *g = weft_group_new();
	int result = -1;
	running = 200;
	ck_assert_int_eq(weft_group_go(g, grow, g), 0);
	ck_assert_int_eq(weft_group_wait(g, &result, soon()), 0);
	ck_assert_int_eq(result, 0);
	ck_assert_int_eq(running, 0);
}

TEST_TASKS(wrong_arguments_start_nothing)
{
	struct weft_group *g = weft_group_new();
	ck_assert_int_eq(weft_group_go(NULL, give, NULL), -EINVAL);
	ck_assert_int_eq(weft_group_go(g, NULL, NULL), -EINVAL);
	ck_assert_int_eq(weft_group_wait(NULL, NULL, 0), -EINVAL);
	ck_assert_int_eq(weft_group_cancel(NULL), -EINVAL);
	ck_assert_int_eq(weft_stop(), 0);
	ck_assert_int_eq(weft_group_go(g, give, NULL), -ESHUTDOWN);
	ck_assert_int_eq(weft_group_wait(g, NULL, WEFT_FOREVER), 0);
}

START_TEST(outside_of_tasks_there_are_no_groups)
{
	ck_assert_ptr_null(weft_group_new());
}
END_TEST

static void add_all(TCase *tcase)
{
	add_tasks_test(tcase, a_group_waits_for_all_its_members);
	add_tasks_test(tcase, an_empty_group_has_ended);
	add_tasks_test(tcase, the_first_failure_cancels_the_others_and_is_the_result);
	add_tasks_test(tcase, a_cancelled_group_stays_cancelled);
	add_tasks_test(tcase, members_cancelled_before_they_ran_run_cancelled);
	add_tasks_test(tcase, an_unfinished_wait_leaves_the_group_alone);
	add_tasks_test(tcase, a_cancelled_waiter_does_not_cancel_the_members);
	add_tasks_test(tcase, a_member_that_exits_has_ended_with_its_keys);
	add_tasks_test(tcase, members_may_start_members);
	add_tasks_test(tcase, wrong_arguments_start_nothing);
	tcase_add_test(tcase, outside_of_tasks_there_are_no_groups);
}

TESTS_MAIN("group", add_all)
