/* SPDX-License-Identifier: MIT */
/*
 * test_end.c: threads that are not the runtime's, and its end: waits for what belongs to a run end
 * with it, others go on, and weft_run does not wait for the threads.
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../tasks.h"
#include "sched/sched.h"

enum { WAITERS = 5 };

static int pair[2];
static struct weft_chan *chan;
static int about_to_wait, ended;

static void announce(void)
{
	__atomic_fetch_add(&about_to_wait, 1, __ATOMIC_RELEASE);
}

/* ---- bound waits ---- */

static int wait_read(void)
{
	char byte;
	return (int)weft_read(pair[0], &byte, 1, WEFT_FOREVER);
}

static int wait_with_deadline(void)
{
	return weft_wait_fd(pair[0], POLLIN, weft_after(3600 * 1000 * (int64_t)MS));
}

static int wait_select(void)
{
	struct weft_case cases[] = {weft_on_ready(pair[0], POLLIN), weft_on_recv(chan, NULL)};
	return weft_select(cases, 2, WEFT_FOREVER);
}

static int wait_own(void)
{
	char name[32]; /* such names are the whole machine's */
	snprintf(name, sizeof(name), "@weft-test-end-%d", getpid());
	int fd = weft_unix_listen(name, 0);
	expect_ge(fd, 0);
	int got = weft_accept(fd, NULL, NULL, WEFT_FOREVER);
	expect_eq(weft_close(fd), -EINVAL); /* it was the runtime's */
	close(fd);
	return got;
}

static int wait_child(void)
{
	int gate[2];
	char byte;
	expect_eq(pipe(gate), 0);
	pid_t child = fork();
	if (child == 0) {
		close(gate[1]);
		_exit((int)read(gate[0], &byte, 1));
	}
	int err = weft_wait_pid(child, NULL, WEFT_FOREVER);
	close(gate[0]);
	close(gate[1]);
	return err;
}

static int (*const waits[WAITERS])(void) = {wait_read, wait_with_deadline, wait_select, wait_own,
					    wait_child};

static void *wait_for_the_end(void *arg)
{
	int (*const *wait)(void) = arg;
	announce();
	expect_eq((*wait)(), -ESHUTDOWN);
	return NULL;
}

/* They wait, most likely; if one has not begun yet, it is refused like one that has. */
static int let_them_wait(void *arg)
{
	pthread_t *threads = arg;
	for (int i = 0; i < WAITERS; i++)
		expect_eq(pthread_create(&threads[i], NULL, wait_for_the_end, (void *)&waits[i]),
			  0);
	while (flag(&about_to_wait) < WAITERS)
		weft_sleep(MS / 10);
	weft_sleep(100 * MS);
	return 0;
}

TEST("waits for descriptors end with the runtime", .times = 3)
{
	pthread_t threads[WAITERS];
	expect_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	chan = weft_chan_new(0, 0);
	expect_eq(tasks_run(tasks_processors[nth], let_them_wait, threads), 0);
	for (int i = 0; i < WAITERS; i++)
		pthread_join(threads[i], NULL);
	weft_chan_unref(chan);
}

/* ---- what goes on ---- */

static void *sleep_beyond(void *arg)
{
	int64_t until = weft_after(300 * MS);
	announce();
	expect_eq(weft_sleep_until(until), 0);
	expect_ge(weft_now(), until);
	return NULL;
}

static void *receive_beyond(void *arg)
{
	announce();
	expect_eq(weft_chan_recv(chan, NULL, soon()), 0);
	expect_eq(flag(&ended), 1);
	return NULL;
}

static int let_them_begin(void *arg)
{
	pthread_t *threads = arg;
	pthread_create(&threads[0], NULL, sleep_beyond, NULL);
	pthread_create(&threads[1], NULL, receive_beyond, NULL);
	while (flag(&about_to_wait) < 2)
		weft_sleep(MS / 10);
	weft_sleep(MS);
	return 0;
}

