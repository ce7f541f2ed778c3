/* SPDX-License-Identifier: MIT */
/* test_descriptor.c: streams over sockets and pipes. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "bulk.h"
#include "stream_test.h"

static void stream_pair(struct weft_stream *s[2])
{
	int fd[2];
	tcp_pair(fd);
	expect_eq(weft_stream_new(&s[0], fd[0]), 0);
	expect_eq(weft_stream_new(&s[1], fd[1]), 0);
}

static void close_pair(struct weft_stream *s[2])
{
	expect_eq(weft_stream_close(s[0], soon()), 0);
	expect_eq(weft_stream_close(s[1], soon()), 0);
}

TASK_TEST("a stream owns its descriptor once it is made")
{
	int before = open_descriptors(), fd[2];
	struct weft_stream *s;
	expect_eq(weft_stream_new(&s, -1), -EBADF);
	tcp_pair(fd);
	expect_eq(weft_stream_new(&s, fd[0]), 0);
	expect_eq(weft_stream_fd(s), fd[0]);
	expect_eq(weft_stream_object(s), NULL);
	expect_eq(weft_stream_close(s, soon()), 0);
	expect_eq(fcntl(fd[0], F_GETFD), -1);
	expect_eq(weft_stream_new(&s, fd[0]), -EBADF);
	expect_eq(weft_close(fd[1]), 0);
	expect_eq(open_descriptors(), before);
}

static int answer_lines(void *stream)
{
	const char *line;
	ssize_t n;
	while ((n = weft_stream_read_until(stream, "\n", 1, 100, &line, soon())) > 0)
		expect_eq(weft_stream_printf(stream, soon(), "%zd %.*s", n, (int)n, line), n + 2);
	expect_eq(n, 0);
	return weft_stream_shutdown(stream, soon());
}

TASK_TEST("question and answer over tied streams")
{
	struct weft_stream *s[2];
	stream_pair(s);
	weft_stream_tie(s[0], 1);
	weft_stream_tie(s[1], 1);
	struct weft_task *task = tasks_start(answer_lines, s[1]);
	for (int i = 0; i < 100; i++) {
		expect_eq(weft_stream_printf(s[0], soon(), "hello\n"), 6);
		expect_line(s[0], "6 hello\n");
	}
	expect_eq(weft_stream_shutdown(s[0], soon()), 0);
	expect_eq(tasks_join(task), 0);
	expect_eq(weft_stream_read(s[0], &(char){0}, 1, soon()), 0);
	close_pair(s);
}

TASK_TEST("the end of the writing side leaves the reading side open")
{
	struct weft_stream *s[2];
	stream_pair(s);
	expect_eq(weft_stream_write(s[0], "last\n", 5, soon()), 5);
	expect_eq(weft_stream_shutdown(s[0], soon()), 0);
	expect_line(s[1], "last\n");
	expect_eq(weft_stream_read(s[1], &(char){0}, 1, soon()), 0);
	expect_eq(weft_stream_write(s[1], "late\n", 5, soon()), 5);
	expect_eq(weft_stream_flush(s[1], soon()), 0);
	expect_line(s[0], "late\n");
	close_pair(s);
}

TASK_TEST("pipes: one stream writes, one reads, and closing is the end")
{
	int fd[2];
	struct weft_stream *in, *out;
	expect_eq(pipe2(fd, O_CLOEXEC), 0);
	expect_eq(weft_stream_new(&in, fd[0]), 0);
	expect_eq(weft_stream_new(&out, fd[1]), 0);
	expect_eq(weft_stream_write(out, "through\n", 8, soon()), 8);
	expect_eq(weft_stream_close(out, soon()), 0);
	expect_line(in, "through\n");
	expect_eq(weft_stream_read(in, &(char){0}, 1, soon()), 0);
	expect_eq(weft_stream_close(in, soon()), 0);
}

/* ---- stops in the middle ---- */

static int read_line(void *stream)
{
	const char *data;
	return (int)weft_stream_read_until(stream, "\n", 1, 100, &data, WEFT_FOREVER);
}

TASK_TEST("deadline and cancel in the middle of a line lose nothing")
{
	const char *data;
	struct weft_stream *s[2];
	stream_pair(s);
	expect_eq(weft_stream_write(s[1], "half ", 5, soon()), 5);
	expect_eq(weft_stream_flush(s[1], soon()), 0);
	expect_eq(weft_stream_read_until(s[0], "\n", 1, 100, &data, weft_after(5 * MS)),
		  -ETIMEDOUT);
	struct weft_task *task = tasks_start(read_line, s[0]);
	tasks_settle();
	weft_cancel(task);
	expect_eq(tasks_join(task), -ECANCELED);
	expect_eq(weft_stream_read_until(s[0], "\n", 1, 100, &data, 0), -EAGAIN);
	expect_eq(weft_stream_write(s[1], "line\n", 5, soon()), 5);
	expect_eq(weft_stream_flush(s[1], soon()), 0);
	expect_line(s[0], "half line\n");
	close_pair(s);
}

enum { BULK = 8 << 20 };

static int read_bulk(void *stream)
{
	return bulk_read(stream, 10000);
}

