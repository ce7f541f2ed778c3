/* SPDX-License-Identifier: MIT */
/*
 * test_down.c: cancellation goes down: from a task to the groups that it has made, to their
 * members, to the groups of those; masks; what the wait for a group means then; misuse.
 */
#include "members.h"
#include "misuse.h"

/* For what one processor alone does in a certain order. */
static void one_processor(const struct kit_test *test, int nth)
{
	struct tasks_body b = {test, nth};
	expect_eq(tasks_run(1, tasks_body_main, &b), 42);
}

/* ---- down to any depth ---- */

enum { DEEP = 100, WIDE = 3 };

/* A chain of groups, each with WIDE members, of which the first makes the next. */
static int chain(void *arg)
{
	intptr_t depth = (intptr_t)arg;
	struct weft_group *g = weft_group_new();
	for (int i = 0; i < WIDE; i++)
		expect_eq(weft_group_go(g, i || !depth ? until_cancelled : chain,
					i || !depth ? NULL : (void *)(depth - 1)),
			  0);
	return wait_for(g);
}

TASK_TEST("a cancelled task takes a chain of groups along, on a small stack")
{
	struct weft_spawn_options small = {.size = sizeof(small), .stack_size = 16384};
	struct weft_task *task;
	running = 0;
	expect_eq(weft_spawn(&task, &small, chain, (void *)(intptr_t)DEEP), 0);
	await_running(DEEP * (WIDE - 1) + WIDE);
	expect_eq(weft_cancel(task), 0);
	expect_eq(tasks_join(task), -ECANCELED);
	expect_eq(running, 0);
}

static int chain_and_more(void *arg)
{
	struct weft_group *g[2] = {weft_group_new(), weft_group_new()};
	for (int i = 0; i < 2; i++)
		expect_eq(weft_group_go(g[i], chain, (void *)(intptr_t)3), 0);
	int first = wait_for(g[0]);
	expect_eq(wait_for(g[1]), -ECANCELED);
	return first;
}

TASK_TEST("all groups that a task has made are taken along, by weft_group_cancel of its own group")
{
	struct weft_group *g = weft_group_new();
	running = 0;
	expect_eq(weft_group_go(g, chain_and_more, NULL), 0);
	await_running(2 * (3 * (WIDE - 1) + WIDE));
	expect_eq(weft_group_cancel(g), 0);
	expect_eq(wait_for(g), -ECANCELED);
	expect_eq(running, 0);
}

static int gives_seven(void *arg)
{
	await_running(2 * (3 * (WIDE - 1) + WIDE));
	return 7;
}

TASK_TEST("a member that fails takes the groups of the others along")
{
	struct weft_group *g = weft_group_new();
	running = 0;
	expect_eq(weft_group_go(g, chain_and_more, NULL), 0);
	expect_eq(weft_group_go(g, gives_seven, NULL), 0);
	expect_eq(wait_for(g), 7);
	expect_eq(running, 0);
}

static int stop_main(void *arg)
{
	struct weft_group *g = weft_group_new();
	expect_eq(weft_group_go(g, chain_and_more, NULL), 0);
	await_running(2 * (3 * (WIDE - 1) + WIDE));
	expect_eq(weft_stop(), 0);
	expect_eq(weft_cancelled(), 1);
	expect_eq(wait_for(g), -ECANCELED);
	return running;
}

TEST("weft_stop takes all groups along", .times = 3)
{
	running = 0;
	expect_eq(tasks_run(tasks_processors[nth], stop_main, NULL), 0);
}

static int until_cancelled_once(void *arg)
{
	weft_sleep_until(WEFT_FOREVER);
	weft_cancel_clear();
	weft_sleep(20 * MS);
	__atomic_fetch_add(&running, weft_cancelled(), __ATOMIC_SEQ_CST);
	return 0;
}

static int stop_once_main(void *arg)
{
	struct weft_group *g = weft_group_new();
	for (int i = 0; i < 20; i++)
		expect_eq(weft_group_go(g, until_cancelled_once, NULL), 0);
	tasks_settle();
	expect_eq(weft_stop(), 0);
	weft_cancel_clear();
	expect_eq(wait_for(g), -ECANCELED); /* they still ran then */
	return running;
}

TEST("weft_stop cancels members once", .times = 3)
{
	running = 0;
	expect_eq(tasks_run(tasks_processors[nth], stop_once_main, NULL), 0);
}

static int started_by_spawn(void *arg)
{
	struct weft_task **other = arg;
	*other = tasks_start(until_cancelled, NULL);
	weft_sleep_until(WEFT_FOREVER);
	return 0;
}