TEST("sleeps and channels go on beyond it", .times = 3)
{
	pthread_t threads[2];
	chan = weft_chan_new(0, 0);
	expect_eq(tasks_run(tasks_processors[nth], let_them_begin, threads), 0);
	flag_set(&ended, 1);
	expect_eq(weft_chan_send(chan, NULL, soon()), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	weft_chan_unref(chan);
}

/* ---- bound waits of threads that leave ---- */

static pthread_key_t parting;

static void wait_at_last(void *wait)
{
	announce();
	int got = (*(int (*const *)(void))wait)();
	expect(got == -ESHUTDOWN || got == -EINVAL); /* it had not begun */
}

/* Its thread ends with it, and runs the destructor. */
static int leave_a_wait(void *wait)
{
	expect_eq(weft_lock_os_thread(), 0);
	return pthread_setspecific(parting, wait);
}

static int let_a_thread_leave(void *wait)
{
	expect_eq(tasks_join(tasks_start(leave_a_wait, wait)), 0);
	while (!flag(&about_to_wait))
		weft_sleep(MS / 10);
	return weft_sleep(20 * MS);
}

TEST("a key destructor's wait ends with the runtime, which waits for its thread", .times = 3)
{
	const unsigned locks[] = {0, WEFT_LOCK_MAIN};
	expect_eq(pthread_key_create(&parting, wait_at_last), 0);
	expect_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	chan = weft_chan_new(0, 0);
	for (int i = 0; i < 2 * WAITERS; i++) {
		struct weft_options o = {.size = sizeof(o),
					 .processors = tasks_processors[nth],
					 .flags = locks[i % 2]};
		flag_set(&about_to_wait, 0);
		expect_eq(weft_run(&o, let_a_thread_leave, (void *)&waits[i / 2]), 0);
	}
	weft_chan_unref(chan);
}

/* ---- a child of fork ---- */

static pthread_t inside;

static int fork_while_one_is_inside(void *arg)
{
	int status = -1;
	pthread_create(&inside, NULL, wait_for_the_end, (void *)&waits[0]);
	while (!load_relaxed(&sched.foreign_inside))
		weft_sleep(MS / 10);
	pid_t child = fork();
	if (child == 0)
		_exit(load_relaxed(&sched.foreign_inside) != 0);
	expect_eq(waitpid(child, &status, 0), child);
	return status;
}

TEST("in a child of fork nobody is inside")
{
	expect_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	expect_eq(tasks_run(2, fork_while_one_is_inside, NULL), 0);
	pthread_join(inside, NULL);
}

/* ---- at every moment ---- */

/*
 * Handles and groups end with their run, so no thread may take one into the next: that begins when
 * each act is over which the last one met.
 */
static struct {
	pthread_rwlock_t acting;
	int over;
	int done[6]; /* how often each act succeeded */
} churn = {.acting = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP};

static bool act(bool (*one)(void))
{
	pthread_rwlock_rdlock(&churn.acting);
	bool done = one();
	pthread_rwlock_unlock(&churn.acting);
	sched_yield();
	return done;
}

static void await_acts(void)
{
	pthread_rwlock_wrlock(&churn.acting);
	pthread_rwlock_unlock(&churn.acting);
}

static int give_seven(void *arg)
{
	return 7;
}

static bool spawn_and_join(void)
{
	struct weft_task *task;
	int result = 0;
	int err = weft_spawn(&task, NULL, give_seven, NULL);
	if (!err)
		err = weft_join(task, &result, WEFT_FOREVER);
	expect(err == 0 || err == -EINVAL || err == -ESHUTDOWN);
	if (!err)
		expect_eq(result, 7);
	return !err;
}

static bool group_of_three(void)
{
	struct weft_group *group;
	int result = 0;
	int err = weft_group_new_with(&group, NULL);
	for (int i = 0; i < 3 && !err; i++)
		err = weft_group_go(group, give_seven, NULL);
	if (err == -ECANCELED) /* a member has ended by then, with its result */
		err = 0;
	if (!err)
		err = weft_group_wait(group, &result, WEFT_FOREVER);
	expect(err == 0 || err == -EINVAL);
	if (!err)
		expect_eq(result, 7);
	return !err;
}

static bool read_in_vain(void)
{
	char byte;
	ssize_t n = weft_read(pair[0], &byte, 1, weft_after(MS / 10));
	expect(n == -ETIMEDOUT || n == -EINVAL || n == -ESHUTDOWN);
	return n == -ETIMEDOUT;
}

static bool listen_and_close(void)
{
	int fd = weft_tcp_listen("127.0.0.1", "0", 0);
	if (fd < 0) {
		expect(fd == -EINVAL || fd == -ESHUTDOWN);
		return false;
	}
	int err = weft_close(fd);
	expect(err == 0 || err == -EINVAL);
	if (err)
		close(fd);
	return !err;
}

static bool time_and_wait(void)
{
	struct weft_chan *c = weft_chan_new(0, 1);
	struct weft_timer *timer = weft_timer_new_chan(c);
	int err = weft_timer_start(timer, 1, 0);
	if (!err)
		err = weft_chan_recv(c, NULL, weft_after(20 * MS)); /* or the run has ended */
	expect(err == 0 || err == -EINVAL || err == -ETIMEDOUT);
	weft_timer_free(timer);
	weft_chan_unref(c);
	return !err;
}

static bool notify_and_stop(void)
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 1);
	int err = weft_signal_notify(c, SIGUSR2);
	expect(err == 0 || err == -EINVAL || err == -ESHUTDOWN);
	int stopped = weft_signal_stop(c);
	expect(stopped == 0 || stopped == -EINVAL);
	weft_chan_unref(c);
	return !err && !stopped;
}

static bool (*const acts[6])(void) = {spawn_and_join,	group_of_three, read_in_vain,
				      listen_and_close, time_and_wait,	notify_and_stop};

static void *act_all_the_time(void *arg)
{
	for (int i = (int)(intptr_t)arg; !flag(&churn.over); i++)
		if (act(acts[i % 6]))
			__atomic_fetch_add(&churn.done[i % 6], 1, __ATOMIC_RELAXED);
	return NULL;
}

