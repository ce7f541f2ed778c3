/* SPDX-License-Identifier: MIT */
/* test_places.c: groups with options: their limit of members at once, and what is refused. */
#include "members.h"

static int most, now;

static int counted(void *arg)
{
	int n = __atomic_add_fetch(&now, 1, __ATOMIC_SEQ_CST);
	for (int seen = flag(&most);
	     n > seen && !__atomic_compare_exchange_n(&most, &seen, n, false, __ATOMIC_SEQ_CST,
						      __ATOMIC_SEQ_CST);)
		;
	weft_sleep(MS / 10);
	__atomic_sub_fetch(&now, 1, __ATOMIC_SEQ_CST);
	return 0;
}

static struct weft_group *group_of(unsigned limit)
{
	struct weft_group_options o = {.size = sizeof(o), .name = "member", .limit = limit};
	struct weft_group *g;
	expect_eq(weft_group_new_with(&g, &o), 0);
	return g;
}

TASK_TEST("there are never more members than the limit says")
{
	struct weft_group *g = group_of(3);
	most = now = 0;
	for (int i = 0; i < 200; i++)
		expect_eq(weft_group_go(g, counted, NULL), 0);
	expect_eq(wait_for(g), 0);
	expect_eq(most, 3);
}

TASK_TEST("without a place try_go starts nothing, and an end makes one")
{
	struct weft_group *g = group_of(2);
	running = 0;
	expect_eq(weft_group_try_go(g, until_cancelled, NULL), 0);
	expect_eq(weft_group_try_go(g, until_cancelled, NULL), 0);
	expect_eq(weft_group_try_go(g, one, NULL), -EAGAIN);
	await_running(2);
	expect_eq(weft_group_cancel(g), 0);
	expect_eq(wait_for(g), -ECANCELED);
	g = group_of(1);
	for (int i = 0; i < 50; i++)
		while (weft_group_try_go(g, one, NULL) == -EAGAIN)
			weft_yield();
	expect_eq(wait_for(g), 0);
}

static int starts_more(void *arg)
{
	expect_eq(weft_group_go(arg, one, NULL), -EAGAIN);
	return 0;
}

TASK_TEST("a member does not wait for a place of its own group")
{
	struct weft_group *g = group_of(1);
	expect_eq(weft_group_go(g, starts_more, g), 0);
	expect_eq(wait_for(g), 0);
}

static int waits_for_place(void *arg)
{
	return weft_group_go(arg, one, NULL);
}

TASK_TEST("the wait for a place ends with a cancel of the caller, of the group, with a limit")
{
	struct weft_group *g = group_of(1);
	running = 0;
	expect_eq(weft_group_go(g, until_cancelled, NULL), 0);
	struct weft_task *first = tasks_start(waits_for_place, g);
	struct weft_task *second = tasks_start(waits_for_place, g);
	tasks_settle();
	expect_eq(weft_cancel(first), 0);
	expect_eq(tasks_join(first), -ECANCELED);
	weft_limit(weft_after(MS));
	expect_eq(weft_group_go(g, one, NULL), -ETIMEDOUT);
	weft_limit_end(WEFT_FOREVER);
	expect_eq(weft_group_cancel(g), 0);
	expect_eq(tasks_join(second), -ECANCELED);
	expect_eq(wait_for(g), -ECANCELED);
}

static int until_told(void *arg)
{
	weft_cancel_mask(1);
	while (!flag(arg))
		weft_sleep(MS);
	return 0;
}

TASK_TEST("a cancelled group says so though it has no place")
{
	struct weft_group *g = group_of(1);
	int told = 0;
	expect_eq(weft_group_go(g, until_told, &told), 0);
	tasks_settle();
	expect_eq(weft_group_cancel(g), 0);
	expect_eq(weft_group_try_go(g, one, NULL), -ECANCELED);
	flag_set(&told, 1);
	expect_eq(wait_for(g), 0);
}

TASK_TEST("a masked wait that may not wait cancels no member, whatever the limit")
{
	struct weft_group *g = weft_group_new();
	running = 0;
	expect_eq(weft_group_go(g, until_cancelled, NULL), 0);
	await_running(1);
	weft_limit(1);
	weft_cancel_mask(1);
	expect_eq(weft_group_wait(g, NULL, 0), -EAGAIN);
	tasks_settle();
	expect_eq(running, 1);
	weft_cancel_mask(0);
	weft_limit_end(WEFT_FOREVER);
	expect_eq(weft_group_cancel(g), 0);
	expect_eq(wait_for(g), -ECANCELED);
}

static int uses_stack(void *arg)
{
	char small[9000];
	memset(small, 1, sizeof(small));
	__asm__ volatile("" ::"r"(small) : "memory");
	return 0;
}

static int uses_much_stack(void *arg)
{
	char large[700 * 1024];
	memset(large, 1, sizeof(large));
	__asm__ volatile("" ::"r"(large) : "memory");
	return 0;
}

TASK_TEST("members have the stack that the options ask for")
{
	struct weft_group_options o = {.size = sizeof(o), .stack_size = 1024 * 1024};
	struct weft_group *g;
	expect_eq(weft_group_new_with(&g, &o), 0);
	expect_eq(weft_group_go(g, uses_much_stack, NULL), 0);
	expect_eq(wait_for(g), 0);
}

TASK_TEST("options are checked, and may be those of the first version")
{
	struct weft_group *g = NULL;
	struct weft_group_options o = {.size = sizeof(o), .stack_size = 16384};
	expect_eq(weft_group_new_with(NULL, &o), -EINVAL);
	expect_eq(weft_group_new_with(&g, &o), 0);
	expect_eq(weft_group_go(g, uses_stack, NULL), 0);
	expect_eq(wait_for(g), 0);
	o.flags = 1;
	expect_eq(weft_group_new_with(&g, &o), -EINVAL);
	o.flags = 0;
	o.stack_size = SIZE_MAX / 2;
	expect_eq(weft_group_new_with(&g, &o), -EINVAL);
	o = (struct weft_group_options){.size = 0};
	expect_eq(weft_group_new_with(&g, &o), 0);
	expect_eq(wait_for(g), 0);
	expect_eq(weft_group_new_with(&g, NULL), 0);
	expect_eq(wait_for(g), 0);
	struct {
		struct weft_group_options o;
		char more[8];
	} later = {.o.size = sizeof(later)};
	expect_eq(weft_group_new_with(&g, &later.o), 0);
	expect_eq(wait_for(g), 0);
	later.more[7] = 1;
	expect_eq(weft_group_new_with(&g, &later.o), -E2BIG);
}

static int waits_masked_for_place(void *arg)
{
	weft_cancel_mask(1);
	return weft_group_go(arg, one, NULL);
}

/* The group is left out of the stop, its member and the caller are not. */
static int stops_beside_starter(void *arg)
{
	running = 0;
	weft_cancel_mask(1);
	struct weft_group *g = group_of(1);
	expect_eq(weft_group_go(g, until_cancelled, NULL), 0);
	struct weft_task *starter = tasks_start(waits_masked_for_place, g);
	await_running(1);
	tasks_settle();
	expect_eq(weft_stop(), 0);
	expect_eq(tasks_join(starter), -ESHUTDOWN);
	expect_eq(wait_for(g), -ECANCELED);
	return 42;
}

TEST("who is handed a place after weft_stop starts nothing, and gives it back", .times = 3)
{
	expect_eq(tasks_run(tasks_processors[nth], stops_beside_starter, NULL), 42);
}
