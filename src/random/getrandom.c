/* SPDX-License-Identifier: MIT */
/*
 * getrandom.c: drawing random bytes. One path is short, and everything else ends in the system
 * call:
 *
 *   ready state, vDSO             small draws: a thread-local load, a call, a thread-local store
 *   ready state, vDSO, ChaCha20   from BULK_FROM bytes on: a fresh key per call, expanded
 *   system call                   there is no state; flags and buffers that the vDSO handles
 *                                 differently
 *   /dev/urandom                  weft_random_bytes alone, when the system call is refused
 *
 * No random bytes are kept between calls: a buffer could not notice that it has been copied (fork,
 * snapshots of machines), the vDSO's state can.
 */
#include <errno.h>
#include <sys/random.h>

#include "base/atomic.h"
#include "base/fatal.h"
#include "base/sized.h"
#include "base/sys.h"
#include "random/chacha.h"
#include "random/pool.h"
#include "random/state.h"
#include "random/urandom.h"
#include "random/vdso.h"
#include "random/wipe.h"
#include "weft/random.h"

#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#include <sanitizer/msan_interface.h>
#define WEFT_MSAN 1
#endif
#endif

#define here weft__thread_state

enum {
	NEVER_INTERRUPTED = 256,  /* getrandom(2): up to here a signal shortens nothing */
	BULK_FROM = 256,	  /* measured: bench/random */
	BULK_KEY_FOR = 64 * 1024, /* bytes from one key */
	LONGEST = 0x7ffff000,	  /* what the system call cuts every request to */
	INFO_FIRST = 56,	  /* bytes of 0.1's struct weft_random_info */
};

/* MemorySanitizer sees neither the vDSO's writes nor the kernel's. */
static always_inline void unpoison(void *buf, ssize_t got)
{
#ifdef WEFT_MSAN
	if (got > 0)
		__msan_unpoison(buf, (size_t)got);
#endif
}

static ssize_t by_system_call(void *buf, size_t len, unsigned flags)
{
	ssize_t got;
	do
		got = sys_getrandom(buf, len, flags);
	while (got == -EINTR && len <= NEVER_INTERRUPTED);
	unpoison(buf, got);
	return got;
}

static no_tsan always_inline ssize_t by_vdso(void *buf, size_t len, unsigned flags, void *state)
{
	ssize_t got = weft__state_draw(buf, len, flags, state);
	unpoison(buf, got);
	if (unlikely(got == -EINTR && len <= NEVER_INTERRUPTED))
		return by_system_call(buf, len, flags);
	return got;
}

/* A key by the vDSO for each piece, and ChaCha20 for the rest: several times the vDSO's speed. */
static no_tsan noinline ssize_t by_bulk(unsigned char *buf, size_t len, unsigned flags)
{
	size_t done = 0;
	for (len = min_of(len, (size_t)LONGEST); done < len;) {
		uint64_t key[CHACHA_KEY_WORDS / 2];
		size_t piece = min_of(len - done, (size_t)BULK_KEY_FOR);
		void *state = weft__state_want();
		if (!state)
			return done > 0 ? (ssize_t)done : by_system_call(buf, len, flags);
		ssize_t got = by_vdso(key, sizeof(key), flags, state);
		if (got != sizeof(key))
			return done > 0 ? (ssize_t)done : got;
		weft__chacha_expand(buf + done, piece, (uint32_t *)key);
		wipe(key, sizeof(key));
		done += piece;
	}
	return (ssize_t)done;
}

static no_tsan noinline ssize_t draw_slow(void *buf, size_t len, unsigned flags)
{
	/* NULL is no buffer, and the upper half of the addresses is the kernel's: it returns
	 * -EFAULT. */
	if (flags > GRND_NONBLOCK || (intptr_t)buf <= 0)
		return by_system_call(buf, len, flags);
	if (len >= BULK_FROM)
		return by_bulk(buf, len, flags);
	void *state = weft__state_want();
	return state ? by_vdso(buf, len, flags, state) : by_system_call(buf, len, flags);
}

static no_tsan always_inline ssize_t draw(void *buf, size_t len, unsigned flags)
{
	void *state = here.ready;
	if (unlikely(!state || len >= BULK_FROM || flags > GRND_NONBLOCK || (intptr_t)buf <= 0))
		return draw_slow(buf, len, flags);
	return by_vdso(buf, len, flags, state);
}

no_tsan ssize_t weft_getrandom(void *buf, size_t len, unsigned flags)
{
	return draw(buf, len, flags);
}

no_tsan void weft_random_bytes(void *buf, size_t len)
{
	char *at = buf;
	while (len > 0) {
		ssize_t got = draw(at, len, 0);
		if (unlikely(got <= 0 && got != -EINTR)) {
			weft__urandom(at, len);
			return;
		}
		at += max_of(got, 0);
		len -= (size_t)max_of(got, 0);
	}
}

int weft_random_prepare(void)
{
	return weft__state_acquire();
}

no_tsan uint32_t weft_random_u32(void)
{
	uint32_t word;
	weft_random_bytes(&word, sizeof(word));
	return word;
}

no_tsan uint64_t weft_random_u64(void)
{
	uint64_t word;
	weft_random_bytes(&word, sizeof(word));
	return word;
}

/*
 * The upper half of a product is evenly distributed once the few lowest values of the lower half,
 * of which there are 2^32 modulo bound, have been drawn again (D. Lemire, Fast Random Integer
 * Generation in an Interval, 2019).
 */
uint32_t weft_random_below(uint32_t bound)
{
	uint64_t product = (uint64_t)weft_random_u32() * bound;
	if ((uint32_t)product < bound) {
		uint32_t uneven = -bound % bound;
		while ((uint32_t)product < uneven)
			product = (uint64_t)weft_random_u32() * bound;
	}
	return (uint32_t)(product >> 32);
}

int weft_random_info(struct weft_random_info *info)
{
	struct pool_count count = weft__pool_count();
	struct weft_random_info all = {
		.vdso = weft__vdso.why_not == NULL,
		.why_not = weft__vdso.why_not,
		.state_size = weft__vdso.state_size,
		.states_mapped = count.mapped,
		.states_free = count.free,
		.pages = count.pages,
	};
	return weft__sized_fill(info, &all, sizeof(all), INFO_FIRST);
}
