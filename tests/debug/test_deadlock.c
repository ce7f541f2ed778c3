/* SPDX-License-Identifier: MIT */
/* test_deadlock.c: a program in which nothing can ever happen again is told so; no other program is. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "debug/deadlock.h"
#include "debug_test.h"
#include "sched/park.h"

#define assert_reported() \
	do { \
		assert_status(2); \
		assert_said("weft: all tasks are asleep - deadlock!\n"); \
		assert_said("[nothing, "); \
	} while (0)
#define assert_not_reported(expected) \
	do { \
		assert_status((expected)); \
		assert_not_said("deadlock!"); \
	} while (0)

START_TEST(one_task_that_waits_for_ever)
{
	run_in_child(NULL, wait_forever);
	assert_reported();
	assert_said("task 1 'main'");
	assert_not_said("main returned");
}
END_TEST

START_TEST(a_main_task_on_the_first_thread)
{
	struct weft_options options = {.flags = WEFT_LOCK_MAIN};
	run_in_child(&options, wait_forever);
	assert_reported();
	assert_said("locked to thread");
}
END_TEST

static int leave_three(void *arg)
{
	for (int i = 0; i < 3; i++)
		weft_go(go_wait_forever, NULL);
	return 0;
}

START_TEST(tasks_that_wait_after_main_returned)
{
	run_in_child(NULL, leave_three);
	assert_reported();
	assert_said("weft: main returned; 3 tasks still wait\nweft: all tasks");
	ck_assert_uint_eq(count_of(said, "[nothing, "), 3);
}
END_TEST

START_TEST(tasks_that_wait_after_main_ended_locked_to_the_first_thread)
{
	struct weft_options options = {.flags = WEFT_LOCK_MAIN};
	run_in_child(&options, leave_three);
	assert_reported();
	assert_said("weft: main returned; 3 tasks still wait\nweft: all tasks");
}
END_TEST

static int exit_and_leave_one(void *arg)
{
	weft_go(go_wait_forever, NULL);
	weft_exit(0);
}

START_TEST(a_task_that_waits_after_main_left_by_weft_exit)
{
	run_in_child(NULL, exit_and_leave_one);
	assert_reported();
	assert_said("weft: main returned; 1 task still waits\n");
}
END_TEST

static int locked_waiter(void *arg)
{
	weft_lock_os_thread();
	return wait_forever(NULL);
}

static int wait_for_locked(void *arg)
{
	struct weft_task *task;
	weft_spawn(&task, NULL, locked_waiter, NULL);
	return weft_join(task, NULL, WEFT_FOREVER);
}

START_TEST(locked_tasks_that_wait_for_ever)
{
	run_in_child(NULL, wait_for_locked);
	assert_reported();
	assert_said("[join, ");
	assert_said("locked to thread");
}
END_TEST

static int end_locked(void *arg)
{
	return weft_lock_os_thread();
}

/* The thread of a task that ended locked dies while the process comes to rest. */
static int wait_after_thread_exits(void *arg)
{
	struct weft_task *tasks[8];
	for (int i = 0; i < 8; i++)
		weft_spawn(&tasks[i], NULL, end_locked, NULL);
	for (int i = 0; i < 8; i++)
		weft_join(tasks[i], NULL, WEFT_FOREVER);
	return wait_forever(NULL);
}

START_TEST(waiting_for_ever_beside_threads_that_die)
{
	for (int i = 0; i < 10; i++) {
		run_in_child(NULL, wait_after_thread_exits);
		assert_reported();
	}
}
END_TEST

/* ---- nobody cries wolf ---- */

static struct weft_task *sleeper;

static int wait_and_be_woken(void *arg)
{
	wait_forever(NULL);
	return 0;
}

static int wake_after(int (*pause)(void))
{
	weft_spawn(&sleeper, NULL, wait_and_be_woken, NULL);
	if (pause() < 0)
		return 1;
	weft_cancel(sleeper);
	return weft_join(sleeper, NULL, WEFT_FOREVER);
}

static int sleep_by_timer(void)
{
	return weft_sleep(50 * MS);
}

static int sleep_in_the_kernel(void)
{
	return usleep(50 * 1000);
}

static int sleep_with_hint(void)
{
	weft_blocking_begin();
	usleep(50 * 1000);
	return weft_blocking_end();
}

static int by_timer(void *arg)
{
	return wake_after(sleep_by_timer);
}

static int by_system_call(void *arg)
{
	return wake_after(sleep_in_the_kernel);
}

static int by_hint(void *arg)
{
	return wake_after(sleep_with_hint);
}

START_TEST(not_while_a_timer_runs)
{
	run_in_child(NULL, by_timer);
	assert_not_reported(0);
}
END_TEST

START_TEST(not_while_a_task_is_in_a_system_call)
{
	run_in_child(NULL, by_system_call);
	assert_not_reported(0);
	run_in_child(NULL, by_hint);
	assert_not_reported(0);
}
END_TEST

static void *cancel_from_outside(void *arg)
{
	usleep(100 * 1000);
	weft_cancel(arg);
	return NULL;
}

