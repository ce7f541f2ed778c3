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

TASK_TEST("the ready case runs and no other")
{
	struct weft_chan *a = weft_chan_new(sizeof(int), 1), *b = weft_chan_new(sizeof(int), 1);
	int one = 1, got = 0;
	struct weft_case cases[] = {receiving(a, &got), receiving(b, &got)};
	expect_eq(weft_select(cases, 2, 0), -EAGAIN);
	expect_eq(weft_chan_send(b, &one, 0), 0);
	cases[0].result = cases[1].result = 99;
	expect_eq(weft_select(cases, 2, 0), 1);
	expect_eq(cases[1].result, 0);
	expect_eq(cases[0].result, 99);
	expect_eq(got, 1);
	expect_eq(weft_select(cases, 2, 1), -ETIMEDOUT);
	weft_chan_unref(a);
	weft_chan_unref(b);
}

TASK_TEST("a closed channel is ready with epipe")
{
	struct weft_chan *open = weft_chan_new(sizeof(int), 0),
			 *closed = weft_chan_new(sizeof(int), 0);
	int got = 5;
	struct weft_case cases[] = {receiving(open, &got), receiving(closed, &got)};
	weft_chan_close(closed);
	expect_eq(weft_select(cases, 2, WEFT_FOREVER), 1);
	expect_eq(cases[1].result, -EPIPE);
	expect_eq(got, 0);
	cases[1] = sending(closed, &got);
	expect_eq(weft_select(cases, 2, WEFT_FOREVER), 1);
	expect_eq(cases[1].result, -EPIPE);
	weft_chan_unref(open);
	weft_chan_unref(closed);
}

TASK_TEST("null channels and empty cases are never ready")
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 1);
	int item = 4;
	struct weft_case cases[] = {receiving(NULL, &item),
				    {.op = 0, .chan = c},
				    sending(NULL, &item),
				    sending(c, &item)};
	expect_eq(weft_select(cases, 3, 0), -EAGAIN);
	expect_eq(weft_select(cases, 3, weft_after(MS)), -ETIMEDOUT);
	expect_eq(weft_select(NULL, 0, 0), -EAGAIN);
	expect_eq(weft_select(NULL, 0, weft_after(MS)), -ETIMEDOUT);
	expect_eq(weft_select(cases, 4, WEFT_FOREVER), 3);
	weft_chan_unref(c);
}

TASK_TEST("wrong arguments run nothing")
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 1);
	int item = 4;
	struct weft_case cases[] = {sending(c, &item), {.op = 7, .chan = c}};
	expect_eq(weft_select(NULL, 1, 0), -EINVAL);
	expect_eq(weft_select(cases, 2, 0), -EINVAL);
	expect_eq(weft_chan_len(c), 0);
	weft_chan_unref(c);
}

/* ---- waiting ---- */

struct choice {
	struct weft_chan *chans[3];
	int got;
};

/* Waits for any of three. Returns the index, and the item in *got. */
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

TASK_TEST("a waiting select runs the case that comes")
{
	for (int i = 0; i < 3; i++) {
		struct choice c;
		choice_init(&c);
		struct weft_task *task = tasks_start(choose_one, &c);
		tasks_settle();
		int item = 70 + i;
		expect_eq(weft_chan_send(c.chans[i], &item, soon()), 0);
		expect_eq(tasks_join(task), i);
		expect_eq(c.got, 70 + i);
		for (int k = 0; k < 3; k++) /* it has left all channels */
			expect_eq(weft_chan_send(c.chans[k], &item, 0), -EAGAIN);
		choice_free(&c);
	}
}

TASK_TEST("closing wakes a waiting select")
{
	struct choice c;
	choice_init(&c);
	struct weft_task *task = tasks_start(choose_one, &c);
	tasks_settle();
	expect_eq(weft_chan_close(c.chans[2]), 0);
	expect_eq(tasks_join(task), -EPIPE);
	expect_eq(c.got, 0);
	choice_free(&c);
}

TASK_TEST("cancelling ends a waiting select")
{
	struct choice c;
	choice_init(&c);
	struct weft_task *task = tasks_start(choose_one, &c);
	tasks_settle();
	expect_eq(weft_cancel(task), 0);
	expect_eq(tasks_join(task), -ECANCELED);
	expect_eq(c.got, -1);
	choice_free(&c);
}

