/* SPDX-License-Identifier: MIT */
/* test_lifetime.c: what calls give before, while, and after a runtime runs, from tasks and from other threads. */
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
			ck_assert_int_eq(err, -EINVAL);
		/* One at a time: the runtime may end in between. */
		while (flag(&outside.ran) < outside.started && !flag(&outside.over))
			sched_yield();
	}
	return NULL;
}

/* A thread that starts tasks all the time meets every moment of a runtime's birth and end. */
START_TEST(a_task_started_from_outside_runs_or_is_refused_at_every_moment)
{
	pthread_t thread;
	pthread_create(&thread, NULL, start_from_outside, NULL);
	for (int i = 0; i < 300; i++)
		ck_assert_int_eq(tasks_run(tasks_processors[i % 3], nothing, NULL), 0);
	flag_set(&outside.over, 1);
	pthread_join(thread, NULL);
	ck_assert_int_eq(flag(&outside.ran), outside.started);
}
END_TEST

static int stop(void *arg)
{
	return weft_stop();
}

START_TEST(a_runtime_that_was_stopped_is_none)
{
	struct weft_task *task;
	int ran = 0;
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(tasks_run(1, stop, NULL), 0);
		ck_assert_int_eq(weft_go(count, &ran), -EINVAL);
		ck_assert_int_eq(weft_spawn(&task, NULL, nothing, NULL), -EINVAL);
		ck_assert_int_eq(weft_stop(), -EINVAL);
	}
	ck_assert_int_eq(flag(&ran), 0);
}
END_TEST

/* ---- stopping ---- */

static int stop_and_go_on(void *arg)
{
	ck_assert_int_eq(weft_stop(), 0);
	ck_assert_int_eq(weft_cancelled(), 1);
	ck_assert_int_eq(weft_sleep(1), -ECANCELED);
	weft_cancel_clear();
	ck_assert_int_eq(weft_sleep(5 * MS), 0);
	return 3;
}

START_TEST(who_stops_is_cancelled_at_once_and_only_once)
{
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(tasks_run(tasks_processors[_i], stop_and_go_on, NULL), 3);
}
END_TEST

static void *spawn_after_stop(void *arg)
{
	struct weft_task *task;
	ck_assert_int_eq(weft_go(count, arg), -ESHUTDOWN);
	ck_assert_int_eq(weft_spawn(&task, NULL, nothing, NULL), -EINVAL);
	return NULL;
}

static int stop_and_ask_outside(void *arg)
{
	pthread_t thread;
	int ran = 0;
	ck_assert_int_eq(weft_stop(), 0);
	pthread_create(&thread, NULL, spawn_after_stop, &ran);
	pthread_join(thread, NULL);
	return ran;
}

START_TEST(after_weft_stop_a_thread_may_start_nothing_either)
{
	ck_assert_int_eq(tasks_run(1, stop_and_ask_outside, NULL), 0);
}
END_TEST

/* ---- fork ---- */

