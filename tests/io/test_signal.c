/* SPDX-License-Identifier: MIT */
/* test_signal.c: signals into channels, and waiting for children. */
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "io_test.h"

/*
 * When what the kernel brings has come for sure. The virtual clock does not wait for the world: a
 * bound would pass before the signal is there, so in the deterministic mode there is none.
 */
static int64_t surely(void)
{
	return getenv("WEFT_SIM") ? WEFT_FOREVER : soon();
}

/* ---- signals ---- */

static struct weft_chan *notified(int signo, size_t capacity)
{
	struct weft_chan *c = weft_chan_new(sizeof(int), capacity);
	expect_eq(weft_signal_notify(c, signo), 0);
	return c;
}

static int next_signal(struct weft_chan *c, int64_t deadline)
{
	int signo = 0;
	int err = weft_chan_recv(c, &signo, deadline);
	return err ? err : signo;
}

static int raise_later(void *arg)
{
	weft_sleep(3 * MS);
	return kill(getpid(), *(int *)arg);
}

TASK_TEST("a signal arrives in its channel")
{
	int usr1 = SIGUSR1, usr2 = SIGUSR2;
	struct weft_chan *c = notified(SIGUSR1, 8);
	expect_eq(weft_signal_notify(c, SIGUSR2), 0);
	for (int i = 0; i < 10; i++) {
		struct weft_task *task = tasks_start(raise_later, i % 2 ? &usr1 : &usr2);
		expect_eq(next_signal(c, surely()), i % 2 ? SIGUSR1 : SIGUSR2);
		expect_eq(tasks_join(task), 0);
	}
	weft_chan_unref(c);
}

TASK_TEST("every channel of a signal gets every arrival, once, until it is taken away")
{
	struct weft_chan *a = notified(SIGUSR1, 8), *b = notified(SIGUSR1, 8);
	expect_eq(weft_signal_notify(a, SIGUSR1), 0); /* again is once */
	expect_eq(weft_signal_notify(a, SIGUSR2), 0);
	kill(getpid(), SIGUSR1);
	expect_eq(next_signal(a, surely()), SIGUSR1);
	expect_eq(next_signal(b, surely()), SIGUSR1);
	expect_eq(weft_signal_stop(a), 0);
	kill(getpid(), SIGUSR1);
	expect_eq(next_signal(b, surely()), SIGUSR1);
	expect_eq(weft_chan_len(a), 0);
	expect_eq(weft_signal_notify(a, SIGUSR1), 0);
	kill(getpid(), SIGUSR1);
	expect_eq(next_signal(a, surely()), SIGUSR1);
	expect_eq(next_signal(b, surely()), SIGUSR1);
	weft_chan_unref(a);
	weft_chan_unref(b);
}

TASK_TEST("a channel that is stopped brings back the actions of its signals alone")
{
	struct weft_chan *a = notified(SIGUSR1, 8), *b = notified(SIGUSR2, 8);
	struct sigaction now;
	expect_eq(weft_signal_notify(a, SIGUSR2), 0);
	expect_eq(weft_signal_stop(a), 0);
	expect_eq(weft_signal_stop(a), 0);
	sigaction(SIGUSR1, NULL, &now);
	expect(now.sa_handler == SIG_DFL);
	kill(getpid(), SIGUSR2);
	expect_eq(next_signal(b, surely()), SIGUSR2);
	expect_eq(weft_chan_len(a), 0); /* it would be served before b */
	expect_eq(weft_signal_notify(NULL, SIGUSR2), 0);
	sigaction(SIGUSR2, NULL, &now);
	expect(now.sa_handler == SIG_DFL);
	expect_eq(weft_signal_stop(NULL), -EINVAL);
	weft_chan_unref(a);
	weft_chan_unref(b);
}

static volatile int handled;

static void count(int signo)
{
	handled++;
}

TASK_TEST("the former action comes back")
{
	signal(SIGUSR1, count);
	handled = 0;
	struct weft_chan *c = notified(SIGUSR1, 1), *d = notified(SIGUSR1, 1);
	raise(SIGUSR1);
	expect_eq(next_signal(d, surely()), SIGUSR1);
	expect_eq(next_signal(c, surely()), SIGUSR1);
	expect_eq(handled, 0);
	expect_eq(weft_signal_notify(NULL, SIGUSR1), 0);
	raise(SIGUSR1);
	expect_eq(handled, 1);
	weft_chan_unref(c);
	weft_chan_unref(d);
}

TASK_TEST("wrong signals and channels are refused")
{
	struct weft_chan *ints = weft_chan_new(sizeof(int), 1), *longs = weft_chan_new(8, 1);
	static const int never[] = {SIGSEGV, SIGBUS, SIGILL,  SIGFPE,
				    SIGTRAP, SIGSYS, SIGKILL, SIGSTOP};
	for (size_t i = 0; i < sizeof(never) / sizeof(*never); i++)
		expect_eq(weft_signal_notify(ints, never[i]), -EINVAL);
	expect_eq(weft_signal_notify(ints, 0), -EINVAL);
	expect_eq(weft_signal_notify(ints, 1000), -EINVAL);
	expect_eq(weft_signal_notify(longs, SIGUSR1), -EINVAL);
	expect_eq(weft_signal_notify(NULL, SIGUSR1), 0);
	weft_chan_unref(ints);
	weft_chan_unref(longs);
}

static int get_blocked(void *arg)
{
	struct weft_chan *c = notified(SIGUSR1, 1);
	kill(getpid(), SIGUSR1);
	int got = next_signal(c, surely());
	weft_chan_unref(c);
	return got;
}

