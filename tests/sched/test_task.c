/* SPDX-License-Identifier: MIT */
/* test_task.c: starting, joining, cancelling and ending tasks; the runtime's beginning and end. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../tasks.h"
#include "base/attr.h"

/* ---- starting and joining ---- */

static int give_back(void *arg)
{
	return (int)(intptr_t)arg;
}

static int yield_then_give_back(void *arg)
{
	weft_yield();
	return (int)(intptr_t)arg;
}

TASK_TEST("every task of a batch returns its own result")
{
	enum { N = 5000 };
	static struct weft_task *task[N];
	for (intptr_t i = 0; i < N; i++)
		task[i] = tasks_start(i % 2 ? give_back : yield_then_give_back, (void *)i);
	for (int i = 0; i < N; i++)
		expect_eq(tasks_join(task[i]), i);
}

static int count_down(void *arg)
{
	intptr_t n = (intptr_t)arg;
	int result = -1;
	if (n == 0)
		return 0;
	/* without a bound: the first waits for all */
	expect_eq(weft_join(tasks_start(count_down, (void *)(n - 1)), &result, WEFT_FOREVER), 0);
	return 1 + result;
}

TASK_TEST("a chain of tasks may be ten thousand deep")
{
	expect_eq(count_down((void *)10000), 10000);
}

static int wait_for_cancel(void *arg)
{
	return weft_sleep_until(WEFT_FOREVER);
}

TASK_TEST("a join that gives up leaves the task joinable")
{
	struct weft_task *task = tasks_start(wait_for_cancel, NULL);
	expect_eq(weft_join(task, NULL, 0), -EAGAIN);
	expect_eq(weft_join(task, NULL, weft_after(MS)), -ETIMEDOUT);
	expect_eq(weft_join(task, NULL, weft_now() - 1), -ETIMEDOUT);
	expect_eq(weft_cancel(task), 0);
	expect_eq(tasks_join(task), -ECANCELED);
}

static int join_it(void *arg)
{
	return weft_join(arg, NULL, WEFT_FOREVER);
}

TASK_TEST("a cancelled join leaves the task joinable")
{
	struct weft_task *task = tasks_start(wait_for_cancel, NULL);
	struct weft_task *joiner = tasks_start(join_it, task);
	tasks_settle();
	weft_cancel(joiner);
	expect_eq(tasks_join(joiner), -ECANCELED);
	weft_cancel(task);
	expect_eq(tasks_join(task), -ECANCELED);
}

TASK_TEST("an ended task can be joined by a cancelled one and with deadline zero")
{
	struct weft_task *task = tasks_start(give_back, (void *)7);
	int result = 0;
	tasks_settle();
	weft_cancel(weft_self());
	expect_eq(weft_join(task, &result, 0), 0);
	expect_eq(result, 7);
	weft_cancel_clear();
}

TASK_TEST("joining oneself is a deadlock error")
{
	expect_eq(weft_join(weft_self(), NULL, WEFT_FOREVER), -EDEADLK);
}

static int ended_detached;

static int note_end(void *arg)
{
	weft_sleep(MS);
	__atomic_fetch_add(&ended_detached, 1, __ATOMIC_RELAXED);
	return 0;
}

static int detach_many(void *arg)
{
	for (int i = 0; i < 100; i++)
		weft_detach(tasks_start(note_end, NULL));
	struct weft_task *ended = tasks_start(give_back, NULL);
	tasks_settle();
	weft_detach(ended);
	return 3;
}

TEST("the runtime ends when the last detached task has ended")
{
	for (int round = 1; round <= 3; round++) {
		expect_eq(tasks_run(2, detach_many, NULL), 3);
		expect_eq(ended_detached, 100 * round);
	}
}

static noinline int exit_two_frames_down(void)
{
	weft_exit(17);
}

static noinline int exit_one_frame_down(void)
{
	return exit_two_frames_down() + 1;
}

static int exit_from_below(void *arg)
{
	return exit_one_frame_down() + 1;
}

TASK_TEST("weft exit ends the task from any depth")
{
	expect_eq(tasks_join(tasks_start(exit_from_below, NULL)), 17);
}

/* ---- cancellation ---- */

