/* SPDX-License-Identifier: MIT */
/* test_timers.c: what Go promises about sleeping and timers. */
#include "promise.h"

#define SECOND (1000 * (int64_t)MS)

/* ---- Sleep: never shorter, from many tasks, in the order of the deadlines ---- */

struct sleeper {
	int64_t duration, slept;
};

static int sleep_once(void *arg)
{
	struct sleeper *s = arg;
	int64_t begin = weft_now();
	expect_eq(weft_sleep(s->duration), 0);
	s->slept = weft_now() - begin;
	return 0;
}

PROMISE("Sleep")
{
	enum { TASKS = 50 };
	struct sleeper sleepers[TASKS];
	struct weft_task *tasks[TASKS];
	for (int i = 0; i < TASKS; i++) {
		sleepers[i].duration = (i * 7 % 20) * (int64_t)MS / 2;
		tasks[i] = tasks_start(sleep_once, &sleepers[i]);
	}
	for (int i = 0; i < TASKS; i++) {
		expect_eq(tasks_join(tasks[i]), 0);
		expect_ge(sleepers[i].slept, sleepers[i].duration);
	}
}

/* ---- SleepZero: nothing and less than nothing return at once, as often as one likes ---- */

PROMISE("SleepZero")
{
	for (int i = 0; i < 1000; i++) {
		expect_eq(weft_sleep(0), 0);
		expect_eq(weft_sleep(-1), 0);
		expect_eq(weft_sleep_until(1), 0);
	}
}

/* ---- AfterFunc: a chain in which each starts the next ---- */

struct chain {
	struct weft_timer *timer;
	struct weft_waitgroup left;
	int count;
};

static void next_link(void *arg)
{
	struct chain *c = arg;
	if (--c->count > 0)
		expect_eq(weft_timer_start(c->timer, weft_after(MS / 100), 0), 0);
	else
		weft_waitgroup_done(&c->left);
}

PROMISE("AfterFunc")
{
	struct chain c = {.count = 100};
	c.timer = weft_timer_new_task(next_link, &c);
	weft_waitgroup_add(&c.left, 1);
	expect_eq(weft_timer_start(c.timer, 0, 0), 0);
	expect_eq(weft_waitgroup_wait(&c.left, WEFT_FOREVER), 0);
	weft_timer_free(c.timer);
}

/*
 * ---- AfterFuncStarvation: a timer fires although two tasks keep each other running without a
 * pause ----
 */

static struct weft_chan *stop_playing;

static int play(void *arg)
{
	struct weft_chan **sides = arg;
	int ball;
	while (weft_chan_recv(sides[0], &ball, WEFT_FOREVER) == 0 &&
	       weft_chan_recv(stop_playing, NULL, 0) == -EAGAIN)
		weft_chan_send(sides[1], &ball, WEFT_FOREVER);
	weft_chan_close(sides[1]);
	return 0;
}

static void close_chan(void *arg)
{
	weft_chan_close(arg);
}

PROMISE("AfterFuncStarvation")
{
	struct weft_chan *sides[] = {weft_chan_new(sizeof(int), 1), weft_chan_new(sizeof(int), 1),
				     NULL};
	int ball = 0;
	sides[2] = sides[0];
	stop_playing = weft_chan_new(0, 0);
	struct weft_timer *timer = weft_timer_new_task(close_chan, stop_playing);
	struct weft_task *a = tasks_start(play, sides), *b = tasks_start(play, sides + 1);
	expect_eq(weft_chan_send(sides[0], &ball, WEFT_FOREVER), 0);
	expect_eq(weft_timer_start(timer, weft_after(5 * MS), 0), 0);
	expect_eq(tasks_join(a), 0);
	expect_eq(tasks_join(b), 0);
	weft_timer_free(timer);
	weft_chan_unref(sides[0]);
	weft_chan_unref(sides[1]);
	weft_chan_unref(stop_playing);
}

/* ---- Ticker ---- */

