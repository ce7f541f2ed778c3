/* SPDX-License-Identifier: MIT */
/* test_channels.c: what Go promises about channels. */
#include <stdio.h>

#include "promise.h"

/* ---- Chan: every capacity ---- */

struct pair {
	struct weft_chan *chan;
	int flag;
};

static int recv_and_flag(void *arg)
{
	struct pair *p = arg;
	int item;
	int err = weft_chan_recv(p->chan, &item, WEFT_FOREVER);
	__atomic_store_n(&p->flag, 1, __ATOMIC_SEQ_CST);
	return err;
}

static int send_and_flag(void *arg)
{
	struct pair *p = arg;
	int item = 0;
	int err = weft_chan_send(p->chan, &item, WEFT_FOREVER);
	__atomic_store_n(&p->flag, 1, __ATOMIC_SEQ_CST);
	return err;
}

static int send_hundred(void *arg)
{
	for (int i = 0; i < 100; i++)
		expect_eq(weft_chan_send(arg, &i, WEFT_FOREVER), 0);
	return 0;
}

static int recv_thousand(void *arg)
{
	struct pair *p = arg;
	int item;
	for (int i = 0; i < 1000; i++)
		expect_eq(weft_chan_recv(p->chan, &item, WEFT_FOREVER), 0);
	return 0;
}

static int send_thousand(void *arg)
{
	struct pair *p = arg;
	for (int i = 0; i < 1000; i++)
		expect_eq(weft_chan_send(p->chan, &i, WEFT_FOREVER), 0);
	return 0;
}

static void empty_blocks_receivers(size_t capacity)
{
	struct pair p = {weft_chan_new(sizeof(int), capacity), 0};
	struct weft_task *task = tasks_start(recv_and_flag, &p);
	weft_sleep(MS);
	expect_eq(__atomic_load_n(&p.flag, __ATOMIC_SEQ_CST), 0);
	expect_eq(weft_chan_send(p.chan, &p.flag, WEFT_FOREVER), 0);
	expect_eq(tasks_join(task), 0);
	weft_chan_unref(p.chan);
}

static void full_blocks_senders(size_t capacity)
{
	struct pair p = {weft_chan_new(sizeof(int), capacity), 0};
	int item = 0;
	for (size_t i = 0; i < capacity; i++)
		expect_eq(weft_chan_send(p.chan, &item, WEFT_FOREVER), 0);
	struct weft_task *task = tasks_start(send_and_flag, &p);
	weft_sleep(MS);
	expect_eq(__atomic_load_n(&p.flag, __ATOMIC_SEQ_CST), 0);
	expect_eq(weft_chan_recv(p.chan, &item, WEFT_FOREVER), 0);
	expect_eq(tasks_join(task), 0);
	weft_chan_unref(p.chan);
}

static void closed_gives_zero(size_t capacity)
{
	struct weft_chan *c = weft_chan_new(sizeof(int), capacity);
	int item;
	for (int i = 0; i < (int)capacity; i++)
		expect_eq(weft_chan_send(c, &i, WEFT_FOREVER), 0);
	weft_chan_close(c);
	for (int i = 0; i < (int)capacity; i++) {
		expect_eq(weft_chan_recv(c, &item, WEFT_FOREVER), 0);
		expect_eq(item, i);
	}
	item = 7;
	expect_eq(weft_chan_recv(c, &item, WEFT_FOREVER), -EPIPE);
	expect_eq(item, 0);
	weft_chan_unref(c);
}

static void close_unblocks_receivers(size_t capacity)
{
	struct pair p = {weft_chan_new(sizeof(int), capacity), 0};
	struct weft_task *task = tasks_start(recv_and_flag, &p);
	weft_yield();
	weft_chan_close(p.chan);
	expect_eq(tasks_join(task), -EPIPE);
	weft_chan_unref(p.chan);
}

static void hundred_in_order(size_t capacity)
{
	struct weft_chan *c = weft_chan_new(sizeof(int), capacity);
	struct weft_task *task = tasks_start(send_hundred, c);
	for (int i = 0, item; i < 100; i++) {
		expect_eq(weft_chan_recv(c, &item, WEFT_FOREVER), 0);
		expect_eq(item, i);
	}
	expect_eq(tasks_join(task), 0);
	weft_chan_unref(c);
}