TASK_TEST("spawned tasks inherit nothing")
{
	struct weft_task *other = NULL;
	running = 0;
	struct weft_task *task = tasks_start(started_by_spawn, &other);
	await_running(1);
	expect_eq(weft_cancel(task), 0);
	expect_eq(tasks_join(task), 0);
	tasks_settle();
	expect_eq(running, 1);
	expect_eq(weft_cancel(other), 0);
	expect_eq(tasks_join(other), -ECANCELED);
}

/* ---- masks, births, clearing ---- */

static int masked(void *arg)
{
	struct weft_group *g = weft_group_new();
	weft_cancel_mask(1);
	struct weft_group *apart = weft_group_new();
	expect_eq(weft_group_go(g, until_cancelled, NULL), 0);
	expect_eq(weft_group_go(apart, until_cancelled, NULL), 0);
	expect_eq(wait_for(g), -ECANCELED); /* cancelled by the test */
	expect_eq(running, 1);
	expect_eq(weft_cancelled(), 1);
	expect_eq(weft_group_go(apart, one, NULL), 0);
	int result;
	expect_eq(weft_group_wait(apart, &result, weft_after(MS)), -ETIMEDOUT);
	expect_eq(running, 1);
	weft_cancel_mask(0);
	return wait_for(apart); /* now the wait itself cancels it */
}

TASK_TEST("a mask holds back the task's own mark, and a group made under it is left out")
{
	running = 0;
	struct weft_task *task = tasks_start(masked, NULL);
	await_running(2);
	expect_eq(weft_cancel(task), 0);
	expect_eq(tasks_join(task), -ECANCELED);
	expect_eq(running, 0);
}

static int masked_wait(void *arg)
{
	struct weft_group *g = weft_group_new();
	weft_cancel_mask(1);
	expect_eq(weft_group_go(g, until_cancelled, arg), 0);
	return wait_for(g);
}

TASK_TEST("a masked wait tells the members' results alone")
{
	running = 0;
	struct weft_task *task = tasks_start(masked_wait, &running);
	await_running(1);
	expect_eq(weft_cancel(task), 0);
	expect_eq(tasks_join(task), 0);
}

static int born_cancelled(void *arg)
{
	expect_eq(weft_sleep_until(WEFT_FOREVER), -ECANCELED);
	struct weft_group *g = weft_group_new();
	expect_eq(weft_group_go(g, one, NULL), -ECANCELED);
	expect_eq(weft_group_try_go(g, one, NULL), -ECANCELED);
	weft_cancel_mask(1);
	struct weft_group *apart = weft_group_new();
	expect_eq(weft_group_go(apart, one, NULL), 0);
	expect_eq(wait_for(apart), 0);
	weft_cancel_mask(0);
	weft_cancel_clear();
	expect_eq(weft_group_go(g, one, NULL), -ECANCELED);
	struct weft_group *fresh = weft_group_new();
	expect_eq(weft_group_go(fresh, one, NULL), 0);
	expect_eq(wait_for(fresh), 0);
	return wait_for(g);
}

TASK_TEST("groups of a cancelled task are born cancelled, but under a mask or once it is cleared")
{
	struct weft_task *task = tasks_start(born_cancelled, NULL);
	expect_eq(weft_cancel(task), 0);
	expect_eq(tasks_join(task), 0);
}

static int cancelled_twice(void *arg)
{
	int *round = arg;
	for (int i = 0; i < 2; i++) {
		struct weft_group *g = weft_group_new();
		expect_eq(weft_group_go(g, until_cancelled, NULL), 0);
		flag_set(round, i + 1);
		expect_eq(wait_for(g), -ECANCELED);
		weft_cancel_clear();
	}
	return 0;
}

TASK_TEST("a task that was cleared takes its next group along when it is cancelled again")
{
	int round = 0;
	running = 0;
	struct weft_task *task = tasks_start(cancelled_twice, &round);
	for (int i = 1; i <= 2; i++) {
		while (flag(&round) != i)
			weft_sleep(MS);
		await_running(1);
		expect_eq(weft_cancel(task), 0);
	}
	expect_eq(tasks_join(task), 0);
}

/* ---- what the wait says ---- */

static int waits(void *arg)
{
	struct weft_group *g = weft_group_new();
	expect_eq(weft_group_go(g, until_cancelled, arg), 0);
	return wait_for(g);
}

TASK_TEST("a cancelled wait ends when the members have, and says so though they say nothing")
{
	running = 0;
	struct weft_task *task = tasks_start(waits, &running);
	await_running(1);
	expect_eq(weft_cancel(task), 0);
	expect_eq(tasks_join(task), -ECANCELED);
	expect_eq(running, 0);
}

static int waits_later(void *arg)
{
	struct weft_group *g = weft_group_new();
	expect_eq(weft_group_go(g, until_cancelled, arg), 0);
	expect_eq(weft_sleep_until(WEFT_FOREVER), -ECANCELED);
	while (__atomic_load_n(&running, __ATOMIC_SEQ_CST))
		weft_yield();
	return wait_for(g);
}

