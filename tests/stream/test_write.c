/* SPDX-License-Identifier: MIT */
/* test_write.c: the writing side of streams: whole or nothing, and nothing twice. */
#include <stdio.h>

#include "stream_test.h"

static ssize_t write_text(struct weft_stream *s, const char *text)
{
	return weft_stream_write(s, text, strlen(text), soon());
}

TASK_TEST("small pieces go out together, by flush")
{
	struct wire w = wire_of("");
	struct weft_stream *s = wire_stream(&w);
	expect_eq(write_text(s, "one "), 4);
	expect_eq(weft_stream_printf(s, soon(), "%s %d", "two", 3), 5);
	expect_eq(weft_stream_write(s, NULL, 0, soon()), 0);
	expect_eq(w.writes, 0);
	expect_eq(weft_stream_flush(s, soon()), 0);
	expect_eq(w.writes, 1);
	expect_mem_eq(w.out, "one two 3", 9);
	expect_eq(weft_stream_flush(s, soon()), 0);
	expect_eq(w.writes, 1);
	wire_close(s, &w);
}

/* Every 1,001st byte of a text says where it is. */
static const char *numbered(size_t len)
{
	static char text[WIRE];
	for (size_t i = 0; i < len; i++)
		text[i] = (char)(i % 1001 ? 'a' + i % 7 : 'A' + i / 1001 % 26);
	text[len] = 0;
	return text;
}

TASK_TEST("pieces of every size go out in order, whatever the layer below takes at a time")
{
	const char *text = numbered(50000);
	for (size_t piece = 1; piece <= 50000; piece = piece * 7 + 2) {
		for (size_t step = 13; step <= WIRE; step = step * 40 + 1) {
			struct wire w = wire_of("");
			struct weft_stream *s = wire_stream(&w);
			w.out_step = step;
			for (size_t at = 0; at < 50000; at += piece) {
				size_t n = 50000 - at < piece ? 50000 - at : piece;
				expect_eq(weft_stream_write(s, text + at, n, soon()), (ssize_t)n);
			}
			expect_eq(weft_stream_flush(s, soon()), 0);
			expect_eq(w.out_len, 50000);
			expect_mem_eq(w.out, text, 50000);
			wire_close(s, &w);
		}
	}
}

TASK_TEST("a flush that is stopped half way goes on where it was")
{
	struct wire w = wire_of("");
	struct weft_stream *s = wire_stream(&w);
	w.out_step = 3;
	w.out_room = 5;
	expect_eq(write_text(s, "0123456789"), 10);
	expect_eq(weft_stream_flush(s, 0), -EAGAIN);
	expect_eq(w.out_len, 5);
	expect_eq(weft_stream_flush(s, soon()), -ETIMEDOUT);
	w.out_room = 8;
	expect_eq(weft_stream_flush(s, soon()), -ETIMEDOUT);
	w.out_error = -ECANCELED;
	expect_eq(weft_stream_flush(s, soon()), -ECANCELED);
	w.out_error = 0;
	w.out_room = WIRE;
	expect_eq(write_text(s, "ab"), 2);
	expect_eq(weft_stream_flush(s, soon()), 0);
	expect_eq(w.out_len, 12);
	expect_mem_eq(w.out, "0123456789ab", 12);
	wire_close(s, &w);
}

TASK_TEST("a write that does not fit behind what cannot go out takes nothing")
{
	const char *text = numbered(4000);
	struct wire w = wire_of("");
	struct weft_stream *s = wire_stream(&w);
	w.out_room = 10;
	expect_eq(weft_stream_write(s, text, 4000, soon()), 4000);
	for (unsigned i = 0; i < 3; i++)
		expect_eq(weft_stream_write(s, text, 4000, 0), -EAGAIN);
	expect_eq(weft_stream_write(s, text, 4000, soon()), -ETIMEDOUT);
	expect_eq(weft_stream_printf(s, 0, "%4000d", 1), -EAGAIN);
	w.out_room = WIRE;
	expect_eq(weft_stream_flush(s, soon()), 0);
	expect_eq(w.out_len, 4000);
	expect_mem_eq(w.out, text, 4000);
	wire_close(s, &w);
}

TASK_TEST("of a large piece nothing went, or the rest is kept")
{
	const char *text = numbered(30000);
	struct wire w = wire_of("");
	struct weft_stream *s = wire_stream(&w);
	w.out_room = 0;
	expect_eq(weft_stream_write(s, text, 30000, 0), -EAGAIN);
	w.out_room = 12345;
	expect_eq(weft_stream_write(s, text, 30000, 0), 30000);
	expect_eq(w.out_len, 12345);
	expect_eq(weft_stream_write(s, "next", 4, 0), -EAGAIN);
	expect_eq(weft_stream_flush(s, soon()), -ETIMEDOUT);
	w.out_room = WIRE;
	expect_eq(weft_stream_write(s, "next", 4, 0), 4);
	expect_eq(weft_stream_flush(s, soon()), 0);
	expect_eq(w.out_len, 30004);
	expect_mem_eq(w.out, text, 30000);
	expect_mem_eq(w.out + 30000, "next", 4);
	wire_close(s, &w);
}

