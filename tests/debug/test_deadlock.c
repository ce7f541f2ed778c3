/* SPDX-License-Identifier: MIT */
/* test_deadlock.c: a program in which nothing can ever happen again is told so; no other program
 * is. */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/attr.h"
#include "debug/deadlock.h"
#include "debug_test.h"
#include "sched/park.h"

#define assert_reported() \
	do { \
		assert_status(2); \
		assert_said("weft: all tasks are asleep - deadlock!\n"); \
		assert_said("[nothing, "); \
	} while (0)
#define assert_not_reported(expected) \
	do { \
		assert_status((expected)); \
		assert_not_said("deadlock!"); \
	} while (0)

TEST("one task that waits for ever")
{
	run_in_child(NULL, wait_forever);
	assert_reported();
	assert_said("task 1 'main'");
	assert_not_said("main returned");
}

TEST("a main task on the first thread")
{
	struct weft_options options = {.flags = WEFT_LOCK_MAIN};
	run_in_child(&options, wait_forever);
	assert_reported();
	assert_said("locked to thread");
}

static int leave_three(void *arg)
{
	for (int i = 0; i < 3; i++)
		weft_go(go_wait_forever, NULL);
	return 0;
}

TEST("tasks that wait after main returned")
{
	run_in_child(NULL, leave_three);
	assert_reported();
	assert_said("weft: main returned; 3 tasks still wait\nweft: all tasks");
	expect_eq(count_of(said, "[nothing, "), 3);
}

TEST("tasks that wait after main ended locked to the first thread")
{
	struct weft_options options = {.flags = WEFT_LOCK_MAIN};
	run_in_child(&options, leave_three);
	assert_reported();
	assert_said("weft: main returned; 3 tasks still wait\nweft: all tasks");
}

static int exit_and_leave_one(void *arg)
{
	weft_go(go_wait_forever, NULL);
	weft_exit(0);
}

TEST("a task that waits after main left by weft exit")
{
	run_in_child(NULL, exit_and_leave_one);
	assert_reported();
	assert_said("weft: main returned; 1 task still waits\n");
}

static int locked_waiter(void *arg)
{
	weft_lock_os_thread();
	return wait_forever(NULL);
}

static int wait_for_locked(void *arg)
{
	struct weft_task *task;
	weft_spawn(&task, NULL, locked_waiter, NULL);
	return weft_join(task, NULL, WEFT_FOREVER);
}

TEST("locked tasks that wait for ever")
{
	run_in_child(NULL, wait_for_locked);
	assert_reported();
	assert_said("[join, ");
	assert_said("locked to thread");
}

static int end_locked(void *arg)
{
	return weft_lock_os_thread();
}

/* The thread of a task that ended locked dies while the process comes to rest. */
static int wait_after_thread_exits(void *arg)
{
	struct weft_task *tasks[8];
	for (int i = 0; i < 8; i++)
		weft_spawn(&tasks[i], NULL, end_locked, NULL);
	for (int i = 0; i < 8; i++)
		weft_join(tasks[i], NULL, WEFT_FOREVER);
	return wait_forever(NULL);
}

TEST("waiting for ever beside threads that die")
{
	for (int i = 0; i < 10; i++) {
		run_in_child(NULL, wait_after_thread_exits);
		assert_reported();
	}
}

/* ---- no false report ---- */

static struct weft_task *sleeper;

static int wait_and_be_woken(void *arg)
{
	wait_forever(NULL);
	return 0;
}

static int wake_after(int (*pause)(void))
{
	weft_spawn(&sleeper, NULL, wait_and_be_woken, NULL);
	if (pause() < 0)
		return 1;
	weft_cancel(sleeper);
	return weft_join(sleeper, NULL, WEFT_FOREVER);
}

static int sleep_by_timer(void)
{
	return weft_sleep(50 * MS);
}

static int sleep_in_the_kernel(void)
{
	return usleep(50 * 1000);
}

static int sleep_with_hint(void)
{
	weft_blocking_begin();
	usleep(50 * 1000);
	return weft_blocking_end();
}

static int by_timer(void *arg)
{
	return wake_after(sleep_by_timer);
}

static int by_system_call(void *arg)
{
	return wake_after(sleep_in_the_kernel);
}

static int by_hint(void *arg)
{
	return wake_after(sleep_with_hint);
}

TEST("not while a timer runs")
{
	run_in_child(NULL, by_timer);
	assert_not_reported(0);
}

TEST("not while a task is in a system call")
{
	run_in_child(NULL, by_system_call);
	assert_not_reported(0);
	run_in_child(NULL, by_hint);
	assert_not_reported(0);
}

static void *cancel_from_outside(void *arg)
{
	usleep(100 * 1000);
	weft_cancel(arg);
	return NULL;
}

static int woken_by_a_thread(void *arg)
{
	pthread_t thread;
	pthread_create(&thread, NULL, cancel_from_outside, weft_self());
	pthread_detach(thread);
	return wait_forever(NULL);
}