PROMISE("Ticker")
{
	struct weft_chan *c = weft_chan_new(sizeof(int64_t), 1);
	struct weft_timer *ticker = weft_timer_new_chan(c);
	int64_t begin = weft_now(), at;
	expect_eq(weft_timer_start(ticker, begin + MS, MS), 0);
	for (int i = 1; i <= 10; i++) {
		expect_eq(weft_chan_recv(c, &at, WEFT_FOREVER), 0);
		expect_ge(at, begin + i * (int64_t)MS);
		expect_ge(weft_now(), at);
	}
	expect_eq(weft_timer_start(ticker, weft_after(2 * MS), 2 * MS), 1); /* reset */
	begin = weft_now();
	weft_chan_recv(c, NULL, 0); /* what was in it */
	expect_eq(weft_chan_recv(c, &at, WEFT_FOREVER), 0);
	expect_ge(weft_now(), begin);
	expect_eq(weft_timer_stop(ticker), 1);
	weft_chan_recv(c, NULL, 0);
	expect_eq(weft_chan_recv(c, &at, weft_after(10 * MS)), -ETIMEDOUT);
	weft_timer_free(ticker);
	weft_chan_unref(c);
}

/* ---- StopStress: stopping while many fire ---- */

static void never(void *arg)
{
	fail("a timer fired that said it was stopped");
}

static int start_and_stop(void *arg)
{
	for (int i = 0; i < 100; i++) {
		struct weft_timer *timer = weft_timer_new_task(never, NULL);
		expect_eq(weft_timer_start(timer, weft_after(3600 * SECOND), 0), 0);
		if (i % 3 == 0)
			weft_yield();
		expect_eq(weft_timer_stop(timer), 1);
		weft_timer_free(timer);
	}
	return 0;
}

PROMISE("TimerStopStress")
{
	struct weft_task *tasks[20];
	for (int i = 0; i < 20; i++)
		tasks[i] = tasks_start(start_and_stop, NULL);
	for (int i = 0; i < 20; i++)
		expect_eq(tasks_join(tasks[i]), 0);
}

/* ---- Reset and StopResult: exact answers ---- */

PROMISE("Reset")
{
	struct weft_chan *c = weft_chan_new(sizeof(int64_t), 1);
	struct weft_timer *timer = weft_timer_new_chan(c);
	expect_eq(weft_timer_start(timer, weft_after(3600 * SECOND), 0), 0);
	expect_eq(weft_timer_start(timer, weft_after(MS), 0), 1);
	expect_eq(weft_chan_recv(c, NULL, WEFT_FOREVER), 0);
	expect_eq(weft_timer_start(timer, weft_after(MS), 0), 0);
	expect_eq(weft_chan_recv(c, NULL, WEFT_FOREVER), 0);
	expect_eq(weft_timer_stop(timer), 0);
	weft_timer_free(timer);
	weft_chan_unref(c);
}

PROMISE("StopResult")
{
	struct weft_chan *c = weft_chan_new(sizeof(int64_t), 1);
	struct weft_timer *timer = weft_timer_new_chan(c);
	for (int i = 0; i < 100; i++) {
		weft_timer_start(timer, weft_after(MS / 10), 0);
		weft_sleep((i % 3) * (MS / 10));
		if (weft_timer_stop(timer))
			expect_eq(weft_chan_recv(c, NULL, 0), -EAGAIN);
		else
			expect_eq(weft_chan_recv(c, NULL, 0), 0);
	}
	weft_timer_free(timer);
	weft_chan_unref(c);
}

/* ---- overflow: a deadline near the end of time neither fires nor holds up another ---- */

PROMISE("OverflowSleep")
{
	struct weft_chan *c = weft_chan_new(sizeof(int64_t), 1);
	struct weft_timer *far = weft_timer_new_chan(c), *far2 = weft_timer_new_chan(c);
	expect_eq(weft_after(INT64_MAX), WEFT_FOREVER);
	expect_eq(weft_timer_start(far, INT64_MAX - 1, INT64_MAX), 0);
	expect_eq(weft_timer_start(far2, weft_after(INT64_MAX - 1), 0), 0);
	expect_eq(weft_sleep(MS), 0);
	expect_eq(weft_chan_recv(c, NULL, weft_after(MS)), -ETIMEDOUT);
	expect_eq(weft_timer_start(far, INT64_MIN, 0),
		  1); /* and one before the beginning fires at once */
	expect_eq(weft_chan_recv(c, NULL, WEFT_FOREVER), 0);
	expect_eq(weft_timer_stop(far2), 1);
	weft_timer_free(far);
	weft_timer_free(far2);
	weft_chan_unref(c);
}

/* ---- TimerModifiedEarlier: a timer that is set earlier fires earlier ---- */

