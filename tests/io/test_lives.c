/* SPDX-License-Identifier: MIT */
/*
 * test_lives.c: a number that is closed plainly and used again. A call that waited returns -EBADF,
 * or -ETIMEDOUT at its deadline, and no byte of the next life (weft/io.h names the exceptions); the
 * next life works.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../src/base/attr.h"
#include "io_test.h"

static int peer; /* the other end of the first life, if it has one */

/* ---- first lives ---- */

static int open_dialled(void)
{
	int fd[2];
	tcp_pair(fd);
	peer = fd[1];
	return fd[0];
}

static int open_accepted(void)
{
	int fd[2];
	tcp_pair(fd);
	peer = fd[0];
	return fd[1];
}

/* The last read has come short: the next one waits without a try. */
static int open_drained(void)
{
	char buf[64];
	int fd = open_dialled();
	expect_eq(weft_write(peer, "abc", 3, soon()), 3);
	expect_eq(weft_read(fd, buf, sizeof(buf), soon()), 3);
	return fd;
}

static int open_listener(void)
{
	peer = -1;
	return weft_tcp_listen("127.0.0.1", "0", 0);
}

static int open_pipe(void)
{
	int fd[2];
	expect_eq(pipe(fd), 0);
	peer = fd[1];
	return fd[0];
}

static int open_socket(void)
{
	int fd[2];
	expect_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	peer = fd[1];
	return fd[0];
}

static int (*const first_lives[])(void) = {open_dialled,  open_accepted, open_drained,
					   open_listener, open_pipe,	 open_socket};
enum { LIVES = sizeof(first_lives) / sizeof(*first_lives) };

/* ---- plain closes ---- */

enum { CLOSE, FCLOSE, DUP2, CLOSES };

/* `fd` is the reading end of a pipe from now on; the writing end. */
static int begin_again(int fd, int how)
{
	int next[2];
	if (how == CLOSE)
		expect_eq(close(fd), 0);
	else if (how == FCLOSE)
		expect_eq(fclose(fdopen(fd, "r")), 0);
	expect_eq(pipe(next), 0);
	if (next[1] == fd) /* the ends keep apart */
		next[1] = dup(fd);
	if (next[0] != fd) {
		expect_eq(dup2(next[0], fd), fd);
		close(next[0]);
	}
	return next[1];
}

static void end_all(int fd, int writer)
{
	close(fd);
	close(writer);
	if (peer >= 0)
		expect_eq(weft_close(peer), 0);
}

/* ---- the tests ---- */

static int read_one(void *arg)
{
	char c;
	return (int)weft_read(*(int *)arg, &c, 1, soon());
}

static void live_again(int (*first)(void), int how)
{
	int fd = first();
	int writer = begin_again(fd, how);
	struct weft_task *reader = tasks_start(read_one, &fd);
	tasks_settle();
	expect_eq(write(writer, "xy", 2), 2);
	expect_eq(tasks_join(reader), 1);
	expect_eq(read_one(&fd), 1);
	end_all(fd, writer);
}

TASK_TEST("the next life works")
{
	for (int i = 0; i < LIVES * CLOSES; i++)
		live_again(first_lives[i / CLOSES], i % CLOSES);
}

/* Without anything that was tried since it began. */
static int first_wait(int (*first)(void))
{
	return first == open_listener || first == open_drained;
}

static int await_old(void *arg)
{
	char c;
	return (int)weft_read(*(int *)arg, &c, 1, WEFT_FOREVER);
}

static int accept_old(void *arg)
{
	return weft_accept(*(int *)arg, NULL, NULL, WEFT_FOREVER);
}

static void wait_across(int (*first)(void), int how)
{
	int fd = first();
	struct weft_task *old = tasks_start(first == open_listener ? accept_old : await_old, &fd);
	tasks_settle();
	int writer = begin_again(fd, how);
	struct weft_task *reader = tasks_start(read_one, &fd);
	expect_eq(tasks_join(old), -EBADF); /* it learns of it by the number's next use */
	expect_eq(write(writer, "x", 1), 1);
	expect_eq(tasks_join(reader), 1);
	end_all(fd, writer);
}

TASK_TEST("a waiter learns of it and takes nothing")
{
	for (int i = 0; i < LIVES * CLOSES; i++)
		if (!first_wait(first_lives[i / CLOSES]))
			wait_across(first_lives[i / CLOSES], i % CLOSES);
}

/* The new owner finds what it wants and never waits: it passes its token on to no task. */
static void pass_by(int (*first)(void))
{
	int fd = first();
	struct weft_task *old = tasks_start(await_old, &fd);
	tasks_settle();
	int writer = begin_again(fd, CLOSE);
	expect_eq(write(writer, "xy", 2), 2);
	expect_eq(read_one(&fd), 1);
	expect_eq(tasks_join(old), -EBADF);
	expect_eq(read_one(&fd), 1);
	end_all(fd, writer);
}