TASK_TEST("a deadline ends a waiting select")
{
	struct choice c;
	int got = 17;
	choice_init(&c);
	struct weft_case cases[] = {receiving(c.chans[0], &got), sending(c.chans[1], &got)};
	int64_t until = weft_after(3 * MS);
	expect_eq(weft_select(cases, 2, until), -ETIMEDOUT);
	expect_ge(weft_now(), until);
	expect_eq(got, 17);
	expect_eq(weft_chan_recv(c.chans[1], &got, 0), -EAGAIN);
	choice_free(&c);
}

/* ---- one channel twice ---- */

TASK_TEST("send and receive on one channel do not meet themselves")
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 0);
	int out = 1, in = 2;
	struct weft_case cases[] = {sending(c, &out), receiving(c, &in)};
	expect_eq(weft_select(cases, 2, 0), -EAGAIN);
	expect_eq(weft_select(cases, 2, weft_after(2 * MS)), -ETIMEDOUT);
	expect_eq(in, 2);
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
		expect_ge(ran, 0);
		expect_eq(in, ran > 0);
		balance += ran == 0 ? 1 : -1;
	}
	return balance + 2000;
}

TASK_TEST("selects that send and receive on one channel meet each other")
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 0);
	struct weft_task *a = tasks_start(select_both_ways, c),
			 *b = tasks_start(select_both_ways, c);
	expect_eq(tasks_join(a) + tasks_join(b), 4000);
	weft_chan_unref(c);
}

/* ---- fairness ---- */

enum { DRAWS = 4000 };

TASK_TEST("all ready cases have the same chance wherever they stand")
{
	/*
	 * 0 and 1 ready, then eight that are not, then one that is: a random start alone would
	 * favour it.
	 */
	struct weft_chan *ready = weft_chan_new(0, 1), *never = weft_chan_new(0, 1);
	struct weft_case cases[11];
	int count[11] = {0};
	expect_eq(weft_chan_close(ready), 0);
	for (int i = 0; i < 11; i++)
		cases[i] = receiving(i < 2 || i == 10 ? ready : never, NULL);
	for (int i = 0; i < DRAWS; i++)
		count[weft_select(cases, 11, 0)]++;
	for (int i = 0; i < 11; i++) {
		if (cases[i].chan == never)
			expect_eq(count[i], 0);
		else
			expect_gt(count[i],
				  DRAWS / 4); /* expected a third; a quarter is 11 sigma away */
	}
	weft_chan_unref(ready);
	weft_chan_unref(never);
}

TASK_TEST("many cases are as good as few")
{
	enum { MANY = 300 };
	struct weft_chan *chans[MANY];
	struct weft_case cases[MANY];
	int got = -1;
	for (int i = 0; i < MANY; i++) {
		chans[i] = weft_chan_new(sizeof(int), 1);
		cases[i] = receiving(chans[i], &got);
	}
	expect_eq(weft_select(cases, MANY, 0), -EAGAIN);
	expect_eq(weft_select(cases, MANY, weft_after(MS)), -ETIMEDOUT);
	for (int i = 0; i < MANY; i++)
		expect_eq(weft_chan_send(chans[i], &i, 0), 0);
	for (int i = 0; i < MANY; i++) {
		int ran = weft_select(cases, MANY, WEFT_FOREVER);
		expect_ge(ran, 0);
		expect_eq(got, ran);
		cases[ran].op = 0;
	}
	expect_eq(weft_select(cases, MANY, 0), -EAGAIN);
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
	expect_eq(pipe(ends), 0);
	pid_t child = fork();
	if (child == 0) {
		take(&order);
		_exit(write(ends[1], &order, sizeof(order)) != sizeof(order));
	}
	close(ends[1]);
	expect_eq(read(ends[0], &order, sizeof(order)), sizeof(order));
	close(ends[0]);
	expect_eq(waitpid(child, NULL, 0), child);
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
TEST("each process chooses anew")
{
	expect_lt(alike(in_a_run), PROCESSES);
	expect_lt(alike(without_a_run), PROCESSES);
	expect_eq(alike(with_a_seed), PROCESSES);
}