TEST("not while the process has other threads")
{
	run_in_child(NULL, woken_by_a_thread);
	assert_not_reported(0);
}

/* ---- threads that die ---- */

static pthread_key_t key;

static int lock_with_key(void *arg)
{
	weft_lock_os_thread();
	return pthread_setspecific(key, arg);
}

static void cancel_late(void *task)
{
	usleep(100 * 1000);
	weft_cancel(task);
}

static int woken_by_a_key_destructor(void *arg)
{
	struct weft_task *task;
	pthread_key_create(&key, cancel_late);
	weft_spawn(&task, NULL, lock_with_key, weft_self());
	weft_detach(task);
	return wait_forever(NULL);
}

TEST("not while a key destructor may wake a task")
{
	run_in_child(NULL, woken_by_a_key_destructor);
	assert_not_reported(0);
}

/* Is a list like /proc/self/task known that holds this runtime's first thread, and `hidden` ones
 * that it does not show, as one that ends early because a thread dies? */
static bool list_is_known(int hidden)
{
	char path[] = "/dev/shm/weft-threads-XXXXXX", name[2][16];
	expect_ne(mkdtemp(path), NULL);
	int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(name[0], sizeof(name[0]), "%d", (int)sched.caller_tid);
	snprintf(name[1], sizeof(name[1]), ".hidden");
	for (int i = 0; i <= hidden; i++)
		expect_eq(mkdirat(directory, name[i], 0700), 0);
	bool known = weft__deadlock_threads_known(directory);
	for (int i = 0; i <= hidden; i++)
		expect_eq(unlinkat(directory, name[i], AT_REMOVEDIR), 0);
	close(directory);
	expect_eq(rmdir(path), 0);
	return known;
}

static int read_lists(void *arg)
{
	expect(list_is_known(0));
	expect(!list_is_known(1));
	return 0;
}

TEST("not when the list of threads ends early")
{
	expect_eq(weft_run(NULL, read_lists, NULL), 0);
}

static void *go_without_a_word(void *arg)
{
	usleep(100 * 1000);
	return NULL;
}

static int left_by_a_thread(void *arg)
{
	pthread_t thread;
	pthread_create(&thread, NULL, go_without_a_word, NULL);
	pthread_detach(thread);
	return wait_forever(NULL);
}

TEST("when the last other thread has gone")
{
	run_in_child(NULL, left_by_a_thread);
	assert_reported();
}

/* ---- handlers of the program's ---- */

static void stop_all(int signo)
{
	weft_stop();
}

static void catch (int signo, void (*handler)(int signo))
{
	struct sigaction action = {.sa_handler = handler};
	expect_eq(sigaction(signo, &action, NULL), 0);
}

/* Another process sends it, when a deadlock would have been reported. */
static void send_later(int signo)
{
	pid_t parent = getpid();
	if (fork() == 0) {
		usleep(200 * 1000);
		kill(parent, signo);
		_exit(0);
	}
}

static int caught;

/* Before the runtime is there, weft_stop would stop nothing. */
static int send_later_and_wait(void *arg)
{
	send_later(caught);
	return wait_forever(NULL);
}

static int wait_with_handler(void *arg)
{
	catch (caught, stop_all);
	return weft_run(NULL, send_later_and_wait, NULL);
}

TEST("not while a handler may stop everything")
{
	const int signals[] = {SIGTERM, SIGINT,	 SIGHUP,  SIGALRM,  SIGUSR1, SIGUSR2,	  SIGQUIT,
			       SIGPIPE, SIGCHLD, SIGABRT, SIGWINCH, SIGIO,   SIGRTMIN + 1};
	for (unsigned i = 0; i < array_len(signals); i++) {
		caught = signals[i];
		in_child(wait_with_handler, NULL);
		assert_not_reported(0);
	}
}

static int wait_with_fault_handlers(void *arg)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS};
	for (unsigned i = 0; i < array_len(faults); i++)
		catch (faults[i], stop_all);
	catch (SIGTERM, SIG_IGN);
	return weft_run(NULL, wait_forever, NULL);
}

TEST("handlers of faults and ignored signals wake no task")
{
	in_child(wait_with_fault_handlers, NULL);
	assert_reported();
}

static int drop_handler_and_wait(void *arg)
{
	catch (SIGTERM, SIG_DFL);
	return wait_forever(NULL);
}

static int wait_without_handler(void *arg)
{
	catch (SIGTERM, stop_all);
	return weft_run(NULL, drop_handler_and_wait, NULL);
}

TEST("when the handler has gone")
{
	in_child(wait_without_handler, NULL);
	assert_reported();
}

/* ---- the kernel's timers and descriptors ---- */

static void start_timer(struct sigevent *event)
{
	struct itimerspec soon = {.it_value.tv_nsec = 200 * MS};
	timer_t timer;
	expect_eq(timer_create(CLOCK_MONOTONIC, event, &timer), 0);
	expect_eq(timer_settime(timer, 0, &soon, NULL), 0);
}

