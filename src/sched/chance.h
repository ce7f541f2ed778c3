/* SPDX-License-Identifier: MIT */
/*
 * chance.h: cheap random numbers where nothing depends on them but fairness: whom to steal from,
 * which of several ready cases to take. Each thread has a stream of its own.
 *
 * The streams begin at another point in each run: otherwise all processes of a machine would choose
 * alike. The deterministic mode begins them at the same point, and draws what matters there from
 * its seed.
 */
#ifndef WEFT_SCHED_CHANCE_H
#define WEFT_SCHED_CHANCE_H

#include <stdint.h>
#include <sys/random.h>

#include "base/sys.h"
#include "sched/sched.h"

/* 2^64 divided by the golden ratio: multiples of it lie far from each other. */
#define CHANCE_STEP 0x9e3779b97f4a7c15u

/*
 * Where the streams begin: at random bytes, or at the clock's time where there are none (yet, or in
 * a sandbox). By system call, because through the vDSO the thread that called weft_run would own a
 * random state from then on.
 */
static inline uint64_t chance_seed(void)
{
	uint64_t seed;
	bool drawn = sys_getrandom(&seed, sizeof(seed), GRND_NONBLOCK) == sizeof(seed);
	return drawn ? seed : (uint64_t)weft__clock();
}

static inline void thread_chance_begin(struct thread *t)
{
	uint64_t x = sched.chance_seed + CHANCE_STEP * t->number;
	t->chance = x ? x : CHANCE_STEP; /* 0 would stay 0 */
}

/*
 * xorshift64: Marsaglia, "Xorshift RNGs", 2003. Only the thread uses its stream; its tasks take
 * turns, but ThreadSanitizer sees no order between them.
 */
static inline uint32_t thread_chance(struct thread *t)
{
	uint64_t x = load_relaxed(&t->chance);
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	store_relaxed(&t->chance, x);
	return (uint32_t)(x >> 32);
}

#endif
