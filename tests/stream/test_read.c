/* SPDX-License-Identifier: MIT */
/* test_read.c: the reading side of streams: what comes in pieces of any size, ends, or fails. */
#include "stream_test.h"

static ssize_t until(struct weft_stream *s, const char *mark, size_t most, const char **data)
{
	return weft_stream_read_until(s, mark, strlen(mark), most, data, soon());
}

TASK_TEST("read returns what there is, then 0")
{
	char buf[16];
	struct wire w = wire_of("abcdef");
	struct weft_stream *s = wire_stream(&w);
	w.in_step = 4;
	expect_eq(weft_stream_read(s, buf, 3, soon()), 3);
	expect_mem_eq(buf, "abc", 3);
	expect_eq(weft_stream_buffered(s), 1);
	expect_eq(weft_stream_read(s, buf, sizeof(buf), soon()), 1);
	expect_eq(buf[0], 'd');
	expect_eq(weft_stream_read(s, buf, sizeof(buf), soon()), 2);
	expect_eq(weft_stream_read(s, buf, sizeof(buf), soon()), 0);
	expect_eq(weft_stream_read(s, buf, 0, soon()), 0);
	wire_close(s, &w);
}

TASK_TEST("read_full returns all, in pieces of every size")
{
	static char text[20000], buf[20000];
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		text[i] = (char)('a' + i % 23);
	for (size_t step = 1; step < 6000; step = step * 3 + 1) {
		struct wire w = wire_of(text);
		struct weft_stream *s = wire_stream(&w);
		w.in_step = step;
		expect_eq(weft_stream_read_full(s, buf, 10, soon()), 10);
		expect_eq(weft_stream_read_full(s, buf + 10, 19989, soon()), 19989);
		expect_mem_eq(buf, text, sizeof(text) - 1);
		expect_eq(weft_stream_read_full(s, buf, 1, soon()), 0);
		wire_close(s, &w);
	}
}

TASK_TEST("read_full that came to an end says so once more")
{
	static const int ends[] = {0, -ECONNRESET, -EIO};
	for (unsigned i = 0; i < 3; i++) {
		char buf[8];
		struct wire w = wire_of("abc");
		struct weft_stream *s = wire_stream(&w);
		w.end = ends[i];
		expect_eq(weft_stream_read_full(s, buf, 8, soon()), 3);
		w.end = -EPROTO; /* what lies below says why but once */
		expect_eq(weft_stream_read(s, buf, 8, soon()), ends[i]);
		expect_eq(weft_stream_read(s, buf, 8, soon()), -EPROTO);
		wire_close(s, &w);
	}
}

TASK_TEST("read_full goes on where a deadline or cancel stopped it")
{
	static const int stops[] = {-EAGAIN, -ETIMEDOUT, -ECANCELED};
	for (unsigned i = 0; i < 3; i++) {
		char buf[8];
		struct wire w = wire_of("abc");
		struct weft_stream *s = wire_stream(&w);
		w.end = stops[i];
		expect_eq(weft_stream_read_full(s, buf, 8, soon()), 3);
		expect_eq(weft_stream_read_full(s, buf, 8, soon()), stops[i]);
		w.in = "de";
		w.in_len = 2;
		expect_eq(weft_stream_read_full(s, buf, 2, soon()), 2);
		expect_mem_eq(buf, "de", 2);
		wire_close(s, &w);
	}
}

TASK_TEST("read_until finds marks wherever the pieces end")
{
	for (size_t step = 1; step < 12; step++) {
		const char *data;
		struct wire w = wire_of("a\r\n\r\r\n\r\nxy\r\n\r\n");
		struct weft_stream *s = wire_stream(&w);
		w.in_step = step;
		expect_eq(until(s, "\r\n\r\n", 100, &data), 8);
		expect_mem_eq(data, "a\r\n\r\r\n\r\n", 8);
		expect_eq(until(s, "\r\n\r\n", 100, &data), 6);
		expect_mem_eq(data, "xy\r\n\r\n", 6);
		expect_eq(until(s, "\r\n\r\n", 100, &data), 0);
		wire_close(s, &w);
	}
}

