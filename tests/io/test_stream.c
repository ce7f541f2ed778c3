/* SPDX-License-Identifier: MIT */
/*
 * test_stream.c: reading and writing sockets, pipes, terminals, files: what weft_read and
 * weft_write promise.
 */
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io_test.h"

static bool nonblocking(int fd)
{
	return fcntl(fd, F_GETFL) & O_NONBLOCK;
}

/* ---- each kind of descriptor ---- */

static int write_later(void *arg)
{
	weft_sleep(5 * MS);
	return (int)weft_write(*(int *)arg, "hello", 5, WEFT_FOREVER);
}

/* A reader waits for a writer that comes later; flags are as before. */
static void later(int reader, int writer)
{
	char buf[16];
	bool before = nonblocking(reader);
	struct weft_task *task = tasks_start(write_later, &writer);
	expect_eq(weft_read(reader, buf, sizeof(buf), WEFT_FOREVER), 5);
	expect_mem_eq(buf, "hello", 5);
	expect_eq(tasks_join(task), 5);
	expect_eq(nonblocking(reader), before);
	expect_eq(nonblocking(writer), before);
}

/* What all kinds promise about time limits. */
static void limits(int reader)
{
	uint64_t buf[1];
	expect_eq(weft_read(reader, buf, 8, 0), -EAGAIN);
	expect_eq(weft_read(reader, buf, 8, weft_now() - 1), -ETIMEDOUT);
	int64_t begin = weft_now();
	expect_eq(weft_read(reader, buf, 8, weft_after(10 * MS)), -ETIMEDOUT);
	expect_ge(weft_now() - begin, 10 * MS);
	weft_cancel(weft_self());
	expect_eq(weft_read(reader, buf, 8, WEFT_FOREVER), -ECANCELED);
	expect_eq(weft_read(reader, buf, 8, WEFT_FOREVER), -ECANCELED);
	weft_cancel_clear();
}

/* What is there is delivered to the cancelled and the late. */
static void delivery_wins(int reader, int writer)
{
	char buf[4];
	expect_eq(weft_write(writer, "abc", 3, WEFT_FOREVER), 3);
	weft_cancel(weft_self());
	expect_eq(weft_read(reader, buf, 1, WEFT_FOREVER), 1);
	weft_cancel_clear();
	expect_eq(weft_read(reader, buf, 1, weft_now() - 1), 1);
	expect_eq(weft_read(reader, buf, 1, 0), 1);
	expect_eq(buf[0], 'c');
}

static void kind(int reader, int writer)
{
	later(reader, writer);
	limits(reader);
	delivery_wins(reader, writer);
	limits(reader);
	later(reader, writer);
}

static void with_own_tcp(void)
{
	int fd[2];
	tcp_pair(fd);
	kind(fd[0], fd[1]);
	kind(fd[1], fd[0]);
	expect_eq(weft_close(fd[0]), 0);
	expect_eq(weft_close(fd[1]), 0);
}

static void with_borrowed_sockets(void)
{
	int fd[2];
	expect_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	kind(fd[0], fd[1]);
	close(fd[0]);
	close(fd[1]);
}

static void with_own_unix(void)
{
	int listener = weft_unix_listen("@weft-test-stream", 0);
	expect_ge(listener, 0);
	int a = weft_unix_dial("@weft-test-stream", WEFT_FOREVER);
	int b = weft_accept(listener, NULL, NULL, WEFT_FOREVER);
	kind(a, b);
	expect_eq(weft_close(a), 0);
	expect_eq(weft_close(b), 0);
	expect_eq(weft_close(listener), 0);
}

static void with_pipes(void)
{
	int fd[2];
	expect_eq(pipe(fd), 0);
	kind(fd[0], fd[1]);
	close(fd[0]);
	close(fd[1]);
}

static void with_nonblocking_pipes(void)
{
	int fd[2];
	expect_eq(pipe2(fd, O_NONBLOCK), 0);
	kind(fd[0], fd[1]);
	close(fd[0]);
	close(fd[1]);
}

static void with_named_pipes(void)
{
	char path[] = "/tmp/weft-fifo-XXXXXX";
	expect_ne(mkdtemp(path), NULL);
	char name[64];
	snprintf(name, sizeof(name), "%s/pipe", path);
	expect_eq(mkfifo(name, 0600), 0);
	int reader = open(name, O_RDWR), writer = open(name, O_WRONLY);
	kind(reader, writer);
	close(reader);
	close(writer);
	unlink(name);
	rmdir(path);
}