TASK_TEST("nothing goes twice when deadlines stop writes and flushes half way")
{
	struct weft_stream *s[2];
	char *bulk = malloc(BULK);
	size_t at = 0;
	unsigned stopped = 0;
	stream_pair(s);
	for (size_t i = 0; i < BULK; i++)
		bulk[i] = pattern(i);
	/* Until no more fits, before the other end reads. */
	for (size_t n = 100000; at + n < BULK / 2;) {
		ssize_t wrote = weft_stream_write(s[0], bulk + at, n, 0);
		at += wrote > 0 ? (size_t)wrote : 0;
		if (wrote < 0 && ++stopped == 3)
			break;
	}
	int err = weft_stream_flush(s[0], weft_after(2 * MS));
	expect(err == 0 || err == -ETIMEDOUT);
	struct weft_task *task = tasks_start(read_bulk, s[1]);
	for (size_t n = 1; at < BULK; n = n * 5 % 70001 + 1) {
		size_t most = BULK - at < n ? BULK - at : n;
		ssize_t wrote = weft_stream_write(s[0], bulk + at, most, weft_after(1000));
		expect(wrote == (ssize_t)most || wrote == -ETIMEDOUT);
		at += wrote > 0 ? most : 0;
	}
	expect_eq(weft_stream_close(s[0], soon()), 0);
	expect_eq(tasks_join(task), BULK);
	expect_eq(weft_stream_close(s[1], soon()), 0);
	free(bulk);
}

/* ---- both sides at once ---- */

struct exchange {
	struct weft_stream *stream;
	size_t received;
};

static int pour(void *stream)
{
	char piece[777];
	size_t at = 0;
	while (at < BULK / 8) {
		for (size_t i = 0; i < sizeof(piece); i++)
			piece[i] = pattern(at + i);
		expect_eq(weft_stream_write(stream, piece, sizeof(piece), soon()), 777);
		at += sizeof(piece);
	}
	expect_eq(weft_stream_shutdown(stream, soon()), 0);
	return (int)at;
}

static int drain(void *stream)
{
	const char *data;
	size_t at = 0;
	char mark = pattern(250);
	ssize_t n;
	while ((n = weft_stream_read_until(stream, &mark, 1, 300, &data, soon())) > 0)
		for (ssize_t i = 0; i < n; i++)
			expect_eq(data[i], pattern(at++));
	char rest[300];
	while ((n = weft_stream_read(stream, rest, sizeof(rest), soon())) > 0)
		at += (size_t)n;
	return (int)at;
}

TASK_TEST("one task reads while another one writes, on both ends")
{
	struct weft_stream *s[2];
	struct weft_task *in[2], *out[2];
	stream_pair(s);
	for (int i = 0; i < 2; i++) {
		out[i] = tasks_start(pour, s[i]);
		in[i] = tasks_start(drain, s[i]);
	}
	for (int i = 0; i < 2; i++) {
		int sent = tasks_join(out[i]);
		expect_eq(tasks_join(in[1 - i]), sent);
	}
	close_pair(s);
}

/* ---- a peer that goes ---- */

TASK_TEST("a peer that has gone is -EPIPE or -ECONNRESET, never a signal")
{
	struct weft_stream *s[2];
	ssize_t n = 0;
	signal(SIGPIPE, SIG_DFL);
	stream_pair(s);
	expect_eq(weft_stream_write(s[1], "unread", 6, soon()), 6);
	expect_eq(weft_stream_flush(s[1], soon()), 0);
	expect(weft_wait_fd(weft_stream_fd(s[0]), POLLIN, soon()) > 0);
	expect_eq(weft_stream_close(s[0], soon()), 0);
	for (int i = 0; i < 1000 && n >= 0; i++) {
		n = weft_stream_write(s[1], "x", 1, soon());
		if (n > 0)
			n = weft_stream_flush(s[1], soon());
	}
	expect(n == -EPIPE || n == -ECONNRESET);
	n = weft_stream_close(s[1], soon());
	expect(n == -EPIPE || n == -ECONNRESET);
}

TASK_TEST("a pipe without a reader is -EPIPE, never a signal")
{
	int fd[2];
	struct weft_stream *s;
	signal(SIGPIPE, SIG_DFL);
	expect_eq(pipe2(fd, O_CLOEXEC), 0);
	expect_eq(weft_stream_new(&s, fd[1]), 0);
	close(fd[0]);
	expect_eq(weft_stream_write(s, "x", 1, soon()), 1);
	expect_eq(weft_stream_flush(s, soon()), -EPIPE);
	expect_eq(weft_stream_close(s, soon()), -EPIPE);
	expect_eq(fcntl(fd[1], F_GETFD), -1);
}

TASK_TEST("close does not wait longer than its deadline for a peer that does not read")
{
	struct weft_stream *s[2];
	char *bulk = calloc(1, BULK * 4);
	stream_pair(s);
	expect_eq(weft_stream_write(s[0], bulk, BULK * 4, weft_after(MS)), BULK * 4);
	expect_eq(weft_stream_close(s[0], weft_after(MS)), -ETIMEDOUT);
	expect_eq(weft_stream_close(s[1], soon()), 0);
	free(bulk);
}

TASK_TEST("what is waited for is what the descriptor has; the buffer is asked first")
{
	struct weft_stream *s[2];
	stream_pair(s);
	expect_eq(weft_stream_write(s[1], "one\ntwo\n", 8, soon()), 8);
	expect_eq(weft_stream_flush(s[1], soon()), 0);
	expect_line(s[0], "one\n");
	expect_eq(weft_stream_buffered(s[0]), 4);
	expect_eq(weft_wait_fd(weft_stream_fd(s[0]), POLLIN, 0), -EAGAIN);
	expect_line(s[0], "two\n");
	close_pair(s);
}

/* ---- outside of tasks ---- */

TEST("a stream can be closed where no runtime is")
{
	int fd[2];
	struct weft_stream *s;
	expect_eq(pipe2(fd, O_CLOEXEC), 0);
	expect_eq(weft_stream_new(&s, fd[1]), 0);
	expect_eq(weft_stream_close(s, 0), 0);
	expect_eq(fcntl(fd[1], F_GETFD), -1);
	close(fd[0]);
}
