/* SPDX-License-Identifier: MIT */
/*
 * test_locked.c: a task and its thread belong to each other, and end together. The promises are
 * those that Go's own tests check: TestLockOSThread*, TestCgoLockOSThreadExit,
 * TestLockOSThreadVgetrandom, TemplateThreadRace, *Locked*.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../tasks.h"
#include "base/attr.h"

static pid_t tid(void)
{
	return (pid_t)syscall(SYS_gettid);
}

static int main_thread_is_first(void *arg)
{
	expect_eq(tid(), getpid());
	for (int i = 0; i < 20; i++) {
		weft_yield();
		weft_sleep(MS / 10);
		expect_eq(tid(), getpid());
	}
	return 1;
}

TEST("lock main keeps the main task on the calling thread", .times = 3)
{
	struct weft_options o = {.processors = tasks_processors[nth], .flags = WEFT_LOCK_MAIN};
	expect_eq(weft_run(&o, main_thread_is_first, NULL), 1);
}

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

TEST("a main task that ends locked lets nothing else run on its thread", .times = 3)
{
	struct weft_options o = {.processors = tasks_processors[nth], .flags = WEFT_LOCK_MAIN};
	expect_eq(weft_run(&o, main_ends_locked, NULL), 2);
}

static int stays_on_its_thread(void *arg)
{
	expect_eq(weft_lock_os_thread(), 0);
	pid_t mine = tid();
	for (int i = 0; i < 30; i++) {
		if (i % 3 == 0)
			weft_sleep(MS / 5);
		else
			weft_yield();
		expect_eq(tid(), mine);
	}
	expect_eq(weft_unlock_os_thread(), 0);
	return 0;
}

TASK_TEST("a locked task stays on its thread while others come and go")
{
	struct weft_task *task[20];
	for (int i = 0; i < 20; i++)
		task[i] = tasks_start(stays_on_its_thread, NULL);
	for (int i = 0; i < 20; i++)
		expect_eq(tasks_join(task[i]), 0);
}

TASK_TEST("locks nest and an extra unlock changes nothing")
{
	expect_eq(weft_unlock_os_thread(), -EPERM);
	for (int i = 0; i < 3; i++)
		expect_eq(weft_lock_os_thread(), 0);
	for (int i = 0; i < 3; i++)
		expect_eq(weft_unlock_os_thread(), 0);
	expect_eq(weft_unlock_os_thread(), -EPERM);
	weft_yield();
}

/* Threads are told apart by a value of their own: the kernel uses numbers again. */
static __thread int marked __attribute__((tls_model("initial-exec")));

static noinline int read_mark(void)
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
	expect_eq(read_mark(), 0);
	weft_yield();
	expect_eq(read_mark(), 0);
	return 0;
}

static bool thread_exists(pid_t number)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/task/%d", number);
	return access(path, F_OK) == 0;
}