static int cancellation_is_sticky(void *arg)
{
	expect_eq(weft_sleep(1000 * (int64_t)MS), -ECANCELED);
	expect_eq(weft_sleep(1000 * (int64_t)MS), -ECANCELED);
	expect_eq(weft_cancelled(), 1);
	expect_eq(weft_cancel_mask(1), 0);
	expect_eq(weft_sleep(MS), 0);
	expect_eq(weft_cancel_mask(0), 1);
	expect_eq(weft_sleep(1000 * (int64_t)MS), -ECANCELED);
	weft_cancel_clear();
	expect_eq(weft_cancelled(), 0);
	return weft_sleep(MS);
}

TASK_TEST("cancellation stays until it is cleared and can be masked")
{
	struct weft_task *task = tasks_start(cancellation_is_sticky, NULL);
	tasks_settle();
	weft_cancel(task);
	expect_eq(tasks_join(task), 0);
}

TASK_TEST("a task cancelled before it ran finds out at its first wait")
{
	struct weft_task *task = tasks_start(wait_for_cancel, NULL);
	weft_cancel(task);
	expect_eq(tasks_join(task), -ECANCELED);
}

static int sleep_masked(void *arg)
{
	weft_cancel_mask(1);
	return weft_sleep(20 * MS);
}

TASK_TEST("a masked wait is not ended by cancel")
{
	struct weft_task *task = tasks_start(sleep_masked, NULL);
	tasks_settle();
	weft_cancel(task);
	expect_eq(tasks_join(task), 0);
}

static int race_cancel(void *arg)
{
	for (int i = 0; i < 200; i++) {
		struct weft_task *task = tasks_start(wait_for_cancel, NULL);
		for (int k = 0; k < i % 5; k++)
			weft_yield();
		weft_cancel(task);
		expect_eq(tasks_join(task), -ECANCELED);
	}
	return 0;
}

TASK_TEST("cancel races with the wait and is never lost")
{
	struct weft_task *task[8];
	for (int i = 0; i < 8; i++)
		task[i] = tasks_start(race_cancel, NULL);
	for (int i = 0; i < 8; i++)
		expect_eq(tasks_join(task[i]), 0);
}

/* ---- sleeping ---- */

TASK_TEST("a sleep lasts at least its time")
{
	for (int64_t ns = 1; ns < 20 * MS; ns *= 7) {
		int64_t start = weft_now();
		expect_eq(weft_sleep(ns), 0);
		expect_ge(weft_now() - start, ns);
	}
	expect_eq(weft_sleep(0), 0);
	expect_eq(weft_sleep(-5), 0);
	expect_eq(weft_sleep(INT64_MIN), 0);
	expect_eq(weft_sleep_until(weft_now() - MS), 0);
}

TASK_TEST("deadlines saturate")
{
	expect_eq(weft_after(INT64_MAX), WEFT_FOREVER);
	expect_lt(weft_after(INT64_MIN), 0);
	expect_gt(weft_after(1), 0);
}

static void ignore(int signo)
{
}

static int storming;

static void *signal_storm(void *arg)
{
	while (flag(&storming)) {
		kill(getpid(), SIGUSR1);
		usleep(100);
	}
	return NULL;
}

TASK_TEST("a signal storm does not extend or shorten a sleep")
{
	struct sigaction action = {.sa_handler = ignore};
	pthread_t thread;
	sigaction(SIGUSR1, &action, NULL);
	flag_set(&storming, 1);
	pthread_create(&thread, NULL, signal_storm, NULL);
	for (int i = 0; i < 20; i++) {
		int64_t start = weft_now();
		expect_eq(weft_sleep(5 * MS), 0);
		expect_ge(weft_now() - start, 5 * MS);
	}
	flag_set(&storming, 0);
	pthread_join(thread, NULL);
}

/* ---- task-local storage, names, ids ---- */

static unsigned key_a, key_b;
static int destroyed;

static void destroy(void *value)
{
	__atomic_fetch_add(&destroyed, (int)(intptr_t)value, __ATOMIC_RELAXED);
}

static int use_keys(void *arg)
{
	expect_eq(weft_key_get(key_a), NULL);
	expect_eq(weft_key_set(key_a, arg), 0);
	expect_eq(weft_key_set(key_b, NULL), 0);
	weft_sleep(MS);
	expect_eq(weft_key_get(key_a), arg);
	expect_eq(weft_key_set(12345, arg), -EINVAL);
	return 0;
}

