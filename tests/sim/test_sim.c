/* SPDX-License-Identifier: MIT */
/*
 * test_sim.c: the deterministic mode replays what it did, finds what it should, and reports nothing
 * else.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../debug/debug_test.h"
#include "base/atomic.h"
#include "base/attr.h"
#include "base/sys.h"

enum { TASKS = 6, STEPS = 5, LOG = TASKS * STEPS };

#define SECOND (1000ll * MS)

static char steps[LOG + 1];
static int silent[2]; /* a pipe out of which nothing comes */
static unsigned step_count;

static int write_letter(void *arg)
{
	for (int i = 0; i < STEPS; i++) {
		steps[add_relaxed(&step_count, 1)] = (char)('a' + (intptr_t)arg);
		if (i % 2)
			weft_yield();
		else
			weft_sleep((intptr_t)arg * MS);
	}
	return 0;
}

static void write_all(int (*write_one)(void *arg))
{
	struct weft_task *tasks[TASKS];
	step_count = 0;
	for (intptr_t i = 0; i < TASKS; i++)
		expect_eq(weft_spawn(&tasks[i], NULL, write_one, (void *)i), 0);
	for (int i = 0; i < TASKS; i++)
		expect_eq(weft_join(tasks[i], NULL, WEFT_FOREVER), 0);
}

static int write_letters(void *arg)
{
	write_all(write_letter);
	return 0;
}

TEST("the same seed makes the same schedule")
{
	char first[LOG + 1] = "", previous[LOG + 1] = "";
	unsigned different = 0;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		expect_eq(weft_sim_run(seed, NULL, write_letters, NULL), 0);
		memcpy(first, steps, sizeof(first));
		for (int again = 0; again < 3; again++) {
			expect_eq(weft_sim_run(seed, NULL, write_letters, NULL), 0);
			expect_eq(steps, first);
		}
		different += strcmp(first, previous) != 0;
		memcpy(previous, first, sizeof(first));
	}
	expect_ge(different, 15); /* and others make others */
}

static int write_letters_locked(void *arg)
{
	expect_eq(weft_lock_os_thread(), 0);
	return write_letters(arg);
}

TEST("locked tasks are replayed too")
{
	char first[LOG + 1];
	expect_eq(weft_sim_run(5, NULL, write_letters_locked, NULL), 0);
	memcpy(first, steps, sizeof(first));
	expect_eq(weft_sim_run(5, NULL, write_letters_locked, NULL), 0);
	expect_eq(steps, first);
}

/* ---- every thread is locked, and only time can end a wait ---- */

static int write_letter_locked(void *arg)
{
	char byte;
	expect_eq(weft_lock_os_thread(), 0);
	expect_eq(weft_read(*silent, &byte, 1, weft_after(MS)), -ETIMEDOUT);
	write_letter(arg);
	return weft_unlock_os_thread();
}

/* More of them than threads: those that have none wait until others have slept, and unlock. */
static int write_all_locked(void *arg)
{
	expect_eq(weft_lock_os_thread(), 0);
	write_all(write_letter_locked);
	return weft_sleep(MS);
}

TEST("time passes when all threads are locked", .times = 3)
{
	struct weft_options o = {.size = sizeof(o), .max_threads = 2 + (unsigned)nth};
	expect_eq(pipe(silent), 0);
	expect_eq(weft_sim_search(1, 10, &o, write_all_locked, NULL, NULL), 0);
	expect_eq(step_count, LOG);
}

/* ---- time ---- */

static int sleep_for_a_day(void *arg)
{
	int64_t start = weft_now();
	expect_eq(weft_sleep(24 * 3600 * SECOND), 0);
	expect_ge(weft_now() - start, 24 * 3600 * SECOND);
	expect_lt(weft_now() - start, 24 * 3600 * SECOND + SECOND);
	return 0;
}

TEST("a day passes at once")
{
	int64_t start = weft__clock();
	expect_eq(weft_sim_run(1, NULL, sleep_for_a_day, NULL), 0);
	expect_lt(weft__clock() - start, 3600 * SECOND);
}

static int poll_the_clock(void *arg)
{
	int64_t deadline = weft_after(MS);
	while (weft_now() < deadline)
		weft_yield();
	return 0;
}

TEST("time passes for a task that polls the clock")
{
	expect_eq(weft_sim_run(1, NULL, poll_the_clock, NULL), 0);
}

