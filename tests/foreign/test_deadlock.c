/* SPDX-License-Identifier: MIT */
/*
 * test_deadlock.c: threads that are not the runtime's and the report of a deadlock: one that waits
 * itself, for ever, wakes nobody; any other may.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../debug/debug_test.h"
#include "sched/foreign.h"

static struct weft_chan *never;
static int pair[2];
static void (*acts[3])(void); /* of the threads; ends with NULL */

static void *act(void *arg)
{
	(*(void (**)(void))arg)();
	return NULL;
}

static int main_task(void *arg)
{
	pthread_t thread;
	never = weft_chan_new(0, 0);
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	for (int i = 0; acts[i]; i++) {
		pthread_create(&thread, NULL, act, &acts[i]);
		pthread_detach(thread);
	}
	wait_forever(NULL);
	return 0;
}

static void with(void (*first)(void), void (*second)(void))
{
	acts[0] = first;
	acts[1] = second;
	run_in_child(NULL, main_task);
}

#define assert_reported() \
	do { \
		assert_status(2); \
		assert_said("weft: all tasks are asleep - deadlock!\n"); \
	} while (0)
#define assert_not_reported() \
	do { \
		assert_status(0); \
		assert_not_said("deadlock!"); \
	} while (0)

/* ---- threads that wait for ever ---- */

static void receive(void)
{
	expect_eq(weft_chan_recv(never, NULL, WEFT_FOREVER), 0);
}

static void lock_twice(void)
{
	static struct weft_sem none;
	expect_eq(weft_sem_acquire(&none, 1, WEFT_FOREVER), 0);
}

static void join(void)
{
	struct weft_task *task;
	expect_eq(weft_spawn(&task, NULL, wait_forever, NULL), 0);
	expect_eq(weft_join(task, NULL, WEFT_FOREVER), 0);
}

static void wait_for_group(void)
{
	struct weft_group *group = weft_group_new();
	expect_eq(weft_group_go(group, wait_forever, NULL), 0);
	expect_eq(weft_group_wait(group, NULL, WEFT_FOREVER), 0);
}

static void select_both(void)
{
	struct weft_task *task;
	expect_eq(weft_spawn(&task, NULL, wait_forever, NULL), 0);
	struct weft_case cases[] = {weft_on_join(task, NULL), weft_on_recv(never, NULL)};
	expect_eq(weft_select(cases, 2, WEFT_FOREVER), 0);
}

TEST("a thread that waits for ever hides no deadlock")
{
	static void (*const waits[])(void) = {receive, lock_twice, join, wait_for_group,
					      select_both};
	for (size_t i = 0; i < sizeof(waits) / sizeof(*waits); i++) {
		with(waits[i], NULL);
		assert_reported();
		with(waits[i], receive);
		assert_reported();
	}
}

static void read_and_go(void)
{
	char byte;
	expect_eq(weft_read(pair[0], &byte, 1, WEFT_FOREVER), 1);
}

static void read_in_vain(void)
{
	expect_eq(weft_wait_fd(pair[0], POLLIN, weft_after(200 * MS)), -ETIMEDOUT);
}

static void send_later(void)
{
	usleep(100 * 1000);
	expect_eq(write(pair[1], "x", 1), 1);
}

static void sleep_and_go(void)
{
	expect_eq(weft_sleep(100 * MS), 0);
}

/* What comes from outside or by time, and is given up by the thread. */
static struct weft_timer *far_ahead(void)
{
	struct weft_chan *tick = weft_chan_new(0, 1);
	struct weft_timer *timer = weft_timer_new_chan(tick);
	expect_eq(weft_timer_start(timer, weft_after(3600 * 1000 * (int64_t)MS), 0), 0);
	usleep(100 * 1000); /* the others are looked at meanwhile, and counted on it */
	return timer;
}

static void stop_the_timer(void)
{
	expect_eq(weft_timer_stop(far_ahead()), 1);
	receive();
}

static void free_the_timer(void)
{
	weft_timer_free(far_ahead());
	receive();
}

/* It fires no more. */
static void put_the_timer_off(void)
{
	expect_eq(weft_timer_start(far_ahead(), WEFT_FOREVER, 0), 1);
	receive();
}

static void give_a_signal_back(void)
{
	struct weft_chan *arrived = weft_chan_new(sizeof(int), 1);
	expect_eq(weft_signal_notify(arrived, SIGUSR1), 0);
	usleep(100 * 1000);
	expect_eq(weft_signal_stop(arrived), 0);
	receive();
}

