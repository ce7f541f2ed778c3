/* SPDX-License-Identifier: MIT */
/*
 * stream_write.c: the writing side of streams. See stream.h.
 *
 * A write is whole or nothing, so that a caller whose deadline passed never has to ask which part
 * of a message the peer will get. What does not fit behind the rest waits until that has gone: when
 * it does not go, nothing was taken. A piece that is larger than the buffer goes out from where it
 * lies; room for all of it is there before the first byte goes, so what is left over can always be
 * kept, and counts as written. The room is address space: untouched, it is no memory.
 *
 * Rejected: returning how much of a write went. Half a message can be neither taken back nor
 * repeated, and callers that check for `len` alone would believe that nothing went.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/stream.h"

/* ---- to below ---- */

static ssize_t write_below(struct weft_stream *s, const void *buf, size_t len, int64_t deadline)
{
	return s->ops.write ? s->ops.write(s->object, buf, len, deadline) : -EBADF;
}

/* Empty again; the rest of a large piece was a buffer of its own. */
static void reset(struct buffer *b)
{
	b->begin = b->end = 0;
	if (b->size == STREAM_BUFFER)
		return;
	free(b->bytes);
	b->bytes = NULL;
	b->size = 0;
}

int weft__stream_send(struct weft_stream *s, int64_t deadline)
{
	struct buffer *b = &s->out.buffer;
	while (buffer_length(b)) {
		ssize_t n = write_below(s, b->bytes + b->begin, buffer_length(b), deadline);
		if (n < 0)
			return (int)n;
		b->begin += (size_t)n;
	}
	reset(b);
	return 0;
}

int weft__stream_end(struct weft_stream *s, int64_t deadline)
{
	if (s->out.ended)
		return 0;
	int err = weft__stream_send(s, deadline);
	if (!err && s->ops.shutdown)
		err = s->ops.shutdown(s->object, deadline);
	s->out.ended = !err;
	return err;
}

/* ---- writing ---- */

/* Nothing is in the buffer. */
static ssize_t write_past(struct weft_stream *s, const char *buf, size_t len, int64_t deadline)
{
	char *rest = malloc(len);
	if (!rest)
		return -ENOMEM;
	ssize_t n = write_below(s, buf, len, deadline);
	if (n < 0 || (size_t)n == len) {
		free(rest);
		return n;
	}
	size_t left = len - (size_t)n;
	memcpy(rest, buf + n, left);
	free(s->out.buffer.bytes);
	s->out.buffer = (struct buffer){.bytes = rest, .size = left, .end = left};
	return (ssize_t)len;
}

static ssize_t gather(struct buffer *b, const void *buf, size_t len)
{
	if (len)
		memcpy(b->bytes + b->end, buf, len);
	b->end += len;
	return (ssize_t)len;
}

static ssize_t write_whole(struct weft_stream *s, const char *buf, size_t len, int64_t deadline)
{
	struct buffer *b = &s->out.buffer;
	if (s->out.ended)
		return -EPIPE;
	if (len <= buffer_room(b))
		return gather(b, buf, len);
	int err = weft__stream_send(s, deadline);
	if (err)
		return err;
	if (len > STREAM_BUFFER)
		return write_past(s, buf, len, deadline);
	err = weft__buffer_reserve(b, STREAM_BUFFER);
	return err ? err : gather(b, buf, len);
}

ssize_t weft_stream_write(struct weft_stream *stream, const void *buf, size_t len, int64_t deadline)
{
	if (!stream)
		return -EINVAL;
	side_enter(&stream->out.busy, "weft_stream_write");
	ssize_t n = write_whole(stream, buf, len, deadline);
	side_leave(&stream->out.busy);
	return n;
}

/* ---- text ---- */

static int write_text(struct weft_stream *stream, int64_t deadline, const char *format,
		      va_list values)
{
	char *text;
	int n = vasprintf(&text, format, values);
	if (n < 0)
		return -errno;
	n = (int)weft_stream_write(stream, text, (size_t)n, deadline);
	free(text);
	return n;
}

int weft_stream_printf(struct weft_stream *stream, int64_t deadline, const char *format, ...)
{
	va_list values;
	va_start(values, format);
	int n = write_text(stream, deadline, format, values);
	va_end(values);
	return n;
}

/* ---- sending ---- */

int weft_stream_flush(struct weft_stream *stream, int64_t deadline)
{
	if (!stream)
		return -EINVAL;
	side_enter(&stream->out.busy, "weft_stream_flush");
	int err = weft__stream_send(stream, deadline);
	side_leave(&stream->out.busy);
	return err;
}

int weft_stream_shutdown(struct weft_stream *stream, int64_t deadline)
{
	if (!stream)
		return -EINVAL;
	side_enter(&stream->out.busy, "weft_stream_shutdown");
	int err = weft__stream_end(stream, deadline);
	side_leave(&stream->out.busy);
	return err;
}
