/* SPDX-License-Identifier: MIT */
/* test_chan.c: one channel: order, capacity, closing, deadlines, cancellation, sizes, references. */
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

TEST_TASKS(items_arrive_first_in_first_out_at_every_capacity)
{
	for (size_t capacity = 0; capacity < 12; capacity++) {
		struct numbers n = {weft_chan_new(sizeof(int), capacity), 500};
		struct weft_task *sender = tasks_start(send_numbers, &n);
		for (int i = 0, got = -1; i < n.count; i++) {
			ck_assert_int_eq(weft_chan_recv(n.chan, &got, soon()), 0);
			ck_assert_int_eq(got, i);
		}
		ck_assert_int_eq(tasks_join(sender), 0);
		weft_chan_unref(n.chan);
	}
}

TEST_TASKS(a_channel_holds_its_capacity_and_no_more)
{
	for (size_t capacity = 0; capacity < 10; capacity++) {
		struct weft_chan *c = weft_chan_new(sizeof(int), capacity);
		int item = 7;
		ck_assert_uint_eq(weft_chan_cap(c), capacity);
		for (size_t i = 0; i < capacity; i++) {
			ck_assert_uint_eq(weft_chan_len(c), i);
			ck_assert_int_eq(weft_chan_send(c, &item, 0), 0);
		}
		ck_assert_int_eq(weft_chan_send(c, &item, 0), -EAGAIN);
		ck_assert_uint_eq(weft_chan_len(c), capacity);
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

TEST_TASKS(an_unbuffered_send_waits_for_its_receiver)
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 0);
	struct weft_task *sender = tasks_start(send_seven, c);
	tasks_settle();
	ck_assert_int_eq(weft_join(sender, NULL, 0), -EAGAIN);
	ck_assert_uint_eq(weft_chan_len(c), 0);
	ck_assert_int_eq(recv_one(c), 7);
	ck_assert_int_eq(tasks_join(sender), 0);
	weft_chan_unref(c);
}

TEST_TASKS(a_full_channel_takes_waiting_senders_in_their_order)
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 1);
	struct weft_task *senders[5];
	struct numbers n = {c, 1};
	ck_assert_int_eq(send_numbers(&n), 0); /* 0 */
	for (int i = 0; i < 5; i++) {
		senders[i] = tasks_start(send_seven, c);
		tasks_settle();
	}
	ck_assert_int_eq(recv_one(c), 0);
	for (int i = 0; i < 5; i++) {
		ck_assert_uint_eq(weft_chan_len(c), 1);
		ck_assert_int_eq(tasks_join(senders[i]), 0);
		ck_assert_int_eq(recv_one(c), 7);
	}
	ck_assert_uint_eq(weft_chan_len(c), 0);
	weft_chan_unref(c);
}

TEST_TASKS(a_closed_channel_drains_and_then_gives_zero_and_epipe)
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 2);
	int item = 5;
	ck_assert_int_eq(weft_chan_send(c, &item, 0), 0);
	ck_assert_int_eq(weft_chan_close(c), 0);
	ck_assert_int_eq(weft_chan_close(c), -EPIPE);
	ck_assert_int_eq(weft_chan_send(c, &item, 0), -EPIPE);
	ck_assert_int_eq(weft_chan_send(c, &item, WEFT_FOREVER), -EPIPE);
	item = 0;
	ck_assert_int_eq(weft_chan_recv(c, &item, 0), 0);
	ck_assert_int_eq(item, 5);
	ck_assert_int_eq(weft_chan_recv(c, &item, 0), -EPIPE);
	ck_assert_int_eq(item, 0);
	item = 9;
	ck_assert_int_eq(weft_chan_recv(c, &item, WEFT_FOREVER), -EPIPE);
	ck_assert_int_eq(item, 0);
	weft_chan_unref(c);
}

TEST_TASKS(closing_wakes_everybody_who_waits)
{
	struct weft_task *tasks[10];
	for (int kind = 0; kind < 2; kind++) {
		struct weft_chan *d = weft_chan_new(sizeof(int), 0);
		for (int i = 0; i < 10; i++)
			tasks[i] = tasks_start(kind ? recv_one : send_seven, d);
		tasks_settle();
		ck_assert_int_eq(weft_chan_close(d), 0);
		for (int i = 0; i < 10; i++)
			ck_assert_int_eq(tasks_join(tasks[i]), -EPIPE);
		weft_chan_unref(d);
	}
}

