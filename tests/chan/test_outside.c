/* SPDX-License-Identifier: MIT */
/*
 * test_outside.c: channels and threads that are not the runtime's: before, while and after it runs,
 * and forked.
 */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../tasks.h"

enum { ITEMS = 2000 };

static void *send_from_thread(void *arg)
{
	for (int i = 0; i < ITEMS; i++)
		expect_eq(weft_chan_send(arg, &i, soon()), 0);
	return NULL;
}

static void *recv_from_thread(void *arg)
{
	for (int i = 0, got; i < ITEMS; i++) {
		expect_eq(weft_chan_recv(arg, &got, soon()), 0);
		expect_eq(got, i);
	}
	return NULL;
}

static void *select_from_thread(void *arg)
{
	struct weft_chan **chans = arg;
	for (int i = 0, got; i < 2 * ITEMS; i++) {
		struct weft_case cases[] = {weft_on_recv(chans[0], &got),
					    weft_on_recv(chans[1], &got)};
		expect_ge(weft_select(cases, 2, soon()), 0);
	}
	return NULL;
}

static void *expect_epipe(void *arg)
{
	int got = 4;
	expect_eq(weft_chan_recv(arg, &got, soon()), -EPIPE);
	expect_eq(got, 0);
	return NULL;
}

TASK_TEST("threads send to tasks")
{
	for (size_t capacity = 0; capacity < 3; capacity++) {
		pthread_t thread;
		struct weft_chan *c = weft_chan_new(sizeof(int), capacity);
		expect_eq(pthread_create(&thread, NULL, send_from_thread, c), 0);
		for (int i = 0, got; i < ITEMS; i++) {
			expect_eq(weft_chan_recv(c, &got, soon()), 0);
			expect_eq(got, i);
		}
		pthread_join(thread, NULL);
		weft_chan_unref(c);
	}
}

TASK_TEST("threads receive from tasks")
{
	for (size_t capacity = 0; capacity < 3; capacity++) {
		pthread_t thread;
		struct weft_chan *c = weft_chan_new(sizeof(int), capacity);
		expect_eq(pthread_create(&thread, NULL, recv_from_thread, c), 0);
		for (int i = 0; i < ITEMS; i++)
			expect_eq(weft_chan_send(c, &i, soon()), 0);
		pthread_join(thread, NULL);
		weft_chan_unref(c);
	}
}

static int send_all(void *arg)
{
	send_from_thread(arg);
	return 0;
}

TASK_TEST("threads select")
{
	pthread_t thread;
	struct weft_chan *chans[] = {weft_chan_new(sizeof(int), 0), weft_chan_new(sizeof(int), 1)};
	struct weft_task *a = tasks_start(send_all, chans[0]), *b = tasks_start(send_all, chans[1]);
	expect_eq(pthread_create(&thread, NULL, select_from_thread, chans), 0);
	expect_eq(tasks_join(a) + tasks_join(b), 0);
	pthread_join(thread, NULL);
	weft_chan_unref(chans[0]);
	weft_chan_unref(chans[1]);
}

TASK_TEST("closing wakes threads too")
{
	pthread_t thread;
	struct weft_chan *c = weft_chan_new(sizeof(int), 0);
	expect_eq(pthread_create(&thread, NULL, expect_epipe, c), 0);
	weft_sleep(5 * MS);
	expect_eq(weft_chan_close(c), 0);
	pthread_join(thread, NULL);
	weft_chan_unref(c);
}

static int take_one(void *arg)
{
	int got = 0;
	expect_eq(weft_chan_recv(arg, &got, 0), 0);
	got++;
	return weft_chan_send(arg, &got, 0);
}

TEST("a channel outlives the runtime")
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 1);
	int item = 1;
	expect_eq(weft_chan_send(c, &item, 0), 0);
	for (int i = 0; i < 3; i++)
		expect_eq(tasks_run(2, take_one, c), 0);
	expect_eq(weft_chan_recv(c, &item, 0), 0);
	expect_eq(item, 4);
	expect_eq(weft_chan_recv(c, &item, 0), -EAGAIN);
	expect_eq(weft_chan_close(c), 0);
	expect_eq(weft_chan_recv(c, &item, 0), -EPIPE);
	weft_chan_unref(c);
}

TEST("outside of tasks deadlines hold as well")
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 0);
	struct weft_case cases[] = {weft_on_recv(c, NULL), weft_on_recv(c, NULL)};
	int item = 1;
	expect_eq(weft_chan_recv(c, &item, 0), -EAGAIN);
	expect_eq(weft_chan_recv(c, &item, 1), -ETIMEDOUT);
	int64_t until = weft_after(3 * MS);
	expect_eq(weft_chan_recv(c, &item, until), -ETIMEDOUT);
	expect_ge(weft_now(), until);
	expect_eq(weft_select(cases, 2, weft_after(MS)), -ETIMEDOUT);
	expect_eq(weft_select(cases, 2, 0), -EAGAIN);
	expect_eq(weft_chan_recv(NULL, &item, weft_after(MS)), -ETIMEDOUT);
	weft_chan_unref(c);
}

static int fork_and_use(void *arg)
{
	int status, item = 1;
	pid_t child = fork();
	if (child == 0) {
		struct weft_case cases[] = {weft_on_recv(arg, &item)};
		bool right = weft_chan_send(arg, &item, WEFT_FOREVER) == -ENOTSUP &&
			     weft_chan_recv(arg, &item, WEFT_FOREVER) == -ENOTSUP &&
			     weft_chan_close(arg) == -ENOTSUP &&
			     weft_select(cases, 1, WEFT_FOREVER) == -ENOTSUP;
		_exit(right ? 0 : 1);
	}
	expect_gt(child, 0);
	expect_eq(waitpid(child, &status, 0), child);
	return status;
}

TEST("in a forked child channels give enotsup")
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 2);
	expect_eq(tasks_run(1, fork_and_use, c), 0);
	weft_chan_unref(c);
}
