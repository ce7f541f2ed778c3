/* SPDX-License-Identifier: MIT */
/*
 * test_ends.c: calls that end in another way than by returning, and misuse that used to be silent.
 */
#include "misuse.h"

static struct weft_once once, inner;
static int calls;

static void leave(void *arg)
{
	calls++;
	weft_exit(3);
}

static void leave_within(void *arg)
{
	calls++;
	weft_once(&inner, leave, NULL);
}

static int call_once(void *arg)
{
	weft_once(&once, leave_within, NULL);
	return 0;
}

/* The call that weft_exit ended, and the one around it, count as done; waiters go on. */
TASK_TEST("once is over when its task exits")
{
	struct weft_task *tasks[4];
	for (int i = 0; i < 4; i++)
		tasks[i] = tasks_start(call_once, NULL);
	int sum = 0;
	for (int i = 0; i < 4; i++)
		sum += tasks_join(tasks[i]);
	expect_eq(sum, 3);
	expect_eq(calls, 2);
	weft_once(&inner, leave, NULL);
	expect_eq(calls, 2);
}

static void nothing(void *arg)
{
}

static int exit_after_once(void *arg)
{
	static struct weft_once own, another;
	weft_once(&own, nothing, NULL);
	weft_once(&another, nothing, NULL);
	weft_exit(4);
}

TASK_TEST("a task exits after calls of once that have returned")
{
	expect_eq(tasks_join(tasks_start(exit_after_once, NULL)), 4);
	expect_eq(tasks_join(tasks_start(exit_after_once, NULL)), 4);
}

/* ---- a timer that is kept ---- */

static struct weft_timer *timer;
static struct weft_chan *ticks;

static int start_timer(void *arg)
{
	expect_eq(weft_timer_start(timer, weft_after(3600 * (int64_t)1000 * MS), 0), 0);
	return 42;
}

static int restart_timer(void *arg)
{
	expect_eq(weft_timer_stop(timer), 0); /* its run is over */
	expect_eq(weft_timer_start(timer, weft_after(MS), 0), 0);
	expect_eq(weft_chan_recv(ticks, NULL, soon()), 0);
	return start_timer(arg);
}

TEST("a timer may be kept into another run", .times = 3)
{
	ticks = weft_chan_new(sizeof(int64_t), 1);
	timer = weft_timer_new_chan(ticks);
	expect_eq(tasks_run(tasks_processors[nth], start_timer, NULL), 42);
	for (int i = 0; i < 3; i++)
		expect_eq(tasks_run(tasks_processors[nth], restart_timer, NULL), 42);
	weft_timer_free(timer);
	weft_chan_unref(ticks);
}

/* ---- misuse ---- */

static struct weft_mutex mutex;
static struct weft_cond cond;

static int wait_without_mutex(void *arg)
{
	return weft_cond_wait(&cond, &mutex, WEFT_FOREVER);
}

static int try_without_mutex(void *arg)
{
	return weft_cond_wait(&cond, &mutex, 0);
}

static int hold_mutex(void *arg)
{
	weft_mutex_lock(&mutex);
	return 0;
}

static int wait_with_anothers(void *arg)
{
	tasks_join(tasks_start(hold_mutex, NULL));
	return weft_cond_wait(&cond, &mutex, 0);
}

static int send_while_blocking(void *arg)
{
	struct weft_chan *chan = weft_chan_new(0, 1);
	weft_blocking_begin();
	return weft_chan_send(chan, NULL, WEFT_FOREVER);
}

static int sleep_while_blocking(void *arg)
{
	weft_blocking_begin();
	weft_blocking_begin();
	weft_blocking_end();
	return weft_sleep(MS);
}

static int go_while_blocking(void *arg)
{
	weft_blocking_begin();
	return weft_spawn(&(struct weft_task *){NULL}, NULL, hold_mutex, NULL);
}

TEST("misuse says what it is")
{
	expect_misuse("weft_cond_wait", wait_without_mutex);
	expect_misuse("weft_cond_wait", try_without_mutex);
	expect_misuse("weft_cond_wait", wait_with_anothers);
	expect_misuse("weft_blocking_begin", send_while_blocking);
	expect_misuse("weft_blocking_begin", sleep_while_blocking);
	expect_misuse("weft_blocking_begin", go_while_blocking);
}
