/* SPDX-License-Identifier: MIT */
/*
 * test_lifetime.c: what calls return before, while, and after a runtime runs, from tasks and from
 * other threads.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../random/random_test.h"
#include "../sync/misuse.h"
#include "../tasks.h"
#include "sched/sched.h"
#include "sched/stack.h"

static int nothing(void *arg)
{
	return 0;
}

static void count(void *arg)
{
	__atomic_fetch_add((int *)arg, 1, __ATOMIC_RELEASE);
}

/* ---- beginning and end ---- */

static struct {
	int started, ran, over;
} outside;

static void *start_from_outside(void *arg)
{
	while (!flag(&outside.over)) {
		int err = weft_go(count, &outside.ran);
		if (err == 0)
			outside.started++;
		else
			expect_eq(err, -EINVAL);
		/* One at a time: the runtime may end in between. */
		while (flag(&outside.ran) < outside.started && !flag(&outside.over))
			sched_yield();
	}
	return NULL;
}

/* A thread that starts tasks all the time meets every moment of a runtime's birth and end. */
TEST("a task started from outside runs or is refused at every moment")
{
	pthread_t thread;
	pthread_create(&thread, NULL, start_from_outside, NULL);
	for (int i = 0; i < 300; i++)
		expect_eq(tasks_run(tasks_processors[i % 3], nothing, NULL), 0);
	flag_set(&outside.over, 1);
	pthread_join(thread, NULL);
	expect_eq(flag(&outside.ran), outside.started);
}

static int stop(void *arg)
{
	return weft_stop();
}

TEST("a runtime that was stopped is none")
{
	struct weft_task *task;
	int ran = 0;
	for (int i = 0; i < 3; i++) {
		expect_eq(tasks_run(1, stop, NULL), 0);
		expect_eq(weft_go(count, &ran), -EINVAL);
		expect_eq(weft_spawn(&task, NULL, nothing, NULL), -EINVAL);
		expect_eq(weft_stop(), -EINVAL);
	}
	expect_eq(flag(&ran), 0);
}

/* ---- stopping ---- */

static int stop_and_go_on(void *arg)
{
	expect_eq(weft_stop(), 0);
	expect_eq(weft_cancelled(), 1);
	expect_eq(weft_sleep(60 * 1000 * (int64_t)MS), -ECANCELED);
	weft_cancel_clear();
	expect_eq(weft_sleep(5 * MS), 0);
	return 3;
}

TEST("a task that stops the runtime is cancelled at once and only once", .times = 3)
{
	for (int i = 0; i < 20; i++)
		expect_eq(tasks_run(tasks_processors[nth], stop_and_go_on, NULL), 3);
}

static void *spawn_after_stop(void *arg)
{
	struct weft_task *task;
	expect_eq(weft_go(count, arg), -ESHUTDOWN);
	expect_eq(weft_spawn(&task, NULL, nothing, NULL), -ESHUTDOWN);
	return NULL;
}

static int stop_and_ask_outside(void *arg)
{
	pthread_t thread;
	int ran = 0;
	expect_eq(weft_stop(), 0);
	pthread_create(&thread, NULL, spawn_after_stop, &ran);
	pthread_join(thread, NULL);
	return ran;
}

TEST("after weft stop a thread may start nothing either")
{
	expect_eq(tasks_run(1, stop_and_ask_outside, NULL), 0);
}

/* ---- fork ---- */