TASK_TEST("printf of any length is whole")
{
	char wanted[10001];
	struct wire w = wire_of("");
	struct weft_stream *s = wire_stream(&w);
	size_t all = 0;
	for (int width = 1; width <= 10000; width = width * 3 + 1) {
		expect_eq(weft_stream_printf(s, soon(), "%*d", width, 7), width);
		expect_eq(weft_stream_flush(s, soon()), 0);
		snprintf(wanted, sizeof(wanted), "%*d", width, 7);
		expect_mem_eq(w.out + all, wanted, width);
		all += (size_t)width;
	}
	expect_eq(weft_stream_printf(s, soon(), "%s", ""), 0);
	expect_eq(w.out_len, all);
	wire_close(s, &w);
}

TASK_TEST("shutdown sends, then ends, once; and what comes behind is refused")
{
	struct wire w = wire_of("");
	struct weft_stream *s = wire_stream(&w);
	expect_eq(write_text(s, "bye"), 3);
	w.out_room = 1;
	expect_eq(weft_stream_shutdown(s, 0), -EAGAIN);
	expect_eq(w.ends, 0);
	w.out_room = WIRE;
	w.end_error = -ETIMEDOUT;
	expect_eq(weft_stream_shutdown(s, soon()), -ETIMEDOUT);
	w.end_error = 0;
	w.ends = 0;
	expect_eq(weft_stream_shutdown(s, soon()), 0);
	expect_eq(weft_stream_shutdown(s, soon()), 0);
	expect_eq(weft_stream_write(s, "x", 1, soon()), -EPIPE);
	expect_eq(weft_stream_printf(s, soon(), "x"), -EPIPE);
	expect_eq(weft_stream_flush(s, soon()), 0);
	expect_eq(w.out_len, 3);
	wire_close(s, &w);
}

TASK_TEST("close frees in every case, and says what did not go out")
{
	static const int errors[] = {-EPIPE, -ETIMEDOUT, -EIO};
	for (unsigned i = 0; i < 3; i++) {
		struct wire w = wire_of("");
		struct weft_stream *s = wire_stream(&w);
		expect_eq(write_text(s, "last"), 4);
		w.out_error = errors[i];
		expect_eq(weft_stream_close(s, soon()), errors[i]);
		expect_eq(w.ends, 0);
		expect_eq(w.frees, 1);
	}
	struct wire w = wire_of("");
	struct weft_stream *s = wire_stream(&w);
	w.end_error = -EIO;
	expect_eq(weft_stream_close(s, soon()), -EIO);
	expect_eq(w.frees, 1);
}

TASK_TEST("no cancel cuts a close short, and the mask is as before")
{
	for (int mask = 0; mask <= 1; mask++) {
		struct wire w = wire_of("");
		struct weft_stream *s = wire_stream(&w);
		weft_cancel(weft_self());
		weft_cancel_mask(mask);
		expect_eq(write_text(s, "last"), 4);
		wire_close(s, &w);
		expect_eq(w.masked, 1);
		expect_eq(weft_cancel_mask(0), mask);
		weft_cancel_clear();
	}
}

TEST("without operations there is nothing to read, to write, to end or to free")
{
	char c;
	struct weft_stream_ops none = {.size = 0};
	struct weft_stream *s;
	expect_eq(weft_stream_over(&s, &none, &c), 0);
	expect_eq(weft_stream_object(s), &c);
	expect_eq(weft_stream_fd(s), -EBADF);
	expect_eq(weft_stream_read(s, &c, 1, 0), -EBADF);
	expect_eq(weft_stream_write(s, "x", 1, 0), 1);
	expect_eq(weft_stream_flush(s, 0), -EBADF);
	expect_eq(weft_stream_close(s, 0), -EBADF);
	expect_eq(weft_stream_over(&s, &none, NULL), 0);
	expect_eq(weft_stream_close(s, 0), 0);
}

TEST("operations are copied, and sized")
{
	struct {
		struct weft_stream_ops ops;
		long later;
	} next = {.ops = {.size = sizeof(next)}};
	struct wire w = wire_of("abc");
	struct weft_stream *s;
	char c;
	expect_eq(weft_stream_over(&s, &next.ops, &w), 0);
	memset(&next, 0xff, sizeof(next)); /* copied */
	expect_eq(weft_stream_read(s, &c, 1, 0), -EBADF);
	expect_eq(weft_stream_close(s, 0), 0);
	memset(&next, 0, sizeof(next));
	next.ops.size = sizeof(next);
	next.later = 1;
	expect_eq(weft_stream_over(&s, &next.ops, &w), -E2BIG);
	next.ops.size = sizeof(next.ops) - 1;
	expect_eq(weft_stream_over(&s, &next.ops, &w), -EINVAL);
	expect_eq(w.frees, 0);
}

TEST("no stream, no operations: -EINVAL")
{
	struct weft_stream_ops none = {.size = 0};
	struct weft_stream *s;
	expect_eq(weft_stream_over(NULL, &none, NULL), -EINVAL);
	expect_eq(weft_stream_over(&s, NULL, NULL), -EINVAL);
	expect_eq(weft_stream_new(NULL, 0), -EINVAL);
	expect_eq(weft_stream_write(NULL, "", 0, 0), -EINVAL);
	expect_eq(weft_stream_printf(NULL, 0, "x"), -EINVAL);
	expect_eq(weft_stream_flush(NULL, 0), -EINVAL);
	expect_eq(weft_stream_shutdown(NULL, 0), -EINVAL);
	expect_eq(weft_stream_close(NULL, 0), -EINVAL);
	expect_eq(weft_stream_fd(NULL), -EINVAL);
	expect_eq(weft_stream_object(NULL), NULL);
}