TEST("nor one that has given up what tasks might have waited for")
{
	static void (*const ways[])(void) = {stop_the_timer, free_the_timer, put_the_timer_off,
					     give_a_signal_back};
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		with(ways[i], NULL);
		assert_reported();
	}
}

TEST("nor one that has waited for a descriptor, or slept, and is gone")
{
	with(read_and_go, send_later);
	assert_reported();
	with(read_in_vain, receive);
	assert_reported();
	with(sleep_and_go, receive);
	assert_reported();
}

/* ---- threads that will do something ---- */

static void cancel_all(void)
{
	weft_stop();
}

static void sleep_and_cancel(void)
{
	sleep_and_go();
	cancel_all();
}

static void join_until_and_cancel(void)
{
	struct weft_task *task;
	expect_eq(weft_spawn(&task, NULL, wait_forever, NULL), 0);
	expect_eq(weft_join(task, NULL, weft_after(100 * MS)), -ETIMEDOUT);
	cancel_all();
}

static void receive_until_and_cancel(void)
{
	expect_eq(weft_chan_recv(never, NULL, weft_after(100 * MS)), -ETIMEDOUT);
	cancel_all();
}

static void read_and_cancel(void)
{
	read_and_go();
	cancel_all();
}

/* What it waits for comes from another process, when all threads of this one wait for ever. */
static void read_from_a_child_and_cancel(void)
{
	struct pollfd p = {.fd = pair[0], .events = POLLIN};
	if (fork() == 0) {
		send_later();
		_exit(0);
	}
	expect_eq(weft_wait_fd(p.fd, p.events, WEFT_FOREVER), POLLIN);
	cancel_all();
}

static void receive_and_cancel(void)
{
	receive();
	cancel_all();
}

static void sleep_and_send(void)
{
	sleep_and_go();
	expect_eq(weft_chan_send(never, NULL, WEFT_FOREVER), 0);
}

TEST("a thread that may yet wake somebody is waited for")
{
	with(sleep_and_cancel, NULL);
	assert_not_reported();
	with(join_until_and_cancel, receive);
	assert_not_reported();
	with(receive_until_and_cancel, receive);
	assert_not_reported();
	with(read_and_cancel, send_later);
	assert_not_reported();
	with(read_from_a_child_and_cancel, receive);
	assert_not_reported();
	with(receive_and_cancel, sleep_and_send);
	assert_not_reported();
}

/* ---- two that wake each other in turn: one is awake at each moment ---- */

static struct weft_chan *ball[2];
static pid_t players[2];

static void *play(void *arg)
{
	int side = (int)(intptr_t)arg;
	__atomic_store_n(&players[side], gettid(), __ATOMIC_RELEASE);
	while (weft_chan_recv(ball[side], NULL, WEFT_FOREVER) == 0)
		if (weft_chan_send(ball[!side], NULL, WEFT_FOREVER) < 0)
			break;
	return NULL;
}

static bool sleeps(int side)
{
	return weft__foreign_sleeps(__atomic_load_n(&players[side], __ATOMIC_ACQUIRE));
}

/* As the judge looks, one after the other; or, `apart`, not in one go. */
static bool both_sleep(bool apart)
{
	weft__foreign_hold();
	bool both = sleeps(0);
	if (apart)
		weft__foreign_release();
	sched_yield();
	if (apart)
		weft__foreign_hold();
	both = both && sleeps(1);
	weft__foreign_release();
	return both;
}

TEST("two threads that wake each other are never found asleep together")
{
	enum { LOOKS = 5000, MOST = 100 * LOOKS };
	pthread_t threads[2];
	int looks = 0;
	for (intptr_t i = 0; i < 2; i++)
		ball[i] = weft_chan_new(0, 1);
	for (intptr_t i = 0; i < 2; i++)
		expect_eq(pthread_create(&threads[i], NULL, play, (void *)i), 0);
	expect_eq(weft_chan_send(ball[0], NULL, WEFT_FOREVER), 0);
	for (int i = 0; i < LOOKS; i++)
		expect(!both_sleep(false));
	while (looks < MOST && !both_sleep(true)) /* or there was nothing to be seen */
		looks++;
	expect_lt(looks, MOST);
	for (int i = 0; i < 2; i++)
		weft_chan_close(ball[i]);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}
