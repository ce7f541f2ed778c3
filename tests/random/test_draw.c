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

START_TEST(results_are_those_of_the_system_call)
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
		ck_assert_int_eq(errno, 4242);
		ck_assert_int_eq(got, system_call(cases[c].buf, cases[c].len, cases[c].flags));
	}
}
END_TEST

/* A byte that stays 0 in 16 draws of each length was not written, but for chance 2^-128. */
START_TEST(every_byte_of_every_length_is_written_and_none_beyond)
{
	enum { MOST = 1200 };
	static unsigned char buf[MOST + 16], seen[MOST];
	for (size_t len = 0; len < MOST; len += len < 300 ? 1 : 37) {
		memset(seen, 0, sizeof(seen));
		for (int draw = 0; draw < 16; draw++) {
			memset(buf, 0, sizeof(buf));
			ck_assert_int_eq(weft_getrandom(buf + 1, len, 0), (ssize_t)len);
			for (size_t i = 0; i < len; i++)
				seen[i] |= buf[1 + i];
			ck_assert_uint_eq(buf[0], 0);
			for (size_t i = len + 1; i < len + 16 && i < sizeof(buf); i++)
				ck_assert_uint_eq(buf[i], 0);
		}
		ck_assert_ptr_null(memchr(seen, 0, len));
	}
}
END_TEST

START_TEST(forty_megabytes_hold_no_word_twice)
{
	size_t len = (size_t)scaled(40) << 20, count = len / sizeof(uint64_t);
	uint64_t *words = malloc(len);
	ck_assert_ptr_nonnull(words);
	weft_random_bytes(words, len);
	ck_assert(all_distinct(words, count));
	free(words);
}
END_TEST

START_TEST(small_draws_hold_no_word_twice)
{
	enum { COUNT = 100000 };
	static uint64_t words[COUNT];
	for (size_t i = 0; i < COUNT; i++)
		words[i] = weft_random_u64();
	ck_assert(all_distinct(words, COUNT));
}
END_TEST

START_TEST(half_of_all_bits_are_set)
{
	enum { COUNT = 20000 };
	unsigned set[32] = {0};
	for (int i = 0; i < COUNT; i++) {
		uint32_t word = weft_random_u32();
		for (int bit = 0; bit < 32; bit++)
			set[bit] += word >> bit & 1;
	}
	for (int bit = 0; bit < 32; bit++) /* seven standard deviations of 71 */
		ck_assert_uint_lt((unsigned)abs((int)set[bit] - COUNT / 2), 500);
}
END_TEST

/* 3 x 2^30 is the bound at which taking a remainder would double the first third. */
START_TEST(below_is_even_at_every_bound)
{
	enum { COUNT = 30000 };
	static const uint32_t bounds[] = {3, 9, 3u << 30, UINT32_MAX}; /* multiples of three */
	for (size_t b = 0; b < array_len(bounds); b++) {
		unsigned thirds[3] = {0};
		for (int i = 0; i < COUNT; i++) {
			uint32_t got = weft_random_below(bounds[b]);
			ck_assert_uint_lt(got, bounds[b]);
			thirds[got / (bounds[b] / 3)]++;
		}
		for (int t = 0; t < 3; t++) /* seven standard deviations of 82 */
			ck_assert_uint_lt((unsigned)abs((int)thirds[t] - COUNT / 3), 580);
	}
	ck_assert_uint_eq(weft_random_below(0), 0);
	ck_assert_uint_eq(weft_random_below(1), 0);
}
END_TEST

