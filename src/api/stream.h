/* SPDX-License-Identifier: MIT */
/*
 * stream.h: a stream: what it lies over, and two sides with a buffer each.
 *
 *   side   used by                  holds
 *   in     stream_read.c            what came and was not read yet
 *   out    stream_write.c, and a    what was written and did not go out yet
 *          tied read
 *
 *   buffer    bytes [0 .. begin) [begin .. end) [end .. size)
 *                    read, gone   what it holds   room
 *
 * A side belongs to the task that is inside one of its calls. `busy` shows the second one, mostly:
 * it orders nothing, since two tasks on one side are misuse and not a protocol. The two sides share
 * no field but `ops` and `object`, which do not change.
 *
 * Every call leaves both buffers whole, wherever it ends: bytes are taken out of `in` when they are
 * handed over, and out of `out` when the layer below said that they went.
 *
 * Rejected: one buffer for both sides (a question could not be written while an answer waits to be
 * read); stdio's FILE over fopencookie (its lock is held across the wait, its deadline would have
 * to hide in the cookie, and an error in the middle of fread loses what came).
 */
#ifndef WEFT_API_STREAM_H
#define WEFT_API_STREAM_H

#include <errno.h>
#include <stdbool.h>

#include "api/call.h"
#include "weft/stream.h"

enum { STREAM_BUFFER = 4096 }; /* how large a buffer is at first */

struct buffer {
	char *bytes; /* NULL until something is put in */
	size_t size, begin, end;
};

struct weft_stream {
	struct weft_stream_ops ops;
	void *object;
	int fd; /* -1: none */
	struct {
		struct buffer buffer;
		uint32_t busy;
		bool tied;
		bool late;   /* a result stood behind what read_full returned: */
		ssize_t why; /* that of the next read */
	} in;
	struct {
		struct buffer buffer;
		uint32_t busy;
		bool ended; /* by weft_stream_shutdown */
	} out;
};

static inline size_t buffer_length(const struct buffer *b)
{
	return b->end - b->begin;
}

static inline size_t buffer_room(const struct buffer *b)
{
	return b->size - b->end;
}

/* What it holds begins at 0 afterwards, and it has at least `size` bytes. 0, or -ENOMEM. */
int weft__buffer_reserve(struct buffer *b, size_t size);

static inline void side_enter(uint32_t *busy, const char *call)
{
	if (unlikely(load_relaxed(busy)))
		weft__misuse(call, "another task uses this side of the stream");
	store_relaxed(busy, 1);
}

static inline void side_leave(uint32_t *busy)
{
	store_relaxed(busy, 0);
}

/* The deadline, another wait or a cancel ended it: the same call may do better later. */
static inline bool stream_transient(ssize_t err)
{
	return err == -EAGAIN || err == -ETIMEDOUT || err == -ECANCELED;
}

/* weft_stream_flush and weft_stream_shutdown for a caller that has the writing side. */
int weft__stream_send(struct weft_stream *s, int64_t deadline);
int weft__stream_end(struct weft_stream *s, int64_t deadline);

#endif
