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

TEST_TASKS(every_task_of_a_batch_gives_its_own_result)
{
	enum { N = 5000 };
	static struct weft_task *task[N];
	for (intptr_t i = 0; i < N; i++)
		task[i] = tasks_start(i % 2 ? give_back : yield_then_give_back, (void *)i);
	for (int i = 0; i < N; i++)
		ck_assert_int_eq(tasks_join(task[i]), i);
}

static int count_down(void *arg)
{
	intptr_t n = (intptr_t)arg;
	return n == 0 ? 0 : 1 + tasks_join(tasks_start(count_down, (void *)(n - 1)));
}

TEST_TASKS(a_chain_of_tasks_may_be_ten_thousand_deep)
{
	ck_assert_int_eq(tasks_join(tasks_start(count_down, (void *)10000)), 10000);
}

static int wait_for_cancel(void *arg)
{
	return weft_sleep_until(WEFT_FOREVER);
}

TEST_TASKS(a_join_that_gives_up_leaves_the_task_joinable)
{
	struct weft_task *task = tasks_start(wait_for_cancel, NULL);
	ck_assert_int_eq(weft_join(task, NULL, 0), -EAGAIN);
	ck_assert_int_eq(weft_join(task, NULL, weft_after(MS)), -ETIMEDOUT);
	ck_assert_int_eq(weft_join(task, NULL, weft_now() - 1), -ETIMEDOUT);
	ck_assert_int_eq(weft_cancel(task), 0);
	ck_assert_int_eq(tasks_join(task), -ECANCELED);
}

static int join_it(void *arg)
{
	return weft_join(arg, NULL, WEFT_FOREVER);
}

TEST_TASKS(a_cancelled_join_leaves_the_task_joinable)
{
	struct weft_task *task = tasks_start(wait_for_cancel, NULL);
	struct weft_task *joiner = tasks_start(join_it, task);
	tasks_settle();
	weft_cancel(joiner);
	ck_assert_int_eq(tasks_join(joiner), -ECANCELED);
	weft_cancel(task);
	ck_assert_int_eq(tasks_join(task), -ECANCELED);
}

TEST_TASKS(an_ended_task_can_be_joined_by_a_cancelled_one_and_with_deadline_zero)
{
	struct weft_task *task = tasks_start(give_back, (void *)7);
	int result = 0;
	tasks_settle();
	weft_cancel(weft_self());
	ck_assert_int_eq(weft_join(task, &result, 0), 0);
	ck_assert_int_eq(result, 7);
	weft_cancel_clear();
}

