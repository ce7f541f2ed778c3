/* SPDX-License-Identifier: MIT */
/*
 * test_locked.c: a task and its thread belong to each other, and end together. The promises are those that Go's own
 * tests check: TestLockOSThread*, TestCgoLockOSThreadExit, TestLockOSThreadVgetrandom, TemplateThreadRace, *Locked*.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../tasks.h"

static pid_t tid(void)
{
	return (pid_t)syscall(SYS_gettid);
}

static int main_thread_is_first(void *arg)
{
	ck_assert_int_eq(tid(), getpid());
	for (int i = 0; i < 20; i++) {
		weft_yield();
		weft_sleep(MS / 10);
		ck_assert_int_eq(tid(), getpid());
	}
	return 1;
}

START_TEST(lock_main_keeps_the_main_task_on_the_calling_thread)
{
	struct weft_options o = {.processors = tasks_processors[_i], .flags = WEFT_LOCK_MAIN};
	ck_assert_int_eq(weft_run(&o, main_thread_is_first, NULL), 1);
}
END_TEST

static int not_first(void *arg)
{
	return tid() == getpid();
}

static int main_ends_locked(void *arg)
{
	for (int i = 0; i < 20; i++)
		weft_detach(tasks_start(not_first, NULL));
	return 2;
}

START_TEST(a_main_task_that_ends_locked_lets_nothing_else_run_on_its_thread)
{
	struct weft_options o = {.processors = tasks_processors[_i], .flags = WEFT_LOCK_MAIN};
	ck_assert_int_eq(weft_run(&o, main_ends_locked, NULL), 2);
}
END_TEST

static int stays_on_its_thread(void *arg)
{
	ck_assert_int_eq(weft_lock_os_thread(), 0);
	pid_t mine = tid();
	for (int i = 0; i < 30; i++) {
		if (i % 3 == 0)
			weft_sleep(MS / 5);
		else
			weft_yield();
		ck_assert_int_eq(tid(), mine);
	}
	ck_assert_int_eq(weft_unlock_os_thread(), 0);
	return 0;
}

TEST_TASKS(a_locked_task_stays_on_its_thread_while_others_come_and_go)
{
	struct weft_task *task[20];
	for (int i = 0; i < 20; i++)
		task[i] = tasks_start(stays_on_its_thread, NULL);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(tasks_join(task[i]), 0);
}

TEST_TASKS(locks_nest_and_an_extra_unlock_changes_nothing)
{
	ck_assert_int_eq(weft_unlock_os_thread(), -EPERM);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(weft_lock_os_thread(), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(weft_unlock_os_thread(), 0);
	ck_assert_int_eq(weft_unlock_os_thread(), -EPERM);
	weft_yield();
}

/* Threads are told apart by a value of their own: the kernel uses numbers again. */
static __thread int marked __attribute__((tls_model("initial-exec")));

static __attribute__((noinline)) int read_mark(void)
{
	return marked;
}

static int mark_and_end_locked(void *arg)
{
	weft_lock_os_thread();
	marked = 1;
	*(pid_t *)arg = tid();
	return 0;
}

static int run_on_clean_thread(void *arg)
{
	ck_assert_int_eq(read_mark(), 0);
	weft_yield();
	ck_assert_int_eq(read_mark(), 0);
	return 0;
}

static bool thread_exists(pid_t number)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/task/%d", number);
	return access(path, F_OK) == 0;
}

TEST_TASKS(the_thread_of_a_task_that_ended_locked_goes_and_never_runs_a_task_again)
{
	for (int i = 0; i < 30; i++) {
		pid_t number = 0;
		tasks_join(tasks_start(mark_and_end_locked, &number));
		for (int k = 0; k < 4; k++)
			ck_assert_int_eq(tasks_join(tasks_start(run_on_clean_thread, NULL)), 0);
		for (int ms = 0; ms < 5000 && thread_exists(number); ms++)
			weft_sleep(MS);
		ck_assert(!thread_exists(number));
	}
}

/* ---- nothing that a locked task does to its thread reaches another ---- */

static int taint_thread(void *arg)
{
	sigset_t set;
	weft_lock_os_thread();
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	pthread_setname_np(pthread_self(), "tainted");
	if (unshare(CLONE_FS) == 0)
		ck_assert_int_eq(chdir("/proc"), 0);
	weft_sleep(MS);
	return 0;
}

static int look_for_taint(void *arg)
{
	sigset_t set;
	char name[32] = "", place[4096] = "";
	pthread_sigmask(SIG_BLOCK, NULL, &set);
	pthread_getname_np(pthread_self(), name, sizeof(name));
	ck_assert_ptr_nonnull(getcwd(place, sizeof(place)));
	ck_assert(!sigismember(&set, SIGUSR1));
	ck_assert_str_ne(name, "tainted");
	ck_assert_str_ne(place, "/proc");
	weft_sleep(MS / 2);
	return 0;
}

