/* SPDX-License-Identifier: MIT */
/*
 * test_birth.c: a task has a stack from its first run to its end, and no longer.
 *
 * What it costs before that, and while it waits; who tells that there is no memory for it; that
 * whatever may be done to a task may be done to one that has not begun; and that tasks which follow
 * each other on one stack leave nothing there to each other.
 */
#include <fcntl.h>
#include <fenv.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../tasks.h"
#include "sched/sched.h"
#include "sched/stack.h"

#if defined(WEFT_ASAN) || defined(WEFT_TSAN)
#define NOT_MEASURED "a sanitizer needs memory of its own for each"
#elif defined(EMULATED)
#define NOT_MEASURED "an emulator's memory is measured with ours"
#else
#define NOT_MEASURED NULL
#endif

enum { MANY = 20000 }; /* where each guard takes two mappings, about 32,000 are to be had */

static uint32_t stacks(void)
{
	return load_relaxed(&sched.stack_class->taken);
}

static int count_one(void *arg)
{
	char here[512];
	memset(here, 1, sizeof(here));
	__asm__ volatile("" : : "r"(here) : "memory");
	__atomic_add_fetch((int *)arg, here[0], __ATOMIC_RELAXED);
	return 0;
}

/* ---- what it costs ---- */

/* The main task's stack, one for all others, and a few more: the main task may lose its processor
 * while it starts them. */
#ifdef WEFT_TSAN
enum { FEW = 128 }; /* there a stack rests before it is used again */
#else
enum { FEW = 8 };
#endif

static int run_short_tasks(void *arg)
{
	struct weft_task **tasks = calloc(MANY, sizeof(struct weft_task *));
	int ran = 0;
	for (int i = 0; i < MANY; i++)
		tasks[i] = tasks_start(count_one, &ran);
	for (int i = 0; i < MANY; i++)
		expect_eq(tasks_join(tasks[i]), 0);
	expect_eq(ran, MANY);
	expect_le(stacks(), FEW);
	free(tasks);
	return 42;
}

TEST("tasks that never wait share one stack on one processor")
{
	expect_eq(tasks_run(1, run_short_tasks, NULL), 42);
}

/* In KiB: what is resident, and the tables of its pages. */
static size_t memory(void)
{
	char line[256];
	size_t resident = 0, tables = 0;
	FILE *status = fopen("/proc/self/status", "r");
	expect_ne(status, NULL);
	while (fgets(line, sizeof(line), status)) {
		sscanf(line, "VmRSS: %zu", &resident);
		sscanf(line, "VmPTE: %zu", &tables);
	}
	fclose(status);
	return resident + tables;
}

static struct weft_sem gate = WEFT_SEM_INIT(0);

static int wait_at_gate(void *arg)
{
	return weft_sem_acquire(&gate, 1, WEFT_FOREVER);
}

static int measure_waiting_tasks(void *arg)
{
	struct weft_task **tasks = calloc(MANY, sizeof(struct weft_task *));
	memset(tasks, 1, MANY * sizeof(struct weft_task *)); /* touched before it is measured */
	size_t before = memory();
	for (int i = 0; i < MANY; i++)
		tasks[i] = tasks_start(wait_at_gate, NULL);
	while (stacks() < MANY + 1)
		weft_sleep(MS);
	tasks_settle();
	expect_le((memory() - before) * 1024 / MANY, 4608);
	weft_sem_release(&gate, MANY);
	for (int i = 0; i < MANY; i++)
		expect_eq(tasks_join(tasks[i]), 0);
	free(tasks);
	return 42;
}

TEST("a task that waits takes four and a half KiB, page tables included", .times = 2)
{
	if (NOT_MEASURED)
		skip(NOT_MEASURED);
	struct weft_options o = {
		.size = sizeof(o), .processors = 1 + (unsigned)nth, .stack_size = 64 * 1024};
	expect_eq(weft_run(&o, measure_waiting_tasks, NULL), 42);
}

/* ---- no memory is told to the spawner ---- */

