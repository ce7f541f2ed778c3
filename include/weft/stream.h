/* SPDX-License-Identifier: MIT */
/*
 * weft/stream.h: buffered streams: read by lines, by length, or what there is; write and flush.
 * Over a descriptor, or over anything else that can be read and written. Since 0.2.
 *
 * A stream has two sides, each with a buffer of its own, and each is for one task at a time: one
 * task may read while another one writes. Two tasks on one side at once are misuse: a message and
 * abort.
 *
 * Deadlines and cancellation are those of weft/task.h, and every call leaves the stream in step:
 * what came before an error stays in the reading side's buffer and is read later, what did not go
 * out stays in the writing side's and goes out by the next flush. Common errors: -EAGAIN,
 * -ETIMEDOUT, -ECANCELED; -EINVAL `stream` is NULL, or the caller is not a task; -ENOMEM; -EBADF
 * the stream has no such side; -EPIPE the other end no longer reads, never SIGPIPE; every other
 * error of reading or writing what lies below.
 */
#ifndef WEFT_STREAM_H
#define WEFT_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "weft/attr.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Made by weft_stream_new or weft_stream_over, freed by weft_stream_close. */
struct weft_stream;

/*
 * What a stream lies over, when it is no descriptor. The struct is copied; NULL means that there is
 * nothing to do (shutdown, free), or that the stream has no such side (read, write: -EBADF).
 */
struct weft_stream_ops {
	/* sizeof(struct weft_stream_ops); 0: that of version 0.2. */
	size_t size;
	/* As weft_read: at least one byte, 0 at the end, or an error. */
	ssize_t (*read)(void *object, void *buf, size_t len, int64_t deadline);
	/* As weft_write: how many bytes went, fewer than all only before an error or deadline. */
	ssize_t (*write)(void *object, const void *buf, size_t len, int64_t deadline);
	/* Ends the writing side: 0 or an error. May be called again after an error. */
	int (*shutdown)(void *object, int64_t deadline);
	/* Called once, by weft_stream_close. */
	void (*free)(void *object);
};

/*
 * Makes a stream over a descriptor. Returns 0: from then on the descriptor is the stream's, which
 * closes it. Errors, the descriptor is still the caller's: -EBADF no such descriptor; -ENOMEM;
 * -EINVAL `stream` is NULL.
 */
WEFT_MUST_CHECK int weft_stream_new(struct weft_stream **stream, int fd);

/*
 * Makes a stream over an object of the caller's, which is the stream's once this returned 0.
 * Errors: -E2BIG operations of a later version; -ENOMEM; -EINVAL `stream` or `ops` is NULL.
 */
WEFT_MUST_CHECK int weft_stream_over(struct weft_stream **stream, const struct weft_stream_ops *ops,
				     void *object);

/* Reads what there is, at least one byte; returns how many, 0 at the end. */
WEFT_MUST_CHECK ssize_t weft_stream_read(struct weft_stream *stream, void *buf, size_t len,
					 int64_t deadline);

/*
 * Reads all of `len` bytes; returns fewer when the end, an error or the deadline came after that
 * many: the next read says which.
 */
WEFT_MUST_CHECK ssize_t weft_stream_read_full(struct weft_stream *stream, void *buf, size_t len,
					      int64_t deadline);

/*
 * Reads up to the first `mark`, which is included. Returns the length and stores in *data where the
 * bytes lie, borrowed until the next read of this stream; 0: the end, and nothing is left. Errors,
 * what came stays and *data is unchanged: -EMSGSIZE the first `most` bytes hold no mark; -ENODATA
 * the end came before a mark; -EINVAL the mark is empty, or `data` is NULL. The buffer never grows
 * beyond `most` bytes (or 4 KiB).
 */
WEFT_MUST_CHECK ssize_t weft_stream_read_until(struct weft_stream *stream, const void *mark,
					       size_t mark_len, size_t most, const char **data,
					       int64_t deadline);

/* Returns how many bytes the reading side has in its buffer; 0 for NULL. */
size_t weft_stream_buffered(const struct weft_stream *stream);

/*
 * Returns the descriptor, which stays the stream's, for weft_wait_fd and select: those do not see
 * what is in the buffer already. -EBADF: the stream lies over something else. -EINVAL: NULL.
 */
int weft_stream_fd(const struct weft_stream *stream);

/* Returns what weft_stream_over was given; NULL for a stream over a descriptor, and for NULL. */
void *weft_stream_object(const struct weft_stream *stream);

/*
 * Writes all of it, or nothing: returns `len` when the stream has it, and everything else is an
 * error after which none of it goes out. Small pieces are gathered until 4 KiB are together; what a
 * large one has left over when an error or the deadline comes in its middle stays in the buffer,
 * and the next call says what happened. -EPIPE also: after weft_stream_shutdown.
 */
WEFT_MUST_CHECK ssize_t weft_stream_write(struct weft_stream *stream, const void *buf, size_t len,
					  int64_t deadline);

/*
 * Writes text as printf(3) makes it, whole or not at all; returns its length. Errors also: those of
 * vsnprintf.
 */
WEFT_MUST_CHECK WEFT_PRINTF(3, 4) int weft_stream_printf(struct weft_stream *stream,
							 int64_t deadline, const char *format, ...);

/* Sends what is in the buffer. Stopped half way, the rest stays; nothing goes twice. Returns 0. */
WEFT_MUST_CHECK int weft_stream_flush(struct weft_stream *stream, int64_t deadline);

/*
 * Flushes, then ends the writing side: the peer reads the end, and may go on writing. Returns 0,
 * also when it has been done before. After an error the writing side is as flush left it. Only a
 * socket has two sides: of another descriptor it is weft_stream_close that ends them.
 */
WEFT_MUST_CHECK int weft_stream_shutdown(struct weft_stream *stream, int64_t deadline);

/*
 * Tied (1), a read that is about to wait flushes first, so that a peer has the question whose
 * answer is waited for: for streams of which one task has both sides. When the flush fails, the
 * read does not wait: it returns what is there, else the flush's error. Not tied (0) at first,
 * since two peers that flush before they read can wait for each other. NULL: nothing.
 */
void weft_stream_tie(struct weft_stream *stream, int on);

/*
 * Does what weft_stream_shutdown does, closes what lies below, and frees the stream, in every case.
 * Not cancellable: only its deadline bounds it, and 0 or a passed one does not wait. Nobody else
 * may be inside. Returns 0, or the error by which something did not go out.
 */
int weft_stream_close(struct weft_stream *stream, int64_t deadline);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