static int fork_and_return(void *arg)
{
	pid_t child = fork();
	int status = -1;
	if (child == 0 && arg)
		weft_exit(7);
	if (child == 0)
		return 7;
	ck_assert_int_eq(weft_wait_pid(child, &status, soon()), 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

START_TEST(a_task_that_ends_in_a_forked_child_ends_the_child)
{
	ck_assert_int_eq(tasks_run(tasks_processors[_i], fork_and_return, NULL), 7);
	ck_assert_int_eq(tasks_run(tasks_processors[_i], fork_and_return, (void *)1), 7);
}
END_TEST

/* ---- keys, handles ---- */

static void *make_key(void *arg)
{
	unsigned key;
	ck_assert_int_eq(weft_key_create(&key, NULL), -EINVAL);
	return NULL;
}

TEST_TASKS(keys_are_made_by_tasks)
{
	pthread_t thread;
	unsigned key;
	ck_assert_int_eq(weft_key_create(&key, NULL), 0);
	pthread_create(&thread, NULL, make_key, NULL);
	pthread_join(thread, NULL);
}

static int use_key(void *arg)
{
	unsigned key = *(unsigned *)arg;
	ck_assert_int_eq(weft_key_set(key, arg), 0);
	return weft_key_get(key) == arg ? 5 : 6;
}

START_TEST(a_key_may_be_made_before_the_runtime)
{
	unsigned key;
	ck_assert_int_eq(weft_key_create(&key, NULL), 0);
	ck_assert_int_eq(tasks_run(1, use_key, &key), 5);
}
END_TEST

TEST_TASKS(no_handle_is_an_error)
{
	ck_assert_int_eq(weft_join(NULL, NULL, WEFT_FOREVER), -EINVAL);
	ck_assert_int_eq(weft_detach(NULL), -EINVAL);
	ck_assert_int_eq(weft_cancel(NULL), -EINVAL);
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

START_TEST(misuse_names_the_call_and_the_task)
{
	expect_misuse("weft_join", join_twice);
	expect_misuse("weft_join", join_detached);
	expect_misuse("weft_detach", detach_twice);
	expect_misuse("weft_cancel", cancel_joined);
	expect_misuse("weft_group_wait", wait_for_group_twice);
	expect_misuse("weft_chan_unref", free_channel_in_use);
}
END_TEST

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
		ck_assert_int_eq(mincore((void *)((uintptr_t)peak.deep[i] & -page), 1, &in), 0);
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
		ck_assert_int_eq(tasks_join(tasks[i]), 0);
	int64_t end = soon();
	ck_assert_int_gt(resident(), WARM);
	while (resident() > WARM && weft_now() < end)
		weft_sleep(100 * MS);
	ck_assert_int_le(resident(), WARM);
}

TEST_TASKS(stacks_of_a_peak_go_back_to_the_kernel_while_nothing_runs)
{
	make_a_peak();
}

/* The kernel refuses to read from a guard page, and does not die of it. */
static int look_at_guard(void *arg)
{
	const char *bottom = weft__stack_bottom((struct task *)weft_self());
	int sink = *(int *)arg;
	ck_assert_int_eq(write(sink, bottom, 1), 1);
	ck_assert_int_eq(write(sink, bottom - 1, 1), -1);
	ck_assert_int_eq(errno, EFAULT);
	weft_sleep(MS); /* so that others need stacks of their own */
	return 0;
}

static void look_at_guards(void)
{
	struct weft_task *tasks[PEAK];
	int sink[2];
	ck_assert_int_eq(pipe(sink), 0);
	for (int i = 0; i < PEAK; i++)
		tasks[i] = tasks_start(look_at_guard, &sink[1]);
	for (int i = 0; i < PEAK; i++)
		ck_assert_int_eq(tasks_join(tasks[i]), 0);
}

TEST_TASKS(every_stack_has_its_guard)
{
	look_at_guards();
}

/* A kernel before 5.10, or a sandbox. */
TEST_TASKS(stacks_are_guarded_and_given_back_without_process_madvise)
{
	refuse(SYS_process_madvise, ENOSYS, false);
	look_at_guards();
	make_a_peak();
}

static void add_all(TCase *t)
{
	tcase_add_test(t, a_task_started_from_outside_runs_or_is_refused_at_every_moment);
	tcase_add_test(t, a_runtime_that_was_stopped_is_none);
	tcase_add_loop_test(t, who_stops_is_cancelled_at_once_and_only_once, 0, 3);
	tcase_add_test(t, after_weft_stop_a_thread_may_start_nothing_either);
	tcase_add_loop_test(t, a_task_that_ends_in_a_forked_child_ends_the_child, 0, 3);
	add_tasks_test(t, keys_are_made_by_tasks);
	tcase_add_test(t, a_key_may_be_made_before_the_runtime);
	add_tasks_test(t, no_handle_is_an_error);
	tcase_add_test(t, misuse_names_the_call_and_the_task);
	add_tasks_test(t, stacks_of_a_peak_go_back_to_the_kernel_while_nothing_runs);
	add_tasks_test(t, every_stack_has_its_guard);
	add_tasks_test(t, stacks_are_guarded_and_given_back_without_process_madvise);
}

TESTS_MAIN("lifetime", add_all)