TEST_TASKS(deadlines_say_which_one_it_was_and_leave_the_item_alone)
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 0);
	int item = 3;
	ck_assert_int_eq(weft_chan_recv(c, &item, 0), -EAGAIN);
	ck_assert_int_eq(weft_chan_recv(c, &item, 1), -ETIMEDOUT);
	ck_assert_int_eq(weft_chan_recv(c, &item, -5), -ETIMEDOUT);
	ck_assert_int_eq(weft_chan_send(c, &item, 0), -EAGAIN);
	ck_assert_int_eq(weft_chan_send(c, &item, 1), -ETIMEDOUT);
	int64_t until = weft_after(5 * MS);
	ck_assert_int_eq(weft_chan_recv(c, &item, until), -ETIMEDOUT);
	ck_assert_int_ge(weft_now(), until);
	until = weft_after(5 * MS);
	ck_assert_int_eq(weft_chan_send(c, &item, until), -ETIMEDOUT);
	ck_assert_int_ge(weft_now(), until);
	ck_assert_int_eq(item, 3);
	weft_chan_unref(c);
}

TEST_TASKS(a_deadline_that_has_passed_still_tries)
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 1);
	int item = 3;
	ck_assert_int_eq(weft_chan_send(c, &item, 1), 0);
	item = 0;
	ck_assert_int_eq(weft_chan_recv(c, &item, -7), 0);
	ck_assert_int_eq(item, 3);
	weft_chan_unref(c);
}

TEST_TASKS(a_null_channel_is_never_ready)
{
	int item = 3;
	ck_assert_int_eq(weft_chan_send(NULL, &item, 0), -EAGAIN);
	ck_assert_int_eq(weft_chan_recv(NULL, &item, 0), -EAGAIN);
	ck_assert_int_eq(weft_chan_recv(NULL, &item, weft_after(MS)), -ETIMEDOUT);
	ck_assert_int_eq(weft_chan_close(NULL), -EINVAL);
	ck_assert_uint_eq(weft_chan_len(NULL), 0);
	ck_assert_uint_eq(weft_chan_cap(NULL), 0);
	ck_assert_ptr_null(weft_chan_ref(NULL));
	weft_chan_unref(NULL);
}

static int recv_forever(void *arg)
{
	int item = 11;
	int err = weft_chan_recv(arg, &item, WEFT_FOREVER);
	ck_assert_int_eq(item, 11);
	return err;
}

static int send_forever(void *arg)
{
	int item = 11;
	return weft_chan_send(arg, &item, WEFT_FOREVER);
}

TEST_TASKS(cancelling_ends_a_wait_and_nothing_has_happened)
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 0);
	struct weft_chan *chans[] = {c, c, NULL, NULL};
	for (int i = 0; i < 4; i++) {
		struct weft_task *task = tasks_start(i % 2 ? send_forever : recv_forever, chans[i]);
		tasks_settle();
		ck_assert_int_eq(weft_cancel(task), 0);
		ck_assert_int_eq(tasks_join(task), -ECANCELED);
	}
	int item;
	ck_assert_int_eq(weft_chan_recv(c, &item, 0), -EAGAIN);
	ck_assert_int_eq(weft_chan_send(c, &item, 0), -EAGAIN);
	weft_chan_unref(c);
}

static int cancelled_task(void *arg)
{
	struct weft_chan *c = arg;
	int item = 1;
	while (!weft_cancelled())
		weft_yield();
	/* What is ready is delivered; what would wait is not, whatever the deadline; until it is cleared. */
	ck_assert_int_eq(weft_chan_send(c, &item, WEFT_FOREVER), 0);
	ck_assert_int_eq(weft_chan_send(c, &item, WEFT_FOREVER), -ECANCELED);
	ck_assert_int_eq(weft_chan_send(c, &item, soon()), -ECANCELED);
	ck_assert_int_eq(weft_chan_send(c, &item, 0), -ECANCELED);
	ck_assert_int_eq(weft_chan_recv(NULL, &item, WEFT_FOREVER), -ECANCELED);
	ck_assert_int_eq(weft_cancel_mask(1), 0);
	ck_assert_int_eq(weft_chan_send(c, &item, 0), -EAGAIN);
	ck_assert_int_eq(weft_chan_send(c, &item, weft_after(MS)), -ETIMEDOUT);
	ck_assert_int_eq(weft_cancel_mask(0), 1);
	ck_assert_int_eq(weft_chan_send(c, &item, WEFT_FOREVER), -ECANCELED);
	weft_cancel_clear();
	ck_assert_int_eq(weft_chan_send(c, &item, 0), -EAGAIN);
	ck_assert_int_eq(weft_chan_send(c, &item, weft_after(MS)), -ETIMEDOUT);
	return 1;
}

TEST_TASKS(cancellation_is_sticky_and_delivery_wins_over_it)
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 1);
	struct weft_task *task = tasks_start(cancelled_task, c);
	ck_assert_int_eq(weft_cancel(task), 0);
	ck_assert_int_eq(tasks_join(task), 1);
	weft_chan_unref(c);
}

