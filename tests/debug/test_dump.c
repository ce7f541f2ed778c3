/* SPDX-License-Identifier: MIT */
/* test_dump.c: weft_dump, SIGQUIT, and the last words of a misuse show every task. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/attr.h"
#include "debug_test.h"

#define assert_in(text, word) \
	expect_that(strstr((text), (word)) != NULL, "'%s' is not in:\n%s", (word), (text))

/* What it says stands in the stack of a task that has called it. */
static noinline void sleep_in_named_function(void *arg)
{
	weft_set_name("resolver");
	weft_sleep(3600ll * 1000 * MS);
	__asm__ volatile(""); /* no tail call: the frame has to be there */
}

static void give_time(void)
{
	for (int i = 0; i < 20; i++)
		weft_sleep(MS);
}

static int dump_of_a_sleeper(void *arg)
{
	weft_go(sleep_in_named_function, NULL);
	give_time();
	weft_dump(STDERR_FILENO);
	_exit(0);
}

TEST("dump names a task its wait and its stack")
{
	run_in_child(NULL, dump_of_a_sleeper);
	assert_status(0);
	assert_said("'resolver' [sleep, ");
	assert_said("weft_sleep");
	assert_said("sleep_in_named_function+0x");
	assert_said("'main' [running on thread");
	assert_said("dump_of_a_sleeper+0x");
	assert_not_said("weft__task_main");
	assert_not_said("weft__switch_away");
}

/* Returns true when a dump that is taken now says so. */
static bool dump_says(const char *words)
{
	return count_of(dump_text(), words) > 0;
}

static void will_run_one_day(void *arg)
{
}

static int will_run_as_a_member(void *arg)
{
	return 0;
}

/* Until a dump is taken before they begin: main may lose its processor meanwhile. */
static int dump_of_the_unborn(void *arg)
{
	struct weft_group_options o = {.size = sizeof(o), .name = "crew"};
	struct weft_group *group;
	expect_eq(weft_group_new_with(&group, &o), 0);
	do
		weft_go(will_run_one_day, NULL);
	while (!dump_says("[runnable, not started]:\n\twill_run_one_day+0x0 ("));
	do
		weft_group_go(group, will_run_as_a_member, NULL);
	while (!dump_says("'crew' [runnable, not started]:\n\twill_run_as_a_member+0x0 ("));
	_exit(0);
}

TEST("dump shows what a task will run that has not begun")
{
	run_in_child(&(struct weft_options){.size = sizeof(struct weft_options), .processors = 1},
		     dump_of_the_unborn);
	assert_status(0);
}

static int yield_until(void *arg)
{
	while (!__atomic_load_n((int *)arg, __ATOMIC_ACQUIRE))
		weft_yield();
	return 0;
}

static size_t ages_stack;

static int dump_of_each_age(void *arg)
{
	struct weft_spawn_options o = {.size = sizeof(o), .name = "ages", .stack_size = ages_stack};
	struct weft_task *task;
	int over = 0;
	do
		expect_eq(weft_spawn(&task, &o, yield_until, &over), 0);
	while (!dump_says("'ages' [runnable, not started]"));
	while (!dump_says("'ages' [runnable]"))
		weft_yield();
	__atomic_store_n(&over, 1, __ATOMIC_RELEASE);
	while (!dump_says("'ages' [ended, not joined]"))
		weft_yield();
	_exit(0);
}

TEST("a name stays with its task before, while and after it runs", .times = 2)
{
	ages_stack = nth ? 1 << 20 : 0; /* of another size than the default, too */
	run_in_child(&(struct weft_options){.size = sizeof(struct weft_options), .processors = 1},
		     dump_of_each_age);
	assert_status(0);
}

static int gate[2]; /* a pipe */
static int read_whole;

static noinline void block_in_named_function(void *arg)
{
	char byte;
	store_relaxed(&read_whole, read(gate[0], &byte, 1) == 1);
	__asm__ volatile("");
}

static int dump_of_runners(void *arg)
{
	expect_eq(pipe(gate), 0);
	weft_go(spin_for_ever, NULL);
	weft_go(block_in_named_function, NULL);
	give_time();
	weft_dump(STDERR_FILENO);
	expect_eq(write(gate[1], "", 1), 1);
	while (!load_relaxed(&read_whole))
		weft_sleep(MS); /* for ever, should the dump have ended the system call */
	_exit(0);
}

TEST("dump shows the stacks of running tasks")
{
	run_in_child(NULL, dump_of_runners);
	assert_status(0);
#ifndef WEFT_TSAN /* it keeps signals back from a thread that computes */
	assert_said("spin_for_ever+0x");
#endif
	assert_said("block_in_named_function+0x");
}

static int dump_without_signals(void *arg)
{
	weft_go(spin_for_ever, NULL);
	give_time();
	weft_dump(STDERR_FILENO);
	_exit(0);
}

TEST("dump leaves running tasks alone without signals")
{
	struct weft_options options = {.flags = WEFT_NO_SIGNALS};
	run_in_child(&options, dump_without_signals);
	assert_status(0);
	assert_said("cannot be read while it runs");
	assert_not_said("spin_for_ever+0x");
}

/* Sanitizers keep much more for each task. */
#if defined(WEFT_ASAN) || defined(WEFT_TSAN)
enum { FEW = 100 };
#else
enum { FEW = 200 };
#endif
enum { MANY = 10 * FEW };

