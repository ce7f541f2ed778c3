/* SPDX-License-Identifier: MIT */
/* test_signal.c: signals into channels, and waiting for children. */
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "io_test.h"

/* ---- signals ---- */

static struct weft_chan *notified(int signo, size_t capacity)
{
	struct weft_chan *c = weft_chan_new(sizeof(int), capacity);
	ck_ok(weft_signal_notify(c, signo));
	return c;
}

static int expect(struct weft_chan *c, int64_t deadline)
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

TEST_TASKS(a_signal_arrives_in_its_channel)
{
	int usr1 = SIGUSR1, usr2 = SIGUSR2;
	struct weft_chan *c = notified(SIGUSR1, 8);
	ck_ok(weft_signal_notify(c, SIGUSR2));
	for (int i = 0; i < 10; i++) {
		struct weft_task *task = tasks_start(raise_later, i % 2 ? &usr1 : &usr2);
		ck_assert_int_eq(expect(c, soon()), i % 2 ? SIGUSR1 : SIGUSR2);
		ck_ok(tasks_join(task));
	}
	weft_chan_unref(c);
}

static volatile int handled;

static void count(int signo)
{
	handled++;
}

TEST_TASKS(the_former_action_comes_back)
{
	signal(SIGUSR1, count);
	handled = 0;
	struct weft_chan *c = notified(SIGUSR1, 1), *d = notified(SIGUSR1, 1);
	raise(SIGUSR1);
	ck_assert_int_eq(expect(d, soon()), SIGUSR1); /* the later one replaced the first */
	ck_assert_int_eq(expect(c, weft_after(5 * MS)), -ETIMEDOUT);
	ck_assert_int_eq(handled, 0);
	ck_ok(weft_signal_notify(NULL, SIGUSR1));
	raise(SIGUSR1);
	ck_assert_int_eq(handled, 1);
	weft_chan_unref(c);
	weft_chan_unref(d);
}

TEST_TASKS(wrong_signals_and_channels_are_refused)
{
	struct weft_chan *ints = weft_chan_new(sizeof(int), 1), *longs = weft_chan_new(8, 1);
	ck_assert_int_eq(weft_signal_notify(ints, SIGKILL), -EINVAL);
	ck_assert_int_eq(weft_signal_notify(ints, 0), -EINVAL);
	ck_assert_int_eq(weft_signal_notify(ints, 1000), -EINVAL);
	ck_assert_int_eq(weft_signal_notify(longs, SIGUSR1), -EINVAL);
	ck_ok(weft_signal_notify(NULL, SIGUSR1));
	weft_chan_unref(ints);
	weft_chan_unref(longs);
}

static int leave_notified(void *arg)
{
	struct weft_chan *c = notified(SIGUSR1, 1);
	ck_ok(weft_signal_notify(c, SIGQUIT)); /* the runtime has a handler of its own for it */
	weft_chan_unref(c);
	return 0;
}

START_TEST(the_end_of_the_runtime_ends_it)
{
	struct sigaction quit, seen;
	sigaction(SIGQUIT, NULL, &quit);
	signal(SIGUSR1, count);
	handled = 0;
	ck_ok(tasks_run(2, leave_notified, NULL));
	raise(SIGUSR1);
	ck_assert_int_eq(handled, 1);
	sigaction(SIGQUIT, NULL, &seen);
	ck_assert_ptr_eq(seen.sa_handler, quit.sa_handler);
}
END_TEST

/* Signals come in all the while: nothing is cut short, nothing is lost but what a full channel cannot hold. */
TEST_TASKS(a_storm_of_signals_harms_nothing)
{
	struct weft_chan *c = notified(SIGUSR1, 10000);
	char byte;
	int fd[2], got = 0;
	ck_ok(pipe(fd));
	for (int i = 0; i < 500; i++) {
		raise(SIGUSR1);
		int64_t end = weft_after(MS / 20);
		ck_ok(weft_sleep_until(end));
		ck_assert_int_ge(weft_now(), end);
		ck_assert_int_eq(weft_read(fd[0], &byte, 1, 0), -EAGAIN);
	}
	while (expect(c, weft_after(20 * MS)) == SIGUSR1)
		got++;
	ck_assert_int_eq(got, 500);
	close(fd[0]);
	close(fd[1]);
	weft_chan_unref(c);
}

/* Nothing but a signal can wake anybody: no deadlock is reported. */
static int wait_for_alarm(void *arg)
{
	struct weft_chan *c = notified(SIGALRM, 1);
	alarm(1);
	int got = expect(c, WEFT_FOREVER);
	weft_chan_unref(c);
	return got;
}

START_TEST(waiting_for_a_signal_alone_is_no_deadlock)
{
	ck_assert_int_eq(tasks_run(2, wait_for_alarm, NULL), SIGALRM);
}
END_TEST

/* ---- children ---- */

static pid_t child(int status, int64_t delay)
{
	pid_t pid = fork();
	if (pid == 0) {
		struct timespec ts = {.tv_nsec = delay};
		nanosleep(&ts, NULL);
		_exit(status);
	}
	ck_assert_int_gt(pid, 0);
	return pid;
}

TEST_TASKS(a_child_is_waited_for)
{
	int status = 0;
	ck_ok(weft_wait_pid(child(7, 20 * MS), &status, soon()));
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	pid_t pid = child(0, 900 * MS);
	ck_assert_int_eq(weft_wait_pid(pid, &status, 0), -EAGAIN);
	ck_assert_int_eq(weft_wait_pid(pid, &status, weft_after(5 * MS)), -ETIMEDOUT);
	kill(pid, SIGKILL);
	ck_ok(weft_wait_pid(pid, &status, soon()));
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	ck_assert_int_eq(weft_wait_pid(pid, &status, soon()), -ECHILD);
	ck_assert_int_eq(weft_wait_pid(-1, &status, soon()), -EINVAL);
	ck_ok(weft_wait_pid(child(0, 0), NULL, soon()));
}

static int wait_for(void *arg)
{
	return weft_wait_pid(*(pid_t *)arg, NULL, WEFT_FOREVER);
}

TEST_TASKS(waiting_for_a_child_can_be_cancelled)
{
	pid_t pid = child(0, 900 * MS);
	int before = open_descriptors();
	struct weft_task *task = tasks_start(wait_for, &pid);
	tasks_settle();
	weft_cancel(task);
	ck_assert_int_eq(tasks_join(task), -ECANCELED);
	ck_assert_int_eq(open_descriptors(), before);
	kill(pid, SIGKILL);
	ck_ok(weft_wait_pid(pid, NULL, soon()));
}

static void add_all(TCase *t)
{
	add_tasks_test(t, a_signal_arrives_in_its_channel);
	add_tasks_test(t, the_former_action_comes_back);
	add_tasks_test(t, wrong_signals_and_channels_are_refused);
	tcase_add_test(t, the_end_of_the_runtime_ends_it);
	add_tasks_test(t, a_storm_of_signals_harms_nothing);
	tcase_add_test(t, waiting_for_a_signal_alone_is_no_deadlock);
	add_tasks_test(t, a_child_is_waited_for);
	add_tasks_test(t, waiting_for_a_child_can_be_cancelled);
}

TESTS_MAIN("signal", add_all)
