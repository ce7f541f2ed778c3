/* SPDX-License-Identifier: MIT */
/*
 * test_limits.c: programs that need more threads than they can have go on with those that there are.
 *
 * Few threads by max_threads, or by the kernel (RLIMIT_NPROC, in a child of another user). Each kind of work that needs
 * a thread of its own is tried with each limit and number of processors: it must end, and with the right sum. What is
 * never possible, because all threads belong to locked tasks that wait for one that has none, is fatal, and says why.
 */
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../tasks.h"

enum { FEWEST = 2, MOST = 8, TASKS = 12, STEPS = 4 };

static int done;

static void one_more(void)
{
	__atomic_add_fetch(&done, 1, __ATOMIC_RELAXED);
}

/* ---- what needs a thread of its own ---- */

static int blocks(void *arg)
{
	for (int i = 0; i < STEPS; i++)
		usleep(300);
	one_more();
	return 0;
}

static int blocks_with_a_hint(void *arg)
{
	for (int i = 0; i < STEPS; i++) {
		weft_blocking_begin();
		usleep(300);
		weft_blocking_end();
	}
	one_more();
	return 0;
}

static int ends_locked(void *arg)
{
	weft_lock_os_thread();
	one_more();
	return 0;
}

static int sleeps_locked(void *arg)
{
	weft_lock_os_thread();
	for (int i = 0; i < STEPS; i++)
		weft_sleep(MS / 3);
	one_more();
	return weft_unlock_os_thread();
}

static int sleeps(void *arg)
{
	for (int i = 0; i < STEPS; i++)
		weft_sleep(MS / 3);
	one_more();
	return 0;
}

static int (*const kinds[])(void *arg) = {blocks, blocks_with_a_hint, ends_locked, sleeps};

/* A few at a time, so that those which hold a thread to their end can end. */
static void run_a_crowd(int (*fn)(void *arg), int (*other)(void *arg))
{
	struct weft_task *task[TASKS];
	for (int i = 0; i < TASKS; i++)
		task[i] = tasks_start(i % 2 ? fn : other, NULL);
	for (int i = 0; i < TASKS; i++)
		tasks_join(task[i]);
}

static int main_task(void *arg)
{
	int want = 0;
	for (size_t i = 0; i < 4; i++)
		for (size_t j = 0; j < 4; j++, want += TASKS)
			run_a_crowd(kinds[i], kinds[j]);
	ck_assert_int_eq(done, want);
	return 42;
}

START_TEST(every_kind_of_work_ends_with_few_threads)
{
	struct weft_options o = {.size = sizeof(o),
				 .max_threads = (unsigned)(FEWEST + _i / 3),
				 .processors = tasks_processors[_i % 3]};
	ck_assert_int_eq(weft_run(&o, main_task, NULL), 42);
}
END_TEST

/* ---- locked tasks need no other thread than their own ---- */

static int locked_sleepers(void *arg)
{
	int others = *(int *)arg - 1;
	struct weft_task *task[MOST];
	for (int i = 0; i < others; i++)
		task[i] = tasks_start(sleeps_locked, NULL);
	sleeps_locked(NULL);
	for (int i = 0; i < others; i++)
		tasks_join(task[i]);
	return done;
}

START_TEST(as_many_locked_tasks_as_threads_wake_by_themselves)
{
	int threads = FEWEST + _i / 3;
	struct weft_options o = {.size = sizeof(o),
				 .max_threads = (unsigned)threads,
				 .processors = tasks_processors[_i % 3]};
	ck_assert_int_eq(weft_run(&o, locked_sleepers, &threads), threads);
}
END_TEST

/* ---- the kernel gives few ---- */

/* In a child, as a user of its own without rights: root's threads are not counted. */
static int run_with_few_threads(rlim_t threads, unsigned processors)
{
	pid_t pid = fork();
	if (pid == 0) {
		struct rlimit limit = {threads, threads};
		uid_t nobody = 1000000 + (uid_t)getpid();
		if (setresuid(nobody, nobody, nobody) < 0 || setrlimit(RLIMIT_NPROC, &limit) < 0)
			_exit(77);
		_exit((unsigned char)tasks_run(processors, main_task, NULL));
	}
	int status;
	waitpid(pid, &status, 0);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

START_TEST(every_kind_of_work_ends_where_the_kernel_gives_few_threads)
{
	int result = run_with_few_threads((rlim_t)(4 + _i / 3), tasks_processors[_i % 3]);
	ck_assert(result == 42 || result == 77);
}
END_TEST

/* The calling thread, the monitor, and no third. */
START_TEST(no_thread_for_the_first_task_is_an_error)
{
	for (rlim_t threads = 1; threads <= 2; threads++) {
		int result = run_with_few_threads(threads, 2);
		ck_assert(result == (unsigned char)-EAGAIN || result == 77);
	}
}
END_TEST

static void add_all(TCase *t)
{
	tcase_add_loop_test(t, every_kind_of_work_ends_with_few_threads, 0,
			    3 * (MOST - FEWEST + 1));
	tcase_add_loop_test(t, as_many_locked_tasks_as_threads_wake_by_themselves, 0,
			    3 * (MOST - FEWEST + 1));
	tcase_add_loop_test(t, every_kind_of_work_ends_where_the_kernel_gives_few_threads, 0, 9);
	tcase_add_test(t, no_thread_for_the_first_task_is_an_error);
}

TESTS_MAIN("limits of threads", add_all)