static bool each_was_done(void)
{
	for (int i = 0; i < 6; i++)
		if (__atomic_load_n(&churn.done[i], __ATOMIC_RELAXED) < 10)
			return false;
	return true;
}

static int run_a_moment(void *arg)
{
	return weft_sleep((int64_t)(intptr_t)arg * MS / 2);
}

/* Short runs one after the other, until each act has met many of them. */
TEST("threads meet each moment of a runtime's birth and end", .seconds = 300)
{
	enum { LEAST = 200, MOST = 20000 };
	pthread_t threads[4];
	expect_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	for (intptr_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, act_all_the_time, (void *)i);
	int runs = 0;
	for (; runs < LEAST || (runs < MOST && !each_was_done()); runs++) {
		expect_eq(tasks_run(tasks_processors[runs % 3], run_a_moment,
				    (void *)(intptr_t)(runs % 7)),
			  0);
		await_acts();
	}
	flag_set(&churn.over, 1);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	expect(each_was_done());
}

/* ---- what a call leaves behind ---- */

static int run_for_nothing(void *arg)
{
	return 0;
}

/* No report: then nobody looks again, later, whether all has ended. */
static void run_while(void *(*work)(void *arg), int runs, void (*after)(void))
{
	const struct weft_options options = {.processors = 2, .flags = WEFT_NO_DEADLOCK_REPORT};
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, work, NULL);
	for (int i = 0; i < runs; i++) {
		expect_eq(weft_run(&options, run_for_nothing, NULL), 0);
		await_acts();
		after();
	}
	flag_set(&churn.over, 1);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

/* A member that is refused has counted as a task for a moment: the last one, perhaps. */
static bool go_in_vain(void)
{
	struct weft_group *group = weft_group_new();
	if (group)
		weft_group_cancel(group);
	while (group && weft_group_go(group, give_seven, NULL) == -ECANCELED)
		;
	return false;
}

static void *start_in_vain(void *arg)
{
	while (!flag(&churn.over))
		act(go_in_vain);
	return NULL;
}

static void nothing_more(void)
{
}

TEST("a member that is refused does not keep the runtime from ending")
{
	run_while(start_in_vain, 300, nothing_more);
}

static void *notify_in_vain(void *arg)
{
	while (!flag(&churn.over))
		act(notify_and_stop);
	return NULL;
}

static void expect_default(void)
{
	struct sigaction action;
	expect_eq(sigaction(SIGUSR2, NULL, &action), 0);
	expect_eq(action.sa_handler, SIG_DFL);
}

TEST("no signal keeps its channel beyond the end")
{
	run_while(notify_in_vain, 300, expect_default);
}

/* ---- a plain call ---- */

static struct {
	pthread_t thread;
	int file, faults;
	long page;
	char *buf; /* a page that is not there until the test says so */
} beyond;

/* A file's read cannot be ended, and takes as long as its buffer's page. */
static void *read_beyond(void *arg)
{
	announce();
	expect_eq(weft_read(beyond.file, beyond.buf, 1, WEFT_FOREVER), 1);
	expect_eq(flag(&ended), 1);
	return NULL;
}

static int let_it_read(void *arg)
{
	struct pollfd fault = {.fd = beyond.faults, .events = POLLIN};
	pthread_create(&beyond.thread, NULL, read_beyond, NULL);
	expect_eq(poll(&fault, 1, -1), 1);
	return 0;
}

static void hold_the_page(void)
{
	struct uffdio_api api = {.api = UFFD_API};
	beyond.page = sysconf(_SC_PAGESIZE);
	beyond.buf = mmap(NULL, (size_t)beyond.page, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffdio_register whole = {
		.range = {(uintptr_t)beyond.buf, (uint64_t)beyond.page},
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	beyond.faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (beyond.faults < 0)
		skip("userfaultfd(2) is refused: %s", strerror(errno));
	expect_eq(ioctl(beyond.faults, UFFDIO_API, &api), 0);
	expect_eq(ioctl(beyond.faults, UFFDIO_REGISTER, &whole), 0);
}

static void let_the_page_come(void)
{
	struct uffdio_zeropage zero = {.range = {(uintptr_t)beyond.buf, (uint64_t)beyond.page}};
	expect_eq(ioctl(beyond.faults, UFFDIO_ZEROPAGE, &zero), 0);
}

static int let_it_end(void *arg)
{
	flag_set(&ended, 1);
	let_the_page_come();
	pthread_join(beyond.thread, NULL);
	return 0;
}

/* The second time it ends during another run. */
TEST("what a plain call brings after the end is delivered", .times = 2)
{
	hold_the_page();
	beyond.file = open("/proc/self/exe", O_RDONLY);
	expect_eq(tasks_run(2, let_it_read, NULL), 0);
	expect_eq(nth ? tasks_run(2, let_it_end, NULL) : let_it_end(NULL), 0);
	expect_ne(*beyond.buf, 0);
	close(beyond.faults);
	close(beyond.file);
}