static void with_terminals(void)
{
	int master, slave;
	struct termios raw;
	cfmakeraw(&raw);
	if (openpty(&master, &slave, NULL, NULL, NULL) < 0)
		return; /* no pseudo-terminals here */
	tcgetattr(slave, &raw);
	cfmakeraw(&raw);
	tcsetattr(slave, TCSANOW, &raw);
	kind(slave, master);
	kind(master, slave);
	close(master);
	close(slave);
}

TASK_TEST("every kind of descriptor waits without changing it")
{
	with_own_tcp();
	with_borrowed_sockets();
	with_own_unix();
	with_pipes();
	with_nonblocking_pipes();
	with_named_pipes();
	with_terminals();
}

static int post_later(void *arg)
{
	uint64_t three = 3;
	weft_sleep(5 * MS);
	return (int)weft_write(*(int *)arg, &three, sizeof(three), WEFT_FOREVER);
}

static void with_eventfd(void)
{
	uint64_t value;
	int fd = eventfd(0, 0);
	limits(fd);
	struct weft_task *task = tasks_start(post_later, &fd);
	expect_eq(weft_read(fd, &value, sizeof(value), WEFT_FOREVER), 8);
	expect_eq(value, 3);
	expect_eq(tasks_join(task), 8);
	close(fd);
}

static void with_files(void)
{
	char path[] = "/tmp/weft-file-XXXXXX", buf[8];
	int fd = mkstemp(path);
	unlink(path);
	expect_eq(weft_write(fd, "abcdef", 6, 0), 6);
	expect_eq(weft_read(fd, buf, 8, WEFT_FOREVER), 0);
	expect_eq(lseek(fd, 2, SEEK_SET), 2);
	expect_eq(weft_read(fd, buf, 8, 0), 4);
	expect_mem_eq(buf, "cdef", 4);
	expect_eq(weft_wait_fd(fd, POLLIN | POLLOUT, WEFT_FOREVER), POLLIN | POLLOUT);
	expect_eq(weft_close(fd), 0);
	expect_eq(weft_read(fd, buf, 8, WEFT_FOREVER), -EBADF);
	int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR);
	expect_eq(weft_read(null, buf, 8, WEFT_FOREVER), 0);
	expect_eq(weft_write(null, buf, 8, WEFT_FOREVER), 8);
	expect_eq(weft_read(zero, buf, 8, WEFT_FOREVER), 8);
	close(null);
	close(zero);
}

TASK_TEST("event counters files and devices are read and written")
{
	with_eventfd();
	with_files();
}

/* ---- how much ---- */

enum { LARGE = 3 << 20 };

static int write_large(void *arg)
{
	char *data = malloc(LARGE);
	for (int i = 0; i < LARGE; i++)
		data[i] = (char)(i * 7);
	struct iovec v[40];
	for (int i = 0; i < 40; i++)
		v[i] = (struct iovec){data + (size_t)i * (LARGE / 40), LARGE / 40};
	v[39].iov_len += LARGE % 40;
	expect_eq(weft_writev(*(int *)arg, v, 40, WEFT_FOREVER), LARGE);
	expect_eq(weft_write(*(int *)arg, data, LARGE, WEFT_FOREVER), LARGE);
	free(data);
	return 0;
}

static void check_large(int reader)
{
	static char buf[10007];
	struct iovec v[2] = {{buf, 7}, {buf + 7, 10000}};
	int place = 0;
	while (place < LARGE) {
		ssize_t n = weft_readv(reader, v, 2, WEFT_FOREVER);
		expect_gt(n, 0);
		for (int i = 0; i < n; i++)
			if (buf[i] != (char)((place + i) % LARGE * 7))
				fail("byte %d is wrong", place + i);
		place += (int)n;
	}
	expect_ge(place, LARGE);
	while (place < 2 * LARGE) {
		ssize_t n = weft_read(reader, buf, sizeof(buf), WEFT_FOREVER);
		expect_gt(n, 0);
		place += (int)n;
	}
	expect_eq(place, 2 * LARGE);
}

static void large_through(int reader, int writer)
{
	struct weft_task *task = tasks_start(write_large, &writer);
	check_large(reader);
	expect_eq(tasks_join(task), 0);
}

static void large(void)
{
	int fd[2];
	tcp_pair(fd);
	large_through(fd[0], fd[1]);
	weft_close(fd[0]);
	weft_close(fd[1]);
	expect_eq(pipe(fd), 0);
	large_through(fd[0], fd[1]);
	close(fd[0]);
	close(fd[1]);
	expect_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	large_through(fd[0], fd[1]);
	close(fd[0]);
	close(fd[1]);
}