static int64_t cpu_time(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Of this thread's CPU, once all of so many tasks sleep. */
static int64_t cost_of_dump(unsigned tasks)
{
	int64_t cost;
	char *text;
	do {
		weft_sleep(MS);
		cost = -cpu_time();
		text = dump_text();
		cost += cpu_time();
	} while (count_of(text, "'resolver' [sleep, ") != tasks ||
		 count_of(text, "sleep_in_named_function+0x") != tasks);
	return cost;
}

/* Ten times the tasks cost some ten times as much; a search among all for each, a hundred times. */
static int dump_many(void *arg)
{
	int64_t costs[2] = {0};
	weft_lock_os_thread(); /* whose CPU is counted */
	for (int i = 0; i < MANY; i++) {
		expect_eq(weft_go(sleep_in_named_function, NULL), 0);
		if (i == FEW - 1)
			costs[0] = cost_of_dump(FEW);
	}
	costs[1] = cost_of_dump(MANY);
	_exit(costs[1] > 40 * costs[0]);
}

TEST("the dump of many tasks costs as much for each as that of few")
{
	run_in_child(NULL, dump_many);
	assert_status(0);
}

static void yield_for_ever(void *arg)
{
	for (;;)
		weft_yield();
}

static int dump_while_tasks_switch(void *arg)
{
	for (int i = 0; i < 50; i++)
		weft_go(yield_for_ever, NULL);
	for (int i = 0; i < 200; i++) {
		char *text = dump_text();
		if (count_of(text, "\ntask ") <
		    40) /* a task that ends or moves meanwhile may be missed, not most of them */
			_exit(1);
		weft_yield();
	}
	_exit(0);
}

TEST("dump may be taken while tasks run")
{
	run_in_child(NULL, dump_while_tasks_switch);
	assert_status(0);
}

static void *dump_from_thread(void *arg)
{
	*(int *)arg = weft_dump(STDERR_FILENO);
	return NULL;
}

static int dump_by_a_foreign_thread(void *arg)
{
	pthread_t thread;
	int result = 1;
	pthread_create(&thread, NULL, dump_from_thread, &result);
	pthread_join(thread, NULL);
	return result;
}

TEST("dump works from any thread")
{
	run_in_child(NULL, dump_by_a_foreign_thread);
	assert_status(0);
	assert_said("task 1 'main' [running");
#ifndef WEFT_TSAN /* keeps the signal back that would ask a thread which does not sleep yet */
	assert_said("dump_by_a_foreign_thread+0x");
#endif
}

static int dump_to_nowhere(void *arg)
{
	expect_eq(weft_dump(-1), -EBADF);
	return 0;
}

TEST("dump says what is wrong")
{
	expect_eq(weft_dump(STDERR_FILENO), -EINVAL);
	expect_eq(weft_run(NULL, dump_to_nowhere, NULL), 0);
}

/* ---- SIGQUIT ---- */

#ifndef WEFT_TSAN
static int quit_while_all_spin(void *arg)
{
	for (int i = 0; i < 4; i++)
		weft_go(spin_for_ever, NULL);
	weft_go(sleep_in_named_function, NULL);
	give_time();
	kill(getpid(), SIGQUIT);
	spin_for_ever(NULL);
	return 0;
}

TEST("sigquit dumps while all spin and dies of it")
{
#ifdef WEFT_TSAN
	skip("ThreadSanitizer keeps signals back from threads that compute");
#endif
	run_in_child(NULL, quit_while_all_spin);
	assert_status(-SIGQUIT);
	assert_said("sleep_in_named_function+0x");
	expect_ge(count_of(said, "spin_for_ever+0x"), 2);
}
#endif

static int quit_and_go_on(void *arg)
{
	kill(getpid(), SIGQUIT);
	give_time();
	return 7;
}

static int ignore_quit(void *arg)
{
	signal(SIGQUIT, SIG_IGN);
	return weft_run(NULL, quit_and_go_on, NULL);
}

TEST("sigquit goes on where the program ignored it")
{
	in_child(ignore_quit, NULL);
	assert_status(7);
	assert_said("task 1 'main'");
}

static volatile sig_atomic_t handled;

static void program_handler(int signo)
{
	handled = 1;
}

static int handle_quit(void *arg)
{
	struct sigaction now;
	signal(SIGQUIT, program_handler);
	int result = weft_run(NULL, quit_and_go_on, NULL);
	sigaction(SIGQUIT, NULL, &now);
	return result == 7 && handled && now.sa_handler == program_handler ? 0 : 1;
}

TEST("sigquit goes on to the programs handler")
{
	in_child(handle_quit, NULL);
	assert_status(0);
	assert_said("task 1 'main'");
}

TEST("no signals leaves sigquit alone")
{
	struct weft_options options = {.flags = WEFT_NO_SIGNALS};
	run_in_child(&options, quit_and_go_on);
	assert_status(-SIGQUIT);
	assert_not_said("task 1");
}

/* ---- last words ---- */

static int misuse(void *arg)
{
	weft_go(sleep_in_named_function, NULL);
	give_time();
	weft_detach(weft_self()); /* the main task cannot be detached */
	return 0;
}

TEST("misuse dumps the tasks and aborts")
{
	run_in_child(NULL, misuse);
	assert_status(-SIGABRT);
	assert_said("weft: weft_detach: task 1");
	assert_said("sleep_in_named_function+0x");
	assert_not_said("deadlock!");
}
