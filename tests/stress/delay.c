/* SPDX-License-Identifier: MIT */
/* delay.c: see delay.h. It knows no thread: the caller's may change between two points. */
#include "delay.h"

#undef __atomic_load_n
#undef __atomic_store_n

#include <sched.h>
#include <stdint.h>

#include "base/attr.h"

enum { ONE_IN_BITS = 6, LONGEST = 512 /* pauses of some 20 ns */ };

no_tsan void weft__delay_point(void)
{
	static uint64_t sum;
	/*
	 * Not by a locked instruction, which would be a fence where the runtime has none. The
	 * mixing is splitmix64's.
	 */
	uint64_t x = __atomic_load_n(&sum, __ATOMIC_RELAXED) + 0x9e3779b97f4a7c15u;
	__atomic_store_n(&sum, x, __ATOMIC_RELAXED);
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x ^= x >> 27;
	if (likely(x >> (64 - ONE_IN_BITS)))
		return;
	if (x % 8 == 0)
		sched_yield();
	for (unsigned n = (unsigned)(x >> 8) % LONGEST; n; n--)
#if defined(__x86_64__)
		__builtin_ia32_pause();
#else
		__asm__ volatile("" ::: "memory");
#endif
}