START_TEST(info_says_what_the_kernel_says)
{
	struct weft_random_info before = info_now();
	ck_assert_uint_eq(before.pages, 0);
	ck_assert_int_eq(before.vdso, before.why_not == NULL);
	ck_assert_int_eq(weft_random_info(NULL), -EINVAL);
	struct weft_random_info small = {.size = 8};
	ck_assert_int_eq(weft_random_info(&small), -EINVAL);
	struct {
		struct weft_random_info info;
		uint64_t beyond;
	} later = {.info.size = sizeof(later), .beyond = 1};
	ck_assert_int_eq(weft_random_info(&later.info), 0);
	ck_assert_uint_eq(later.info.size, sizeof(later));
	ck_assert_uint_eq(later.beyond, 0); /* what this version does not know is zero */
	if (skip_without_vdso())
		return;
	weft_random_u32();
	struct weft_random_info after = info_now();
	ck_assert_uint_eq(after.state_size, weft__vdso.state_size);
	ck_assert_uint_eq(after.pages, 1);
	ck_assert_uint_eq(after.states_mapped, weft__state_per_page());
	ck_assert_uint_eq(after.states_free, after.states_mapped - 1);
}
END_TEST

START_TEST(prepare_keys_the_state_before_the_first_draw)
{
	static const char nothing[4096];
	if (skip_without_vdso()) {
		ck_assert_int_eq(weft_random_prepare(), -ENOSYS);
		return;
	}
	ck_assert(!weft__state_owned());
	ck_assert_int_eq(weft_random_prepare(), 0);
	ck_assert(weft__state_owned());
	ck_assert_mem_ne(weft__thread_state.ready, nothing, weft__vdso.state_size);
	ck_assert_int_eq(weft_random_prepare(), 0);
	weft__state_put();
	weft__state_put();
	ck_assert(!weft__state_owned());
	ck_assert_uint_eq(info_now().states_free, info_now().states_mapped);
}
END_TEST

START_TEST(a_state_given_back_is_all_zero)
{
	static const char nothing[4096];
	if (skip_without_vdso())
		return;
	weft_random_u32();
	void *state = weft__thread_state.ready;
	ck_assert_mem_ne(state, nothing, weft__vdso.state_size);
	weft__state_put();
	ck_assert_mem_eq(state, nothing, weft__vdso.state_size);
}
END_TEST

/* The kernel drops such pages when memory is short; here it is asked to, at once. */
START_TEST(pages_that_vanish_give_fresh_bytes)
{
	enum { COUNT = 2000 };
	static const char nothing[4096];
	static uint64_t words[COUNT];
	unsigned dropped = 0;
	if (skip_without_vdso())
		return;
	for (int i = 0; i < COUNT; i++) {
		words[i] = weft_random_u64();
		char *state = weft__thread_state.ready,
		     *page = (char *)((uintptr_t)state & ~(uintptr_t)4095);
		madvise(page, 4096, MADV_PAGEOUT);
		dropped += memcmp(state, nothing, weft__vdso.state_size) == 0;
	}
	ck_assert(all_distinct(words, COUNT));
	ck_assert_uint_gt(dropped, 0); /* nearly always, but not while the kernel is busy with it */
}
END_TEST

START_TEST(nothing_uses_malloc)
{
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
	ck_assert_uint_eq(before.uordblks, after.uordblks);
	ck_assert_uint_eq(before.arena + before.hblkhd, after.arena + after.hblkhd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("draw");
	TCase *tests = tcase_create("draw");

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, results_are_those_of_the_system_call);
	tcase_add_test(tests, every_byte_of_every_length_is_written_and_none_beyond);
	tcase_add_test(tests, forty_megabytes_hold_no_word_twice);
	tcase_add_test(tests, small_draws_hold_no_word_twice);
	tcase_add_test(tests, half_of_all_bits_are_set);
	tcase_add_test(tests, below_is_even_at_every_bound);
	tcase_add_test(tests, info_says_what_the_kernel_says);
	tcase_add_test(tests, prepare_keys_the_state_before_the_first_draw);
	tcase_add_test(tests, a_state_given_back_is_all_zero);
	tcase_add_test(tests, pages_that_vanish_give_fresh_bytes);
	if (!UNDER_SANITIZER) /* their mallinfo2 counts nothing */
		tcase_add_test(tests, nothing_uses_malloc);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
