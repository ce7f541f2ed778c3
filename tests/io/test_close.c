/* SPDX-License-Identifier: MIT */
/*
 * test_close.c: closing under waiters, numbers that are used again, and many waiters on one
 * descriptor.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io_test.h"

static int read_one(void *arg)
{
	char c;
	return (int)weft_read(*(int *)arg, &c, 1, WEFT_FOREVER);
}

static int accept_one(void *arg)
{
	return weft_accept(*(int *)arg, NULL, NULL, WEFT_FOREVER);
}

static int poll_one(void *arg)
{
	return weft_wait_fd(*(int *)arg, POLLIN, WEFT_FOREVER);
}

/* ---- weft_close ---- */

static void close_under(int fd, int (*fn)(void *arg))
{
	struct weft_task *waiting[3];
	for (int i = 0; i < 3; i++)
		waiting[i] = tasks_start(fn, &fd);
	tasks_settle();
	expect_eq(weft_close(fd), 0);
	expect_eq(fcntl(fd, F_GETFD), -1); /* the number is free when it returns */
	for (int i = 0; i < 3; i++)
		expect_eq(tasks_join(waiting[i]), -EBADF);
	expect_eq(weft_close(fd), -EBADF);
}

TASK_TEST("close wakes all waiters")
{
	int fd[2];
	tcp_pair(fd);
	close_under(fd[0], read_one);
	expect_eq(weft_close(fd[1]), 0);
	tcp_pair(fd);
	close_under(fd[1], poll_one);
	expect_eq(weft_close(fd[0]), 0);
	expect_eq(pipe(fd), 0);
	close_under(fd[0], read_one);
	close(fd[1]);
	close_under(weft_tcp_listen("127.0.0.1", "0", 0), accept_one);
}

TASK_TEST("a port can be listened on again at once")
{
	char port[16];
	int fd = weft_tcp_listen("127.0.0.1", "0", 0);
	strcpy(port, port_of(fd));
	for (int i = 0; i < 50; i++) {
		struct weft_task *task = tasks_start(accept_one, &fd);
		if (i % 2)
			weft_yield();
		expect_eq(weft_close(fd), 0);
		expect_eq(tasks_join(task), -EBADF);
		fd = weft_tcp_listen("127.0.0.1", port, 0);
		expect_ge(fd, 0);
	}
	expect_eq(weft_close(fd), 0);
}

static int read_until_closed(void *arg)
{
	char buf[64];
	for (;;) {
		int n = (int)weft_read(*(int *)arg, buf, sizeof(buf), weft_after(MS));
		if (n < 0 && n != -ETIMEDOUT)
			return n;
	}
}

/*
 * Readers in every stage of a call while the descriptor goes away, and its number comes back as
 * another file's.
 */
TASK_TEST("close races with calls and reuse")
{
	for (int i = 0; i < 300; i++) {
		int fd[2], next[2];
		tcp_pair(fd);
		struct weft_task *a = tasks_start(read_until_closed, &fd[0]);
		struct weft_task *b = tasks_start(read_until_closed, &fd[0]);
		expect_eq(weft_write(fd[1], "abcdefgh", 8, WEFT_FOREVER), 8);
		if (i % 3)
			weft_sleep(i % 3 * 100000);
		expect_eq(weft_close(fd[0]), 0);
		expect_eq(tasks_join(a), -EBADF);
		expect_eq(tasks_join(b), -EBADF);
		expect_eq(pipe(next), 0); /* takes the number */
		expect_eq(weft_write(next[1], "z", 1, WEFT_FOREVER), 1);
		expect_eq(read_one(&next[0]), 1);
		close(next[0]);
		close(next[1]);
		expect_eq(weft_close(fd[1]), 0);
	}
}

/* ---- plain close, by a library ---- */

static int write_soon(void *arg)
{
	weft_sleep(2 * MS);
	return (int)weft_write(*(int *)arg, "x", 1, WEFT_FOREVER);
}

TASK_TEST("a library may close and reuse a number")
{
	int number = -1;
	for (int i = 0; i < 20; i++) {
		int fd[2];
		char c;
		if (i % 2)
			expect_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
		else
			expect_eq(pipe(fd), 0);
		expect(number < 0 || fd[0] == number);
		number = fd[0];
		/* An armed event is left behind, then one that came. */
		expect_eq(weft_read(fd[0], &c, 1, weft_after(MS / 10)), -ETIMEDOUT);
		struct weft_task *task = tasks_start(write_soon, &fd[1]);
		expect_eq(weft_read(fd[0], &c, 1, soon()), 1);
		expect_eq(tasks_join(task), 1);
		close(fd[0]);
		close(fd[1]);
	}
}

