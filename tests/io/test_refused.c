/* SPDX-License-Identifier: MIT */
/*
 * test_refused.c: what a sandbox refuses, and what has no flag for not blocking: weft does without.
 *
 * Each optional system call of base/refuse.h with each error that a policy may answer with.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../sandbox.h"
#include "io_test.h"

static const unsigned calls[] = {SYS_epoll_pwait2, SYS_preadv2,	   SYS_pwritev2,
				 SYS_pidfd_open,   SYS_membarrier, SYS_process_madvise};
static const unsigned errors[] = {ENOSYS, EPERM, EACCES};
enum { CALLS = sizeof(calls) / sizeof(*calls), ERRORS = sizeof(errors) / sizeof(*errors) };

static int fd[2];

static int write_later(void *arg)
{
	weft_sleep(2 * MS);
	return (int)weft_write(fd[1], "xy", 2, soon());
}

/* A byte wakes its reader, a full pipe its writer, a broken one is an error and no signal. */
static void use_pipe(void)
{
	char buf[4096];
	expect_eq(pipe(fd), 0);
	struct weft_task *writer = tasks_start(write_later, NULL);
	expect_eq(weft_read(fd[0], buf, 1, soon()), 1);
	expect_eq(tasks_join(writer), 2);
	expect_eq(weft_wait_fd(fd[0], POLLIN, soon()), POLLIN);
	while (weft_write(fd[1], buf, sizeof(buf), weft_after(MS)) > 0)
		;
	expect_eq(weft_write(fd[1], buf, 1, weft_after(MS)), -ETIMEDOUT);
	expect_eq(weft_read(fd[0], buf, sizeof(buf), 0), sizeof(buf));
	expect_eq(weft_close(fd[0]), 0);
	expect_eq(weft_write(fd[1], buf, 1, soon()), -EPIPE);
	expect_eq(weft_close(fd[1]), 0);
}

static void use_child(void)
{
	int status;
	pid_t pid = fork();
	if (pid == 0)
		_exit(7);
	expect_eq(weft_wait_pid(pid, &status, soon()), 0);
	expect(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

static int do_all(void *arg)
{
	use_pipe();
	use_child();
	return 42;
}

TEST("what a sandbox refuses is done without", .times = CALLS * ERRORS)
{
	sandbox_refuse(calls[nth / ERRORS], errors[nth % ERRORS]);
	expect_eq(tasks_run(2, do_all, NULL), 42);
}

static int do_all_before_and_after(void *nth)
{
	do_all(NULL);
	sandbox_refuse(calls[*(int *)nth / ERRORS], errors[*(int *)nth % ERRORS]);
	return do_all(NULL);
}

TEST("what a sandbox refuses in mid-run is done without from then on", .times = CALLS * ERRORS)
{
	expect_eq(tasks_run(2, do_all_before_and_after, &nth), 42);
}

/* ---- terminals and named pipes ---- */

static char line[3000];

/* A terminal without a reader; false: none to be had. */
static bool open_terminal(int *keyboard, int *terminal)
{
	*keyboard = posix_openpt(O_RDWR | O_NOCTTY);
	if (*keyboard < 0 || grantpt(*keyboard) < 0 || unlockpt(*keyboard) < 0)
		return false;
	*terminal = open(ptsname(*keyboard), O_RDWR | O_NOCTTY);
	return *terminal >= 0;
}

static void fill_to_the_brim(int out)
{
	size_t size = sizeof(line);
	for (unsigned i = 0; i < sizeof(line); i++)
		line[i] = i % 70 ? 'x' : '\n'; /* a terminal makes two of these */
	while (size) {
		ssize_t n = weft_write(out, line, size, weft_after(20 * MS));
		expect(n > 0 || n == -ETIMEDOUT);
		if (n != (ssize_t)size)
			size /= 2;
	}
}

static int write_on(void *arg)
{
	return (int)weft_write(*(int *)arg, line, sizeof(line), WEFT_FOREVER);
}

static void stay_stuck(int out)
{
	fill_to_the_brim(out);
	expect_eq(weft_write(out, line, 1, 0), -EAGAIN);
	expect_eq(weft_write(out, line, 1, weft_after(MS)), -ETIMEDOUT);
	struct weft_task *writer = tasks_start(write_on, &out);
	tasks_settle();
	expect_eq(weft_cancel(writer), 0);
	int result = tasks_join(writer);
	expect(result == -ECANCELED || result > 0);
	expect(!(fcntl(out, F_GETFL) & O_NONBLOCK));
}

TASK_TEST("a terminal that is not read holds up no task")
{
	int keyboard, terminal;
	if (!open_terminal(&keyboard, &terminal))
		return;
	stay_stuck(terminal);
	close(terminal);
	close(keyboard);
}

/* The other side has no second opening. */
TASK_TEST("a keyboard that is not read holds up no task")
{
	int keyboard, terminal;
	if (!open_terminal(&keyboard, &terminal))
		return;
	stay_stuck(keyboard);
	close(terminal);
	close(keyboard);
}

TASK_TEST("what a terminal takes comes out whole")
{
	int keyboard, terminal, got = 0;
	char buf[512];
	if (!open_terminal(&keyboard, &terminal))
		return;
	memset(line, 'y', sizeof(line));
	struct weft_task *writer = tasks_start(write_on, &terminal);
	while (got < (int)sizeof(line)) {
		ssize_t n = weft_read(keyboard, buf, sizeof(buf), soon());
		expect_gt(n, 0);
		got += (int)n;
	}
	expect_eq(tasks_join(writer), sizeof(line));
	close(terminal);
	close(keyboard);
}

TASK_TEST("a named pipe keeps deadlines")
{
	char name[64], c;
	snprintf(name, sizeof(name), "/tmp/weft-fifo-%d", (int)getpid());
	expect_eq(mkfifo(name, 0600), 0);
	int both = open(name, O_RDWR);
	int out = open(name, O_WRONLY);
	int in = open(name, O_RDONLY);
	unlink(name);
	expect_eq(weft_read(in, &c, 1, 0), -EAGAIN);
	expect_eq(weft_read(in, &c, 1, weft_after(MS)), -ETIMEDOUT);
	expect_eq(weft_read(out, &c, 1, soon()), -EBADF);
	stay_stuck(out);
	expect_eq(weft_read(in, &c, 1, soon()), 1);
	close(in);
	close(both);
	expect_eq(weft_write(out, &c, 1, soon()), -EPIPE);
	close(out);
}
