/* SPDX-License-Identifier: MIT */
/* test_select.c: several channels at once: what runs, how often, what never does. */
#include <sys/wait.h>
#include <unistd.h>

#include "../tasks.h"

static struct weft_case sending(struct weft_chan *c, void *item)
{
	return (struct weft_case){.op = WEFT_CHAN_SEND, .chan = c, .item = item};
}

static struct weft_case receiving(struct weft_chan *c, void *item)
{
	return (struct weft_case){.op = WEFT_CHAN_RECV, .chan = c, .item = item};
}

TEST_TASKS(the_ready_case_runs_and_no_other)
{
	struct weft_chan *a = weft_chan_new(sizeof(int), 1), *b = weft_chan_new(sizeof(int), 1);
	int one = 1, got = 0;
	struct weft_case cases[] = {receiving(a, &got), receiving(b, &got)};
	ck_assert_int_eq(weft_select(cases, 2, 0), -EAGAIN);
	ck_assert_int_eq(weft_chan_send(b, &one, 0), 0);
	cases[0].result = cases[1].result = 99;
	ck_assert_int_eq(weft_select(cases, 2, 0), 1);
	ck_assert_int_eq(cases[1].result, 0);
	ck_assert_int_eq(cases[0].result, 99);
	ck_assert_int_eq(got, 1);
	ck_assert_int_eq(weft_select(cases, 2, 1), -ETIMEDOUT);
	weft_chan_unref(a);
	weft_chan_unref(b);
}

TEST_TASKS(a_closed_channel_is_ready_with_epipe)
{
	struct weft_chan *open = weft_chan_new(sizeof(int), 0),
			 *closed = weft_chan_new(sizeof(int), 0);
	int got = 5;
	struct weft_case cases[] = {receiving(open, &got), receiving(closed, &got)};
	weft_chan_close(closed);
	ck_assert_int_eq(weft_select(cases, 2, WEFT_FOREVER), 1);
	ck_assert_int_eq(cases[1].result, -EPIPE);
	ck_assert_int_eq(got, 0);
	cases[1] = sending(closed, &got);
	ck_assert_int_eq(weft_select(cases, 2, WEFT_FOREVER), 1);
	ck_assert_int_eq(cases[1].result, -EPIPE);
	weft_chan_unref(open);
	weft_chan_unref(closed);
}

TEST_TASKS(null_channels_and_empty_cases_are_never_ready)
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 1);
	int item = 4;
	struct weft_case cases[] = {receiving(NULL, &item),
				    {.op = 0, .chan = c},
				    sending(NULL, &item),
				    sending(c, &item)};
	ck_assert_int_eq(weft_select(cases, 3, 0), -EAGAIN);
	ck_assert_int_eq(weft_select(cases, 3, weft_after(MS)), -ETIMEDOUT);
	ck_assert_int_eq(weft_select(NULL, 0, 0), -EAGAIN);
	ck_assert_int_eq(weft_select(NULL, 0, weft_after(MS)), -ETIMEDOUT);
	ck_assert_int_eq(weft_select(cases, 4, WEFT_FOREVER), 3);
	weft_chan_unref(c);
}

TEST_TASKS(wrong_arguments_run_nothing)
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 1);
	int item = 4;
	struct weft_case cases[] = {sending(c, &item), {.op = 3, .chan = c}};
	ck_assert_int_eq(weft_select(NULL, 1, 0), -EINVAL);
	ck_assert_int_eq(weft_select(cases, 2, 0), -EINVAL);
	ck_assert_uint_eq(weft_chan_len(c), 0);
	weft_chan_unref(c);
}

/* ---- waiting ---- */

struct choice {
	struct weft_chan *chans[3];
	int got;
};

/* Waits for any of three and gives the index and, in got, the item. */
static int choose_one(void *arg)
{
	struct choice *c = arg;
	struct weft_case cases[3];
	for (int i = 0; i < 3; i++)
		cases[i] = receiving(c->chans[i], &c->got);
	int i = weft_select(cases, 3, WEFT_FOREVER);
	return i < 0 ? i : cases[i].result ? cases[i].result : i;
}

static void choice_init(struct choice *c)
{
	for (int i = 0; i < 3; i++)
		c->chans[i] = weft_chan_new(sizeof(int), 0);
	c->got = -1;
}

static void choice_free(struct choice *c)
{
	for (int i = 0; i < 3; i++)
		weft_chan_unref(c->chans[i]);
}

