/* SPDX-License-Identifier: MIT */
/*
 * stream_read.c: the reading side of streams. See stream.h.
 *
 * A read that is as large as a fresh buffer goes past it. A mark is looked for in what is new since
 * the last look alone, so a peer that sends byte by byte costs no more than any other.
 *
 * read_full returns what came before an error or the end, and keeps why it came no further for the
 * next read: the kernel reports a reset connection once, and as an ordinary end from then on.
 */
#include <string.h>

#include "api/stream.h"

/* ---- from below ---- */

static ssize_t read_below(struct weft_stream *s, void *buf, size_t len, int64_t deadline)
{
	return s->ops.read ? s->ops.read(s->object, buf, len, deadline) : -EBADF;
}

/* Without what is to be sent first no answer will come: then it does not wait for one. */
static ssize_t send_and_read(struct weft_stream *s, void *buf, size_t len, int64_t deadline)
{
	side_enter(&s->out.busy, "read of a tied stream");
	int err = weft__stream_send(s, deadline);
	side_leave(&s->out.busy);
	ssize_t n = read_below(s, buf, len, err ? 0 : deadline);
	return err && n == -EAGAIN ? err : n;
}

static ssize_t receive(struct weft_stream *s, void *buf, size_t len, int64_t deadline)
{
	if (s->in.late) {
		s->in.late = false;
		return s->in.why;
	}
	if (!s->in.tied || !buffer_length(&s->out.buffer))
		return read_below(s, buf, len, deadline);
	ssize_t n = read_below(s, buf, len, 0);
	return n == -EAGAIN && deadline ? send_and_read(s, buf, len, deadline) : n;
}

/* Room for one more byte, in at most `most` bytes; the buffer holds fewer. */
static int make_room(struct buffer *b, size_t most)
{
	size_t size = b->size;
	if (!buffer_length(b))
		b->begin = b->end = 0;
	if (buffer_room(b))
		return 0;
	if (!b->begin)
		size = max_of(STREAM_BUFFER, min_of(2 * size, most));
	return weft__buffer_reserve(b, size);
}

/* Reads into the buffer what there is: how much, 0 at the end, or an error. */
static ssize_t fill(struct weft_stream *s, size_t most, int64_t deadline)
{
	struct buffer *b = &s->in.buffer;
	int err = make_room(b, most);
	if (err)
		return err;
	ssize_t n = receive(s, b->bytes + b->end, buffer_room(b), deadline);
	if (n > 0)
		b->end += (size_t)n;
	return n;
}

/* ---- what there is, and all of it ---- */

static ssize_t take(struct buffer *b, void *buf, size_t len)
{
	size_t n = min_of(len, buffer_length(b));
	if (n)
		memcpy(buf, b->bytes + b->begin, n);
	b->begin += n;
	return (ssize_t)n;
}

static ssize_t read_some(struct weft_stream *s, void *buf, size_t len, int64_t deadline)
{
	struct buffer *b = &s->in.buffer;
	if (len && !buffer_length(b)) {
		if (len >= STREAM_BUFFER)
			return receive(s, buf, len, deadline);
		ssize_t n = fill(s, STREAM_BUFFER, deadline);
		if (n <= 0)
			return n;
	}
	return take(b, buf, len);
}

ssize_t weft_stream_read(struct weft_stream *stream, void *buf, size_t len, int64_t deadline)
{
	if (!stream)
		return -EINVAL;
	side_enter(&stream->in.busy, "weft_stream_read");
	ssize_t n = read_some(stream, buf, len, deadline);
	side_leave(&stream->in.busy);
	return n;
}

static void keep_reason(struct weft_stream *s, ssize_t why)
{
	s->in.late = !stream_transient(why);
	s->in.why = why;
}

static ssize_t read_all(struct weft_stream *s, char *buf, size_t len, int64_t deadline)
{
	size_t done = 0;
	while (done < len) {
		ssize_t n = read_some(s, buf + done, len - done, deadline);
		if (n <= 0 && !done)
			return n;
		if (n <= 0) {
			keep_reason(s, n);
			break;
		}
		done += (size_t)n;
	}
	return (ssize_t)done;
}

ssize_t weft_stream_read_full(struct weft_stream *stream, void *buf, size_t len, int64_t deadline)
{
	if (!stream)
		return -EINVAL;
	side_enter(&stream->in.busy, "weft_stream_read_full");
	ssize_t n = read_all(stream, buf, len, deadline);
	side_leave(&stream->in.busy);
	return n;
}

/* ---- up to a mark ---- */

struct mark {
	const void *bytes;
	size_t len;
	size_t most;   /* where it has to end, at the latest */
	size_t passed; /* no mark begins before this byte */
};

/* Where the first mark ends; 0: there is none yet. */
static size_t find(const struct buffer *b, struct mark *m)
{
	size_t have = min_of(buffer_length(b), m->most);
	if (have < m->passed + m->len)
		return 0;
	const char *first = b->bytes + b->begin;
	const char *at = memmem(first + m->passed, have - m->passed, m->bytes, m->len);
	m->passed = have - m->len + 1;
	return at ? (size_t)(at - first) + m->len : 0;
}

static ssize_t read_mark(struct weft_stream *s, struct mark *m, const char **data, int64_t deadline)
{
	struct buffer *b = &s->in.buffer;
	size_t length;
	while (!(length = find(b, m))) {
		if (buffer_length(b) >= m->most)
			return -EMSGSIZE;
		ssize_t n = fill(s, m->most, deadline);
		if (n == 0)
			return buffer_length(b) ? -ENODATA : 0;
		if (n < 0)
			return n;
	}
	*data = b->bytes + b->begin;
	b->begin += length;
	return (ssize_t)length;
}

ssize_t weft_stream_read_until(struct weft_stream *stream, const void *mark, size_t mark_len,
			       size_t most, const char **data, int64_t deadline)
{
	struct mark m = {.bytes = mark, .len = mark_len, .most = most};
	if (!stream || !mark || !mark_len || !data)
		return -EINVAL;
	side_enter(&stream->in.busy, "weft_stream_read_until");
	ssize_t n = read_mark(stream, &m, data, deadline);
	side_leave(&stream->in.busy);
	return n;
}
