/* SPDX-License-Identifier: MIT */
/* stream_test.c: see stream_test.h. */
#include "stream_test.h"

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static ssize_t wire_read(void *object, void *buf, size_t len, int64_t deadline)
{
	struct wire *w = object;
	w->reads++;
	size_t n = least(least(len, w->in_step), w->in_len);
	if (n == 0) {
		w->waits += deadline != 0;
		return w->end;
	}
	memcpy(buf, w->in, n);
	w->in += n;
	w->in_len -= n;
	return (ssize_t)n;
}

static ssize_t wire_write(void *object, const void *buf, size_t len, int64_t deadline)
{
	struct wire *w = object;
	int mask = weft_cancel_mask(1);
	if (mask == 0)
		weft_cancel_mask(0);
	w->masked = mask;
	w->writes++;
	if (w->out_error)
		return w->out_error;
	size_t n = least(least(len, w->out_step), w->out_room - w->out_len);
	if (n == 0)
		return deadline ? -ETIMEDOUT : -EAGAIN;
	memcpy(w->out + w->out_len, buf, n);
	w->out_len += n;
	return (ssize_t)n;
}

static int wire_end(void *object, int64_t deadline)
{
	struct wire *w = object;
	w->ends++;
	return w->end_error;
}

static void wire_free(void *object)
{
	struct wire *w = object;
	w->frees++;
}

struct wire wire_of(const char *text)
{
	return (struct wire){.in = text,
			     .in_len = strlen(text),
			     .in_step = WIRE,
			     .out_step = WIRE,
			     .out_room = WIRE};
}

struct weft_stream *wire_stream(struct wire *wire)
{
	static const struct weft_stream_ops ops = {.size = sizeof(ops),
						   .read = wire_read,
						   .write = wire_write,
						   .shutdown = wire_end,
						   .free = wire_free};
	struct weft_stream *stream;
	expect_eq(weft_stream_over(&stream, &ops, wire), 0);
	return stream;
}

void wire_close(struct weft_stream *stream, struct wire *wire)
{
	expect_eq(weft_stream_close(stream, soon()), 0);
	expect_eq(wire->ends, 1);
	expect_eq(wire->frees, 1);
}

void expect_line(struct weft_stream *stream, const char *line)
{
	const char *data = NULL;
	size_t len = strlen(line);
	expect_eq(weft_stream_read_until(stream, "\n", 1, 4000, &data, soon()), (ssize_t)len);
	expect_mem_eq(data, line, len);
}