TEST_TASKS(what_a_locked_task_does_to_its_thread_reaches_no_other)
{
	enum { N = 30 };
	struct weft_task *task[2 * N];
	for (int i = 0; i < N; i++) {
		task[2 * i] = tasks_start(taint_thread, NULL);
		task[2 * i + 1] = tasks_start(look_for_taint, NULL);
	}
	for (int i = 0; i < 2 * N; i++)
		ck_assert_int_eq(tasks_join(task[i]), 0);
	for (int i = 0; i < N; i++)
		ck_assert_int_eq(tasks_join(tasks_start(look_for_taint, NULL)), 0);
}

static int lock_and_end(void *arg)
{
	weft_lock_os_thread();
	return 0;
}

static int two_first_locks(void *arg)
{
	struct weft_task *a = tasks_start(lock_and_end, NULL), *b = tasks_start(lock_and_end, NULL);
	return tasks_join(a) + tasks_join(b);
}

START_TEST(two_first_locks_at_once_never_hang)
{
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(tasks_run(1 + i % 4, two_first_locks, NULL), 0);
}
END_TEST

/* ---- key destructors run when a thread is taken along, and may draw ---- */

static pthread_key_t key;
static int destructors;

static void on_thread_exit(void *value)
{
	weft_random_u64();
	__atomic_fetch_add(&destructors, 1, __ATOMIC_RELAXED);
}

static int set_key_and_end_locked(void *arg)
{
	weft_lock_os_thread();
	pthread_setspecific(key, arg);
	weft_random_u32();
	return 0;
}

static int end_fifty(void *arg)
{
	for (int i = 0; i < 50; i++)
		tasks_join(tasks_start(set_key_and_end_locked, &destructors));
	return 0;
}

START_TEST(key_destructors_run_when_a_locked_task_takes_its_thread_along)
{
	destructors = 0;
	pthread_key_create(&key, on_thread_exit);
	ck_assert_int_eq(tasks_run(tasks_processors[_i], end_fifty, NULL), 0);
	ck_assert_int_eq(destructors, 50);
}
END_TEST

/* ---- what tasks left to their thread comes before its key destructors: ThreadSanitizer knows ---- */

static int left;

static void take_over(void *value)
{
	int *mine = value;
	__atomic_fetch_add(&destructors, *mine, __ATOMIC_RELAXED);
	free(mine);
}

static int leave_behind(void *arg)
{
	int *mine = pthread_getspecific(key) ? NULL : malloc(sizeof(*mine));
	if (!mine)
		return 0;
	*mine = 1;
	pthread_setspecific(key, mine);
	__atomic_fetch_add(&left, 1, __ATOMIC_RELAXED);
	return 0;
}

static int leave_behind_often(void *arg)
{
	for (int i = 0; i < 50; i++)
		tasks_join(tasks_start(leave_behind, NULL));
	return 0;
}

START_TEST(key_destructors_own_what_the_tasks_of_their_thread_left_behind)
{
	left = destructors = 0;
	pthread_key_create(&key, take_over);
	ck_assert_int_eq(tasks_run(tasks_processors[_i], leave_behind_often, NULL), 0);
	ck_assert_int_gt(left, 0);
	ck_assert_int_eq(destructors, left);
}
END_TEST

/* ---- random states ---- */

static int draw_and_end_locked(void *arg)
{
	weft_lock_os_thread();
	weft_random_u32();
	for (volatile int i = 0; i < 1000; i++)
		;
	return 0;
}

static int one_of_a_hundred(void *arg)
{
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(tasks_join(tasks_start(draw_and_end_locked, NULL)), 0);
	return 0;
}

TEST_TASKS(a_thousand_locked_tasks_a_hundred_at_a_time_give_their_states_back)
{
	struct weft_task *task[100];
	struct weft_random_info info = {.size = sizeof(info)};
	for (int i = 0; i < 100; i++)
		task[i] = tasks_start(one_of_a_hundred, NULL);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(tasks_join(task[i]), 0);
	weft_random_info(&info);
	ck_assert_uint_le(info.states_mapped,
			  210); /* ten pages hold a hundred owners with room to spare */
}

enum { OWNERS = 3 * 21 + 1 };
static int arrived;

static int own_a_state_then_end_together(void *arg)
{
	weft_lock_os_thread();
	weft_random_prepare();
	weft_random_u64();
	__atomic_fetch_add(&arrived, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&arrived, __ATOMIC_ACQUIRE) < OWNERS)
		weft_sleep(MS / 10);
	return 0;
}

TEST_TASKS(more_owners_than_pages_of_states_may_end_locked_at_once)
{
	struct weft_task *task[OWNERS];
	for (int round = 0; round < 5; round++) {
		arrived = 0;
		for (int i = 0; i < OWNERS; i++)
			task[i] = tasks_start(own_a_state_then_end_together, NULL);
		for (int i = 0; i < OWNERS; i++)
			ck_assert_int_eq(tasks_join(task[i]), 0);
	}
}