enum { ROOM_MIB = 400, LIMITED = 10000 };

static int ran_in_the_end;

static int run_late(void *arg)
{
	expect_eq(weft_sem_acquire(&gate, 1, WEFT_FOREVER),
		  0); /* so that each needs a stack of its own */
	__atomic_add_fetch(&ran_in_the_end, 1, __ATOMIC_RELAXED);
	return 0;
}

static size_t address_space(void)
{
	size_t pages = 0;
	FILE *statm = fopen("/proc/self/statm", "r");
	expect_ne(statm, NULL);
	expect_eq(fscanf(statm, "%zu", &pages), 1);
	fclose(statm);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static int spawn_to_the_limit(void *arg)
{
	size_t room = address_space() + (size_t)ROOM_MIB * 1024 * 1024;
	struct rlimit limit = {room, room};
	struct weft_task *tasks[LIMITED];
	int n = 0, err = 0;
	expect_eq(setrlimit(RLIMIT_AS, &limit), 0);
	while (n < LIMITED && (err = weft_spawn(&tasks[n], NULL, run_late, NULL)) == 0)
		n++;
	expect_eq(err, -ENOMEM);
	expect_ge(n, ROOM_MIB); /* regions double: at least a third is to be had */
	expect_eq(ran_in_the_end, 0);
	while (stacks() < (uint32_t)n + 1)
		weft_sleep(MS);
	weft_sem_release(&gate, (unsigned)n);
	for (int i = 0; i < n; i++)
		expect_eq(tasks_join(tasks[i]), 0);
	expect_eq(ran_in_the_end, n);
	return 42;
}

TEST("who is told that a task has started sees it run, whatever the limit")
{
	if (NOT_MEASURED)
		skip(NOT_MEASURED);
	expect_eq(tasks_run(1, spawn_to_the_limit, NULL), 42);
}

/* ---- what may be done to a task that has not begun ---- */

static int see_cancellation(void *arg)
{
	flag_set(arg, 1);
	return weft_sleep(1000ll * 1000 * MS);
}

static int cancel_before_birth(void *arg)
{
	int ran = 0;
	struct weft_task *task = tasks_start(see_cancellation, &ran);
	weft_cancel(task);
	expect_eq(tasks_join(task), -ECANCELED);
	expect_eq(flag(&ran), 1);
	return 42;
}

TEST("who is cancelled before it has begun runs, and sees it")
{
	expect_eq(tasks_run(1, cancel_before_birth, NULL), 42);
}

static int stopped[100];

static int stop_before_birth(void *arg)
{
	for (size_t i = 0; i < array_len(stopped); i++)
		weft_detach(tasks_start(see_cancellation, &stopped[i]));
	weft_stop();
	return 42;
}

TEST("whoever has not begun when all is stopped runs, and sees it", .times = 3)
{
	expect_eq(tasks_run(tasks_processors[nth], stop_before_birth, NULL), 42);
	for (size_t i = 0; i < array_len(stopped); i++)
		expect_eq(stopped[i], 1);
}

static int dumper(void *arg)
{
	int sink = open("/dev/null", O_WRONLY);
	while (!flag(arg)) {
		weft_dump(sink);
		weft_yield();
	}
	close(sink);
	return 0;
}

enum { BURSTS = 5, BURST = 300 };

static int burst_while_dumped(void *arg)
{
	struct weft_task *tasks[BURST];
	int over = 0, ran = 0;
	struct weft_task *other = tasks_start(dumper, &over);
	for (int k = 0; k < BURSTS; k++) {
		for (int i = 0; i < BURST; i++)
			tasks[i] = tasks_start(count_one, &ran);
		for (int i = 0; i < BURST; i++)
			expect_eq(tasks_join(tasks[i]), 0);
		weft_yield();
	}
	flag_set(&over, 1);
	expect_eq(tasks_join(other), 0);
	expect_eq(ran, BURSTS * BURST);
	return 42;
}

TEST("tasks get and leave stacks while all are dumped", .times = 3)
{
	expect_eq(tasks_run(tasks_processors[nth], burst_while_dumped, NULL), 42);
}

/* ---- what tasks on one stack leave to each other ---- */

static int mode_and_leave_another(void *arg)
{
	int mine = fegetround();
	fesetround(FE_TOWARDZERO);
	return mine;
}

static int follow_with_modes(void *arg)
{
	static const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TONEAREST};
	struct weft_task *tasks[array_len(modes)];
	for (size_t i = 0; i < array_len(modes); i++) {
		fesetround(modes[i]);
		tasks[i] = tasks_start(mode_and_leave_another, NULL);
	}
	fesetround(FE_TONEAREST);
	for (size_t i = 0; i < array_len(modes); i++)
		expect_eq(tasks_join(tasks[i]), modes[i]);
	return 42;
}