static void several_senders_and_receivers(size_t capacity)
{
	struct pair p = {weft_chan_new(sizeof(int), capacity), 0};
	struct weft_task *tasks[8];
	for (int i = 0; i < 8; i++)
		tasks[i] = tasks_start(i % 2 ? send_thousand : recv_thousand, &p);
	for (int i = 0; i < 8; i++)
		expect_eq(tasks_join(tasks[i]), 0);
	expect_eq(weft_chan_len(p.chan), 0);
	weft_chan_unref(p.chan);
}

PROMISE("Chan")
{
	for (size_t capacity = 0; capacity < 8; capacity++) {
		empty_blocks_receivers(capacity);
		full_blocks_senders(capacity);
		closed_gives_zero(capacity);
		close_unblocks_receivers(capacity);
		hundred_in_order(capacity);
	}
	several_senders_and_receivers(0);
	several_senders_and_receivers(5);
}

/*
 * ---- NonblockRecvRace: a receive that must not wait sees an item or the close, whichever way it
 * races ----
 */

static int recv_nonblocking(void *arg)
{
	int item;
	int result = weft_chan_recv(arg, &item, 0);
	return result == -EAGAIN; /* what was sent must not be overlooked */
}

PROMISE("NonblockRecvRace")
{
	for (int i = 0; i < 300; i++) {
		struct weft_chan *c = weft_chan_new(sizeof(int), 1);
		expect_eq(weft_chan_send(c, &i, 0), 0);
		struct weft_task *task = tasks_start(recv_nonblocking, c);
		weft_chan_close(c);
		weft_chan_recv(c, NULL, 0);
		expect_eq(tasks_join(task), 0);
		weft_chan_unref(c);
	}
}

/* ---- MultiConsumer: many consumers of a small buffer lose nothing and get nothing twice ---- */

enum { CONSUMERS = 23, ITEMS = 5000, CONSUMER_CAPACITY = CONSUMERS * 3 / 2 };
static const int primes[] = {2, 3, 5, 7, 11, 13, 17, 19};

struct consumers {
	struct weft_chan *queue, *results;
};

static int consume(void *arg)
{
	struct consumers *s = arg;
	int item;
	while (weft_chan_recv(s->queue, &item, WEFT_FOREVER) == 0) {
		if (item % 7 == 0)
			weft_yield();
		expect_eq(weft_chan_send(s->results, &item, WEFT_FOREVER), 0);
	}
	return 0;
}

static int feed(void *arg)
{
	struct consumers *s = arg;
	for (int i = 0; i < ITEMS; i++)
		expect_eq(weft_chan_send(s->queue, &primes[i % 8], WEFT_FOREVER), 0);
	return weft_chan_close(s->queue);
}

PROMISE("MultiConsumer")
{
	struct consumers s = {weft_chan_new(sizeof(int), CONSUMER_CAPACITY),
			      weft_chan_new(sizeof(int), CONSUMER_CAPACITY)};
	struct weft_task *tasks[CONSUMERS + 1];
	long expected = 0, sum = 0;
	for (int i = 0; i < CONSUMERS; i++)
		tasks[i] = tasks_start(consume, &s);
	tasks[CONSUMERS] = tasks_start(feed, &s);
	for (int i = 0, item; i < ITEMS; i++) {
		expect_eq(weft_chan_recv(s.results, &item, WEFT_FOREVER), 0);
		sum += item;
		expected += primes[i % 8];
	}
	for (int i = 0; i <= CONSUMERS; i++)
		expect_eq(tasks_join(tasks[i]), 0);
	expect_eq(weft_chan_recv(s.results, NULL, 0), -EAGAIN);
	expect_eq(sum, expected);
	weft_chan_unref(s.queue);
	weft_chan_unref(s.results);
}

/* ---- ChanSendBarrier: what was sent stays whole while tasks come and go ---- */

struct parcel {
	char *text;
	size_t length;
};

static int send_parcels(void *arg)
{
	for (int i = 0; i < 100; i++) {
		struct parcel p = {malloc(32), 0};
		p.length = (size_t)snprintf(p.text, 32, "parcel %d", i);
		expect_eq(weft_chan_send(arg, &p, WEFT_FOREVER), 0);
	}
	return 0;
}

