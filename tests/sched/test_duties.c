/* SPDX-License-Identifier: MIT */
/*
 * test_duties.c: a thread that goes for good leaves no duty behind.
 *
 * The last thread that has nothing to do sleeps in the poller, for all: timers, descriptors,
 * children. It may be the thread of a locked task, which is woken there, runs its task to its end,
 * and never sleeps again. Then another has to take its place (proc.c, weft__proc_leave). Each way
 * in which a thread goes is tried with each kind of thing that only the poller sees.
 *
 * The monitor would notice in the end, so a missing hand-over costs time and loses nothing: what is
 * asked is how often the monitor had to (sched.monitor.rescues), not how long it took. A thread
 * that was about to sleep in the poller when the monitor looked may be counted, too, on a busy
 * machine: less than half of the runs may need help.
 */
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/sched/sched.h"
#include "../tasks.h"

enum { RUNS = 3, LOCKED_MS = 4, AWAITED_MS = 9 };

/* ---- ways in which a thread goes ---- */

static int ends_locked(void *arg)
{
	weft_lock_os_thread();
	return weft_sleep(LOCKED_MS * MS);
}

static int exits_locked(void *arg)
{
	weft_lock_os_thread();
	weft_sleep(LOCKED_MS * MS);
	weft_exit(0);
}

static int ends_locked_after_blocking_code(void *arg)
{
	weft_lock_os_thread();
	weft_sleep(LOCKED_MS * MS);
	weft_blocking_begin();
	usleep(500);
	weft_blocking_end();
	return weft_sleep(MS);
}

static int ends_with_the_caller(void *arg)
{
	return weft_sleep(LOCKED_MS * MS); /* the main task itself: WEFT_LOCK_MAIN */
}

static const struct way {
	const char *name;
	int (*task)(void *arg);
	unsigned flags;
} ways[] = {
	{"a locked task returns", ends_locked, 0},
	{"a locked task exits", exits_locked, 0},
	{"a locked task returns that was in blocking code", ends_locked_after_blocking_code, 0},
	{"the main task returns on the calling thread", ends_with_the_caller, WEFT_LOCK_MAIN},
};

/* ---- what only the poller sees ---- */

static int fds[2];
static pid_t child;

static int sleeps(void *arg)
{
	return weft_sleep(AWAITED_MS * MS);
}

static int selects_with_a_deadline(void *arg)
{
	struct weft_chan *chan = weft_chan_new(1, 0);
	char item;
	struct weft_case c = {.op = WEFT_CHAN_RECV, .chan = chan, .item = &item};
	expect_eq(weft_select(&c, 1, weft_after(AWAITED_MS * MS)), -ETIMEDOUT);
	weft_chan_unref(chan);
	return 0;
}

static int waits_for_a_timer(void *arg)
{
	struct weft_chan *chan = weft_chan_new(sizeof(int64_t), 1);
	struct weft_timer *timer = weft_timer_new_chan(chan);
	int64_t when;
	weft_timer_start(timer, weft_after(AWAITED_MS * MS), 0);
	expect_eq(weft_chan_recv(chan, &when, WEFT_FOREVER), 0);
	weft_timer_free(timer);
	weft_chan_unref(chan);
	return 0;
}

static int reads(void *arg)
{
	char c;
	expect_eq(weft_read(fds[0], &c, 1, WEFT_FOREVER), 1);
	return 0;
}

static int waits_for_a_descriptor(void *arg)
{
	expect_eq(weft_wait_fd(fds[0], POLLIN, WEFT_FOREVER), POLLIN);
	return 0;
}

static int waits_for_the_child(void *arg)
{
	int status;
	expect_eq(weft_wait_pid(child, &status, WEFT_FOREVER), 0);
	child = 0;
	return 0;
}

static int (*const awaited[])(void *arg) = {
	sleeps, selects_with_a_deadline, waits_for_a_timer,
	reads,	waits_for_a_descriptor,	 waits_for_the_child,
};

/* ---- a run ---- */

static const struct way *way;
static int (*waiter)(void *arg);

static int main_task(void *arg)
{
	weft_detach(tasks_start(waiter, NULL));
	if (way->flags & WEFT_LOCK_MAIN)
		return way->task(NULL);
	weft_detach(tasks_start(way->task, NULL));
	return 0;
}

/* Another process writes, so that no thread of this one does anything. */
static void child_begin(void)
{
	expect_eq(pipe(fds), 0);
	child = fork();
	if (child == 0) {
		usleep(AWAITED_MS * 1000);
		_exit(write(fds[1], "x", 1) != 1);
	}
}

static void child_end(void)
{
	if (child)
		waitpid(child, NULL, 0);
	close(fds[0]);
	close(fds[1]);
}

static bool rescued(unsigned processors)
{
	struct weft_options o = {.size = sizeof(o), .processors = processors, .flags = way->flags};
	child_begin();
	expect_eq(weft_run(&o, main_task, NULL), 0);
	child_end();
	return sched.monitor.rescues;
}

TEST("a thread that goes hands on the poller", .times = 3 * sizeof(ways) / sizeof(ways[0]))
{
	unsigned runs = 0, helped = 0;
	way = &ways[nth / 3];
	for (size_t i = 0; i < sizeof(awaited) / sizeof(awaited[0]); i++) {
		waiter = awaited[i];
		for (int run = 0; run < RUNS; run++, runs++)
			helped += rescued(tasks_processors[nth % 3]);
	}
	expect_that(helped < runs / 2, "%s: %u of %u runs needed the monitor", way->name, helped,
		    runs);
}

/* ---- the monitor's wake-up ---- */

enum { LOOKS = 5000, AWAKE_LOOKS = 50 }; /* of a millisecond each, before they are given up */

static pthread_key_t key;
static int ending, monitor_slept, monitor_awake;

static bool monitor_sleeps(void)
{
	return __atomic_load_n(&sched.monitor.asleep, __ATOMIC_SEQ_CST);
}

/* Both threads of the runtime are here while work waits for one. */
static void ends_when_the_monitor_sleeps(void *arg)
{
	__atomic_add_fetch(&ending, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < LOOKS && !flag(&monitor_slept); i++) {
		usleep(1000);
		if (flag(&ending) == 2 && monitor_sleeps())
			__atomic_store_n(&monitor_slept, 1, __ATOMIC_RELEASE);
	}
}

/* Between the end of its sleep and the moment when it says so, the monitor may be preempted: so one
 * look alone proves nothing. It looks after the dying threads itself, but twice a second only. */
static int finds_the_monitor_awake(void *arg)
{
	for (int i = 0; i < AWAKE_LOOKS && !monitor_awake; i++) {
		monitor_awake =
			!monitor_sleeps() || __atomic_load_n(&sched.monitor.wake, __ATOMIC_ACQUIRE);
		usleep(1000);
	}
	return 0;
}

/* Its thread is not gone until the monitor sleeps; then the next task runs, on another one. */
static int ends_its_thread_slowly(void *next)
{
	weft_lock_os_thread();
	pthread_setspecific(key, &key);
	weft_detach(tasks_start(next ? ends_its_thread_slowly : finds_the_monitor_awake, NULL));
	return 0;
}

TEST("the template wakes the monitor for the thread that was missing", .times = 3)
{
	struct weft_options o = {.size = sizeof(o), .processors = 1, .max_threads = 2};
	expect_eq(pthread_key_create(&key, ends_when_the_monitor_sleeps), 0);
	expect_eq(weft_run(&o, ends_its_thread_slowly, &key), 0);
	expect(monitor_slept && monitor_awake);
	pthread_key_delete(key);
}
