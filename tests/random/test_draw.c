/* SPDX-License-Identifier: MIT */
/* test_draw.c: what each public call of weft/random.h promises, on one thread. */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/attr.h"
#include "random/state.h"
#include "random/vdso.h"
#include "random_test.h"

static ssize_t system_call(void *buf, size_t len, unsigned flags)
{
	ssize_t got = syscall(SYS_getrandom, buf, len, flags);
	return got < 0 ? -errno : got;
}

TEST("results are those of the system call")
{
	char buf[64];
	void *const kernel_half = (void *)~(uintptr_t)4095;
	const struct {
		void *buf;
		size_t len;
		unsigned flags;
	} cases[] = {
		{buf, 0, 0},
		{buf, 1, 0},
		{buf, 64, 0},
		{buf, 64, GRND_NONBLOCK},
		{buf, 64, GRND_RANDOM},
		{buf, 64, GRND_RANDOM | GRND_NONBLOCK},
		{buf, 64, GRND_INSECURE},
		{buf, 64, GRND_INSECURE | GRND_NONBLOCK},
		{buf, 64, GRND_INSECURE | GRND_RANDOM},
		{buf, 64, 8},
		{buf, 64, ~0u},
		{NULL, 0, 0},
		{NULL, 16, 0},
		{NULL, 4096, 0},
		{kernel_half, 16, 0},
		{kernel_half, 4096, 0},
		{kernel_half, 16, 8},
	};
	for (size_t i = 0; i < 2 * array_len(cases); i++) { /* cold, then warm */
		size_t c = i % array_len(cases);
		errno = 4242;
		ssize_t got = weft_getrandom(cases[c].buf, cases[c].len, cases[c].flags);
		expect_eq(errno, 4242);
		expect_eq(got, system_call(cases[c].buf, cases[c].len, cases[c].flags));
	}
}

/* A byte that stays 0 in 16 draws of each length was not written, but for chance 2^-128. */
TEST("every byte of every length is written and none beyond")
{
	enum { MOST = 1200 };
	static unsigned char buf[MOST + 16], seen[MOST];
	for (size_t len = 0; len < MOST; len += len < 300 ? 1 : 37) {
		memset(seen, 0, sizeof(seen));
		for (int draw = 0; draw < 16; draw++) {
			memset(buf, 0, sizeof(buf));
			expect_eq(weft_getrandom(buf + 1, len, 0), (ssize_t)len);
			for (size_t i = 0; i < len; i++)
				seen[i] |= buf[1 + i];
			expect_eq(buf[0], 0);
			for (size_t i = len + 1; i < len + 16 && i < sizeof(buf); i++)
				expect_eq(buf[i], 0);
		}
		expect_eq(memchr(seen, 0, len), NULL);
	}
}

TEST("forty megabytes hold no word twice")
{
	size_t len = (size_t)scaled(40) << 20, count = len / sizeof(uint64_t);
	uint64_t *words = malloc(len);
	expect_ne(words, NULL);
	weft_random_bytes(words, len);
	expect(all_distinct(words, count));
	free(words);
}

TEST("small draws hold no word twice")
{
	enum { COUNT = 100000 };
	static uint64_t words[COUNT];
	for (size_t i = 0; i < COUNT; i++)
		words[i] = weft_random_u64();
	expect(all_distinct(words, COUNT));
}

TEST("half of all bits are set")
{
	enum { COUNT = 20000 };
	unsigned set[32] = {0};
	for (int i = 0; i < COUNT; i++) {
		uint32_t word = weft_random_u32();
		for (int bit = 0; bit < 32; bit++)
			set[bit] += word >> bit & 1;
	}
	for (int bit = 0; bit < 32; bit++) /* seven standard deviations of 71 */
		expect_lt((unsigned)abs((int)set[bit] - COUNT / 2), 500);
}