PROMISE("ChanSendBarrier")
{
	struct weft_task *tasks[10];
	struct weft_chan *c = weft_chan_new(sizeof(struct parcel), 0);
	for (int i = 0; i < 10; i++)
		tasks[i] = tasks_start(send_parcels, c);
	for (int i = 0; i < 1000; i++) {
		struct parcel p;
		expect_eq(weft_chan_recv(c, &p, WEFT_FOREVER), 0);
		expect_eq(strlen(p.text), p.length);
		free(p.text);
	}
	for (int i = 0; i < 10; i++)
		expect_eq(tasks_join(tasks[i]), 0);
	weft_chan_unref(c);
}

/*
 * ---- fifo: in the order of sending, also through a chain where each waits for the one before ----
 */

struct link {
	struct weft_chan *out, *mine, *next;
	int number;
};

static int send_in_turn(void *arg)
{
	struct link *l = arg;
	expect_eq(weft_chan_recv(l->mine, NULL, WEFT_FOREVER), 0);
	expect_eq(weft_chan_send(l->out, &l->number, WEFT_FOREVER), 0);
	return weft_chan_send(l->next, NULL, WEFT_FOREVER);
}

PROMISE("fifo")
{
	enum { LINKS = 50 };
	struct link links[LINKS];
	struct weft_task *tasks[LINKS];
	struct weft_chan *turns[LINKS + 1], *out = weft_chan_new(sizeof(int), 10);
	for (int i = 0; i <= LINKS; i++)
		turns[i] = weft_chan_new(0, i == LINKS);
	for (int i = 0; i < LINKS; i++) {
		links[i] = (struct link){out, turns[i], turns[i + 1], i};
		tasks[i] = tasks_start(send_in_turn, &links[i]);
	}
	expect_eq(weft_chan_send(turns[0], NULL, WEFT_FOREVER), 0);
	for (int i = 0, item; i < LINKS; i++) {
		expect_eq(weft_chan_recv(out, &item, WEFT_FOREVER), 0);
		expect_eq(item, i);
	}
	for (int i = 0; i < LINKS; i++)
		expect_eq(tasks_join(tasks[i]), 0);
	for (int i = 0; i <= LINKS; i++)
		weft_chan_unref(turns[i]);
	weft_chan_unref(out);
}

/* ---- sieve: a growing chain of filters ---- */

struct filter {
	struct weft_chan *in, *out;
	int prime;
};

static int generate(void *arg)
{
	for (int i = 2; weft_chan_send(arg, &i, WEFT_FOREVER) == 0; i++)
		;
	weft_chan_unref(arg);
	return 0;
}

static int filter(void *arg)
{
	struct filter f = *(struct filter *)arg;
	int item;
	free(arg);
	while (weft_chan_recv(f.in, &item, WEFT_FOREVER) == 0)
		if (item % f.prime && weft_chan_send(f.out, &item, WEFT_FOREVER) != 0)
			break;
	weft_chan_close(f.in); /* backwards, to the generator */
	weft_chan_unref(f.in);
	weft_chan_unref(f.out);
	return 0;
}

PROMISE("sieve")
{
	enum { PRIMES = 40 };
	static const int expected[] = {2,   3,	 5,   7,   11,	13,  17,  19,  23,  29,
				       31,  37,	 41,  43,  47,	53,  59,  61,  67,  71,
				       73,  79,	 83,  89,  97,	101, 103, 107, 109, 113,
				       127, 131, 137, 139, 149, 151, 157, 163, 167, 173};
	struct weft_group *g = weft_group_new();
	struct weft_chan *in = weft_chan_new(sizeof(int), 0);
	expect_eq(weft_group_go(g, generate, weft_chan_ref(in)), 0);
	for (int i = 0; i < PRIMES; i++) {
		struct filter *f = malloc(sizeof(*f));
		*f = (struct filter){in, weft_chan_new(sizeof(int), 0), 0};
		expect_eq(weft_chan_recv(in, &f->prime, WEFT_FOREVER), 0);
		expect_eq(f->prime, expected[i]);
		in = weft_chan_ref(f->out);
		expect_eq(weft_group_go(g, filter, f), 0);
	}
	weft_chan_close(in);
	weft_chan_unref(in);
	expect_eq(weft_group_wait(g, NULL, WEFT_FOREVER), 0);
}