TEST_TASKS(a_waiting_select_runs_the_case_that_comes)
{
	for (int i = 0; i < 3; i++) {
		struct choice c;
		choice_init(&c);
		struct weft_task *task = tasks_start(choose_one, &c);
		tasks_settle();
		int item = 70 + i;
		ck_assert_int_eq(weft_chan_send(c.chans[i], &item, soon()), 0);
		ck_assert_int_eq(tasks_join(task), i);
		ck_assert_int_eq(c.got, 70 + i);
		for (int k = 0; k < 3; k++) /* it has left all channels */
			ck_assert_int_eq(weft_chan_send(c.chans[k], &item, 0), -EAGAIN);
		choice_free(&c);
	}
}

TEST_TASKS(closing_wakes_a_waiting_select)
{
	struct choice c;
	choice_init(&c);
	struct weft_task *task = tasks_start(choose_one, &c);
	tasks_settle();
	ck_assert_int_eq(weft_chan_close(c.chans[2]), 0);
	ck_assert_int_eq(tasks_join(task), -EPIPE);
	ck_assert_int_eq(c.got, 0);
	choice_free(&c);
}

TEST_TASKS(cancelling_ends_a_waiting_select)
{
	struct choice c;
	choice_init(&c);
	struct weft_task *task = tasks_start(choose_one, &c);
	tasks_settle();
	ck_assert_int_eq(weft_cancel(task), 0);
	ck_assert_int_eq(tasks_join(task), -ECANCELED);
	ck_assert_int_eq(c.got, -1);
	choice_free(&c);
}

TEST_TASKS(a_deadline_ends_a_waiting_select)
{
	struct choice c;
	int got = 17;
	choice_init(&c);
	struct weft_case cases[] = {receiving(c.chans[0], &got), sending(c.chans[1], &got)};
	int64_t until = weft_after(3 * MS);
	ck_assert_int_eq(weft_select(cases, 2, until), -ETIMEDOUT);
	ck_assert_int_ge(weft_now(), until);
	ck_assert_int_eq(got, 17);
	ck_assert_int_eq(weft_chan_recv(c.chans[1], &got, 0), -EAGAIN);
	choice_free(&c);
}

/* ---- one channel twice ---- */

TEST_TASKS(send_and_receive_on_one_channel_do_not_meet_themselves)
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 0);
	int out = 1, in = 2;
	struct weft_case cases[] = {sending(c, &out), receiving(c, &in)};
	ck_assert_int_eq(weft_select(cases, 2, 0), -EAGAIN);
	ck_assert_int_eq(weft_select(cases, 2, weft_after(2 * MS)), -ETIMEDOUT);
	ck_assert_int_eq(in, 2);
	weft_chan_unref(c);
}

static int select_both_ways(void *arg)
{
	struct weft_chan *c = arg;
	int balance = 0;
	for (int i = 0; i < 1000; i++) {
		int out = 1, in = 0;
		struct weft_case cases[] = {sending(c, &out), receiving(c, &in), receiving(c, &in)};
		int ran = weft_select(cases, 3, soon());
		ck_assert_int_ge(ran, 0);
		ck_assert_int_eq(in, ran > 0);
		balance += ran == 0 ? 1 : -1;
	}
	return balance + 2000;
}

TEST_TASKS(selects_that_send_and_receive_on_one_channel_meet_each_other)
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 0);
	struct weft_task *a = tasks_start(select_both_ways, c),
			 *b = tasks_start(select_both_ways, c);
	ck_assert_int_eq(tasks_join(a) + tasks_join(b), 4000);
	weft_chan_unref(c);
}

/* ---- fairness ---- */

enum { DRAWS = 4000 };

TEST_TASKS(all_ready_cases_have_the_same_chance_wherever_they_stand)
{
	/* 0 and 1 ready, then eight that are not, then one that is: a random start alone would favour it. */
	struct weft_chan *ready = weft_chan_new(0, 1), *never = weft_chan_new(0, 1);
	struct weft_case cases[11];
	int count[11] = {0};
	ck_assert_int_eq(weft_chan_close(ready), 0);
	for (int i = 0; i < 11; i++)
		cases[i] = receiving(i < 2 || i == 10 ? ready : never, NULL);
	for (int i = 0; i < DRAWS; i++)
		count[weft_select(cases, 11, 0)]++;
	for (int i = 0; i < 11; i++) {
		if (cases[i].chan == never)
			ck_assert_int_eq(count[i], 0);
		else
			ck_assert_int_gt(
				count[i],
				DRAWS / 4); /* expected a third; a quarter is 11 sigma away */
	}
	weft_chan_unref(ready);
	weft_chan_unref(never);
}

