/* SPDX-License-Identifier: MIT */
/* bulk.h: many bytes through a stream, of which each says where it belongs. */
#ifndef TESTS_STREAM_BULK_H
#define TESTS_STREAM_BULK_H

#include "../tasks.h"
#include "weft/stream.h"

static inline char pattern(size_t at)
{
	return (char)(at % 251);
}

/* Reads up to the end, at most `most` bytes at a time, of ever other lengths. Returns how many. */
static inline int bulk_read(struct weft_stream *stream, size_t most)
{
	char *buf = malloc(most);
	size_t at = 0;
	ssize_t n;
	while ((n = weft_stream_read(stream, buf, 1 + at % most, soon())) > 0)
		for (ssize_t i = 0; i < n; i++)
			expect_eq(buf[i], pattern(at++));
	expect_eq(n, 0);
	free(buf);
	return (int)at;
}

#endif