TASK_TEST("values belong to their task and are destroyed with it")
{
	struct weft_task *task[100];
	destroyed = 0;
	expect_eq(weft_key_create(&key_a, destroy), 0);
	expect_eq(weft_key_create(&key_b, destroy), 0);
	for (intptr_t i = 0; i < 100; i++)
		task[i] = tasks_start(use_keys, (void *)(i + 1));
	for (int i = 0; i < 100; i++)
		tasks_join(task[i]);
	expect_eq(destroyed, 5050);
}

TASK_TEST("ids are never used twice")
{
	static uint8_t seen[1 << 20];
	memset(seen, 0, sizeof(seen));
	for (int i = 0; i < 2000; i++) {
		struct weft_task *task = tasks_start(give_back, NULL);
		uint64_t id = weft_task_id(task);
		expect(id > 0 && id < sizeof(seen) && !seen[id]);
		seen[id] = 1;
		tasks_join(task);
	}
	expect_eq(weft_task_id(NULL), 0);
	expect_eq(weft_set_name("a name that is longer than thirty-one bytes"), 0);
	expect_eq(weft_set_name(NULL), 0);
}

/* ---- the runtime ---- */

static int run_again(void *arg)
{
	return weft_run(NULL, give_back, NULL);
}

TEST("one runtime at a time")
{
	expect_eq(tasks_run(1, run_again, NULL), -EBUSY);
	expect_eq(weft_run(NULL, NULL, NULL), -EINVAL);
	struct weft_options bad = {.processors = 1000000};
	expect_eq(weft_run(&bad, give_back, NULL), -EINVAL);
	bad = (struct weft_options){.flags = 0x8000};
	expect_eq(weft_run(&bad, give_back, NULL), -EINVAL);
	bad = (struct weft_options){.stack_size = (size_t)1 << 50};
	expect_eq(weft_run(&bad, give_back, NULL), -EINVAL);
}

/* ---- options of other versions ---- */

/* Options of `size` bytes, all zero but the byte at `at` (0: none): what `take` says to them. */
static int take_sized(int (*take)(const void *options), size_t size, size_t at)
{
	_Alignas(size_t) char options[8192] = {0};
	memcpy(options, &size, sizeof(size));
	if (at)
		options[at] = 1;
	return take(options);
}

static int run_with(const void *options)
{
	return weft_run(options, give_back, NULL);
}

static int spawn_with(const void *options)
{
	struct weft_task *task;
	int err = weft_spawn(&task, options, give_back, NULL);
	return err ? err : weft_join(task, NULL, WEFT_FOREVER);
}

/* Every size from nothing to too much, and each byte that only a later version could know. */
static void check_sizes(int (*take)(const void *options), size_t first, size_t known)
{
	const size_t later = known + 16;
	expect_eq(take_sized(take, 0, 0), 0);
	for (size_t size = 1; size < first; size++)
		expect_eq(take_sized(take, size, 0), -EINVAL);
	for (size_t size = first; size <= later; size++)
		expect_eq(take_sized(take, size, 0), 0);
	for (size_t at = known; at < later; at++) {
		expect_eq(take_sized(take, later, at), -E2BIG);
		expect_eq(take_sized(take, at, at), 0); /* not the struct's any more */
	}
	expect_eq(take_sized(take, 8192, 0), -E2BIG);
	expect_eq(take_sized(take, SIZE_MAX, 0), -E2BIG);
}

TEST("options of a later version are refused when they ask for more")
{
	check_sizes(run_with, 32, sizeof(struct weft_options)); /* 0.1's had 32 bytes */
}

static int spawn_sizes(void *arg)
{
	check_sizes(spawn_with, 24, sizeof(struct weft_spawn_options)); /* 0.1's had 24 bytes */
	return 0;
}

TEST("spawn options of a later version are refused when they ask for more")
{
	expect_eq(tasks_run(1, spawn_sizes, NULL), 0);
}

static int thread_count(void)
{
	int n = 0;
	char line[128];
	FILE *f = fopen("/proc/self/status", "r");
	while (fgets(line, sizeof(line), f))
		sscanf(line, "Threads: %d", &n);
	fclose(f);
	return n;
}

static int start_some(void *arg)
{
	for (int i = 0; i < 100; i++)
		weft_go((void (*)(void *))(void *)weft_yield, NULL);
	return 5;
}

