/* SPDX-License-Identifier: MIT */
/*
 * stream_test.h: something that a stream can lie over, and that does exactly what it is told: it
 * delivers and takes so many bytes at a time, and fails when it is to fail.
 */
#ifndef STREAM_TEST_H
#define STREAM_TEST_H

#include "../io/io_test.h"
#include "weft/stream.h"

enum { WIRE = 1 << 16 };

struct wire {
	/* What will be read: `step` bytes at most at a time, then `end` (0, or an error). */
	const char *in;
	size_t in_len, in_step;
	int end;
	unsigned reads, waits; /* reads so far; those that came to the end of `in` and could wait */

	/* What was written: `out_step` bytes at most a call, -EAGAIN beyond `out_room`. */
	char out[WIRE];
	size_t out_len, out_step, out_room;
	int out_error; /* from the next write on */
	unsigned writes, ends, frees;
	int end_error;
	int masked; /* the caller's mask at the last write */
};

/* Delivers `text` and takes everything, each at once. */
struct wire wire_of(const char *text);
struct weft_stream *wire_stream(struct wire *wire);
/* Closes, and expects a good end. */
void wire_close(struct weft_stream *stream, struct wire *wire);

/* The next piece up to a line feed, and what it is. */
void expect_line(struct weft_stream *stream, const char *line);

#endif