TEST("who follows on a stack begins with its own spawner's rounding mode")
{
	expect_eq(tasks_run(1, follow_with_modes, NULL), 42);
}

static unsigned key;

static int key_is_empty(void *arg)
{
	int empty = weft_key_get(key) == NULL;
	expect_eq(weft_key_set(key, arg), 0);
	return empty;
}

static int follow_with_keys(void *arg)
{
	struct weft_task *tasks[10];
	expect_eq(weft_key_create(&key, NULL), 0);
	for (size_t i = 0; i < array_len(tasks); i++)
		tasks[i] = tasks_start(key_is_empty, tasks);
	for (size_t i = 0; i < array_len(tasks); i++)
		expect_eq(tasks_join(tasks[i]), 1);
	return 42;
}

TEST("who follows on a stack has no values of another's keys")
{
	expect_eq(tasks_run(1, follow_with_keys, NULL), 42);
}

enum { LOCKED = 20, AFTER_EACH = 10 };

static int leaving; /* the thread of the task that ended locked; 0: it has not begun */

static int end_locked(void *arg)
{
	weft_lock_os_thread();
	flag_set(&leaving, gettid());
	return 0;
}

static int runs_on_it(void *arg)
{
	return gettid() == flag(&leaving);
}

static void end_locked_before_others(void)
{
	struct weft_task *tasks[AFTER_EACH];
	flag_set(&leaving, 0);
	for (int i = 0; i < AFTER_EACH; i++)
		tasks[i] = tasks_start(runs_on_it, NULL);
	struct weft_task *first = tasks_start(end_locked, NULL); /* the newest mostly runs first */
	expect_eq(tasks_join(first), 0);
	for (int i = 0; i < AFTER_EACH; i++)
		expect_eq(tasks_join(tasks[i]), 0);
}

static int end_locked_many_times(void *arg)
{
	for (int i = 0; i < LOCKED; i++)
		end_locked_before_others();
	return 42;
}

TEST("a locked task that ends leaves its stack to nobody on its thread")
{
	expect_eq(tasks_run(1, end_locked_many_times, NULL), 42);
}

/* ---- ThreadSanitizer sees the tasks, not their stack ---- */

enum { RACE = 66 };

#ifdef WEFT_TSAN
__attribute__((visibility("default"))) const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "halt_on_error=1:exitcode=66";
}
#endif

static int shared_without_order;

static int race(void *arg)
{
	shared_without_order++;
	return 0;
}

static int race_on_one_stack(void *arg)
{
	struct weft_task *tasks[2];
	for (int i = 0; i < 2; i++)
		tasks[i] = tasks_start(race, NULL);
	for (int i = 0; i < 2; i++)
		tasks_join(tasks[i]);
	return 42;
}

TEST("a race between two tasks that never wait is seen")
{
	int status;
#ifndef WEFT_TSAN
	skip("there is no ThreadSanitizer in this build");
#endif
	pid_t child = fork();
	if (child == 0) {
		close(STDERR_FILENO);
		_exit(tasks_run(1, race_on_one_stack, NULL));
	}
	expect_eq(waitpid(child, &status, 0), child);
	expect(WIFEXITED(status) && WEXITSTATUS(status) == RACE);
}