TEST("a signal that was blocked before the runtime began arrives all the same")
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	expect_eq(tasks_run(2, get_blocked, NULL), SIGUSR1);
}

static int leave_notified(void *arg)
{
	struct weft_chan *c = notified(SIGUSR1, 1);
	expect_eq(weft_signal_notify(c, SIGQUIT),
		  0); /* the runtime has a handler of its own for it */
	weft_chan_unref(c);
	return 0;
}

TEST("the end of the runtime ends it")
{
	struct sigaction quit, seen;
	sigaction(SIGQUIT, NULL, &quit);
	signal(SIGUSR1, count);
	handled = 0;
	expect_eq(tasks_run(2, leave_notified, NULL), 0);
	raise(SIGUSR1);
	expect_eq(handled, 1);
	sigaction(SIGQUIT, NULL, &seen);
	expect_eq(seen.sa_handler, quit.sa_handler);
}

/*
 * Signals come in all the while: nothing is cut short, nothing is lost but what a full channel
 * cannot hold.
 */
TASK_TEST("a storm of signals harms nothing")
{
	struct weft_chan *c = notified(SIGUSR1, 10000);
	char byte;
	int fd[2], got = 0;
	expect_eq(pipe(fd), 0);
	for (int i = 0; i < 500; i++) {
		raise(SIGUSR1);
		int64_t end = weft_after(MS / 20);
		expect_eq(weft_sleep_until(end), 0);
		expect_ge(weft_now(), end);
		expect_eq(weft_read(fd[0], &byte, 1, 0), -EAGAIN);
	}
	while (got < 500 && next_signal(c, surely()) == SIGUSR1)
		got++;
	expect_eq(got, 500);
	expect_eq(weft_chan_len(c), 0);
	close(fd[0]);
	close(fd[1]);
	weft_chan_unref(c);
}

/* Nothing but a signal can wake a task: no deadlock is reported. */
static int wait_for_alarm(void *arg)
{
	struct weft_chan *c = notified(SIGALRM, 1);
	alarm(1);
	int got = next_signal(c, WEFT_FOREVER);
	weft_chan_unref(c);
	return got;
}

TEST("waiting for a signal alone is no deadlock")
{
	expect_eq(tasks_run(2, wait_for_alarm, NULL), SIGALRM);
}

/* ---- children ---- */

static pid_t child(int status, int64_t delay)
{
	pid_t pid = fork();
	if (pid == 0) {
		struct timespec ts = {.tv_nsec = delay};
		nanosleep(&ts, NULL);
		_exit(status);
	}
	expect_gt(pid, 0);
	return pid;
}

TASK_TEST("a child is waited for")
{
	int status = 0;
	expect_eq(weft_wait_pid(child(7, 20 * MS), &status, surely()), 0);
	expect(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	pid_t pid = child(0, 900 * MS);
	expect_eq(weft_wait_pid(pid, &status, 0), -EAGAIN);
	expect_eq(weft_wait_pid(pid, &status, weft_after(5 * MS)), -ETIMEDOUT);
	kill(pid, SIGKILL);
	expect_eq(weft_wait_pid(pid, &status, surely()), 0);
	expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	expect_eq(weft_wait_pid(pid, &status, surely()), -ECHILD);
	expect_eq(weft_wait_pid(-1, &status, surely()), -EINVAL);
	expect_eq(weft_wait_pid(child(0, 0), NULL, surely()), 0);
}

static int wait_for(void *arg)
{
	return weft_wait_pid(*(pid_t *)arg, NULL, WEFT_FOREVER);
}

TASK_TEST("waiting for a child can be cancelled")
{
	pid_t pid = child(0, 900 * MS);
	int before = open_descriptors();
	struct weft_task *task = tasks_start(wait_for, &pid);
	tasks_settle();
	weft_cancel(task);
	expect_eq(tasks_join(task), -ECANCELED);
	expect_eq(open_descriptors(), before);
	kill(pid, SIGKILL);
	expect_eq(weft_wait_pid(pid, NULL, surely()), 0);
}

/* ---- a handler of the program's, on a thread that is about to sleep ---- */

static int told[2]; /* a pipe that the handler writes to */
static int fell_asleep;

long __real_weft__syscall(long number, long a, long b, long c, long d, long e, long f);
long __wrap_weft__syscall(long number, long a, long b, long c, long d, long e, long f);

/* Without libc: ThreadSanitizer would see a use of the pipe that nothing orders. */
static void tell(int signo)
{
	expect_eq(__real_weft__syscall(SYS_write, told[1], (long)"x", 1, 0, 0, 0), 1);
}

/* The first sleep in the poller gets its signal just before it begins. */
long __wrap_weft__syscall(long number, long a, long b, long c, long d, long e, long f)
{
	const struct timespec *limit = (const struct timespec *)d; /* NULL: none */
	bool sleeps = number == SYS_epoll_pwait2 && !(limit && !limit->tv_sec && !limit->tv_nsec);
	if (sleeps && told[1] && !__atomic_exchange_n(&fell_asleep, 1, __ATOMIC_RELAXED))
		__real_weft__syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1, 0, 0, 0);
	return __real_weft__syscall(number, a, b, c, d, e, f);
}

/* ThreadSanitizer keeps the signal back until the thread calls libc. */
TASK_TEST("a handler runs although its thread goes to sleep")
{
	struct sigaction action = {.sa_handler = tell};
	char byte;
	expect_eq(sigaction(SIGUSR1, &action, NULL), 0);
	expect_eq(pipe(told), 0);
	expect_eq(weft_read(told[0], &byte, 1, surely()), 1);
	expect(flag(&fell_asleep));
}