/*
 * The description outlives the number: what the poller still holds for it must not wake a task
 * wrongly.
 */
TASK_TEST("a descriptor that lives on elsewhere disturbs nobody")
{
	int fd[2], other[2];
	char c;
	expect_eq(pipe(fd), 0);
	expect_eq(weft_read(fd[0], &c, 1, weft_after(MS)), -ETIMEDOUT);
	int copy = dup(fd[0]);
	int number = fd[0];
	close(fd[0]);
	expect_eq(pipe(other), 0);
	expect_eq(other[0], number);
	expect_eq(write(fd[1], "y", 1), 1); /* for the copy */
	expect_eq(weft_read(other[0], &c, 1, weft_after(5 * MS)), -ETIMEDOUT);
	struct weft_task *task = tasks_start(write_soon, &other[1]);
	expect_eq(weft_read(other[0], &c, 1, soon()), 1);
	expect_eq(c, 'x');
	expect_eq(tasks_join(task), 1);
	expect_eq(weft_read(copy, &c, 1, soon()), 1);
	expect_eq(c, 'y');
	close(copy);
	close(fd[1]);
	close(other[0]);
	close(other[1]);
}

/* ---- many on one descriptor ---- */

enum { READERS = 20 };

static void wake_each(int reader, int writer)
{
	struct weft_task *task[READERS];
	for (int i = 0; i < READERS; i++)
		task[i] = tasks_start(read_one, &reader);
	tasks_settle();
	expect_eq(weft_write(writer, "0123456789", 10, WEFT_FOREVER), 10);
	tasks_settle();
	expect_eq(weft_write(writer, "0123456789", 10, WEFT_FOREVER), 10);
	for (int i = 0; i < READERS; i++)
		expect_eq(tasks_join(task[i]), 1);
}

TASK_TEST("each byte wakes a reader")
{
	int fd[2];
	tcp_pair(fd);
	wake_each(fd[0], fd[1]);
	expect_eq(weft_close(fd[0]), 0);
	expect_eq(weft_close(fd[1]), 0);
	expect_eq(pipe(fd), 0);
	wake_each(fd[0], fd[1]);
	close(fd[0]);
	close(fd[1]);
}

static void both_ways(int a, int b)
{
	struct weft_task *reader = tasks_start(read_one, &a);
	tasks_settle();
	static char fill[1 << 16];
	while (weft_write(a, fill, sizeof(fill), 0) > 0)
		continue;
	struct weft_task *writer = tasks_start(write_soon, &a);
	tasks_settle();
	while (weft_recv(b, fill, sizeof(fill), 0, weft_after(5 * MS)) > 0)
		continue;
	expect_eq(tasks_join(writer), 1);
	expect_eq(weft_write(b, "r", 1, WEFT_FOREVER), 1);
	expect_eq(tasks_join(reader), 1);
}

TASK_TEST("a reader and a writer wait side by side")
{
	int fd[2];
	tcp_pair(fd);
	both_ways(fd[0], fd[1]);
	expect_eq(weft_close(fd[0]), 0);
	expect_eq(weft_close(fd[1]), 0);
	expect_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	both_ways(fd[0], fd[1]);
	close(fd[0]);
	close(fd[1]);
}

static int poll_and_read(void *arg)
{
	int fd = *(int *)arg;
	char c;
	for (int i = 0; i < 200; i++) {
		if (weft_wait_fd(fd, POLLIN, WEFT_FOREVER) != POLLIN || recv(fd, &c, 1, 0) != 1)
			return -1;
	}
	return 0;
}

/* As a library does that is told when to read: the poller is not told of its reads. */
TASK_TEST("waiting is for a level not for a change")
{
	int fd[2];
	tcp_pair(fd);
	struct weft_task *task = tasks_start(poll_and_read, &fd[0]);
	for (int i = 0; i < 40; i++) {
		expect_eq(weft_write(fd[1], "abcde", 5, WEFT_FOREVER), 5);
		if (i % 3 == 0)
			weft_sleep(100 * 1000);
	}
	expect_eq(tasks_join(task), 0);
	expect_eq(weft_wait_fd(fd[0], POLLIN, 0), -EAGAIN);
	expect_eq(weft_wait_fd(fd[0], POLLIN | POLLOUT, 0), POLLOUT);
	expect_eq(shutdown(fd[1], SHUT_WR), 0);
	expect_eq(weft_wait_fd(fd[0], POLLRDHUP, soon()), POLLRDHUP);
	expect_eq(weft_close(fd[0]), 0);
	expect_eq(weft_close(fd[1]), 0);
}
