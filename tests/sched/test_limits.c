/* SPDX-License-Identifier: MIT */
/*
 * test_limits.c: programs that need more threads than they can have go on with those that there
 * are.
 *
 * Few threads by max_threads, or by the kernel (RLIMIT_NPROC, in a child of another user). Each
 * kind of work that needs a thread of its own is tried with each limit and number of processors: it
 * must end, and with the right sum. What is never possible, because all threads belong to locked
 * tasks that wait for one that has none, is fatal, and says why.
 */
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../tasks.h"
#include "base/attr.h"

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
	expect_eq(done, want);
	return 42;
}

TEST("every kind of work ends with few threads", .times = 3 * (MOST - FEWEST + 1))
{
	struct weft_options o = {.size = sizeof(o),
				 .max_threads = (unsigned)(FEWEST + nth / 3),
				 .processors = tasks_processors[nth % 3]};
	expect_eq(weft_run(&o, main_task, NULL), 42);
}

/* ---- the warning ---- */

static bool anything_said(void)
{
	struct stat st;
	return fstat(STDERR_FILENO, &st) == 0 && st.st_size > 0;
}

static int blocks_until_it_is_said(void *arg)
{
	enum { LOOKS = 10000 }; /* of a millisecond each */
	for (int i = 0; i < LOOKS && !anything_said(); i++)
		usleep(1000);
	return 0;
}

static int three_block(void *arg)
{
	for (int i = 0; i < 3; i++)
		weft_detach(tasks_start(blocks_until_it_is_said, NULL));
	return 0;
}

TEST("the warning counts threads in blocking code that keep their processor")
{
	struct weft_options o = {.size = sizeof(o), .processors = 1, .max_threads = 2};
	char line[256] = "";
	FILE *err = tmpfile();
	expect_ge(dup2(fileno(err), STDERR_FILENO), 0);
	expect_eq(weft_run(&o, three_block, NULL), 0);
	rewind(err);
	expect_ne(fgets(line, sizeof(line), err), NULL);
	expect_ne(strstr(line, "2 are in code that blocks or computes"), NULL);
}

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

TEST("as many locked tasks as threads wake by themselves", .times = 3 * (MOST - FEWEST + 1))
{
	int threads = FEWEST + nth / 3;
	struct weft_options o = {.size = sizeof(o),
				 .max_threads = (unsigned)threads,
				 .processors = tasks_processors[nth % 3]};
	expect_eq(weft_run(&o, locked_sleepers, &threads), threads);
}

/* ---- nor when the only other one blocks ---- */

static struct weft_chan *question;
static int answered;

static int answers_locked(void *arg)
{
	weft_lock_os_thread();
	expect_eq(weft_chan_recv(question, NULL, WEFT_FOREVER), 0);
	__atomic_store_n(&answered, 1, __ATOMIC_RELEASE);
	return 0;
}

/* Asks the locked task, and waits for its answer in user code. */
static int blocks_until_answered(void *hint)
{
	question = weft_chan_new(0, 1);
	struct weft_task *task = tasks_start(answers_locked, NULL);
	tasks_settle();
	expect_eq(weft_chan_send(question, NULL, WEFT_FOREVER), 0);
	if (hint)
		weft_blocking_begin();
	while (!__atomic_load_n(&answered, __ATOMIC_ACQUIRE))
		usleep(300);
	if (hint)
		weft_blocking_end();
	expect_eq(tasks_join(task), 0);
	weft_chan_unref(question);
	return 42;
}

TEST("a locked task answers the only other thread, which blocks", .times = 2)
{
	struct weft_options o = {.size = sizeof(o), .max_threads = 2, .processors = 1};
	expect_eq(weft_run(&o, blocks_until_answered, nth ? "" : NULL), 42);
}

/* ---- the kernel refuses threads ---- */

#ifdef WEFT_TSAN
enum { OF_THE_SANITIZER = 1 }; /* it starts one of its own before the first of the program */
#else
enum { OF_THE_SANITIZER = 0 };
#endif

/* In a child, as a user of its own without rights: root's threads are not counted. */
static int run_with_few_threads(rlim_t threads, unsigned processors)
{
	pid_t pid = fork();
	if (pid == 0) {
		rlim_t all = threads + OF_THE_SANITIZER;
		struct rlimit limit = {all, all};
		uid_t nobody = 1000000 + (uid_t)getpid();
		if (setresuid(nobody, nobody, nobody) < 0 || setrlimit(RLIMIT_NPROC, &limit) < 0)
			_exit(77);
		_exit((unsigned char)tasks_run(processors, main_task, NULL));
	}
	int status;
	waitpid(pid, &status, 0);
	expect(WIFEXITED(status));
	return WEXITSTATUS(status);
}

TEST("every kind of work ends where the kernel gives few threads", .times = 9)
{
	int result = run_with_few_threads((rlim_t)(4 + nth / 3), tasks_processors[nth % 3]);
	expect(result == 42 || result == 77);
}

/* The calling thread, the monitor, and no third. */
TEST("no thread for the first task is an error")
{
	for (rlim_t threads = 1; threads <= 2; threads++) {
		int result = run_with_few_threads(threads, 2);
		expect(result == (unsigned char)-EAGAIN || result == 77);
	}
}

/* ---- who waits for a thread waits as long as those who have them may be woken ---- */

#define LONG (11 * 1000 * (int64_t)MS) /* longer than the template waits where nothing will */

static int sleeps_long_locked(void *arg)
{
	weft_lock_os_thread();
	expect_eq(weft_sleep(LONG), 0);
	return weft_unlock_os_thread();
}

/* Both threads are those of tasks that are locked. */
static int run_behind_locked(void *arg)
{
	struct weft_task *first = tasks_start(sleeps_long_locked, NULL);
	tasks_settle();
	struct weft_task *second = tasks_start(sleeps, NULL);
	expect_eq(sleeps_long_locked(NULL), 0);
	expect_eq(tasks_join(first), 0);
	expect_eq(tasks_join(second), 0);
	return 42;
}

TEST("locked tasks that are still to wake end no program")
{
	struct weft_options o = {.size = sizeof(o), .processors = 1, .max_threads = 2};
	expect_eq(weft_run(&o, run_behind_locked, NULL), 42);
}
