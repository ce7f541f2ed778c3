/* SPDX-License-Identifier: MIT */
/*
 * lock.h: the runtime's own lock: four bytes, spins briefly, then sleeps on a futex. All-zero is
 * unlocked.
 *
 * For sections of a few dozen instructions that never call user code. Programs use weft_mutex
 * instead: this one stops the thread. Not recursive.
 *
 *   word   meaning                 who moves it
 *   0      free                    0 -> 1 the taker, by CAS (acquire; pairs with unlock's release)
 *   1      held                    1 -> 0 the holder (release)
 *   2      held, somebody sleeps   any -> 2 a sleeper, by swap (acquire);
 *                                  2 -> 0 the holder, who then wakes one
 *
 * Lock ranks (base/lockrank.def): a thread takes locks only in rising rank; debug builds check it.
 *
 * Rejected: a pure spin lock (with two CPUs the holder is often the thread that is not running),
 * and pthread_mutex (40 bytes, and interposed by every tool that watches mutexes).
 */
#ifndef WEFT_BASE_LOCK_H
#define WEFT_BASE_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/attr.h"

enum lock_rank {
#define LOCK_RANK(name) RANK_##name,
#include "base/lockrank.def"
#undef LOCK_RANK
	RANK_COUNT
};

struct lock {
	uint32_t word;
};

void weft__lock_slow(struct lock *l);
void weft__unlock_slow(struct lock *l);

#ifdef WEFT_DEBUG
void weft__lock_rank_push(enum lock_rank rank);
void weft__lock_rank_pop(enum lock_rank rank);
#else
static inline void weft__lock_rank_push(enum lock_rank rank)
{
}
static inline void weft__lock_rank_pop(enum lock_rank rank)
{
}
#endif

static inline void lock_take(struct lock *l, enum lock_rank rank)
{
	uint32_t free = 0;
	weft__lock_rank_push(rank);
	/* pairs with lock_drop, lock_drop_lightly */
	if (unlikely(!cas_acquire(&l->word, &free, 1)))
		weft__lock_slow(l);
}

static inline void lock_drop(struct lock *l, enum lock_rank rank)
{
	weft__lock_rank_pop(rank);
	/* pairs with lock_take, lock.c:weft__lock_slow */
	if (unlikely(swap_release(&l->word, 0) == 2))
		weft__unlock_slow(l);
}

/*
 * Like lock_drop, but without a locked instruction, for locks that are taken in every call. A
 * thread that falls asleep between the load and the store is not woken; sleepers therefore look
 * again by themselves every LOOK_AGAIN (lock.c). It is no fence: what follows may read before
 * others see what the section wrote.
 */
static inline void lock_drop_lightly(struct lock *l, enum lock_rank rank)
{
	weft__lock_rank_pop(rank);
	uint32_t word = load_relaxed(&l->word);
	store_release(&l->word, 0); /* pairs with lock_take, lock.c:weft__lock_slow */
	if (unlikely(word == 2))
		weft__unlock_slow(l);
}

#endif