TASK_TEST("members that still ran at the cancel are told of, though they have ended since")
{
	running = 0;
	struct weft_task *task = tasks_start(waits_later, &running);
	await_running(1);
	expect_eq(weft_cancel(task), 0);
	expect_eq(tasks_join(task), -ECANCELED);
}

static int tells_end(void *arg)
{
	weft_waitgroup_done(arg);
	return 0;
}

static int all_had_ended(void *arg)
{
	struct weft_waitgroup ended = {0};
	struct weft_group *g = weft_group_new();
	weft_waitgroup_add(&ended, 1);
	expect_eq(weft_group_go(g, tells_end, &ended), 0);
	expect_eq(weft_waitgroup_wait(&ended, WEFT_FOREVER), 0);
	for (int i = 0; i < 100; i++) /* what is left of its end */
		weft_yield();
	flag_set(arg, 1);
	expect_eq(weft_sleep_until(WEFT_FOREVER), -ECANCELED);
	return wait_for(g);
}

TEST("a cancelled wait for members that had all ended is as any other", .around = one_processor)
{
	int asleep = 0;
	struct weft_task *task = tasks_start(all_had_ended, &asleep);
	while (!flag(&asleep))
		weft_sleep(MS);
	expect_eq(weft_cancel(task), 0);
	expect_eq(tasks_join(task), 0);
}

static int stubborn(void *arg)
{
	weft_cancel_mask(1);
	__atomic_fetch_add(&running, 1, __ATOMIC_SEQ_CST);
	while (!flag(arg))
		weft_sleep(MS);
	return 0;
}

static int deadline_alone(void *arg)
{
	struct weft_group *g = weft_group_new();
	int result = 99;
	expect_eq(weft_group_go(g, stubborn, arg), 0);
	expect_eq(weft_sleep_until(WEFT_FOREVER), -ECANCELED);
	expect_eq(weft_group_wait(g, &result, 0), -EAGAIN);
	expect_eq(weft_group_wait(g, &result, 1), -ETIMEDOUT);
	expect_eq(weft_group_wait(g, &result, weft_after(MS)), -ETIMEDOUT);
	expect_eq(result, 99);
	flag_set(arg, 1);
	return wait_for(g);
}

TASK_TEST("only the deadline ends the wait of a cancelled task early, and the group lives on")
{
	int go_on = 0;
	running = 0;
	struct weft_task *task = tasks_start(deadline_alone, &go_on);
	await_running(1);
	expect_eq(weft_cancel(task), 0);
	expect_eq(tasks_join(task), -ECANCELED);
}

static int limited(void *arg)
{
	struct weft_group *g = weft_group_new();
	expect_eq(weft_group_go(g, until_cancelled, arg), 0);
	await_running(1);
	weft_limit(weft_after(2 * MS));
	return wait_for(g);
}

TASK_TEST("a limit ends the wait as a cancel does")
{
	running = 0;
	expect_eq(tasks_join(tasks_start(limited, &running)), -ETIMEDOUT);
	expect_eq(running, 0);
	expect_eq(tasks_join(tasks_start(limited, NULL)), -ECANCELED); /* what the member gave */
}

static int limited_then_cancelled(void *arg)
{
	struct weft_group *g = weft_group_new();
	expect_eq(weft_group_go(g, stubborn, arg), 0);
	await_running(1);
	weft_limit(1);
	expect_eq(weft_group_wait(g, NULL, weft_after(MS)), -ETIMEDOUT);
	weft_limit_end(WEFT_FOREVER);
	expect_eq(weft_cancel(weft_self()), 0);
	expect_eq(weft_group_wait(g, NULL, weft_after(MS)), -ETIMEDOUT);
	flag_set(arg, 1);
	return wait_for(g);
}

TASK_TEST("the first reason to cut a wait short is the one that it tells")
{
	int go_on = 0;
	running = 0;
	expect_eq(tasks_join(tasks_start(limited_then_cancelled, &go_on)), -ETIMEDOUT);
}

static int limited_tries(void *arg)
{
	struct weft_group *g = weft_group_new();
	expect_eq(weft_group_go(g, until_cancelled, arg), 0);
	await_running(1);
	weft_limit(1);
	expect_eq(weft_group_wait(g, NULL, 0), -EAGAIN);
	return wait_for(g);
}

TASK_TEST("a limit that has passed cancels the members of a wait that may not wait")
{
	running = 0;
	expect_eq(tasks_join(tasks_start(limited_tries, &running)), -ETIMEDOUT);
}

static int tell_limit(void *arg)
{
	*(int64_t *)arg = weft_limit(WEFT_FOREVER);
	return 0;
}