static int send_signals(void *arg)
{
	for (int i = 0; i < 100; i++)
		if (weft_chan_send(arg, NULL, soon()) != 0)
			return -1;
	return weft_chan_close(arg);
}

TEST_TASKS(items_of_size_zero_are_pure_signals)
{
	for (size_t capacity = 0; capacity < 3; capacity++) {
		struct weft_chan *c = weft_chan_new(0, capacity);
		struct weft_task *sender = tasks_start(send_signals, c);
		int got = 0;
		while (weft_chan_recv(c, NULL, soon()) == 0)
			got++;
		ck_assert_int_eq(got, 100);
		ck_assert_int_eq(tasks_join(sender), 0);
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

TEST_TASKS(items_of_every_size_arrive_whole_and_touch_nothing_else)
{
	static const size_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 16, 24, 63, 64, 65, 1000, 70000};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct wide w = {weft_chan_new(sizes[i], i % 3), sizes[i]};
		struct weft_task *sender = tasks_start(send_wide, &w);
		unsigned char *got = malloc(w.size + 1);
		got[w.size] = 0xee;
		for (int round = 0; round < 10; round++) {
			ck_assert_int_eq(weft_chan_recv(w.chan, got, soon()), 0);
			for (size_t k = 0; k < w.size; k++)
				ck_assert_int_eq(got[k], round);
			ck_assert_int_eq(got[w.size], 0xee);
		}
		free(got);
		ck_assert_int_eq(tasks_join(sender), 0);
		weft_chan_unref(w.chan);
	}
}

TEST_TASKS(a_receiver_may_drop_the_item)
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 1);
	ck_assert_int_eq(send_seven(c), 0);
	ck_assert_int_eq(weft_chan_recv(c, NULL, 0), 0);
	struct weft_task *sender = tasks_start(send_seven, c);
	ck_assert_int_eq(weft_chan_recv(c, NULL, soon()), 0);
	ck_assert_int_eq(tasks_join(sender), 0);
	weft_chan_close(c);
	ck_assert_int_eq(weft_chan_recv(c, NULL, 0), -EPIPE);
	weft_chan_unref(c);
}

static int drop_reference(void *arg)
{
	weft_chan_unref(arg);
	return 0;
}

TEST_TASKS(the_last_reference_frees_the_channel_with_what_is_inside)
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 4);
	ck_assert_int_eq(send_seven(c), 0);
	ck_assert_ptr_eq(weft_chan_ref(c), c);
	struct weft_task *task = tasks_start(drop_reference, c);
	ck_assert_int_eq(tasks_join(task), 0);
	ck_assert_uint_eq(weft_chan_len(c),
			  1); /* the sanitizer builds see a use after free, and a leak */
	weft_chan_unref(c);
}

TEST_TASKS(sizes_that_do_not_fit_give_null)
{
	ck_assert_ptr_null(weft_chan_new(SIZE_MAX, 2));
	ck_assert_ptr_null(weft_chan_new(SIZE_MAX / 4, 4));
	ck_assert_ptr_null(weft_chan_new(2, SIZE_MAX / 2));
}

static void add_all(TCase *tcase)
{
	add_tasks_test(tcase, items_arrive_first_in_first_out_at_every_capacity);
	add_tasks_test(tcase, a_channel_holds_its_capacity_and_no_more);
	add_tasks_test(tcase, an_unbuffered_send_waits_for_its_receiver);
	add_tasks_test(tcase, a_full_channel_takes_waiting_senders_in_their_order);
	add_tasks_test(tcase, a_closed_channel_drains_and_then_gives_zero_and_epipe);
	add_tasks_test(tcase, closing_wakes_everybody_who_waits);
	add_tasks_test(tcase, deadlines_say_which_one_it_was_and_leave_the_item_alone);
	add_tasks_test(tcase, a_deadline_that_has_passed_still_tries);
	add_tasks_test(tcase, a_null_channel_is_never_ready);
	add_tasks_test(tcase, cancelling_ends_a_wait_and_nothing_has_happened);
	add_tasks_test(tcase, cancellation_is_sticky_and_delivery_wins_over_it);
	add_tasks_test(tcase, items_of_size_zero_are_pure_signals);
	add_tasks_test(tcase, items_of_every_size_arrive_whole_and_touch_nothing_else);
	add_tasks_test(tcase, a_receiver_may_drop_the_item);
	add_tasks_test(tcase, the_last_reference_frees_the_channel_with_what_is_inside);
	add_tasks_test(tcase, sizes_that_do_not_fit_give_null);
}

TESTS_MAIN("chan", add_all)