TEST("all threads are gone when weft run returns and it can run again")
{
	expect_eq(tasks_run(1, start_some, NULL), 5);
	usleep(100 * 1000); /* a joined thread may take a moment to leave the kernel's list */
	int before = thread_count(); /* a sanitizer may have one of its own */
	for (int i = 0; i < 50; i++)
		expect_eq(tasks_run(1 + i % 5, start_some, NULL), 5);
	for (int ms = 0; ms < 1000 && thread_count() > before; ms++)
		usleep(1000);
	expect_le(thread_count(), before);
}

TEST("a thousand processors work")
{
	expect_eq(tasks_run(1024, start_some, NULL), 5);
}

TEST("outside of a runtime calls say so")
{
	struct weft_task *task;
	expect_eq(weft_go((void (*)(void *))(void *)weft_yield, NULL), -EINVAL);
	expect_eq(weft_spawn(&task, NULL, give_back, NULL), -EINVAL);
	expect_eq(weft_sleep(1), -EINVAL);
	expect_eq(weft_stop(), -EINVAL);
	expect_eq(weft_lock_os_thread(), -EINVAL);
	expect_eq(weft_key_set(0, NULL), -EINVAL);
	expect_eq(weft_self(), NULL);
	weft_yield();
}

static int stopped_sleepers(void *arg)
{
	struct weft_task *task[50];
	for (int i = 0; i < 50; i++)
		task[i] = tasks_start(wait_for_cancel, NULL);
	tasks_settle();
	expect_eq(weft_stop(), 0);
	expect_eq(weft_sleep_until(WEFT_FOREVER), -ECANCELED);
	expect_eq(weft_go((void (*)(void *))(void *)weft_yield, NULL), -ESHUTDOWN);
	expect_eq(weft_spawn(&task[0], NULL, give_back, NULL), -ESHUTDOWN);
	weft_cancel_clear();
	for (int i = 0; i < 50; i++)
		expect_eq(tasks_join(task[i]), -ECANCELED);
	return 9;
}

TEST("stop cancels every task and refuses new ones", .times = 3)
{
	expect_eq(tasks_run(tasks_processors[nth], stopped_sleepers, NULL), 9);
	expect_eq(tasks_run(1, give_back, (void *)4), 4); /* and the next runtime starts fresh */
}

static int from_outside;

static void note_outside(void *arg)
{
	__atomic_fetch_add(&from_outside, 1, __ATOMIC_RELEASE);
}

static void *go_from_outside(void *arg)
{
	for (int i = 0; i < 1000; i++)
		expect_eq(weft_go(note_outside, NULL), 0);
	return NULL;
}

TASK_TEST("foreign threads may start tasks")
{
	pthread_t thread[4];
	from_outside = 0;
	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, go_from_outside, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < 10000 && __atomic_load_n(&from_outside, __ATOMIC_RELAXED) < 4000; i++)
		weft_sleep(MS);
	expect_eq(flag(&from_outside), 4000);
}

TASK_TEST("a forked child has no runtime but lives")
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(weft_go(note_outside, NULL) == -ENOTSUP && weft_sleep(1) == -ENOTSUP &&
				      weft_random_u64()
			      ? 0
			      : 1);
	int status = -1;
	expect_eq(waitpid(pid, &status, 0), pid);
	expect_eq(status, 0);
}

/* ---- what is left of a stack ---- */

static char *abandoned;

static noinline void abandon_frame(void)
{
	char frame[64];
	abandoned = frame;
	__asm__ volatile("" ::"r"(frame) : "memory");
	weft_exit(3);
}

static int abandon(void *arg)
{
	abandon_frame();
	return 0;
}

/*
 * A frame that never returned must not leave AddressSanitizer's marks behind for the next owner of
 * the addresses.
 */
TEST("memory that was a stack is anybodys after the run")
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	expect_eq(tasks_run(1, abandon, NULL), 3);
	char *at = (char *)((uintptr_t)abandoned & ~(page - 1));
	char *p = mmap(at, page, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	expect_eq(p, at);
	memset(p, 1, page);
	munmap(p, page);
}

/* ---- signal handlers ---- */

static int yield_in_handler_main(void *arg)
{
	raise(SIGUSR2);
	return 0;
}

static void call_weft(int signo)
{
	/* from user code this is allowed to reach the runtime: it is not inside of it */
	weft_yield();
}

TEST("a handler that interrupts user code may reach the runtime")
{
	signal(SIGUSR2, call_weft);
	expect_eq(tasks_run(1, yield_in_handler_main, NULL), 0);
}