TASK_TEST("write writes all however little fits")
{
	large();
}

static void partial(void)
{
	int fd[2];
	char *data = calloc(1, LARGE);
	expect_eq(pipe(fd), 0);
	ssize_t n = weft_write(fd[1], data, LARGE, weft_after(5 * MS));
	expect_gt(n, 0);
	expect_lt(n, LARGE);
	expect_eq(weft_write(fd[1], data, LARGE, weft_after(5 * MS)), -ETIMEDOUT);
	expect_eq(weft_write(fd[1], data, LARGE, 0), -EAGAIN);
	close(fd[0]);
	expect_eq(weft_write(fd[1], data, 1, WEFT_FOREVER), -EPIPE);
	close(fd[1]);
	free(data);
}

TASK_TEST("write tells how much went before the error")
{
	partial();
}

static void nothing(void)
{
	int fd[2];
	expect_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	expect_eq(weft_read(fd[0], NULL, 0, WEFT_FOREVER), 0);
	expect_eq(weft_readv(fd[0], NULL, 0, WEFT_FOREVER), 0);
	expect_eq(weft_write(fd[0], NULL, 0, WEFT_FOREVER), 0);
	expect_eq(weft_readv(fd[0], NULL, -1, WEFT_FOREVER), -EINVAL);
	expect_eq(weft_writev(fd[0], NULL, 5000, WEFT_FOREVER), -EINVAL);
	close(fd[0]);
	close(fd[1]);
	expect_eq(weft_read(fd[0], NULL, 0, WEFT_FOREVER), -EBADF);
	expect_eq(weft_read(-1, NULL, 0, WEFT_FOREVER), -EBADF);
	expect_eq(weft_close(-1), -EBADF);
	expect_eq(weft_close(fd[0]), -EBADF);
}

TASK_TEST("lengths of zero and wrong arguments never wait")
{
	nothing();
}

/* ---- the end of a stream ---- */

static void ends(void)
{
	int fd[2];
	char buf[4];
	tcp_pair(fd);
	expect_eq(weft_write(fd[0], "ab", 2, WEFT_FOREVER), 2);
	expect_eq(shutdown(fd[0], SHUT_WR), 0); /* half-close: the other direction lives */
	expect_eq(weft_read(fd[1], buf, 4, WEFT_FOREVER), 2);
	expect_eq(weft_read(fd[1], buf, 4, WEFT_FOREVER), 0);
	expect_eq(weft_read(fd[1], buf, 4, WEFT_FOREVER), 0);
	expect_eq(weft_write(fd[1], "cd", 2, WEFT_FOREVER), 2);
	expect_eq(weft_read(fd[0], buf, 4, WEFT_FOREVER), 2);
	expect_eq(weft_close(fd[0]), 0);
	expect_eq(weft_close(fd[1]), 0);
}

TASK_TEST("half close ends one direction")
{
	ends();
}

static void broken(void)
{
	int fd[2];
	expect_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	close(fd[0]);
	expect_eq(weft_write(fd[1], "x", 1, WEFT_FOREVER), -EPIPE);
	expect_eq(weft_send(fd[1], "x", 1, 0, WEFT_FOREVER), -EPIPE);
	close(fd[1]);
	expect_eq(pipe(fd), 0);
	close(fd[0]);
	expect_eq(weft_write(fd[1], "x", 1, WEFT_FOREVER), -EPIPE);
	close(fd[1]);
	sigset_t pending, blocked;
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, NULL, &blocked);
	expect(!sigismember(&pending, SIGPIPE) && !sigismember(&blocked, SIGPIPE));
}

TASK_TEST("broken pipes give an error and no signal")
{
	signal(SIGPIPE, SIG_DFL); /* would end the test */
	broken();
}

TEST("outside of tasks everything is refused")
{
	char buf[4];
	expect_eq(weft_read(0, buf, 4, 0), -EINVAL);
	expect_eq(weft_write(0, buf, 4, 0), -EINVAL);
	expect_eq(weft_accept(0, NULL, NULL, 0), -EINVAL);
	expect_eq(weft_wait_fd(0, POLLIN, 0), -EINVAL);
	expect_eq(weft_close(0), -EINVAL);
	expect_eq(weft_tcp_listen(NULL, "0", 0), -EINVAL);
	expect_eq(weft_tcp_dial("127.0.0.1", "1", 0), -EINVAL);
}