static int sleeper(void *arg)
{
	weft_sleep((intptr_t)arg * SECOND);
	steps[add_relaxed(&step_count, 1)] = (char)('0' + (intptr_t)arg);
	return 0;
}

static int wake_in_order(void *arg)
{
	static const intptr_t seconds[] = {5, 2, 9, 1, 7};
	struct weft_task *tasks[array_len(seconds)];
	memset(steps, 0, sizeof(steps));
	step_count = 0;
	for (unsigned i = 0; i < array_len(seconds); i++)
		weft_spawn(&tasks[i], NULL, sleeper, (void *)seconds[i]);
	for (unsigned i = 0; i < array_len(seconds); i++)
		weft_join(tasks[i], NULL, WEFT_FOREVER);
	return strcmp(steps, "12579");
}

TEST("sleepers wake in the order of their times")
{
	expect_eq(weft_sim_search(1, 50, NULL, wake_in_order, NULL, NULL), 0);
}

/* ---- races ---- */

static int counter;

/* A send to a channel with room does not wait: outside of this mode the next line follows at once.
 * */
static int add_without_lock(void *arg)
{
	int seen = load_relaxed(&counter); /* a race of meaning, not of memory */
	weft_chan_send(arg, NULL, WEFT_FOREVER);
	store_relaxed(&counter, seen + 1);
	return 0;
}

/* The same with the channel as a lock: it has room for one. */
static int add_with_lock(void *arg)
{
	weft_chan_send(arg, NULL, WEFT_FOREVER);
	int seen = load_relaxed(&counter);
	weft_yield();
	store_relaxed(&counter, seen + 1);
	weft_chan_recv(arg, NULL, WEFT_FOREVER);
	return 0;
}

static int add_twice(int (*add)(void *arg), size_t room)
{
	struct weft_chan *chan = weft_chan_new(0, room);
	struct weft_task *tasks[2];
	counter = 0;
	for (int i = 0; i < 2; i++)
		weft_spawn(&tasks[i], NULL, add, chan);
	for (int i = 0; i < 2; i++)
		weft_join(tasks[i], NULL, WEFT_FOREVER);
	weft_chan_unref(chan);
	return counter != 2;
}

static int racy(void *arg)
{
	return add_twice(add_without_lock, 2);
}

static int correct(void *arg)
{
	return add_twice(add_with_lock, 1);
}

TEST("a race is found and replayed")
{
	uint64_t seed = 0;
	expect_eq(weft_sim_search(1, 10000, NULL, racy, NULL, &seed), 1);
	for (int i = 0; i < 50; i++)
		expect_eq(weft_sim_run(seed, NULL, racy, NULL), 1);
}

TEST("correct code is not blamed")
{
	uint64_t seed = 7;
	expect_eq(weft_sim_search(1, 300, NULL, correct, NULL, &seed), 0);
	expect_eq(seed, 7);
}

/* ---- the seed is said ---- */

static int fail_by_result(void *arg)
{
	return 3;
}

static int fail_by_abort(void *arg)
{
	abort();
}

static int sim_run_42(void *arg)
{
	return weft_sim_run(42, NULL, *(int (**)(void *))arg, NULL);
}

static void run_42_in_child(int (*main_task)(void *arg))
{
	in_child(sim_run_42, &main_task);
}

TEST("a run that fails says its seed")
{
	run_42_in_child(fail_by_result);
	assert_status(3);
	assert_said("weft: WEFT_SIM=42 runs this schedule again\n");
	run_42_in_child(fail_by_abort);
	assert_status(-SIGABRT);
	assert_said("weft: WEFT_SIM=42 runs this schedule again\n");
}

TEST("a deadlock says its seed")
{
	run_42_in_child(wait_forever);
	assert_status(2);
	assert_said("deadlock!");
	assert_said("WEFT_SIM=42");
}

/* ---- a wait with a deadline leaves nothing behind ---- */

static int ends[2]; /* nothing comes out of the first, nothing more goes into the second */
static char bytes[1 << 16];

static ssize_t timed_read(int64_t deadline)
{
	return weft_read(ends[0], bytes, 1, deadline);
}

static ssize_t timed_readv(int64_t deadline)
{
	struct iovec v = {bytes, 1};
	return weft_readv(ends[0], &v, 1, deadline);
}

