/* SPDX-License-Identifier: MIT */
/*
 * test_poller.c: the last thread of the runtime ends with its locked task, while nothing is awaited
 * that only the poller sees. Then a thread that is not the runtime's begins to wait for such a
 * thing: some thread has to become the poller.
 *
 * The monitor would notice in the end, so what is asked is whether a thread sleeps in the poller.
 */
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../tasks.h"
#include "sched/sched.h"

static struct weft_chan *done;
static int pair[2];

static int end_locked(void *arg)
{
	return weft_lock_os_thread();
}

static bool polled(void)
{
	return __atomic_load_n(&weft__sched.poller.until, __ATOMIC_RELAXED) != INT64_MIN;
}

static void expect_polled(void)
{
	for (int ms = 0; ms < 20000 && !polled(); ms++)
		usleep(1000);
	expect(polled());
}

static void start_timer(void)
{
	struct weft_chan *chan = weft_chan_new(0, 1);
	struct weft_timer *timer = weft_timer_new_chan(chan);
	expect_eq(weft_timer_start(timer, weft_after(3600 * 1000 * (int64_t)MS), 0), 0);
	expect_polled();
	expect_eq(weft_timer_stop(timer), 1);
	weft_timer_free(timer);
	weft_chan_unref(chan);
}

static void *read_byte(void *arg)
{
	char byte;
	expect_eq(weft_read(pair[0], &byte, 1, WEFT_FOREVER), 1);
	return NULL;
}

static void await_descriptor(void)
{
	pthread_t reader;
	pthread_create(&reader, NULL, read_byte, NULL);
	expect_polled();
	expect_eq(send(pair[1], "x", 1, MSG_NOSIGNAL), 1);
	pthread_join(reader, NULL);
}

static void (*const awaited[])(void) = {start_timer, await_descriptor};

/* Begins when main alone is left, and the other's thread has had time to go: where it has not, or
 * another one was needed meanwhile, there is a poller already. */
static void *await_one(void *arg)
{
	struct weft_stats stats = {.size = sizeof(stats)};
	do
		expect_eq(weft_stats(&stats), 0);
	while (stats.tasks > 1);
	usleep(20 * 1000);
	awaited[*(const int *)arg]();
	expect_eq(weft_chan_send(done, NULL, WEFT_FOREVER), 0);
	return NULL;
}

static int wait_for_it(void *arg)
{
	pthread_t thread;
	struct weft_task *last;
	expect_eq(weft_spawn(&last, NULL, end_locked, NULL), 0);
	expect_eq(weft_detach(last), 0);
	pthread_create(&thread, NULL, await_one, arg);
	int err = weft_chan_recv(done, NULL, WEFT_FOREVER);
	pthread_join(thread, NULL);
	return err;
}

TEST("what a thread waits for finds a poller", .times = 2)
{
	done = weft_chan_new(0, 1);
	expect_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	expect_eq(tasks_run(1, wait_for_it, &nth), 0);
	weft_chan_unref(done);
}