static int woken_by_a_thread(void *arg)
{
	pthread_t thread;
	pthread_create(&thread, NULL, cancel_from_outside, weft_self());
	pthread_detach(thread);
	return wait_forever(NULL);
}

START_TEST(not_while_the_process_has_other_threads)
{
	run_in_child(NULL, woken_by_a_thread);
	assert_not_reported(0);
}
END_TEST

/* ---- threads that die ---- */

static pthread_key_t key;

static int lock_with_key(void *arg)
{
	weft_lock_os_thread();
	return pthread_setspecific(key, arg);
}

static void cancel_late(void *task)
{
	usleep(100 * 1000);
	weft_cancel(task);
}

static int woken_by_a_key_destructor(void *arg)
{
	struct weft_task *task;
	pthread_key_create(&key, cancel_late);
	weft_spawn(&task, NULL, lock_with_key, weft_self());
	weft_detach(task);
	return wait_forever(NULL);
}

START_TEST(not_while_a_key_destructor_may_wake_a_task)
{
	run_in_child(NULL, woken_by_a_key_destructor);
	assert_not_reported(0);
}
END_TEST

/* Is a list like /proc/self/task known that holds this runtime's first thread, and `hidden` ones that
 * it does not show, as one that ends early because a thread dies? */
static bool list_is_known(int hidden)
{
	char path[] = "/dev/shm/weft-threads-XXXXXX", name[2][16];
	ck_assert_ptr_nonnull(mkdtemp(path));
	int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(name[0], sizeof(name[0]), "%d", (int)sched.caller_tid);
	snprintf(name[1], sizeof(name[1]), ".hidden");
	for (int i = 0; i <= hidden; i++)
		ck_assert_int_eq(mkdirat(directory, name[i], 0700), 0);
	bool known = weft__deadlock_threads_known(directory);
	for (int i = 0; i <= hidden; i++)
		ck_assert_int_eq(unlinkat(directory, name[i], AT_REMOVEDIR), 0);
	close(directory);
	ck_assert_int_eq(rmdir(path), 0);
	return known;
}

static int read_lists(void *arg)
{
	ck_assert(list_is_known(0));
	ck_assert(!list_is_known(1));
	return 0;
}

START_TEST(not_when_the_list_of_threads_ends_early)
{
	ck_assert_int_eq(weft_run(NULL, read_lists, NULL), 0);
}
END_TEST

static void *go_without_a_word(void *arg)
{
	usleep(100 * 1000);
	return NULL;
}

static int left_by_a_thread(void *arg)
{
	pthread_t thread;
	pthread_create(&thread, NULL, go_without_a_word, NULL);
	pthread_detach(thread);
	return wait_forever(NULL);
}

START_TEST(when_the_last_other_thread_has_gone)
{
	run_in_child(NULL, left_by_a_thread);
	assert_reported();
}
END_TEST

static void cancel_sleeper(int signo)
{
	_exit(9);
}

static int wait_with_outside_waker(void *arg)
{
	signal(SIGALRM, cancel_sleeper);
	alarm(1);
	add_seq_cst(&sched.outside_wakers, 1);
	return wait_forever(NULL);
}

START_TEST(not_while_a_signal_or_child_may_wake_a_task)
{
	run_in_child(NULL, wait_with_outside_waker);
	assert_not_reported(9);
}
END_TEST

static int crash(void *arg)
{
	weft_go(go_wait_forever, NULL);
	weft_yield();
	*(volatile int *)0 = 1; /* NOLINT: the crash is wanted */
	return 0;
}

static int crash_in_child(void *arg)
{
	struct weft_options options = {.flags = WEFT_NO_SIGNALS};
	signal(SIGSEGV, SIG_DFL); /* a sanitizer's would exit instead */
	return weft_run(&options, crash, NULL);
}

START_TEST(a_crash_is_a_crash)
{
	in_child(crash_in_child, NULL);
#ifdef WEFT_ASAN
	assert_not_reported(1); /* its handler cannot be removed, and exits */
#else
	assert_not_reported(-SIGSEGV);
#endif
}
END_TEST

int main(void)
{
#ifdef WEFT_TSAN
	puts("skipped: ThreadSanitizer has a thread of its own, so no deadlock can be certain");
	return 77;
#endif
	const TTest *const tests[] = {
		one_task_that_waits_for_ever,
		a_main_task_on_the_first_thread,
		tasks_that_wait_after_main_returned,
		tasks_that_wait_after_main_ended_locked_to_the_first_thread,
		a_task_that_waits_after_main_left_by_weft_exit,
		locked_tasks_that_wait_for_ever,
		waiting_for_ever_beside_threads_that_die,
		not_while_a_timer_runs,
		not_while_a_task_is_in_a_system_call,
		not_while_the_process_has_other_threads,
		not_while_a_key_destructor_may_wake_a_task,
		not_when_the_list_of_threads_ends_early,
		when_the_last_other_thread_has_gone,
		not_while_a_signal_or_child_may_wake_a_task,
		a_crash_is_a_crash,
	};
	return run_tests("deadlock", tests, array_len(tests));
}