/* ---- locked tasks take part in everything ---- */

static int ping_pong(void *arg)
{
	struct weft_chan **c = arg;
	int item = 0;
	weft_lock_os_thread();
	for (int i = 0; i < 200; i++) {
		if (weft_chan_recv(c[0], &item, soon()) || weft_chan_send(c[1], &item, soon()))
			return 1;
	}
	return 0;
}

TEST_TASKS(locked_tasks_hand_items_to_each_other)
{
	struct weft_chan *there = weft_chan_new(sizeof(int), 0),
			 *back = weft_chan_new(sizeof(int), 0);
	struct weft_chan *ends[2] = {there, back};
	struct weft_task *task = tasks_start(ping_pong, ends);
	weft_lock_os_thread();
	for (int i = 0; i < 200; i++) {
		int item = i;
		ck_assert_int_eq(weft_chan_send(there, &item, soon()), 0);
		ck_assert_int_eq(weft_chan_recv(back, &item, soon()), 0);
		ck_assert_int_eq(item, i);
	}
	weft_unlock_os_thread();
	ck_assert_int_eq(tasks_join(task), 0);
	weft_chan_unref(there);
	weft_chan_unref(back);
}

static int hog_on;

static int hog(void *arg)
{
	while (flag(&hog_on))
		;
	return 0;
}

TEST_TASKS(a_locked_task_that_yields_makes_progress_beside_a_hog)
{
	flag_set(&hog_on, 1);
	struct weft_task *task = tasks_start(hog, NULL);
	weft_lock_os_thread();
	for (int i = 0; i < 20; i++)
		weft_yield();
	flag_set(&hog_on, 0);
	weft_unlock_os_thread();
	ck_assert_int_eq(tasks_join(task), 0);
}

static int lock_sleep_end(void *arg)
{
	weft_lock_os_thread();
	return weft_sleep(50 * 1000);
}

static int one_after_the_other(void *arg)
{
	for (int i = 0; i < 4000; i++)
		tasks_join(tasks_start(lock_sleep_end, NULL));
	return 6;
}

/*
 * A task that a poller had just woken was in no queue for a moment, and when all others waited for it, that was
 * reported as a deadlock; a thread that was handed a task while it looked for one, locked itself and ended, left the
 * count of looking threads up, and nobody was woken any more. With many processors both happened within seconds.
 */
START_TEST(one_locked_sleeper_after_the_other_among_many_processors)
{
	ck_assert_int_eq(tasks_run(16, one_after_the_other, NULL), 6);
}
END_TEST

static int end_locked_at_once(void *arg)
{
	for (int i = 0; i < 10000; i++)
		tasks_join(tasks_start(lock_and_end, NULL));
	return 7;
}

/* The template started threads as fast as they were wanted, and never came to reaping those that had ended. */
START_TEST(the_dead_are_reaped_while_new_threads_are_wanted_without_end)
{
	struct weft_options o = {.processors = (unsigned)_i, .max_threads = 40};
	ck_assert_int_eq(weft_run(&o, end_locked_at_once, NULL), 7);
}
END_TEST

static void add_all(TCase *t)
{
	tcase_add_loop_test(t, the_dead_are_reaped_while_new_threads_are_wanted_without_end, 8, 17);
	tcase_add_test(t, one_locked_sleeper_after_the_other_among_many_processors);
	tcase_add_loop_test(t, lock_main_keeps_the_main_task_on_the_calling_thread, 0, 3);
	tcase_add_loop_test(t, a_main_task_that_ends_locked_lets_nothing_else_run_on_its_thread, 0,
			    3);
	add_tasks_test(t, a_locked_task_stays_on_its_thread_while_others_come_and_go);
	add_tasks_test(t, locks_nest_and_an_extra_unlock_changes_nothing);
	add_tasks_test(t, the_thread_of_a_task_that_ended_locked_goes_and_never_runs_a_task_again);
	add_tasks_test(t, what_a_locked_task_does_to_its_thread_reaches_no_other);
	tcase_add_test(t, two_first_locks_at_once_never_hang);
	tcase_add_loop_test(t, key_destructors_run_when_a_locked_task_takes_its_thread_along, 0, 3);
	tcase_add_loop_test(t, key_destructors_own_what_the_tasks_of_their_thread_left_behind, 0,
			    3);
	add_tasks_test(t, a_thousand_locked_tasks_a_hundred_at_a_time_give_their_states_back);
	add_tasks_test(t, more_owners_than_pages_of_states_may_end_locked_at_once);
	add_tasks_test(t, locked_tasks_hand_items_to_each_other);
	add_tasks_test(t, a_locked_task_that_yields_makes_progress_beside_a_hog);
}

TESTS_MAIN("locked threads", add_all)