TEST_TASKS(many_cases_are_as_good_as_few)
{
	enum { MANY = 300 };
	struct weft_chan *chans[MANY];
	struct weft_case cases[MANY];
	int got = -1;
	for (int i = 0; i < MANY; i++) {
		chans[i] = weft_chan_new(sizeof(int), 1);
		cases[i] = receiving(chans[i], &got);
	}
	ck_assert_int_eq(weft_select(cases, MANY, 0), -EAGAIN);
	ck_assert_int_eq(weft_select(cases, MANY, weft_after(MS)), -ETIMEDOUT);
	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(weft_chan_send(chans[i], &i, 0), 0);
	for (int i = 0; i < MANY; i++) {
		int ran = weft_select(cases, MANY, WEFT_FOREVER);
		ck_assert_int_ge(ran, 0);
		ck_assert_int_eq(got, ran);
		cases[ran].op = 0;
	}
	ck_assert_int_eq(weft_select(cases, MANY, 0), -EAGAIN);
	for (int i = 0; i < MANY; i++)
		weft_chan_unref(chans[i]);
}

/* ---- in another process ---- */

enum { READY = 8, PROCESSES = 16 };

/* The order in which selects take what is ready in all of so many channels. */
static uint64_t order_taken(void)
{
	struct weft_chan *chans[READY];
	struct weft_case cases[READY];
	int items[READY] = {0};
	uint64_t order = 0;
	for (int i = 0; i < READY; i++) {
		chans[i] = weft_chan_new(sizeof(int), 1);
		weft_chan_send(chans[i], &items[i], 0);
		cases[i] = receiving(chans[i], &items[i]);
	}
	for (int i = 0; i < READY; i++)
		order = order * READY + (uint64_t)weft_select(cases, READY, 0);
	for (int i = 0; i < READY; i++)
		weft_chan_unref(chans[i]);
	return order;
}

static int take_as_task(void *arg)
{
	*(uint64_t *)arg = order_taken();
	return 0;
}

static void in_a_run(uint64_t *order)
{
	weft_run(NULL, take_as_task, order);
}

static void without_a_run(uint64_t *order)
{
	*order = order_taken();
}

static void with_a_seed(uint64_t *order)
{
	weft_sim_run(7, NULL, take_as_task, order);
}

static uint64_t order_in_child(void (*take)(uint64_t *order))
{
	uint64_t order = 0;
	int ends[2];
	ck_assert_int_eq(pipe(ends), 0);
	pid_t child = fork();
	if (child == 0) {
		take(&order);
		_exit(write(ends[1], &order, sizeof(order)) != sizeof(order));
	}
	close(ends[1]);
	ck_assert_int_eq(read(ends[0], &order, sizeof(order)), sizeof(order));
	close(ends[0]);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	return order;
}

/* How many of so many processes took them in the order of the first. */
static int alike(void (*take)(uint64_t *order))
{
	uint64_t first = order_in_child(take);
	int same = 1;
	for (int i = 1; i < PROCESSES; i++)
		same += order_in_child(take) == first;
	return same;
}

/* Eight ready channels have 40,320 orders: two of sixteen may meet, not all of them. */
START_TEST(each_process_chooses_anew)
{
	ck_assert_int_lt(alike(in_a_run), PROCESSES);
	ck_assert_int_lt(alike(without_a_run), PROCESSES);
	ck_assert_int_eq(alike(with_a_seed), PROCESSES);
}
END_TEST

static void add_all(TCase *tcase)
{
	add_tasks_test(tcase, the_ready_case_runs_and_no_other);
	add_tasks_test(tcase, a_closed_channel_is_ready_with_epipe);
	add_tasks_test(tcase, null_channels_and_empty_cases_are_never_ready);
	add_tasks_test(tcase, wrong_arguments_run_nothing);
	add_tasks_test(tcase, a_waiting_select_runs_the_case_that_comes);
	add_tasks_test(tcase, closing_wakes_a_waiting_select);
	add_tasks_test(tcase, cancelling_ends_a_waiting_select);
	add_tasks_test(tcase, a_deadline_ends_a_waiting_select);
	add_tasks_test(tcase, send_and_receive_on_one_channel_do_not_meet_themselves);
	add_tasks_test(tcase, selects_that_send_and_receive_on_one_channel_meet_each_other);
	add_tasks_test(tcase, all_ready_cases_have_the_same_chance_wherever_they_stand);
	add_tasks_test(tcase, many_cases_are_as_good_as_few);
	tcase_add_test(tcase, each_process_chooses_anew);
}

TESTS_MAIN("select", add_all)
