/* SPDX-License-Identifier: MIT */
/*
 * test_chan.c: one channel: order, capacity, closing, deadlines, cancellation, sizes, references.
 */
#include "../tasks.h"

struct numbers {
	struct weft_chan *chan;
	int count;
};

static int send_numbers(void *arg)
{
	struct numbers *n = arg;
	for (int i = 0; i < n->count; i++)
		if (weft_chan_send(n->chan, &i, soon()) != 0)
			return -1;
	return 0;
}

TASK_TEST("items arrive first in first out at every capacity")
{
	for (size_t capacity = 0; capacity < 12; capacity++) {
		struct numbers n = {weft_chan_new(sizeof(int), capacity), 500};
		struct weft_task *sender = tasks_start(send_numbers, &n);
		for (int i = 0, got = -1; i < n.count; i++) {
			expect_eq(weft_chan_recv(n.chan, &got, soon()), 0);
			expect_eq(got, i);
		}
		expect_eq(tasks_join(sender), 0);
		weft_chan_unref(n.chan);
	}
}

TASK_TEST("a channel holds its capacity and no more")
{
	for (size_t capacity = 0; capacity < 10; capacity++) {
		struct weft_chan *c = weft_chan_new(sizeof(int), capacity);
		int item = 7;
		expect_eq(weft_chan_cap(c), capacity);
		for (size_t i = 0; i < capacity; i++) {
			expect_eq(weft_chan_len(c), i);
			expect_eq(weft_chan_send(c, &item, 0), 0);
		}
		expect_eq(weft_chan_send(c, &item, 0), -EAGAIN);
		expect_eq(weft_chan_len(c), capacity);
		weft_chan_unref(c);
	}
}

static int recv_one(void *arg)
{
	int got = -1;
	int err = weft_chan_recv(arg, &got, soon());
	return err ? err : got;
}

static int send_seven(void *arg)
{
	int item = 7;
	return weft_chan_send(arg, &item, soon());
}

TASK_TEST("an unbuffered send waits for its receiver")
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 0);
	struct weft_task *sender = tasks_start(send_seven, c);
	tasks_settle();
	expect_eq(weft_join(sender, NULL, 0), -EAGAIN);
	expect_eq(weft_chan_len(c), 0);
	expect_eq(recv_one(c), 7);
	expect_eq(tasks_join(sender), 0);
	weft_chan_unref(c);
}

TASK_TEST("a full channel takes waiting senders in their order")
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 1);
	struct weft_task *senders[5];
	struct numbers n = {c, 1};
	expect_eq(send_numbers(&n), 0); /* 0 */
	for (int i = 0; i < 5; i++) {
		senders[i] = tasks_start(send_seven, c);
		tasks_settle();
	}
	expect_eq(recv_one(c), 0);
	for (int i = 0; i < 5; i++) {
		expect_eq(weft_chan_len(c), 1);
		expect_eq(tasks_join(senders[i]), 0);
		expect_eq(recv_one(c), 7);
	}
	expect_eq(weft_chan_len(c), 0);
	weft_chan_unref(c);
}

TASK_TEST("a closed channel drains and then stores zero and returns epipe")
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 2);
	int item = 5;
	expect_eq(weft_chan_send(c, &item, 0), 0);
	expect_eq(weft_chan_close(c), 0);
	expect_eq(weft_chan_close(c), -EPIPE);
	expect_eq(weft_chan_send(c, &item, 0), -EPIPE);
	expect_eq(weft_chan_send(c, &item, WEFT_FOREVER), -EPIPE);
	item = 0;
	expect_eq(weft_chan_recv(c, &item, 0), 0);
	expect_eq(item, 5);
	expect_eq(weft_chan_recv(c, &item, 0), -EPIPE);
	expect_eq(item, 0);
	item = 9;
	expect_eq(weft_chan_recv(c, &item, WEFT_FOREVER), -EPIPE);
	expect_eq(item, 0);
	weft_chan_unref(c);
}