static int makes_with_limit(void *arg)
{
	int64_t at = weft_after(3600 * 1000 * (int64_t)MS), seen[3];
	struct weft_group *before = weft_group_new();
	expect_eq(weft_limit(at), WEFT_FOREVER);
	struct weft_group *g = weft_group_new();
	weft_cancel_mask(1);
	struct weft_group *apart = weft_group_new();
	weft_cancel_mask(0);
	weft_limit_end(WEFT_FOREVER);
	expect_eq(weft_group_go(before, tell_limit, &seen[0]), 0);
	expect_eq(weft_group_go(g, tell_limit, &seen[1]), 0);
	expect_eq(weft_group_go(apart, tell_limit, &seen[2]), 0);
	expect_eq(wait_for(before) | wait_for(g) | wait_for(apart), 0);
	expect_eq(seen[0], WEFT_FOREVER);
	expect_eq(seen[1], at);
	expect_eq(seen[2], WEFT_FOREVER);
	return 0;
}

TASK_TEST("members inherit the limit of the moment when the group was made")
{
	expect_eq(makes_with_limit(NULL), 0);
}

/* ---- both or neither ---- */

static int both(void *arg)
{
	struct weft_group_options four = {.size = sizeof(four), .limit = 4};
	struct weft_group *g;
	int err;
	expect_eq(weft_group_new_with(&g, &four), 0);
	flag_set(arg, 1);
	do {
		weft_yield();
		err = weft_group_try_go(g, one, NULL);
	} while ((!err || err == -EAGAIN) && !weft_cancelled());
	expect_eq(weft_cancelled(), 1);
	expect_eq(weft_group_go(g, one, NULL), -ECANCELED);
	wait_for(g);
	return 0;
}

TASK_TEST("a task that sees its own mark finds its group cancelled, and the other way round")
{
	for (int i = 0; i < 200; i++) {
		int begun = 0;
		struct weft_task *task = tasks_start(both, &begun);
		while (!flag(&begun))
			weft_yield();
		expect_eq(weft_cancel(task), 0);
		expect_eq(tasks_join(task), 0);
	}
}

/* ---- misuse ---- */

static int ends_without_wait(void *arg)
{
	expect_ne(weft_group_new(), NULL);
	return 0;
}

static int exits_without_wait(void *arg)
{
	expect_ne(weft_group_new(), NULL);
	weft_exit(0);
}

static void make_group(void *value)
{
	expect_ne(weft_group_new(), NULL);
}

static int destructor_makes(void *arg)
{
	unsigned key;
	expect_eq(weft_key_create(&key, make_group), 0);
	expect_eq(weft_key_set(key, arg ? arg : &running), 0);
	return 0;
}

TEST("a task that ends with a group not waited for is misuse")
{
	expect_misuse("the end of a task", ends_without_wait);
	expect_misuse("the end of a task", exits_without_wait);
	expect_misuse("the end of a task", destructor_makes);
}

static unsigned waiting_key;

static void wait_at_end(void *value)
{
	wait_for(value);
}

static int destructor_waits(void *arg)
{
	expect_eq(weft_key_create(&waiting_key, wait_at_end), 0);
	struct weft_group *g = weft_group_new();
	expect_eq(weft_group_go(g, one, NULL), 0);
	expect_eq(weft_key_set(waiting_key, g), 0);
	return 0;
}

TASK_TEST("a destructor may wait for the group")
{
	expect_eq(tasks_join(tasks_start(destructor_waits, NULL)), 0);
}

static int waits_given(void *arg)
{
	return weft_group_wait(arg, NULL, WEFT_FOREVER);
}

static int selects_given(void *arg)
{
	struct weft_case group = weft_on_group(arg, NULL);
	return weft_select(&group, 1, WEFT_FOREVER);
}

static int (*of_given)(void *group);

static int of_anothers(void *arg)
{
	struct weft_group *g = weft_group_new();
	return tasks_join(tasks_start(of_given, g));
}

static int of_own(void *arg)
{
	struct weft_group *g = weft_group_new();
	expect_eq(weft_group_go(g, of_given, g), 0);
	return wait_for(g);
}

static int selects_joined(void *arg)
{
	struct weft_task *task = tasks_start(one, NULL);
	struct weft_case join = weft_on_join(task, NULL);
	tasks_join(task);
	return weft_select(&join, 1, WEFT_FOREVER);
}

TEST("waiting for another task's group, or for one's own, is misuse")
{
	static int (*const waits[])(void *group) = {waits_given, selects_given};
	for (int i = 0; i < 2; i++) {
		of_given = waits[i];
		expect_misuse("weft_group_wait", of_anothers);
		expect_misuse("weft_group_wait", of_own);
	}
}

TEST("a select over a task that was joined is misuse")
{
	expect_misuse("weft_select", selects_joined);
}