static ssize_t timed_recv(int64_t deadline)
{
	return weft_recv(ends[0], bytes, 1, 0, deadline);
}

static ssize_t timed_recvfrom(int64_t deadline)
{
	return weft_recvfrom(ends[0], bytes, 1, 0, NULL, NULL, deadline);
}

static ssize_t timed_recvmsg(int64_t deadline)
{
	struct iovec v = {bytes, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	return weft_recvmsg(ends[0], &m, 0, deadline);
}

static void fill(void)
{
	while (send(ends[1], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

static ssize_t timed_write(int64_t deadline)
{
	fill();
	return weft_write(ends[1], bytes, 1, deadline);
}

static ssize_t timed_writev(int64_t deadline)
{
	struct iovec v = {bytes, 1};
	fill();
	return weft_writev(ends[1], &v, 1, deadline);
}

static ssize_t timed_send(int64_t deadline)
{
	fill();
	return weft_send(ends[1], bytes, 1, 0, deadline);
}

static ssize_t timed_sendto(int64_t deadline)
{
	fill();
	return weft_sendto(ends[1], bytes, 1, 0, NULL, 0, deadline);
}

static ssize_t timed_sendmsg(int64_t deadline)
{
	struct iovec v = {bytes, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	fill();
	return weft_sendmsg(ends[1], &m, 0, deadline);
}

static ssize_t timed_accept(int64_t deadline)
{
	int fd = weft_tcp_listen("127.0.0.1", "0", 1);
	ssize_t n = weft_accept(fd, NULL, NULL, deadline);
	weft_close(fd);
	return n;
}

static ssize_t timed_wait_fd(int64_t deadline)
{
	return weft_wait_fd(ends[0], POLLIN, deadline);
}

static ssize_t timed_wait_pid(int64_t deadline)
{
	pid_t pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	ssize_t n = weft_wait_pid(pid, NULL, deadline);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return n;
}

static ssize_t (*timed)(int64_t deadline);

static int wait_a_while_then_forever(void *arg)
{
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0 || timed(weft_after(MS)) != -ETIMEDOUT)
		return 1;
	return wait_forever(NULL);
}

TEST("no timed wait hides a deadlock")
{
	static ssize_t (*const kinds[])(int64_t deadline) = {
		timed_read,   timed_readv,   timed_recv,     timed_recvfrom, timed_recvmsg,
		timed_write,  timed_writev,  timed_send,     timed_sendto,   timed_sendmsg,
		timed_accept, timed_wait_fd, timed_wait_pid,
	};
	for (unsigned i = 0; i < array_len(kinds); i++) {
		timed = kinds[i];
		run_42_in_child(wait_a_while_then_forever);
		expect_that(status == 2, "kind %u: status %d; it said:\n%s", i, status, said);
		assert_said("deadlock!");
	}
}

/* ---- a locked task ends, and everything else goes on ---- */

static struct weft_chan *chan;
static unsigned locked_ends;

static int end_locked(void *arg)
{
	weft_lock_os_thread();
	if (arg)
		weft_yield();
	add_relaxed(&locked_ends, 1);
	return 0;
}

static int yield_on(void *arg)
{
	for (int i = 0; i < 20; i++)
		weft_yield();
	return 0;
}

static int sleep_on(void *arg)
{
	return weft_sleep(MS);
}

static int send_on(void *arg)
{
	return weft_chan_send(chan, NULL, WEFT_FOREVER);
}

static int receive_on(void *arg)
{
	return weft_chan_recv(chan, NULL, WEFT_FOREVER);
}

static int read_on(void *arg)
{
	return weft_read(ends[0], bytes, 1, WEFT_FOREVER) != 1;
}

/* When the locked thread has most likely gone, and perhaps none is left that sees a descriptor. */
static void *write_from_outside(void *arg)
{
	while (!load_relaxed(&locked_ends))
		usleep(1000);
	usleep(2000);
	expect_eq(write(ends[1], "x", 1), 1);
	return NULL;
}

enum { MIX = 4 };
static int (*const mixes[][MIX])(void *arg) = {
	{end_locked, yield_on},
	{end_locked, sleep_on},
	{end_locked, read_on},
	{end_locked, end_locked, yield_on, yield_on},
	{end_locked, end_locked, sleep_on, yield_on},
	{end_locked, send_on, end_locked, receive_on},
	{end_locked, read_on, sleep_on},
	{end_locked, read_on, end_locked, yield_on},
};

/* The main task is gone when the locked ones end, so that one of their threads may be the last. */
static int leave_mix(void *arg)
{
	int (*const *mix)(void *arg) = arg;
	for (intptr_t i = 0; i < MIX && mix[i]; i++) {
		struct weft_task *task;
		weft_spawn(&task, NULL, mix[i], (void *)i);
		weft_detach(task);
	}
	return 0;
}

static int run_mix(uint64_t seed, unsigned max_threads, int (*const *mix)(void *arg))
{
	struct weft_options o = {.size = sizeof(o), .max_threads = max_threads};
	pthread_t writer;
	bool reads = mix[1] == read_on;
	store_relaxed(&locked_ends, 0);
	if (reads)
		pthread_create(&writer, NULL, write_from_outside, NULL);
	int err = weft_sim_run(seed, &o, leave_mix, (void *)mix);
	if (reads)
		pthread_join(writer, NULL);
	return err;
}

static int search_locked_ends(void *max_threads)
{
	for (unsigned i = 0; i < array_len(mixes); i++)
		for (uint64_t seed = 1; seed <= 20; seed++)
			if (run_mix(seed, *(unsigned *)max_threads, mixes[i]) != 0)
				return 1;
	return 0;
}

/* Any number of threads; and at most two or three, a dying one of which counts for a while. */
TEST("a locked end strands no task", .times = 3)
{
	static unsigned limits[] = {0, 2, 3};
	expect_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	chan = weft_chan_new(0, 0);
	in_child(search_locked_ends, &limits[nth]);
	assert_status(0);
	expect_eq(said, "");
	weft_chan_unref(chan);
}

TEST("a run that succeeds says nothing")
{
	run_42_in_child(correct);
	assert_status(0);
	expect_eq(said, "");
}

/* ---- the environment ---- */

TEST("any program runs deterministic by the environment")
{
	setenv("WEFT_SIM", "12", 1);
	run_in_child(NULL, fail_by_result);
	assert_said("WEFT_SIM=12 runs");
	run_42_in_child(fail_by_result);
	assert_said("WEFT_SIM=12 runs");
	expect_eq(weft_run(NULL, sleep_for_a_day, NULL), 0);
}

TEST("a seed that is no number is refused aloud")
{
	setenv("WEFT_SIM", "twelve", 1);
	run_in_child(NULL, fail_by_result);
	assert_status(3);
	assert_said("WEFT_SIM=twelve is not a number: ignored");
	assert_not_said("runs this schedule");
}

/* ---- the rest of the runtime ---- */

static int block_beside_others(void *arg)
{
	struct weft_stats s = {.size = sizeof(s)};
	struct weft_task *task;
	weft_spawn(&task, NULL, write_letter, (void *)0);
	usleep(50 * 1000);
	weft_join(task, NULL, WEFT_FOREVER);
	weft_stats(&s);
	expect_eq(s.leases_taken, 0);
	expect_eq(s.threads_started, 1);
	step_count = 0;
	return 0;
}

TEST("there is one thread and no lease is taken")
{
	expect_eq(weft_sim_run(1, NULL, block_beside_others, NULL), 0);
}

static int stop_all(void *arg)
{
	struct weft_task *task;
	weft_spawn(&task, NULL, wait_forever, NULL);
	weft_yield();
	weft_stop();
	weft_cancel_mask(1); /* the main task is cancelled, too */
	return weft_join(task, NULL, WEFT_FOREVER);
}

TEST("stop ends it")
{
	expect_eq(weft_sim_search(1, 50, NULL, stop_all, NULL, NULL), 0);
}

static int many_tasks(void *arg)
{
	enum { MANY = 3000 }; /* more than the queues hold */
	static struct weft_task *tasks[MANY];
	counter = 0;
	for (int i = 0; i < MANY; i++)
		expect_eq(weft_spawn(&tasks[i], NULL, wait_forever, NULL), 0);
	weft_sleep(MS);
	for (int i = 0; i < MANY; i++)
		weft_cancel(tasks[i]);
	for (int i = 0; i < MANY; i++)
		expect_eq(weft_join(tasks[i], NULL, WEFT_FOREVER), 0);
	return 0;
}

TEST("many tasks are no matter")
{
	expect_eq(weft_sim_run(3, NULL, many_tasks, NULL), 0);
}
