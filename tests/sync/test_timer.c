/* SPDX-License-Identifier: MIT */
/* test_timer.c: once and again, stopped and set anew with exact answers. */
#include <pthread.h>

#include "../tasks.h"

static int64_t recv_time(struct weft_chan *c)
{
	int64_t at = -1;
	expect_eq(weft_chan_recv(c, &at, soon()), 0);
	return at;
}

TASK_TEST("a timer sends its moment when it has come")
{
	struct weft_chan *c = weft_chan_new(sizeof(int64_t), 1);
	struct weft_timer *timer = weft_timer_new_chan(c);
	int64_t at = weft_after(3 * MS);
	expect_eq(weft_timer_start(timer, at, 0), 0);
	expect_eq(recv_time(c), at);
	expect_ge(weft_now(), at);
	expect_eq(weft_timer_stop(timer), 0);
	expect_eq(weft_chan_recv(c, NULL, weft_after(5 * MS)), -ETIMEDOUT);
	weft_timer_free(timer);
	weft_chan_unref(c);
}

TASK_TEST("a moment that has passed fires at once")
{
	static const int64_t moments[] = {INT64_MIN, -1, 0, 1};
	struct weft_chan *c = weft_chan_new(sizeof(int64_t), 1);
	struct weft_timer *timer = weft_timer_new_chan(c);
	for (int i = 0; i < 4; i++) {
		expect_eq(weft_timer_start(timer, moments[i], 0), 0);
		expect_eq(recv_time(c), moments[i]);
	}
	weft_timer_free(timer);
	weft_chan_unref(c);
}

TASK_TEST("stopping says whether it came in time")
{
	struct weft_chan *c = weft_chan_new(sizeof(int64_t), 1);
	struct weft_timer *timer = weft_timer_new_chan(c);
	expect_eq(weft_timer_stop(timer), 0);
	expect_eq(weft_timer_start(timer, WEFT_FOREVER, 0), 0);
	expect_eq(weft_timer_stop(timer), 1);
	expect_eq(weft_timer_stop(timer), 0);
	for (int i = 0; i < 200; i++) { /* either it says so, or the item is there */
		weft_timer_start(timer, weft_after((i % 20) * 10000), 0);
		weft_sleep((i % 10) * 20000);
		int stopped = weft_timer_stop(timer);
		expect_eq(weft_chan_recv(c, NULL, 0), stopped ? -EAGAIN : 0);
	}
	weft_timer_free(timer);
	weft_chan_unref(c);
}

TASK_TEST("starting anew says whether it was running")
{
	struct weft_chan *c = weft_chan_new(sizeof(int64_t), 1);
	struct weft_timer *timer = weft_timer_new_chan(c);
	int64_t at = weft_after(2 * MS);
	expect_eq(weft_timer_start(timer, weft_after(3600 * (int64_t)1000 * MS), 0), 0);
	expect_eq(weft_timer_start(timer, at, 0), 1); /* earlier than before */
	expect_eq(recv_time(c), at);
	expect_eq(weft_timer_start(timer, WEFT_FOREVER - 1, 0), 0); /* later, and no overflow */
	expect_eq(weft_chan_recv(c, NULL, weft_after(3 * MS)), -ETIMEDOUT);
	weft_timer_free(timer);
	weft_chan_unref(c);
}

TASK_TEST("a ticker ticks at its multiples")
{
	struct weft_chan *c = weft_chan_new(sizeof(int64_t), 100);
	struct weft_timer *timer = weft_timer_new_chan(c);
	int64_t first = weft_after(MS), last = first - MS;
	expect_eq(weft_timer_start(timer, first, MS), 0);
	for (int i = 0; i < 20; i++) {
		int64_t at = recv_time(c);
		expect_eq((at - first) % MS, 0);
		expect_gt(at, last);
		last = at;
	}
	expect_eq(weft_timer_stop(timer), 1);
	while (weft_chan_recv(c, NULL, 0) == 0)
		;
	expect_eq(weft_chan_recv(c, NULL, weft_after(5 * MS)), -ETIMEDOUT);
	weft_timer_free(timer);
	weft_chan_unref(c);
}

TASK_TEST("ticks for which there is no room are dropped")
{
	struct weft_chan *c = weft_chan_new(0, 1);
	struct weft_timer *timer = weft_timer_new_chan(c);
	expect_eq(weft_timer_start(timer, 0, MS / 10), 0);
	weft_sleep(10 * MS);
	expect_eq(weft_timer_stop(timer), 1);
	expect_eq(weft_chan_recv(c, NULL, 0), 0);
	expect_eq(weft_chan_recv(c, NULL, 0), -EAGAIN);
	weft_chan_close(c);
	expect_eq(weft_timer_start(timer, 0, 0), 0); /* into a closed channel: nothing */
	weft_sleep(2 * MS);
	weft_timer_free(timer);
	weft_chan_unref(c);
}

static struct weft_waitgroup fired;
static int count;

