/* SPDX-License-Identifier: MIT */
/*
 * chacha.c: ChaCha20 (RFC 8439) on several blocks at once.
 *
 * The kernel's vDSO computes one block at a time, at 1.8 ns per byte on the x86-64 machine where
 * this was measured. A vector of N words that holds the same word of N blocks needs no shuffling
 * between rounds and is N times as fast.
 *
 * Such a group of N blocks is written as it lies in the registers: word 0 of all blocks, then word
 * 1 of all. Sorting them into N whole blocks would take time, and random bytes need no order: it is
 * the same set of bytes for the same key. The tests compute RFC 8439 in its own order and compare
 * through that permutation.
 *
 * The widths are the compiler's vectors, not intrinsics: one source serves SSE2, AVX2, AVX-512 and
 * NEON, and where there are no vectors the compiler turns it into plain code.
 *
 * Rejected: 512-bit vectors. They are a third faster still, and on the first generations of
 * processors that have them they slow the clock for everything else that runs.
 */
#include "random/chacha.h"

#include <string.h>

#include "base/attr.h"
#include "random/wipe.h"

/* "expand 32-byte k" */
static const uint32_t sigma[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

#define ROTATE(x, n) (((x) << (n)) | ((x) >> (32 - (n))))
#define QUARTER_ROUND(a, b, c, d) \
	do { \
		a += b, d ^= a, d = ROTATE(d, 16); \
		c += d, b ^= c, b = ROTATE(b, 12); \
		a += b, d ^= a, d = ROTATE(d, 8); \
		c += d, b ^= c, b = ROTATE(b, 7); \
	} while (0)
#define CHACHA_DOUBLE_ROUND(x) \
	do { \
		QUARTER_ROUND(x[0], x[4], x[8], x[12]); \
		QUARTER_ROUND(x[1], x[5], x[9], x[13]); \
		QUARTER_ROUND(x[2], x[6], x[10], x[14]); \
		QUARTER_ROUND(x[3], x[7], x[11], x[15]); \
		QUARTER_ROUND(x[0], x[5], x[10], x[15]); \
		QUARTER_ROUND(x[1], x[6], x[11], x[12]); \
		QUARTER_ROUND(x[2], x[7], x[8], x[13]); \
		QUARTER_ROUND(x[3], x[4], x[9], x[14]); \
	} while (0)
/* Unrolled completely, so that the arrays are in registers at any optimisation level. */
#define CHACHA_EACH(i, n) _Pragma("GCC unroll 16") for (unsigned i = 0; i < (n); i++)
#define CHACHA_JOIN_(a, b) a##b
#define CHACHA_JOIN(a, b) CHACHA_JOIN_(a, b)

#define LANES 4
#define TARGET
#define FILL fill_4
#include "random/chacha_lanes.h"

#ifdef __x86_64__
#define LANES 8
#define TARGET __attribute__((target("avx2")))
#define FILL fill_8_avx2
#include "random/chacha_lanes.h"

#define LANES 8
#define TARGET __attribute__((target("avx512f,avx512vl")))
#define FILL fill_8_avx512
#include "random/chacha_lanes.h"
#endif

/* Fastest first; a CPU that can run one can run all after it. */
static const struct chacha widths[] = {
#ifdef __x86_64__
	{"AVX-512", 8, fill_8_avx512},
	{"AVX2", 8, fill_8_avx2},
#endif
	{"baseline", 4, fill_4},
};
enum { GROUP_MAX = 8 * CHACHA_BLOCK };

static const struct chacha *fastest = &widths[array_len(widths) - 1];

#ifdef __x86_64__
__attribute__((constructor(101))) static void choose(void)
{
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl"))
		fastest = &widths[0];
	else if (__builtin_cpu_supports("avx2"))
		fastest = &widths[1];
}
#endif

/* For tests. */
const struct chacha *weft__chacha_all(unsigned *count)
{
	*count = (unsigned)(widths + array_len(widths) - fastest);
	return fastest;
}

/* Wipes what a fill has spilled below its caller's frame, words of the key included: at most 400
 * bytes in optimised builds. */
static noinline void wipe_dead_frames(void)
{
	uint64_t area[96];
	wipe(area, sizeof(area));
}

void weft__chacha_expand(unsigned char *out, size_t len, const uint32_t *key)
{
	const struct chacha *width = fastest;
	size_t group = width->lanes * CHACHA_BLOCK, groups = len / group, rest = len % group;
	uint64_t last[GROUP_MAX / sizeof(uint64_t)];
	width->fill(out, groups, key, 0);
	if (rest > 0) {
		width->fill((unsigned char *)last, 1, key, (uint32_t)groups * width->lanes);
		memcpy(out + len - rest, last, rest);
		wipe(last, sizeof(last));
	}
	wipe_dead_frames();
}