static int woken_by_interval(void *arg)
{
	struct itimerval soon = {.it_value.tv_usec = 200 * 1000};
	catch (SIGALRM, stop_all);
	setitimer(ITIMER_REAL, &soon, NULL);
	return wait_forever(NULL);
}

static int woken_by_timer_signal(void *arg)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	catch (SIGUSR1, stop_all);
	start_timer(&event);
	return wait_forever(NULL);
}

#ifndef WEFT_TSAN /* it does not know the thread that libc starts for this one */
static void cancel_from_timer(union sigval value)
{
	weft_cancel(value.sival_ptr);
}

static int woken_by_timer_thread(void *arg)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD,
				 .sigev_notify_function = cancel_from_timer,
				 .sigev_value.sival_ptr = weft_self()};
	start_timer(&event);
	return wait_forever(NULL);
}
#endif

static int set_timerfd(int64_t ns)
{
	struct itimerspec when = {.it_value.tv_nsec = ns};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	timerfd_settime(fd, 0, &when, NULL);
	return fd;
}

static int woken_by_timerfd(void *arg)
{
	uint64_t n;
	return weft_read(set_timerfd(200 * MS), &n, sizeof(n), WEFT_FOREVER) != sizeof(n);
}

static int open_signalfd(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static int woken_by_signalfd(void *arg)
{
	struct signalfd_siginfo info;
	return weft_read(*(int *)arg, &info, sizeof(info), WEFT_FOREVER) != sizeof(info);
}

static int run_with_signalfd(void *arg)
{
	int fd = open_signalfd();
	send_later(SIGUSR1);
	return weft_run(NULL, woken_by_signalfd, &fd);
}

TEST("not while the kernel will wake a task")
{
	static int (*const kinds[])(void *arg) = {
		woken_by_interval,
		woken_by_timer_signal,
		woken_by_timerfd,
#ifndef WEFT_TSAN
		woken_by_timer_thread,
#endif
	};
	for (unsigned i = 0; i < array_len(kinds); i++) {
		run_in_child(NULL, kinds[i]);
		assert_not_reported(0);
	}
	in_child(run_with_signalfd, NULL);
	assert_not_reported(0);
}

/* in_child's alarm, whose default is to kill, is one more. */
static int wait_beside_idle_descriptors(void *arg)
{
	open_signalfd();
	set_timerfd(999 * MS);
	return weft_run(NULL, wait_forever, NULL);
}

TEST("timers and descriptors that no task waits for wake none")
{
	in_child(wait_beside_idle_descriptors, NULL);
	assert_reported();
}

static int wait_with_curl(void *arg)
{
	int (*init)(long flags) = (int (*)(long))(uintptr_t)dlsym(arg, "curl_global_init");
	return init(3) ? 1 : weft_run(NULL, wait_forever, NULL);
}

TEST("libcurl wakes no task")
{
	void *library = dlopen("libcurl.so.4", RTLD_NOW);
	if (!library)
		return; /* there is none */
	in_child(wait_with_curl, library);
	assert_reported();
}

static int wait_with_outside_waker(void *arg)
{
	send_later(SIGTERM);
	add_seq_cst(&sched.outside_wakers, 1);
	return wait_forever(NULL);
}

TEST("not while a signal channel may wake a task")
{
	run_in_child(NULL, wait_with_outside_waker);
	assert_not_reported(-SIGTERM);
}

static int wait_when_channel_is_gone(void *arg)
{
	struct weft_chan *chan = weft_chan_new(sizeof(int), 1);
	for (int i = 0; i < 2; i++) {
		weft_signal_notify(chan, SIGUSR1);
		weft_signal_notify(chan, SIGUSR1); /* again is once */
		if (i ? weft_signal_stop(chan) : weft_signal_notify(NULL, SIGUSR1))
			return 1;
	}
	return wait_forever(NULL);
}

TEST("when the signal channel has gone")
{
	run_in_child(NULL, wait_when_channel_is_gone);
	assert_reported();
}

static int wait_without_report(void *arg)
{
	struct weft_options options = {.flags = WEFT_NO_DEADLOCK_REPORT};
	send_later(SIGTERM);
	return weft_run(&options, wait_forever, NULL);
}

TEST("never where it is not wanted")
{
	in_child(wait_without_report, NULL);
	assert_not_reported(-SIGTERM);
}

static int crash(void *arg)
{
	weft_go(go_wait_forever, NULL);
	weft_yield();
	*(volatile int *)0 = 1; /* NOLINT: the crash is wanted */
	return 0;
}

static int crash_in_child(void *arg)
{
	struct weft_options options = {.flags = WEFT_NO_SIGNALS};
	signal(SIGSEGV, SIG_DFL); /* a sanitizer's would exit instead */
	return weft_run(&options, crash, NULL);
}

TEST("a crash is a crash")
{
	in_child(crash_in_child, NULL);
#ifdef WEFT_ASAN
	assert_not_reported(1); /* its handler cannot be removed, and exits */
#else
	assert_not_reported(-SIGSEGV);
#endif
}