TASK_TEST("read_until takes a mark that ends with the last byte allowed, and none behind")
{
	for (size_t step = 1; step < 8; step++) {
		const char *data = NULL;
		struct wire w = wire_of("12345\n78\n");
		struct weft_stream *s = wire_stream(&w);
		w.in_step = step;
		expect_eq(until(s, "\n", 5, &data), -EMSGSIZE);
		expect_eq(data, NULL);
		expect_ge(weft_stream_buffered(s), 5);
		expect_eq(until(s, "\n", 0, &data), -EMSGSIZE);
		expect_eq(until(s, "\n", 6, &data), 6);
		expect_mem_eq(data, "12345\n", 6);
		expect_eq(until(s, "78\n", 2, &data), -EMSGSIZE);
		expect_eq(until(s, "78\n", 3, &data), 3);
		wire_close(s, &w);
	}
}

TASK_TEST("read_until whose mark never comes: -ENODATA, and the rest is there to be read")
{
	char buf[8];
	const char *data = NULL;
	struct wire w = wire_of("rest");
	struct weft_stream *s = wire_stream(&w);
	expect_eq(until(s, "\n", 100, &data), -ENODATA);
	expect_eq(until(s, "\n", 100, &data), -ENODATA);
	expect_eq(data, NULL);
	expect_eq(weft_stream_buffered(s), 4);
	expect_eq(weft_stream_read_full(s, buf, 4, soon()), 4);
	expect_mem_eq(buf, "rest", 4);
	expect_eq(until(s, "\n", 100, &data), 0);
	wire_close(s, &w);
}

TASK_TEST("what came before an error stays")
{
	static const int errors[] = {-EAGAIN, -ETIMEDOUT, -ECANCELED, -ECONNRESET, -EBADF};
	for (unsigned i = 0; i < 5; i++) {
		const char *data;
		struct wire w = wire_of("half a ");
		struct weft_stream *s = wire_stream(&w);
		w.end = errors[i];
		expect_eq(until(s, "\n", 100, &data), errors[i]);
		expect_eq(weft_stream_buffered(s), 7);
		w.in = "line\n";
		w.in_len = 5;
		expect_line(s, "half a line\n");
		wire_close(s, &w);
	}
}

TASK_TEST("the buffer grows to what a mark needs, and no further than it may")
{
	static char text[40002];
	const char *data;
	memset(text, 'x', 40000);
	text[40000] = '\n';
	for (size_t step = 1000; step <= WIRE; step += WIRE - 1000) {
		struct wire w = wire_of(text);
		struct weft_stream *s = wire_stream(&w);
		w.in_step = step;
		expect_eq(until(s, "\n", 10000, &data), -EMSGSIZE);
		expect_le(weft_stream_buffered(s), 10000);
		expect_eq(until(s, "\n", 40001, &data), 40001);
		expect_mem_eq(data, text, 40001);
		wire_close(s, &w);
	}
}

TASK_TEST("a mark that comes byte by byte is not looked for from the start each time")
{
	static char text[60001];
	const char *data;
	memset(text, 'x', 59999);
	text[59999] = '\n';
	struct wire w = wire_of(text);
	struct weft_stream *s = wire_stream(&w);
	w.in_step = 1;
	expect_eq(until(s, "\n", 60000, &data), 60000);
	expect_eq(w.reads, 60000);
	wire_close(s, &w);
}

TASK_TEST("marks hold any bytes, zeros included")
{
	const char *data;
	struct wire w = wire_of("");
	struct weft_stream *s = wire_stream(&w);
	w.in = "a\0b\0\0c";
	w.in_len = 6;
	expect_eq(weft_stream_read_until(s, "\0\0", 2, 100, &data, soon()), 5);
	expect_mem_eq(data, "a\0b\0\0", 5);
	wire_close(s, &w);
}

TASK_TEST("lines, lengths and what there is follow each other")
{
	char buf[5000];
	struct wire w = wire_of("size 5\nhellorest");
	struct weft_stream *s = wire_stream(&w);
	expect_line(s, "size 5\n");
	expect_eq(weft_stream_read_full(s, buf, 5, soon()), 5);
	expect_mem_eq(buf, "hello", 5);
	expect_eq(weft_stream_read(s, buf, sizeof(buf), soon()), 4);
	expect_mem_eq(buf, "rest", 4);
	expect_eq(w.reads, 1);
	wire_close(s, &w);
}