TASK_TEST("closing wakes all waiters")
{
	struct weft_task *tasks[10];
	for (int kind = 0; kind < 2; kind++) {
		struct weft_chan *d = weft_chan_new(sizeof(int), 0);
		for (int i = 0; i < 10; i++)
			tasks[i] = tasks_start(kind ? recv_one : send_seven, d);
		tasks_settle();
		expect_eq(weft_chan_close(d), 0);
		for (int i = 0; i < 10; i++)
			expect_eq(tasks_join(tasks[i]), -EPIPE);
		weft_chan_unref(d);
	}
}

TASK_TEST("deadlines say which one it was and leave the item alone")
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 0);
	int item = 3;
	expect_eq(weft_chan_recv(c, &item, 0), -EAGAIN);
	expect_eq(weft_chan_recv(c, &item, 1), -ETIMEDOUT);
	expect_eq(weft_chan_recv(c, &item, -5), -ETIMEDOUT);
	expect_eq(weft_chan_send(c, &item, 0), -EAGAIN);
	expect_eq(weft_chan_send(c, &item, 1), -ETIMEDOUT);
	int64_t until = weft_after(5 * MS);
	expect_eq(weft_chan_recv(c, &item, until), -ETIMEDOUT);
	expect_ge(weft_now(), until);
	until = weft_after(5 * MS);
	expect_eq(weft_chan_send(c, &item, until), -ETIMEDOUT);
	expect_ge(weft_now(), until);
	expect_eq(item, 3);
	weft_chan_unref(c);
}

TASK_TEST("a deadline that has passed still tries")
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 1);
	int item = 3;
	expect_eq(weft_chan_send(c, &item, 1), 0);
	item = 0;
	expect_eq(weft_chan_recv(c, &item, -7), 0);
	expect_eq(item, 3);
	weft_chan_unref(c);
}

TASK_TEST("a null channel is never ready")
{
	int item = 3;
	expect_eq(weft_chan_send(NULL, &item, 0), -EAGAIN);
	expect_eq(weft_chan_recv(NULL, &item, 0), -EAGAIN);
	expect_eq(weft_chan_recv(NULL, &item, weft_after(MS)), -ETIMEDOUT);
	expect_eq(weft_chan_close(NULL), -EINVAL);
	expect_eq(weft_chan_len(NULL), 0);
	expect_eq(weft_chan_cap(NULL), 0);
	expect_eq(weft_chan_ref(NULL), NULL);
	weft_chan_unref(NULL);
}

static int recv_forever(void *arg)
{
	int item = 11;
	int err = weft_chan_recv(arg, &item, WEFT_FOREVER);
	expect_eq(item, 11);
	return err;
}

static int send_forever(void *arg)
{
	int item = 11;
	return weft_chan_send(arg, &item, WEFT_FOREVER);
}

TASK_TEST("cancelling ends a wait and nothing has happened")
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 0);
	struct weft_chan *chans[] = {c, c, NULL, NULL};
	for (int i = 0; i < 4; i++) {
		struct weft_task *task = tasks_start(i % 2 ? send_forever : recv_forever, chans[i]);
		tasks_settle();
		expect_eq(weft_cancel(task), 0);
		expect_eq(tasks_join(task), -ECANCELED);
	}
	int item;
	expect_eq(weft_chan_recv(c, &item, 0), -EAGAIN);
	expect_eq(weft_chan_send(c, &item, 0), -EAGAIN);
	weft_chan_unref(c);
}

static int cancelled_task(void *arg)
{
	struct weft_chan *c = arg;
	int item = 1;
	while (!weft_cancelled())
		weft_yield();
	/*
	 * What is ready is delivered; what would wait is not, whatever the deadline; until it is
	 * cleared.
	 */
	expect_eq(weft_chan_send(c, &item, WEFT_FOREVER), 0);
	expect_eq(weft_chan_send(c, &item, WEFT_FOREVER), -ECANCELED);
	expect_eq(weft_chan_send(c, &item, soon()), -ECANCELED);
	expect_eq(weft_chan_send(c, &item, 0), -ECANCELED);
	expect_eq(weft_chan_recv(NULL, &item, WEFT_FOREVER), -ECANCELED);
	expect_eq(weft_cancel_mask(1), 0);
	expect_eq(weft_chan_send(c, &item, 0), -EAGAIN);
	expect_eq(weft_chan_send(c, &item, weft_after(MS)), -ETIMEDOUT);
	expect_eq(weft_cancel_mask(0), 1);
	expect_eq(weft_chan_send(c, &item, WEFT_FOREVER), -ECANCELED);
	weft_cancel_clear();
	expect_eq(weft_chan_send(c, &item, 0), -EAGAIN);
	expect_eq(weft_chan_send(c, &item, weft_after(MS)), -ETIMEDOUT);
	return 1;
}

