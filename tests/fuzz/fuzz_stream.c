/* SPDX-License-Identifier: MIT */
/*
 * fuzz_stream.c: weft_stream_read_until against a plain search: the input says the mark, how much
 * it may take, in which pieces the text comes, and where a deadline stops it.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "weft/stream.h"

struct input {
	const uint8_t *bytes;
	size_t size, given;
	unsigned turn;
	uint8_t steps[4]; /* 0: a deadline passes, once */
};

static ssize_t give(void *object, void *buf, size_t len, int64_t deadline)
{
	struct input *in = object;
	size_t n = in->steps[in->turn++ % sizeof(in->steps)];
	if (n == 0)
		return in->turn % 2 ? -ETIMEDOUT : -EAGAIN;
	n = n < len ? n : len;
	n = n < in->size - in->given ? n : in->size - in->given;
	if (n)
		memcpy(buf, in->bytes + in->given, n);
	in->given += n;
	return (ssize_t)n;
}

static void require(bool so)
{
	if (!so)
		abort();
}

/* What the call must say, had all come. */
static ssize_t expected(const struct input *in, size_t at, const void *mark, size_t mark_len,
			size_t most)
{
	size_t have = in->size - at < most ? in->size - at : most;
	const uint8_t *start = in->bytes + at, *found = memmem(start, have, mark, mark_len);
	if (found)
		return found - start + (ssize_t)mark_len;
	if (have == most)
		return -EMSGSIZE;
	return have ? -ENODATA : 0;
}

static void read_through(struct weft_stream *s, const struct input *in, const void *mark,
			 size_t mark_len, size_t most)
{
	size_t at = 0;
	const char *data;
	unsigned stops = 0;
	for (;;) {
		ssize_t n = weft_stream_read_until(s, mark, mark_len, most, &data, 1);
		require(at + weft_stream_buffered(s) + (n > 0 ? (size_t)n : 0) == in->given);
		if ((n == -ETIMEDOUT || n == -EAGAIN) && ++stops < 1000)
			continue;
		if (stops == 1000)
			return;
		require(n == expected(in, at, mark, mark_len, most));
		if (n <= 0)
			return;
		require(memcmp(data, in->bytes + at, (size_t)n) == 0);
		at += (size_t)n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct weft_stream_ops ops = {.size = sizeof(ops), .read = give};
	struct weft_stream *s;
	struct input in = {0};
	if (size < 8)
		return 0;
	size_t mark_len = 1 + data[0] % 5, most = data[1] | (size_t)(data[2] & 0x3f) << 8;
	memcpy(in.steps, data + 3, sizeof(in.steps));
	data += 7;
	size -= 7;
	if (size < mark_len)
		return 0;
	in.bytes = data + mark_len;
	in.size = size - mark_len;
	require(weft_stream_over(&s, &ops, &in) == 0);
	read_through(s, &in, data, mark_len, most);
	require(weft_stream_close(s, 0) == 0);
	return 0;
}