TASK_TEST("a large read goes past the buffer")
{
	static char text[9001], buf[9001];
	memset(text, 'x', 9000);
	struct wire w = wire_of(text);
	struct weft_stream *s = wire_stream(&w);
	expect_eq(weft_stream_read(s, buf, 9000, soon()), 9000);
	expect_eq(w.reads, 1);
	expect_eq(weft_stream_buffered(s), 0);
	wire_close(s, &w);
}

/* ---- tied ---- */

TASK_TEST("a tied read sends first, but only before it waits")
{
	char buf[8];
	struct wire w = wire_of("ready");
	struct weft_stream *s = wire_stream(&w);
	weft_stream_tie(s, 1);
	w.end = -EAGAIN;
	expect_eq(weft_stream_write(s, "question", 8, soon()), 8);
	expect_eq(weft_stream_read(s, buf, 5, soon()), 5);
	expect_eq(w.out_len, 0); /* it was there already */
	expect_eq(weft_stream_read(s, buf, 5, 0), -EAGAIN);
	expect_eq(w.out_len, 0); /* it may not wait */
	expect_eq(weft_stream_read(s, buf, 5, soon()), -EAGAIN);
	expect_eq(w.waits, 1);
	expect_eq(w.out_len, 8);
	expect_mem_eq(w.out, "question", 8);
	wire_close(s, &w);
}

TASK_TEST("a tied read whose question did not go out does not wait for the answer")
{
	const char *data;
	static const int errors[] = {-EPIPE, -ETIMEDOUT, -ECANCELED};
	for (unsigned i = 0; i < 3; i++) {
		struct wire w = wire_of("");
		struct weft_stream *s = wire_stream(&w);
		weft_stream_tie(s, 1);
		w.end = -EAGAIN;
		w.out_error = errors[i];
		expect_eq(weft_stream_write(s, "question", 8, soon()), 8);
		expect_eq(until(s, "\n", 100, &data), errors[i]);
		expect_eq(w.waits, 0);
		w.out_error = 0;
		wire_close(s, &w);
		expect_eq(w.out_len, 8);
	}
}

TASK_TEST("a stream that is not tied, or not any more, does not send")
{
	char buf[8];
	struct wire w = wire_of("");
	struct weft_stream *s = wire_stream(&w);
	w.end = -EAGAIN;
	expect_eq(weft_stream_write(s, "question", 8, soon()), 8);
	expect_eq(weft_stream_read(s, buf, 5, soon()), -EAGAIN);
	weft_stream_tie(s, 1);
	weft_stream_tie(s, 0);
	expect_eq(weft_stream_read(s, buf, 5, soon()), -EAGAIN);
	expect_eq(w.writes, 0);
	wire_close(s, &w);
}

/* ---- misuse ---- */

TEST("no stream, no mark, nowhere to put it: -EINVAL")
{
	const char *data;
	struct wire w = wire_of("");
	struct weft_stream *s = wire_stream(&w);
	expect_eq(weft_stream_read(NULL, NULL, 0, 0), -EINVAL);
	expect_eq(weft_stream_read_full(NULL, NULL, 0, 0), -EINVAL);
	expect_eq(weft_stream_read_until(NULL, "\n", 1, 9, &data, 0), -EINVAL);
	expect_eq(weft_stream_read_until(s, NULL, 1, 9, &data, 0), -EINVAL);
	expect_eq(weft_stream_read_until(s, "\n", 0, 9, &data, 0), -EINVAL);
	expect_eq(weft_stream_read_until(s, "\n", 1, 9, NULL, 0), -EINVAL);
	expect_eq(weft_stream_buffered(NULL), 0);
	weft_stream_tie(NULL, 1);
	wire_close(s, &w);
}

static int read_one(void *stream)
{
	char c;
	return (int)weft_stream_read(stream, &c, 1, WEFT_FOREVER);
}

TASK_TEST("two tasks on one side are misuse", .ends = DIES(6))
{
	int fd[2];
	struct weft_stream *s;
	tcp_pair(fd);
	expect_eq(weft_stream_new(&s, fd[0]), 0);
	tasks_start(read_one, s);
	tasks_settle();
	read_one(s);
}
