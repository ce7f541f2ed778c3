/* SPDX-License-Identifier: MIT */
/*
 * stream.c: streams from making to closing, and those over a descriptor. See stream.h.
 *
 * A descriptor is an object like any other, whose number is in the pointer. When no runtime runs
 * weft_close refuses it, and close(2) closes it: nobody waits on it, as nobody may be inside.
 */
#include "api/stream.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/sized.h"
#include "weft/io.h"
#include "weft/task.h"

int weft__buffer_reserve(struct buffer *b, size_t size)
{
	size_t length = buffer_length(b);
	if (b->begin && length)
		memmove(b->bytes, b->bytes + b->begin, length);
	b->begin = 0;
	b->end = length;
	if (b->size >= size)
		return 0;
	char *bytes = realloc(b->bytes, size);
	if (!bytes)
		return -ENOMEM;
	b->bytes = bytes;
	b->size = size;
	return 0;
}

/* ---- over a descriptor ---- */

static int fd_of(const void *object)
{
	return (int)(intptr_t)object;
}

static ssize_t fd_read(void *object, void *buf, size_t len, int64_t deadline)
{
	return weft_read(fd_of(object), buf, len, deadline);
}

static ssize_t fd_write(void *object, const void *buf, size_t len, int64_t deadline)
{
	return weft_write(fd_of(object), buf, len, deadline);
}

/* What has one side, or has lost its peer, has no writing side to end. */
static int fd_shutdown(void *object, int64_t deadline)
{
	if (shutdown(fd_of(object), SHUT_WR) == 0 || errno == ENOTSOCK || errno == ENOTCONN)
		return 0;
	return -errno;
}

static void fd_free(void *object)
{
	int fd = fd_of(object), err = weft_close(fd);
	if (err == -EINVAL || err == -ENOTSUP)
		close(fd);
}

static const struct weft_stream_ops over_fd = {
	.size = sizeof(over_fd),
	.read = fd_read,
	.write = fd_write,
	.shutdown = fd_shutdown,
	.free = fd_free,
};

/* ---- making ---- */

static int make(struct weft_stream **stream, const struct weft_stream_ops *ops, void *object,
		int fd)
{
	struct weft_stream *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->ops = *ops;
	s->object = object;
	s->fd = fd;
	*stream = s;
	return 0;
}

int weft_stream_new(struct weft_stream **stream, int fd)
{
	if (!stream)
		return -EINVAL;
	if (fcntl(fd, F_GETFD) < 0)
		return -errno;
	return make(stream, &over_fd, (void *)(intptr_t)fd, fd);
}

int weft_stream_over(struct weft_stream **stream, const struct weft_stream_ops *ops, void *object)
{
	struct weft_stream_ops known;
	if (!stream || !ops)
		return -EINVAL;
	int err = weft__sized_read(&known, sizeof(known), ops, sizeof(known));
	return err ? err : make(stream, &known, object, -1);
}

/* ---- asking ---- */

size_t weft_stream_buffered(const struct weft_stream *stream)
{
	return stream ? buffer_length(&stream->in.buffer) : 0;
}

int weft_stream_fd(const struct weft_stream *stream)
{
	if (!stream)
		return -EINVAL;
	return stream->fd >= 0 ? stream->fd : -EBADF;
}

void *weft_stream_object(const struct weft_stream *stream)
{
	return stream && stream->fd < 0 ? stream->object : NULL;
}

void weft_stream_tie(struct weft_stream *stream, int on)
{
	if (stream)
		stream->in.tied = on;
}

/* ---- closing ---- */

static void release(struct weft_stream *s)
{
	if (s->ops.free)
		s->ops.free(s->object);
	free(s->in.buffer.bytes);
	free(s->out.buffer.bytes);
	free(s);
}

int weft_stream_close(struct weft_stream *stream, int64_t deadline)
{
	if (!stream)
		return -EINVAL;
	side_enter(&stream->in.busy, "weft_stream_close");
	side_enter(&stream->out.busy, "weft_stream_close");
	int masked = weft_cancel_mask(1); /* an error outside of a task: nothing to unmask */
	int err = weft__stream_end(stream, deadline);
	release(stream);
	if (masked == 0)
		weft_cancel_mask(0);
	return err;
}