TASK_TEST("a token is not passed on into another life")
{
	for (int i = 0; i < LIVES; i++)
		if (!first_wait(first_lives[i]))
			pass_by(first_lives[i]);
}

/* weft itself opens the number again. */
TASK_TEST("a waiter leaves when weft opens the number")
{
	int fd[2], next[2];
	tcp_pair(fd);
	struct weft_task *old = tasks_start(await_old, &fd[0]);
	tasks_settle();
	close(fd[0]);
	tcp_pair(next);
	expect(next[0] == fd[0] || next[1] == fd[0]);
	expect_eq(tasks_join(old), -EBADF);
	expect_eq(weft_close(next[0]), 0);
	expect_eq(weft_close(next[1]), 0);
	expect_eq(weft_close(fd[1]), 0);
}

/* The number is not used by a weft call again: the deadline holds, the bytes stay. */
TASK_TEST("a strangers bytes stay where they are")
{
	char c;
	int fd = open_dialled();
	struct weft_task *old = tasks_start(read_one, &fd);
	tasks_settle();
	int writer = begin_again(fd, CLOSE);
	expect_eq(write(writer, "x", 1), 1);
	tasks_settle();
	expect_eq(read(fd, &c, 1), 1);
	expect_eq(weft_close(fd), 0); /* so that the test need not wait for the deadline */
	expect_eq(tasks_join(old), -EBADF);
	fd = writer;
	expect_eq(close(fd), 0);
	expect_eq(weft_close(peer), 0);
}

TASK_TEST("numbers that cannot be open are refused")
{
	const int numbers[] = {-1,	 INT32_MIN, 1023, 1024, INT32_MAX - 1024, INT32_MAX - 1023,
			       INT32_MAX};
	char c;
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		expect_eq(weft_read(numbers[i], &c, 1, 0), -EBADF);
		expect_eq(weft_wait_fd(numbers[i], 1, WEFT_FOREVER), -EBADF);
		expect_eq(weft_close(numbers[i]), -EBADF);
	}
}

/* ---- the moment between two lives ---- */

static int held_up = -1; /* this number's closer is, once it has given the number back */
static int given_back, closed_again;

long __real_weft__syscall(long number, long a, long b, long c, long d, long e, long f);
long __wrap_weft__syscall(long number, long a, long b, long c, long d, long e, long f);

long __wrap_weft__syscall(long number, long a, long b, long c, long d, long e, long f)
{
	enum { PATIENCE = 500 };
	long result = __real_weft__syscall(number, a, b, c, d, e, f);
	if (number != SYS_close || a != flag(&held_up))
		return result;
	flag_set(&held_up, -1);
	flag_set(&given_back, 1);
	for (int i = 0; i < PATIENCE && !flag(&closed_again); i++)
		usleep(1000);
	return result;
}

static int close_number(void *arg)
{
	return weft_close(*(int *)arg);
}

TASK_TEST("the next life may be closed before the former is over")
{
	int fd[2];
	expect_eq(pipe(fd), 0);
	flag_set(&held_up, fd[0]);
	struct weft_task *former = tasks_start(close_number, &fd[0]);
	while (!flag(&given_back))
		weft_sleep(MS);
	expect_eq(fcntl(fd[1], F_DUPFD, fd[0]), fd[0]);
	expect_eq(weft_close(fd[0]), 0);
	flag_set(&closed_again, 1);
	expect_eq(tasks_join(former), 0);
	expect_eq(weft_close(fd[1]), 0);
}

/* ---- ThreadSanitizer and two lives ---- */

static int used_and_closed;

/* Orders nothing: the next life's user has nothing to do with the former's. */
static void *use_number_again(void *arg)
{
	int fd[2], former = *(int *)arg;
	while (!__atomic_load_n(&used_and_closed, __ATOMIC_RELAXED))
		usleep(1000);
	expect_eq(syscall(SYS_pipe2, fd, 0), 0); /* opened unseen, as weft's calls do */
	expect_eq(fd[0], former);
	close(fd[0]);
	close(fd[1]);
	return NULL;
}

TASK_TEST("weft_close is no race with what another thread does to the next life")
{
#ifndef WEFT_TSAN
	skip("only ThreadSanitizer tells");
#endif
	pthread_t other;
	int fd[2];
	char c = 0;
	expect_eq(pipe(fd), 0);
	expect_eq(pthread_create(&other, NULL, use_number_again, &fd[0]), 0);
	expect_eq(write(fd[1], &c, 1), 1);
	expect_eq(read(fd[0], &c, 1), 1);
	expect_eq(weft_close(fd[0]), 0);
	expect_eq(weft_close(fd[1]), 0);
	__atomic_store_n(&used_and_closed, 1, __ATOMIC_RELAXED);
	expect_eq(pthread_join(other, NULL), 0);
}
