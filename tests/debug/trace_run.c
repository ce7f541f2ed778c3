/* SPDX-License-Identifier: MIT */
/*
 * trace_run.c FILE: a program for test_trace.py: traces tasks that talk, block, start and end
 * locked, into FILE. Prints the ids of the tasks that must be in it. With FILE "-" it starts no
 * trace itself (WEFT_TRACE does), nor with "burst", which talks so much that most events get no
 * time of their own.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fatal.h"
#include "weft/weft.h"

enum { ROUNDS = 100 };

static struct weft_chan *ping, *pong;

static int answer(void *arg)
{
	int n;
	while (weft_chan_recv(ping, &n, WEFT_FOREVER) == 0)
		weft_chan_send(pong, &n, WEFT_FOREVER);
	return 0;
}

static int block(void *arg)
{
	return usleep(20 * 1000);
}

static int end_locked(void *arg)
{
	return weft_lock_os_thread();
}

static void talk_once(int i)
{
	int n = i;
	check(weft_chan_send(ping, &n, WEFT_FOREVER) == 0);
	check(weft_chan_recv(pong, &n, WEFT_FOREVER) == 0 && n == i);
}

static void talk(void)
{
	for (int i = 0; i < ROUNDS; i++)
		talk_once(i);
}

static int work(void)
{
	int (*const functions[])(void *arg) = {answer, block, block, end_locked};
	struct weft_task *tasks[array_len(functions)];
	ping = weft_chan_new(sizeof(int), 0);
	pong = weft_chan_new(sizeof(int), 0);
	printf("%llu\n", (unsigned long long)weft_task_id(weft_self()));
	for (unsigned i = 0; i < array_len(functions); i++) {
		check(weft_spawn(&tasks[i], NULL, functions[i], NULL) == 0);
		printf("%llu\n", (unsigned long long)weft_task_id(tasks[i]));
	}
	talk();
	weft_chan_close(ping);
	for (unsigned i = 0; i < array_len(functions); i++)
		check(weft_join(tasks[i], NULL, WEFT_FOREVER) == 0);
	weft_chan_unref(ping);
	weft_chan_unref(pong);
	return 0;
}

/* Computes for `time` ns of its own. */
static void compute(int64_t time)
{
	for (int64_t end = weft_now() + time; weft_now() < end;)
		;
}

/*
 * Much talk, a long computation, much talk, more than a ring holds. Prints how long the computation
 * took, in ns.
 */
static int burst(void)
{
	enum { TALKS = 40000 };
	struct weft_task *task;
	ping = weft_chan_new(sizeof(int), 0);
	pong = weft_chan_new(sizeof(int), 0);
	check(weft_spawn(&task, NULL, answer, NULL) == 0);
	for (int i = 0; i < TALKS; i++)
		talk_once(i);
	int64_t start = weft_now();
	compute(30 * 1000 * 1000);
	printf("%lld\n", (long long)(weft_now() - start));
	for (int i = 0; i < TALKS / 8; i++)
		talk_once(i);
	weft_chan_close(ping);
	check(weft_join(task, NULL, WEFT_FOREVER) == 0);
	weft_chan_unref(ping);
	weft_chan_unref(pong);
	return 0;
}

static int main_task(void *path)
{
	if (strcmp(path, "-") == 0)
		return work();
	if (strcmp(path, "burst") == 0)
		return burst();
	check(weft_trace_stop() == -EINVAL); /* none runs */
	check(weft_trace_start("/no/such/folder/trace") == -ENOENT);
	check(weft_trace_start(NULL) == -EINVAL);
	check(weft_trace_start(path) == 0);
	check(weft_trace_start(path) == -EBUSY);
	work();
	check(weft_trace_stop() == 0);
	check(weft_trace_start("/dev/full") == 0);
	work();
	check(weft_trace_stop() < 0); /* what could not be written is said */
	return 0;
}

int main(int argc, char **argv)
{
	check(argc == 2);
	struct weft_options options = {.processors = strcmp(argv[1], "burst") == 0 ? 1 : 2};
	check(weft_trace_start("/dev/null") == -EINVAL &&
	      weft_trace_stop() == -EINVAL); /* no runtime */
	return weft_run(&options, main_task, argv[1]);
}