/* 3 x 2^30 is the bound at which taking a remainder would double the first third. */
TEST("below is even at every bound")
{
	enum { COUNT = 30000 };
	static const uint32_t bounds[] = {3, 9, 3u << 30, UINT32_MAX}; /* multiples of three */
	for (size_t b = 0; b < array_len(bounds); b++) {
		unsigned thirds[3] = {0};
		for (int i = 0; i < COUNT; i++) {
			uint32_t got = weft_random_below(bounds[b]);
			expect_lt(got, bounds[b]);
			thirds[got / (bounds[b] / 3)]++;
		}
		for (int t = 0; t < 3; t++) /* seven standard deviations of 82 */
			expect_lt((unsigned)abs((int)thirds[t] - COUNT / 3), 580);
	}
	expect_eq(weft_random_below(0), 0);
	expect_eq(weft_random_below(1), 0);
}

TEST("info says what the kernel says")
{
	struct weft_random_info before = info_now();
	expect_eq(before.pages, 0);
	expect_eq(before.vdso, before.why_not == NULL);
	expect_eq(weft_random_info(NULL), -EINVAL);
	struct weft_random_info small = {.size = 8};
	expect_eq(weft_random_info(&small), -EINVAL);
	struct {
		struct weft_random_info info;
		uint64_t beyond;
	} later = {.info.size = sizeof(later), .beyond = 1};
	expect_eq(weft_random_info(&later.info), 0);
	expect_eq(later.info.size, sizeof(later));
	expect_eq(later.beyond, 0); /* what this version does not know is zero */
	needs_vdso();
	weft_random_u32();
	struct weft_random_info after = info_now();
	expect_eq(after.state_size, weft__vdso.state_size);
	expect_eq(after.pages, 1);
	expect_eq(after.states_mapped, weft__state_per_page());
	expect_eq(after.states_free, after.states_mapped - 1);
}

TEST("prepare keys the state before the first draw")
{
	static const char nothing[4096];
	if (!has_vdso()) {
		expect_eq(weft_random_prepare(), -ENOSYS);
		return;
	}
	expect(!weft__state_owned());
	expect_eq(weft_random_prepare(), 0);
	expect(weft__state_owned());
	expect_mem_ne(weft__thread_state.ready, nothing, weft__vdso.state_size);
	expect_eq(weft_random_prepare(), 0);
	weft__state_put();
	weft__state_put();
	expect(!weft__state_owned());
	expect_eq(info_now().states_free, info_now().states_mapped);
}

TEST("a state given back is all zero")
{
	static const char nothing[4096];
	needs_vdso();
	weft_random_u32();
	void *state = weft__thread_state.ready;
	expect_mem_ne(state, nothing, weft__vdso.state_size);
	weft__state_put();
	expect_mem_eq(state, nothing, weft__vdso.state_size);
}

/* The kernel drops such pages when memory is short; here it is asked to, at once. */
TEST("pages that vanish give fresh bytes")
{
	enum { COUNT = 2000 };
	static const char nothing[4096];
	static uint64_t words[COUNT];
	unsigned dropped = 0;
	needs_vdso();
	for (int i = 0; i < COUNT; i++) {
		words[i] = weft_random_u64();
		char *state = weft__thread_state.ready,
		     *page = (char *)((uintptr_t)state & ~(uintptr_t)4095);
		madvise(page, 4096, MADV_PAGEOUT);
		dropped += memcmp(state, nothing, weft__vdso.state_size) == 0;
	}
	expect(all_distinct(words, COUNT));
	expect_gt(dropped, 0); /* nearly always, but not while the kernel is busy with it */
}

TEST("nothing uses malloc")
{
	if (UNDER_SANITIZER)
		skip("a sanitizer's mallinfo2 counts nothing");
	char buf[2000];
	struct mallinfo2 before = mallinfo2();
	for (int i = 0; i < 10; i++) {
		weft_random_prepare();
		weft_random_bytes(buf, sizeof(buf));
		weft_random_u32();
		info_now();
		weft__state_put();
	}
	struct mallinfo2 after = mallinfo2();
	expect_eq(before.uordblks, after.uordblks);
	expect_eq(before.arena + before.hblkhd, after.arena + after.hblkhd);
}