/*
 * ---- powser1: series as streams; here: the Fibonacci series as 1 + x F + x x F, split and summed
 * ----
 */

struct stage {
	struct weft_chan *in, *a, *b;
};

/* Copies each item to both. */
static int split(void *arg)
{
	struct stage *s = arg;
	long item;
	while (weft_chan_recv(s->in, &item, WEFT_FOREVER) == 0)
		if (weft_chan_send(s->a, &item, WEFT_FOREVER) != 0 ||
		    weft_chan_send(s->b, &item, WEFT_FOREVER) != 0)
			break;
	return 0;
}

/* a = 1, then b one and two places late, added. */
static int shift_and_add(void *arg)
{
	struct stage *s = arg;
	long item = 1, before = 0, now = 0;
	while (weft_chan_send(s->a, &item, WEFT_FOREVER) == 0) {
		before = now;
		if (weft_chan_recv(s->b, &now, WEFT_FOREVER) != 0)
			break;
		item = now + before;
	}
	return 0;
}

PROMISE("powser1")
{
	struct weft_chan *series = weft_chan_new(sizeof(long), 0),
			 *back = weft_chan_new(sizeof(long), 1),
			 *out = weft_chan_new(sizeof(long), 0);
	struct stage add = {NULL, series, back}, copy = {series, out, back};
	struct weft_task *a = tasks_start(shift_and_add, &add), *b = tasks_start(split, &copy);
	long before = 0, now = 1, item;
	for (int i = 0; i < 60; i++) {
		expect_eq(weft_chan_recv(out, &item, WEFT_FOREVER), 0);
		expect_eq(item, now);
		now += before;
		before = item;
	}
	weft_chan_close(series);
	weft_chan_close(back);
	weft_chan_close(out);
	tasks_join(a);
	tasks_join(b);
	weft_chan_unref(series);
	weft_chan_unref(back);
	weft_chan_unref(out);
}

/* ---- chain: 10,000 tasks, each adding one ---- */

static int add_one(void *arg)
{
	struct filter f = *(struct filter *)arg;
	int item;
	free(arg);
	expect_eq(weft_chan_recv(f.in, &item, WEFT_FOREVER), 0);
	item++;
	expect_eq(weft_chan_send(f.out, &item, WEFT_FOREVER), 0);
	weft_chan_unref(f.in);
	weft_chan_unref(f.out);
	return 0;
}

static void run_chain(int length)
{
	struct weft_group *g = weft_group_new();
	struct weft_chan *first = weft_chan_new(sizeof(int), 0), *in = weft_chan_ref(first);
	int item = 0;
	for (int i = 0; i < length; i++) {
		struct filter *f = malloc(sizeof(*f));
		*f = (struct filter){in, weft_chan_new(sizeof(int), 0), 0};
		in = weft_chan_ref(f->out);
		expect_eq(weft_group_go(g, add_one, f), 0);
	}
	expect_eq(weft_chan_send(first, &item, WEFT_FOREVER), 0);
	expect_eq(weft_chan_recv(in, &item, WEFT_FOREVER), 0);
	expect_eq(item, length);
	expect_eq(weft_group_wait(g, NULL, WEFT_FOREVER), 0);
	weft_chan_unref(first);
	weft_chan_unref(in);
}

/*
 * Not under other schedules: of those, chain_of_a_hundred has as many in a hundredth of the time.
 */
PROMISE_REAL("chain")
{
	run_chain(10000);
}

PROMISE("chain of a hundred")
{
	run_chain(100);
}

/* ---- zerosize ---- */

PROMISE("zerosize")
{
	struct weft_chan *c = weft_chan_new(0, 3);
	for (int i = 0; i < 3; i++)
		expect_eq(weft_chan_send(c, NULL, 0), 0);
	expect_eq(weft_chan_send(c, NULL, 0), -EAGAIN);
	weft_chan_close(c);
	for (int i = 0; i < 3; i++)
		expect_eq(weft_chan_recv(c, NULL, 0), 0);
	expect_eq(weft_chan_recv(c, NULL, 0), -EPIPE);
	weft_chan_unref(c);
}