PROMISE("TimerModifiedEarlier")
{
	struct weft_chan *c = weft_chan_new(sizeof(int64_t), 1);
	for (int i = 0; i < 5; i++) {
		struct weft_timer *timer = weft_timer_new_chan(c);
		expect_eq(weft_timer_start(timer, INT64_MAX - 1, 0), 0);
		expect_eq(weft_timer_start(timer, weft_after(2 * MS), 0), 1);
		expect_eq(weft_chan_recv(c, NULL, soon()), 0);
		weft_timer_free(timer);
	}
	weft_chan_unref(c);
}

/* ---- AdjustTimers (#47329, #47762): many set to and fro at random keep their answers ---- */

enum { RANDOM_TIMERS = 32 };

static int set_at_random(void *arg)
{
	struct weft_chan *c = weft_chan_new(0, RANDOM_TIMERS);
	struct weft_timer *timers[RANDOM_TIMERS];
	uint32_t random = (uint32_t)(uintptr_t)arg;
	for (int i = 0; i < RANDOM_TIMERS; i++) {
		timers[i] = weft_timer_new_chan(c);
		expect_eq(weft_timer_start(timers[i], weft_after(20 * MS), 0), 0);
	}
	for (int i = 0; i < 300; i++) {
		random = random * 1664525 + 1013904223; /* Numerical Recipes */
		struct weft_timer *timer = timers[random >> 16 & (RANDOM_TIMERS - 1)];
		if (random >> 30 == 0)
			weft_timer_stop(timer);
		else
			expect_ge(weft_timer_start(timer, weft_after((random >> 8 & 0xff) * 10000),
						   0),
				  0);
		if (random >> 29 == 7)
			weft_sleep(MS / 20);
		while (weft_chan_recv(c, NULL, 0) == 0)
			;
	}
	for (int i = 0; i < RANDOM_TIMERS; i++)
		weft_timer_free(timers[i]);
	weft_chan_unref(c);
	return 0;
}

PROMISE("AdjustTimers")
{
	struct weft_task *tasks[4];
	for (int i = 0; i < 4; i++)
		tasks[i] = tasks_start(set_at_random, (void *)(uintptr_t)(i + 1));
	for (int i = 0; i < 4; i++)
		expect_eq(tasks_join(tasks[i]), 0);
}

/* ---- ConcurrentTimerResetStop: one timer, several tasks ---- */

static int reset_often(void *arg)
{
	for (int i = 0; i < 200; i++) {
		expect_ge(weft_timer_start(arg, weft_after((i % 8) * 1000), 0), 0);
		if (i % 16 == 0)
			weft_yield();
	}
	return 0;
}

static int stop_often(void *arg)
{
	for (int i = 0; i < 200; i++) {
		expect_ge(weft_timer_stop(arg), 0);
		if (i % 16 == 0)
			weft_yield();
	}
	return 0;
}

PROMISE("ConcurrentTimerResetStop")
{
	struct weft_chan *c = weft_chan_new(0, 1);
	struct weft_timer *timer = weft_timer_new_chan(c);
	struct weft_task *tasks[6];
	for (int i = 0; i < 6; i++)
		tasks[i] = tasks_start(i % 2 ? stop_often : reset_often, timer);
	for (int i = 0; i < 6; i++)
		expect_eq(tasks_join(tasks[i]), 0);
	weft_timer_free(timer);
	weft_chan_unref(c);
}

/* ---- 10,000 timers, all moved, all fire once ---- */

PROMISE("AdjustedTimers10000")
{
	enum { TIMERS = 10000 };
	struct weft_timer **timers = malloc(TIMERS * sizeof(*timers));
	struct weft_chan *c = weft_chan_new(0, TIMERS);
	for (int i = 0; i < TIMERS; i++) {
		timers[i] = weft_timer_new_chan(c);
		expect_eq(weft_timer_start(timers[i], weft_after(3600 * SECOND + i), 0), 0);
	}
	int64_t now = weft_now();
	for (int i = 0; i < TIMERS; i++)
		expect_eq(weft_timer_start(timers[i], now + (i * 7919 % TIMERS) * 1000, 0), 1);
	for (int i = 0; i < TIMERS; i++)
		expect_eq(weft_chan_recv(c, NULL, WEFT_FOREVER), 0);
	expect_eq(weft_chan_recv(c, NULL, weft_after(MS)), -ETIMEDOUT);
	for (int i = 0; i < TIMERS; i++) {
		expect_eq(weft_timer_stop(timers[i]), 0);
		weft_timer_free(timers[i]);
	}
	weft_chan_unref(c);
	free(timers);
}
