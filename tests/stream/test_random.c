/* SPDX-License-Identifier: MIT */
/*
 * test_random.c: random calls on both sides of a stream, against a model of one line: byte N of the
 * text is text_at(N). The layer below reads and writes as much as it likes, and fails now and then
 * as deadlines, cancels and full buffers do; a failed call has taken nothing, and what was taken
 * arrives once, in order.
 *
 * --seed N repeats a run.
 */
#include "stream_test.h"

enum { TEXT = 20000, ROUNDS = 40 };

static uint64_t state;

static uint32_t draw(uint32_t bound)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32) % bound;
}

/* Mostly letters, some ends of lines. */
static char text_at(size_t at)
{
	uint64_t x = (at + 1) * 0x9e3779b97f4a7c15u;
	x ^= x >> 29;
	return x % 37 == 0 ? '\n' : x % 41 == 0 ? '\r' : (char)('a' + x % 26);
}

static char text[TEXT];

/* The layer below: a text that comes in random pieces, and one that goes. */
struct chaos {
	size_t read_at, write_at;
	bool calm; /* no more failures */
};

static int stumble(const struct chaos *c)
{
	static const int stops[] = {-EAGAIN, -ETIMEDOUT, -ECANCELED};
	return !c->calm && draw(4) == 0 ? stops[draw(3)] : 0;
}

static size_t portion(size_t len)
{
	size_t n = 1 + draw(draw(2) ? 8 : 5000);
	return n < len ? n : len;
}

static ssize_t chaos_read(void *object, void *buf, size_t len, int64_t deadline)
{
	struct chaos *c = object;
	int err = stumble(c);
	if (err)
		return err;
	size_t n = portion(len);
	n = n < TEXT - c->read_at ? n : TEXT - c->read_at;
	memcpy(buf, text + c->read_at, n);
	c->read_at += n;
	return (ssize_t)n;
}

static ssize_t chaos_write(void *object, const void *buf, size_t len, int64_t deadline)
{
	struct chaos *c = object;
	int err = stumble(c);
	if (err)
		return err;
	size_t n = portion(len);
	expect_le(c->write_at + n, TEXT);
	expect_mem_eq(buf, text + c->write_at, n);
	c->write_at += n;
	return (ssize_t)n;
}

static const struct weft_stream_ops ops = {
	.size = sizeof(ops), .read = chaos_read, .write = chaos_write};

static bool stopped(ssize_t n)
{
	return n == -EAGAIN || n == -ETIMEDOUT || n == -ECANCELED;
}

/* ---- reading: each returns how far the model's reader is now ---- */

static size_t some(struct weft_stream *s, size_t at)
{
	static char buf[6000];
	size_t len = 1 + draw(draw(2) ? 20 : 6000);
	ssize_t n = draw(2) ? weft_stream_read(s, buf, len, soon())
			    : weft_stream_read_full(s, buf, len, soon());
	if (stopped(n))
		return at;
	expect_ge(n, 0);
	expect_le(n, (ssize_t)len);
	expect(n > 0 || at == TEXT);
	expect_mem_eq(buf, text + at, n);
	return at + (size_t)n;
}

/* What read_until must return, had everything come. */
static ssize_t model(size_t at, const char *mark, size_t most)
{
	size_t have = TEXT - at < most ? TEXT - at : most;
	const char *found = memmem(text + at, have, mark, strlen(mark));
	if (found)
		return found - (text + at) + (ssize_t)strlen(mark);
	if (have == most)
		return -EMSGSIZE;
	return have ? -ENODATA : 0;
}

static size_t line(struct weft_stream *s, size_t at)
{
	static const char *const marks[] = {"\n", "\r", "ab", "xyz", "\r\n"};
	const char *mark = marks[draw(5)], *data = NULL;
	size_t most = draw(draw(2) ? 100 : 9000);
	ssize_t n = weft_stream_read_until(s, mark, strlen(mark), most, &data, soon());
	if (stopped(n))
		return at;
	expect_eq(n, model(at, mark, most));
	if (n <= 0)
		return at;
	expect_mem_eq(data, text + at, n);
	return at + (size_t)n;
}

/* ---- writing ---- */

static size_t piece(struct weft_stream *s, size_t at)
{
	size_t len = draw(draw(3) ? 50 : 9000);
	len = len < TEXT - at ? len : TEXT - at;
	ssize_t n = draw(2) ? weft_stream_write(s, text + at, len, soon())
			    : weft_stream_printf(s, soon(), "%.*s", (int)len, text + at);
	if (stopped(n))
		return at;
	expect_eq(n, (ssize_t)len);
	if (draw(4) == 0) {
		n = weft_stream_flush(s, soon());
		expect(n == 0 || stopped(n));
	}
	return at + len;
}

static void one_round(void)
{
	struct chaos c = {0};
	struct weft_stream *s;
	size_t in = 0, out = 0;
	expect_eq(weft_stream_over(&s, &ops, &c), 0);
	weft_stream_tie(s, (int)draw(2));
	while (in < TEXT || out < TEXT) {
		if (draw(2))
			in = draw(2) ? some(s, in) : line(s, in);
		else
			out = piece(s, out);
		expect_eq(in + weft_stream_buffered(s), c.read_at);
		expect_le(c.write_at, out);
	}
	c.calm = true;
	expect_eq(weft_stream_close(s, soon()), 0);
	expect_eq(c.write_at, TEXT);
}

TASK_TEST("random calls do what the model says")
{
	for (size_t i = 0; i < TEXT; i++)
		text[i] = text_at(i);
	for (uint64_t round = 0; round < ROUNDS; round++) {
		uint64_t seed = kit_seed() * ROUNDS + round;
		kit_doing("round %llu of --seed %llu", (unsigned long long)round,
			  (unsigned long long)kit_seed());
		state = (seed + 1) * 0x9e3779b97f4a7c15u;
		one_round();
	}
}