static int fork_and_return(void *arg)
{
	pid_t child = fork();
	int status = -1;
	if (child == 0 && arg)
		weft_exit(7);
	if (child == 0)
		return 7;
	expect_eq(weft_wait_pid(child, &status, soon()), 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

TEST("a task that ends in a forked child ends the child", .times = 3)
{
	expect_eq(tasks_run(tasks_processors[nth], fork_and_return, NULL), 7);
	expect_eq(tasks_run(tasks_processors[nth], fork_and_return, (void *)1), 7);
}

/* ---- keys, handles ---- */

static void *make_key(void *arg)
{
	unsigned key;
	expect_eq(weft_key_create(&key, NULL), -EINVAL);
	return NULL;
}

TASK_TEST("keys are made by tasks")
{
	pthread_t thread;
	unsigned key;
	expect_eq(weft_key_create(&key, NULL), 0);
	pthread_create(&thread, NULL, make_key, NULL);
	pthread_join(thread, NULL);
}

static int use_key(void *arg)
{
	unsigned key = *(unsigned *)arg;
	expect_eq(weft_key_set(key, arg), 0);
	return weft_key_get(key) == arg ? 5 : 6;
}

TEST("a key may be made before the runtime")
{
	unsigned key;
	expect_eq(weft_key_create(&key, NULL), 0);
	expect_eq(tasks_run(1, use_key, &key), 5);
}

TASK_TEST("no handle is an error")
{
	expect_eq(weft_join(NULL, NULL, WEFT_FOREVER), -EINVAL);
	expect_eq(weft_detach(NULL), -EINVAL);
	expect_eq(weft_cancel(NULL), -EINVAL);
}

/* ---- misuse ---- */

static int join_twice(void *arg)
{
	struct weft_task *task = tasks_start(nothing, NULL);
	tasks_join(task);
	weft_join(task, NULL, WEFT_FOREVER);
	return 0;
}

static int join_detached(void *arg)
{
	struct weft_task *task = tasks_start(nothing, NULL);
	weft_detach(task);
	weft_join(task, NULL, WEFT_FOREVER);
	return 0;
}

static int detach_twice(void *arg)
{
	struct weft_task *task = tasks_start(nothing, NULL);
	weft_detach(task);
	weft_detach(task);
	return 0;
}

static int cancel_joined(void *arg)
{
	struct weft_task *task = tasks_start(nothing, NULL);
	tasks_join(task);
	weft_cancel(task);
	return 0;
}

static int sleep_long(void *arg)
{
	return weft_sleep_until(soon());
}

static int wait_for_group(void *arg)
{
	return weft_group_wait(arg, NULL, WEFT_FOREVER);
}

static int wait_for_group_twice(void *arg)
{
	struct weft_group *group = weft_group_new();
	weft_group_go(group, sleep_long, NULL);
	tasks_start(wait_for_group, group);
	tasks_settle();
	return wait_for_group(group);
}

static int receive(void *arg)
{
	return weft_chan_recv(arg, NULL, WEFT_FOREVER);
}

static int free_channel_in_use(void *arg)
{
	struct weft_chan *c = weft_chan_new(0, 0);
	tasks_start(receive, c);
	tasks_settle();
	weft_chan_unref(c);
	return 0;
}

TEST("misuse names the call and the task")
{
	expect_misuse("weft_join", join_twice);
	expect_misuse("weft_join", join_detached);
	expect_misuse("weft_detach", detach_twice);
	expect_misuse("weft_cancel", cancel_joined);
	expect_misuse("weft_group_wait", wait_for_group_twice);
	expect_misuse("weft_chan_unref", free_channel_in_use);
}

/* ---- what a peak leaves behind ---- */

enum { PEAK = 1000, DEEP = 32 * 1024, WARM = 64 };

static struct {
	char *deep[PEAK];
	int touched;
} peak;

static int touch_deep(void *arg)
{
	char room[DEEP];
	memset(room, 1, sizeof(room));
	*(char **)arg = room;
	__atomic_fetch_add(&peak.touched, 1, __ATOMIC_RELEASE);
	while (flag(&peak.touched) < PEAK)
		weft_yield();
	return room[0] - 1;
}

/* How many of the deep places are still in memory. */
static int resident(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	int n = 0;
	for (int i = 0; i < PEAK; i++) {
		unsigned char in = 0;
		expect_eq(mincore((void *)((uintptr_t)peak.deep[i] & -page), 1, &in), 0);
		n += in & 1;
	}
	return n;
}

static void make_a_peak(void)
{
	struct weft_task *tasks[PEAK];
	peak.touched = 0;
	for (int i = 0; i < PEAK; i++)
		tasks[i] = tasks_start(touch_deep, &peak.deep[i]);
	for (int i = 0; i < PEAK; i++)
		expect_eq(tasks_join(tasks[i]), 0);
	int64_t end = soon();
	expect_gt(resident(), WARM);
	while (resident() > WARM && weft_now() < end)
		weft_sleep(100 * MS);
	expect_le(resident(), WARM);
}

TASK_TEST("stacks of a peak go back to the kernel while nothing runs")
{
	make_a_peak();
}

/* The kernel refuses to read from a guard page, and does not die of it. */
static int look_at_guard(void *arg)
{
	const char *bottom = weft__stack_bottom(((struct task *)weft_self())->stack);
	int sink = *(int *)arg;
	expect_eq(write(sink, bottom, 1), 1);
	expect_eq(write(sink, bottom - 1, 1), -1);
	expect_eq(errno, EFAULT);
	weft_sleep(MS); /* so that others need stacks of their own */
	return 0;
}

static void look_at_guards(void)
{
	struct weft_task *tasks[PEAK];
	int sink[2];
	expect_eq(pipe(sink), 0);
	for (int i = 0; i < PEAK; i++)
		tasks[i] = tasks_start(look_at_guard, &sink[1]);
	for (int i = 0; i < PEAK; i++)
		expect_eq(tasks_join(tasks[i]), 0);
}

TASK_TEST("every stack has its guard")
{
	look_at_guards();
}

/* A kernel before 5.10, or a sandbox. */
TASK_TEST("stacks are guarded and given back without process madvise")
{
	refuse(SYS_process_madvise, ENOSYS, false);
	look_at_guards();
	make_a_peak();
}

static int says_running(void *arg)
{
	expect_eq(weft_running(), 1);
	pid_t child = fork();
	if (!child)
		_exit(weft_running());
	int status = -1;
	expect_eq(weft_wait_pid(child, &status, soon()), 0);
	return status;
}

TEST("weft_running says whether there are tasks", .times = 3)
{
	expect_eq(weft_running(), 0);
	expect_eq(tasks_run(tasks_processors[nth], says_running, NULL), 0);
	expect_eq(weft_running(), 0);
}