TASK_TEST("cancellation is sticky and delivery wins over it")
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 1);
	struct weft_task *task = tasks_start(cancelled_task, c);
	expect_eq(weft_cancel(task), 0);
	expect_eq(tasks_join(task), 1);
	weft_chan_unref(c);
}

static int send_signals(void *arg)
{
	for (int i = 0; i < 100; i++)
		if (weft_chan_send(arg, NULL, soon()) != 0)
			return -1;
	return weft_chan_close(arg);
}

TASK_TEST("items of size zero are pure signals")
{
	for (size_t capacity = 0; capacity < 3; capacity++) {
		struct weft_chan *c = weft_chan_new(0, capacity);
		struct weft_task *sender = tasks_start(send_signals, c);
		int got = 0;
		while (weft_chan_recv(c, NULL, soon()) == 0)
			got++;
		expect_eq(got, 100);
		expect_eq(tasks_join(sender), 0);
		weft_chan_unref(c);
	}
}

struct wide {
	struct weft_chan *chan;
	size_t size;
};

static int send_wide(void *arg)
{
	struct wide *w = arg;
	unsigned char *item = malloc(w->size);
	for (int round = 0; round < 10; round++) {
		memset(item, round, w->size);
		if (weft_chan_send(w->chan, item, soon()) != 0)
			return -1;
	}
	free(item);
	return 0;
}

TASK_TEST("items of every size arrive whole and touch nothing else")
{
	static const size_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 16, 24, 63, 64, 65, 1000, 70000};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct wide w = {weft_chan_new(sizes[i], i % 3), sizes[i]};
		struct weft_task *sender = tasks_start(send_wide, &w);
		unsigned char *got = malloc(w.size + 1);
		got[w.size] = 0xee;
		for (int round = 0; round < 10; round++) {
			expect_eq(weft_chan_recv(w.chan, got, soon()), 0);
			for (size_t k = 0; k < w.size; k++)
				expect_eq(got[k], round);
			expect_eq(got[w.size], 0xee);
		}
		free(got);
		expect_eq(tasks_join(sender), 0);
		weft_chan_unref(w.chan);
	}
}

TASK_TEST("a receiver may drop the item")
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 1);
	expect_eq(send_seven(c), 0);
	expect_eq(weft_chan_recv(c, NULL, 0), 0);
	struct weft_task *sender = tasks_start(send_seven, c);
	expect_eq(weft_chan_recv(c, NULL, soon()), 0);
	expect_eq(tasks_join(sender), 0);
	weft_chan_close(c);
	expect_eq(weft_chan_recv(c, NULL, 0), -EPIPE);
	weft_chan_unref(c);
}

static int drop_reference(void *arg)
{
	weft_chan_unref(arg);
	return 0;
}

TASK_TEST("the last reference frees the channel with what is inside")
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 4);
	expect_eq(send_seven(c), 0);
	expect_eq(weft_chan_ref(c), c);
	struct weft_task *task = tasks_start(drop_reference, c);
	expect_eq(tasks_join(task), 0);
	expect_eq(weft_chan_len(c), 1); /* the sanitizer builds see a use after free, and a leak */
	weft_chan_unref(c);
}

TASK_TEST("sizes that do not fit give null")
{
	expect_eq(weft_chan_new(SIZE_MAX, 2), NULL);
	expect_eq(weft_chan_new(SIZE_MAX / 4, 4), NULL);
	expect_eq(weft_chan_new(2, SIZE_MAX / 2), NULL);
}