TASK_TEST("the thread of a task that ended locked goes and never runs a task again")
{
	for (int i = 0; i < 30; i++) {
		pid_t number = 0;
		tasks_join(tasks_start(mark_and_end_locked, &number));
		for (int k = 0; k < 4; k++)
			expect_eq(tasks_join(tasks_start(run_on_clean_thread, NULL)), 0);
		for (int ms = 0; ms < 5000 && thread_exists(number); ms++)
			weft_sleep(MS);
		expect(!thread_exists(number));
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
		expect_eq(chdir("/proc"), 0);
	weft_sleep(MS);
	return 0;
}

static int look_for_taint(void *arg)
{
	sigset_t set;
	char name[32] = "", place[4096] = "";
	pthread_sigmask(SIG_BLOCK, NULL, &set);
	pthread_getname_np(pthread_self(), name, sizeof(name));
	expect_ne(getcwd(place, sizeof(place)), NULL);
	expect(!sigismember(&set, SIGUSR1));
	expect_ne(name, "tainted");
	expect_ne(place, "/proc");
	weft_sleep(MS / 2);
	return 0;
}

TASK_TEST("what a locked task does to its thread reaches no other")
{
	enum { N = 30 };
	struct weft_task *task[2 * N];
	for (int i = 0; i < N; i++) {
		task[2 * i] = tasks_start(taint_thread, NULL);
		task[2 * i + 1] = tasks_start(look_for_taint, NULL);
	}
	for (int i = 0; i < 2 * N; i++)
		expect_eq(tasks_join(task[i]), 0);
	for (int i = 0; i < N; i++)
		expect_eq(tasks_join(tasks_start(look_for_taint, NULL)), 0);
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

TEST("two first locks at once never hang")
{
	for (int i = 0; i < 100; i++)
		expect_eq(tasks_run(1 + i % 4, two_first_locks, NULL), 0);
}

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

TEST("key destructors run when a locked task takes its thread along", .times = 3)
{
	destructors = 0;
	pthread_key_create(&key, on_thread_exit);
	expect_eq(tasks_run(tasks_processors[nth], end_fifty, NULL), 0);
	expect_eq(destructors, 50);
}

/*
 * ---- what tasks left to their thread comes before its key destructors: ThreadSanitizer knows ----
 */

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

TEST("key destructors own what the tasks of their thread left behind", .times = 3)
{
	left = destructors = 0;
	pthread_key_create(&key, take_over);
	expect_eq(tasks_run(tasks_processors[nth], leave_behind_often, NULL), 0);
	expect_gt(left, 0);
	expect_eq(destructors, left);
}

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
		expect_eq(tasks_join(tasks_start(draw_and_end_locked, NULL)), 0);
	return 0;
}

TASK_TEST("a thousand locked tasks a hundred at a time give their states back")
{
	struct weft_task *task[100];
	struct weft_random_info info = {.size = sizeof(info)};
	for (int i = 0; i < 100; i++)
		task[i] = tasks_start(one_of_a_hundred, NULL);
	for (int i = 0; i < 100; i++)
		expect_eq(tasks_join(task[i]), 0);
	weft_random_info(&info);
	expect_le(info.states_mapped, 210); /* ten pages hold a hundred owners with room to spare */
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

TASK_TEST("more owners than pages of states may end locked at once")
{
	struct weft_task *task[OWNERS];
	for (int round = 0; round < 5; round++) {
		arrived = 0;
		for (int i = 0; i < OWNERS; i++)
			task[i] = tasks_start(own_a_state_then_end_together, NULL);
		for (int i = 0; i < OWNERS; i++)
			expect_eq(tasks_join(task[i]), 0);
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

TASK_TEST("locked tasks hand items to each other")
{
	struct weft_chan *there = weft_chan_new(sizeof(int), 0),
			 *back = weft_chan_new(sizeof(int), 0);
	struct weft_chan *ends[2] = {there, back};
	struct weft_task *task = tasks_start(ping_pong, ends);
	weft_lock_os_thread();
	for (int i = 0; i < 200; i++) {
		int item = i;
		expect_eq(weft_chan_send(there, &item, soon()), 0);
		expect_eq(weft_chan_recv(back, &item, soon()), 0);
		expect_eq(item, i);
	}
	weft_unlock_os_thread();
	expect_eq(tasks_join(task), 0);
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

TASK_TEST("a locked task that yields makes progress beside a hog")
{
	flag_set(&hog_on, 1);
	struct weft_task *task = tasks_start(hog, NULL);
	weft_lock_os_thread();
	for (int i = 0; i < 20; i++)
		weft_yield();
	flag_set(&hog_on, 0);
	weft_unlock_os_thread();
	expect_eq(tasks_join(task), 0);
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
 * A task that a poller had just woken was in no queue for a moment, and when all others waited for
 * it, that was reported as a deadlock; a thread that was handed a task while it looked for one,
 * locked itself and ended, left the count of looking threads up, and none was woken any more.
 * With many processors both happened within seconds.
 */
TEST("one locked sleeper after the other among many processors")
{
	expect_eq(tasks_run(16, one_after_the_other, NULL), 6);
}

#ifdef WEFT_TSAN
enum { ENDS = 1000 }; /* a thread costs it 2 ms */
#else
enum { ENDS = 10000 };
#endif

static int end_locked_at_once(void *arg)
{
	for (int i = 0; i < ENDS; i++)
		tasks_join(tasks_start(lock_and_end, NULL));
	return 7;
}

/*
 * The template started threads as fast as they were wanted, and never came to reaping those that
 * had ended.
 */
TEST("the dead are reaped while new threads are wanted without end", .times = 9)
{
	struct weft_options o = {.processors = (unsigned)(8 + nth), .max_threads = 40};
	expect_eq(weft_run(&o, end_locked_at_once, NULL), 7);
}