static void note(void *arg)
{
	__atomic_fetch_add(&count, 1, __ATOMIC_SEQ_CST);
	weft_yield(); /* it is a task like any other */
	expect_ne(weft_self(), NULL);
	weft_waitgroup_done(arg);
}

TASK_TEST("a timer starts a task")
{
	struct weft_timer *timers[200];
	weft_waitgroup_add(&fired, 200);
	for (int i = 0; i < 200; i++) {
		timers[i] = weft_timer_new_task(note, &fired);
		expect_eq(weft_timer_start(timers[i], weft_after((i % 7) * 300000), 0), 0);
	}
	expect_eq(weft_waitgroup_wait(&fired, soon()), 0);
	expect_eq(count, 200);
	for (int i = 0; i < 200; i++) {
		expect_eq(weft_timer_stop(timers[i]), 0);
		weft_timer_free(timers[i]);
	}
}

static int keep_running(void *arg)
{
	weft_sleep(50 * MS);
	return 0;
}

static struct weft_timer *ticker;

/* Ends with two timers running, one of them ticking. */
static int leave_running(void *arg)
{
	struct weft_timer *timer = arg;
	weft_timer_start(timer, weft_after(3600 * (int64_t)1000 * MS), 0);
	weft_waitgroup_add(&fired, 1 << 30);
	weft_timer_start(ticker, 0, MS / 20);
	tasks_join(tasks_start(keep_running, NULL));
	return 0;
}

TEST("a running timer does not keep the runtime alive")
{
	struct weft_chan *c = weft_chan_new(0, 1);
	struct weft_timer *timer = weft_timer_new_chan(c);
	ticker = weft_timer_new_task(note, &fired);
	expect_eq(tasks_run(tasks_processors[nth], leave_running, timer), 0);
	expect_gt(count, 5);
	weft_timer_free(ticker);
	weft_timer_free(timer);
	weft_chan_unref(c);
}

enum { STRESS_TIMERS = 8, STRESS_ROUNDS = 400 };

struct stress {
	struct weft_timer *timers[STRESS_TIMERS];
	struct weft_chan *chan;
};

/* Several set and stop the same timers at once; no item comes from nowhere. */
static int set_and_stop(void *arg)
{
	struct stress *s = arg;
	int balance = 0;
	for (int i = 0; i < STRESS_ROUNDS; i++) {
		struct weft_timer *timer = s->timers[i % STRESS_TIMERS];
		if (i % 3)
			balance += 1 - weft_timer_start(timer, weft_after((i % 30) * 1000), 0);
		else
			balance -= weft_timer_stop(timer);
		if (i % 11 == 0)
			weft_sleep(20000);
	}
	return balance;
}

TASK_TEST("what was started fires once or is stopped once")
{
	struct stress s = {.chan = weft_chan_new(0, 4 * STRESS_ROUNDS)};
	struct weft_task *tasks[4];
	int balance = 0;
	for (int i = 0; i < STRESS_TIMERS; i++)
		s.timers[i] = weft_timer_new_chan(s.chan);
	for (int i = 0; i < 4; i++)
		tasks[i] = tasks_start(set_and_stop, &s);
	for (int i = 0; i < 4; i++)
		balance += tasks_join(tasks[i]);
	for (int i = 0; i < STRESS_TIMERS; i++) {
		balance -= weft_timer_stop(s.timers[i]);
		weft_timer_free(s.timers[i]);
	}
	expect_eq((int)weft_chan_len(s.chan), balance);
	weft_chan_unref(s.chan);
}

static void *stop_from_thread(void *arg)
{
	return (void *)(intptr_t)weft_timer_stop(arg);
}

TASK_TEST("threads may stop timers but not start them")
{
	pthread_t thread;
	void *result;
	struct weft_timer *timer = weft_timer_new_task(note, &fired);
	weft_timer_start(timer, WEFT_FOREVER, 0);
	expect_eq(pthread_create(&thread, NULL, stop_from_thread, timer), 0);
	pthread_join(thread, &result);
	expect_eq((intptr_t)result, 1);
	weft_timer_free(timer);
}

TEST("wrong arguments start nothing")
{
	struct weft_chan *c = weft_chan_new(4, 1);
	expect_eq(weft_timer_new_chan(NULL), NULL);
	expect_eq(weft_timer_new_chan(c), NULL);
	expect_eq(weft_timer_new_task(NULL, NULL), NULL);
	struct weft_timer *timer = weft_timer_new_task(note, NULL);
	expect_eq(weft_timer_start(timer, 0, 0), -EINVAL); /* outside a task */
	expect_eq(weft_timer_start(timer, 0, -1), -EINVAL);
	expect_eq(weft_timer_start(NULL, 0, 0), -EINVAL);
	expect_eq(weft_timer_stop(NULL), -EINVAL);
	expect_eq(weft_timer_stop(timer), 0);
	weft_timer_free(timer);
	weft_timer_free(NULL);
	weft_chan_unref(c);
}