TEST_TASKS(joining_oneself_is_a_deadlock_error)
{
	ck_assert_int_eq(weft_join(weft_self(), NULL, WEFT_FOREVER), -EDEADLK);
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

START_TEST(the_runtime_ends_when_the_last_detached_task_has_ended)
{
	for (int round = 1; round <= 3; round++) {
		ck_assert_int_eq(tasks_run(2, detach_many, NULL), 3);
		ck_assert_int_eq(ended_detached, 100 * round);
	}
}
END_TEST

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

TEST_TASKS(weft_exit_ends_the_task_from_any_depth)
{
	ck_assert_int_eq(tasks_join(tasks_start(exit_from_below, NULL)), 17);
}

/* ---- cancellation ---- */

static int cancellation_is_sticky(void *arg)
{
	ck_assert_int_eq(weft_sleep(1000 * (int64_t)MS), -ECANCELED);
	ck_assert_int_eq(weft_sleep(1000 * (int64_t)MS), -ECANCELED);
	ck_assert_int_eq(weft_cancelled(), 1);
	ck_assert_int_eq(weft_cancel_mask(1), 0);
	ck_assert_int_eq(weft_sleep(MS), 0);
	ck_assert_int_eq(weft_cancel_mask(0), 1);
	ck_assert_int_eq(weft_sleep(1000 * (int64_t)MS), -ECANCELED);
	weft_cancel_clear();
	ck_assert_int_eq(weft_cancelled(), 0);
	return weft_sleep(MS);
}

TEST_TASKS(cancellation_stays_until_it_is_cleared_and_can_be_masked)
{
	struct weft_task *task = tasks_start(cancellation_is_sticky, NULL);
	tasks_settle();
	weft_cancel(task);
	ck_assert_int_eq(tasks_join(task), 0);
}

TEST_TASKS(a_task_cancelled_before_it_ran_finds_out_at_its_first_wait)
{
	struct weft_task *task = tasks_start(wait_for_cancel, NULL);
	weft_cancel(task);
	ck_assert_int_eq(tasks_join(task), -ECANCELED);
}

static int sleep_masked(void *arg)
{
	weft_cancel_mask(1);
	return weft_sleep(20 * MS);
}

TEST_TASKS(a_masked_wait_is_not_ended_by_cancel)
{
	struct weft_task *task = tasks_start(sleep_masked, NULL);
	tasks_settle();
	weft_cancel(task);
	ck_assert_int_eq(tasks_join(task), 0);
}

static int race_cancel(void *arg)
{
	for (int i = 0; i < 200; i++) {
		struct weft_task *task = tasks_start(wait_for_cancel, NULL);
		for (int k = 0; k < i % 5; k++)
			weft_yield();
		weft_cancel(task);
		ck_assert_int_eq(tasks_join(task), -ECANCELED);
	}
	return 0;
}

TEST_TASKS(cancel_races_with_the_wait_and_is_never_lost)
{
	struct weft_task *task[8];
	for (int i = 0; i < 8; i++)
		task[i] = tasks_start(race_cancel, NULL);
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(tasks_join(task[i]), 0);
}

/* ---- sleeping ---- */

TEST_TASKS(a_sleep_lasts_at_least_its_time)
{
	for (int64_t ns = 1; ns < 20 * MS; ns *= 7) {
		int64_t start = weft_now();
		ck_assert_int_eq(weft_sleep(ns), 0);
		ck_assert_int_ge(weft_now() - start, ns);
	}
	ck_assert_int_eq(weft_sleep(0), 0);
	ck_assert_int_eq(weft_sleep(-5), 0);
	ck_assert_int_eq(weft_sleep(INT64_MIN), 0);
	ck_assert_int_eq(weft_sleep_until(weft_now() - MS), 0);
}

TEST_TASKS(deadlines_saturate)
{
	ck_assert_int_eq(weft_after(INT64_MAX), WEFT_FOREVER);
	ck_assert_int_lt(weft_after(INT64_MIN), 0);
	ck_assert_int_gt(weft_after(1), 0);
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

TEST_TASKS(a_signal_storm_does_not_extend_or_shorten_a_sleep)
{
	struct sigaction action = {.sa_handler = ignore};
	pthread_t thread;
	sigaction(SIGUSR1, &action, NULL);
	flag_set(&storming, 1);
	pthread_create(&thread, NULL, signal_storm, NULL);
	for (int i = 0; i < 20; i++) {
		int64_t start = weft_now();
		ck_assert_int_eq(weft_sleep(5 * MS), 0);
		ck_assert_int_ge(weft_now() - start, 5 * MS);
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
	ck_assert_ptr_null(weft_key_get(key_a));
	ck_assert_int_eq(weft_key_set(key_a, arg), 0);
	ck_assert_int_eq(weft_key_set(key_b, NULL), 0);
	weft_sleep(MS);
	ck_assert_ptr_eq(weft_key_get(key_a), arg);
	ck_assert_int_eq(weft_key_set(12345, arg), -EINVAL);
	return 0;
}

TEST_TASKS(values_belong_to_their_task_and_are_destroyed_with_it)
{
	struct weft_task *task[100];
	destroyed = 0;
	ck_assert_int_eq(weft_key_create(&key_a, destroy), 0);
	ck_assert_int_eq(weft_key_create(&key_b, destroy), 0);
	for (intptr_t i = 0; i < 100; i++)
		task[i] = tasks_start(use_keys, (void *)(i + 1));
	for (int i = 0; i < 100; i++)
		tasks_join(task[i]);
	ck_assert_int_eq(destroyed, 5050);
}

TEST_TASKS(ids_are_never_used_twice)
{
	static uint8_t seen[1 << 20];
	memset(seen, 0, sizeof(seen));
	for (int i = 0; i < 2000; i++) {
		struct weft_task *task = tasks_start(give_back, NULL);
		uint64_t id = weft_task_id(task);
		ck_assert(id > 0 && id < sizeof(seen) && !seen[id]);
		seen[id] = 1;
		tasks_join(task);
	}
	ck_assert_uint_eq(weft_task_id(NULL), 0);
	ck_assert_int_eq(weft_set_name("a name that is longer than thirty-one bytes"), 0);
	ck_assert_int_eq(weft_set_name(NULL), 0);
}

/* ---- the runtime ---- */

static int run_again(void *arg)
{
	return weft_run(NULL, give_back, NULL);
}

START_TEST(one_runtime_at_a_time)
{
	ck_assert_int_eq(tasks_run(1, run_again, NULL), -EBUSY);
	ck_assert_int_eq(weft_run(NULL, NULL, NULL), -EINVAL);
	struct weft_options bad = {.processors = 1000000};
	ck_assert_int_eq(weft_run(&bad, give_back, NULL), -EINVAL);
	bad = (struct weft_options){.flags = 0x8000};
	ck_assert_int_eq(weft_run(&bad, give_back, NULL), -EINVAL);
	bad = (struct weft_options){.stack_size = (size_t)1 << 50};
	ck_assert_int_eq(weft_run(&bad, give_back, NULL), -EINVAL);
}
END_TEST

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
	ck_assert_int_eq(take_sized(take, 0, 0), 0);
	for (size_t size = 1; size < first; size++)
		ck_assert_int_eq(take_sized(take, size, 0), -EINVAL);
	for (size_t size = first; size <= later; size++)
		ck_assert_int_eq(take_sized(take, size, 0), 0);
	for (size_t at = known; at < later; at++) {
		ck_assert_int_eq(take_sized(take, later, at), -E2BIG);
		ck_assert_int_eq(take_sized(take, at, at), 0); /* not the struct's any more */
	}
	ck_assert_int_eq(take_sized(take, 8192, 0), -E2BIG);
	ck_assert_int_eq(take_sized(take, SIZE_MAX, 0), -E2BIG);
}

START_TEST(options_of_a_later_version_are_refused_when_they_ask_for_more)
{
	check_sizes(run_with, 32, sizeof(struct weft_options)); /* 0.1's had 32 bytes */
}
END_TEST

static int spawn_sizes(void *arg)
{
	check_sizes(spawn_with, 24, sizeof(struct weft_spawn_options)); /* 0.1's had 24 bytes */
	return 0;
}

START_TEST(spawn_options_of_a_later_version_are_refused_when_they_ask_for_more)
{
	ck_assert_int_eq(tasks_run(1, spawn_sizes, NULL), 0);
}
END_TEST

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

START_TEST(all_threads_are_gone_when_weft_run_returns_and_it_can_run_again)
{
	ck_assert_int_eq(tasks_run(1, start_some, NULL), 5);
	usleep(100 * 1000); /* a joined thread may take a moment to leave the kernel's list */
	int before = thread_count(); /* a sanitizer may have one of its own */
	for (int i = 0; i < 50; i++)
		ck_assert_int_eq(tasks_run(1 + i % 5, start_some, NULL), 5);
	for (int ms = 0; ms < 1000 && thread_count() > before; ms++)
		usleep(1000);
	ck_assert_int_le(thread_count(), before);
}
END_TEST

START_TEST(a_thousand_processors_work)
{
	ck_assert_int_eq(tasks_run(1024, start_some, NULL), 5);
}
END_TEST

START_TEST(outside_of_a_runtime_calls_say_so)
{
	struct weft_task *task;
	ck_assert_int_eq(weft_go((void (*)(void *))(void *)weft_yield, NULL), -EINVAL);
	ck_assert_int_eq(weft_spawn(&task, NULL, give_back, NULL), -EINVAL);
	ck_assert_int_eq(weft_sleep(1), -EINVAL);
	ck_assert_int_eq(weft_stop(), -EINVAL);
	ck_assert_int_eq(weft_lock_os_thread(), -EINVAL);
	ck_assert_int_eq(weft_key_set(0, NULL), -EINVAL);
	ck_assert_ptr_null(weft_self());
	weft_yield();
}
END_TEST

static int stopped_sleepers(void *arg)
{
	struct weft_task *task[50];
	for (int i = 0; i < 50; i++)
		task[i] = tasks_start(wait_for_cancel, NULL);
	tasks_settle();
	ck_assert_int_eq(weft_stop(), 0);
	ck_assert_int_eq(weft_sleep_until(WEFT_FOREVER), -ECANCELED);
	ck_assert_int_eq(weft_go((void (*)(void *))(void *)weft_yield, NULL), -ESHUTDOWN);
	ck_assert_int_eq(weft_spawn(&task[0], NULL, give_back, NULL), -ESHUTDOWN);
	weft_cancel_clear();
	for (int i = 0; i < 50; i++)
		ck_assert_int_eq(tasks_join(task[i]), -ECANCELED);
	return 9;
}

START_TEST(stop_cancels_every_task_and_refuses_new_ones)
{
	ck_assert_int_eq(tasks_run(tasks_processors[_i], stopped_sleepers, NULL), 9);
	ck_assert_int_eq(tasks_run(1, give_back, (void *)4),
			 4); /* and the next runtime starts fresh */
}
END_TEST

static int from_outside;

static void note_outside(void *arg)
{
	__atomic_fetch_add(&from_outside, 1, __ATOMIC_RELEASE);
}

static void *go_from_outside(void *arg)
{
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(weft_go(note_outside, NULL), 0);
	return NULL;
}

TEST_TASKS(foreign_threads_may_start_tasks)
{
	pthread_t thread[4];
	from_outside = 0;
	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, go_from_outside, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < 10000 && __atomic_load_n(&from_outside, __ATOMIC_RELAXED) < 4000; i++)
		weft_sleep(MS);
	ck_assert_int_eq(flag(&from_outside), 4000);
}

TEST_TASKS(a_forked_child_has_no_runtime_but_lives)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(weft_go(note_outside, NULL) == -ENOTSUP && weft_sleep(1) == -ENOTSUP &&
				      weft_random_u64()
			      ? 0
			      : 1);
	int status = -1;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
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

/* A frame that never returned must not leave AddressSanitizer's marks behind for the next owner of the addresses. */
START_TEST(memory_that_was_a_stack_is_anybodys_after_the_run)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	ck_assert_int_eq(tasks_run(1, abandon, NULL), 3);
	char *at = (char *)((uintptr_t)abandoned & ~(page - 1));
	char *p = mmap(at, page, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	ck_assert_ptr_eq(p, at);
	memset(p, 1, page);
	munmap(p, page);
}
END_TEST

/* ---- signal handlers ---- */

static int yield_in_handler_main(void *arg)
{
	raise(SIGUSR2);
	return 0;
}

static void call_weft(int signo)
{
	weft_yield(); /* from user code this is allowed to reach the runtime: it is not inside of it */
}

START_TEST(a_handler_that_interrupts_user_code_may_reach_the_runtime)
{
	signal(SIGUSR2, call_weft);
	ck_assert_int_eq(tasks_run(1, yield_in_handler_main, NULL), 0);
}
END_TEST

static void add_all(TCase *t)
{
	add_tasks_test(t, every_task_of_a_batch_gives_its_own_result);
	add_tasks_test(t, a_chain_of_tasks_may_be_ten_thousand_deep);
	add_tasks_test(t, a_join_that_gives_up_leaves_the_task_joinable);
	add_tasks_test(t, a_cancelled_join_leaves_the_task_joinable);
	add_tasks_test(t, an_ended_task_can_be_joined_by_a_cancelled_one_and_with_deadline_zero);
	add_tasks_test(t, joining_oneself_is_a_deadlock_error);
	tcase_add_test(t, the_runtime_ends_when_the_last_detached_task_has_ended);
	add_tasks_test(t, weft_exit_ends_the_task_from_any_depth);
	add_tasks_test(t, cancellation_stays_until_it_is_cleared_and_can_be_masked);
	add_tasks_test(t, a_task_cancelled_before_it_ran_finds_out_at_its_first_wait);
	add_tasks_test(t, a_masked_wait_is_not_ended_by_cancel);
	add_tasks_test(t, cancel_races_with_the_wait_and_is_never_lost);
	add_tasks_test(t, a_sleep_lasts_at_least_its_time);
	add_tasks_test(t, deadlines_saturate);
	add_tasks_test(t, a_signal_storm_does_not_extend_or_shorten_a_sleep);
	add_tasks_test(t, values_belong_to_their_task_and_are_destroyed_with_it);
	add_tasks_test(t, ids_are_never_used_twice);
	tcase_add_test(t, one_runtime_at_a_time);
	tcase_add_test(t, options_of_a_later_version_are_refused_when_they_ask_for_more);
	tcase_add_test(t, spawn_options_of_a_later_version_are_refused_when_they_ask_for_more);
	tcase_add_test(t, all_threads_are_gone_when_weft_run_returns_and_it_can_run_again);
	tcase_add_test(t, memory_that_was_a_stack_is_anybodys_after_the_run);
	tcase_add_test(t, a_thousand_processors_work);
	tcase_add_test(t, outside_of_a_runtime_calls_say_so);
	tcase_add_loop_test(t, stop_cancels_every_task_and_refuses_new_ones, 0, 3);
	add_tasks_test(t, foreign_threads_may_start_tasks);
	add_tasks_test(t, a_forked_child_has_no_runtime_but_lives);
	tcase_add_test(t, a_handler_that_interrupts_user_code_may_reach_the_runtime);
}

TESTS_MAIN("tasks", add_all)
