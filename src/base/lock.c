/* SPDX-License-Identifier: MIT */
/* lock.c: the slow halves of lock.h, and the check of the ranks. */
#include "base/lock.h"

#include "base/fatal.h"
#include "base/sys.h"
#include "base/time.h"

#define LOOK_AGAIN MS(1) /* for a sleeper that lock_drop_lightly missed */
enum { SPINS = 100 };	 /* about a microsecond: longer than any section that this lock guards */

void weft__lock_slow(struct lock *l)
{
	for (int i = 0; i < SPINS; i++) {
		uint32_t free = 0;
		/* pairs with lock.h:lock_drop, lock.h:lock_drop_lightly */
		if (load_relaxed(&l->word) == 0 && cas_acquire(&l->word, &free, 1))
			return;
		cpu_relax();
	}
	/* pairs with lock.h:lock_drop, lock.h:lock_drop_lightly */
	while (swap_acquire(&l->word, 2) != 0)
		weft__futex_wait(&l->word, 2, weft__clock() + LOOK_AGAIN);
}

void weft__unlock_slow(struct lock *l)
{
	weft__futex_wake(&l->word, 1);
}

#ifdef WEFT_DEBUG
static __thread uint64_t held; /* one bit per rank */
/* Locks of rank CHAN_NEXT beyond the first: select itself keeps their order. */
static __thread unsigned more;

/* They belong to the thread, whichever task it runs: TSan would see tasks share them. */
void noipa no_tsan weft__lock_rank_push(enum lock_rank rank)
{
	if (rank == RANK_CHAN_NEXT && held >> rank == 1) {
		more++;
		return;
	}
	if (held >> rank)
		weft__fatal("lock order: rank %d taken while ranks %#llx are held", (int)rank,
			    (unsigned long long)held);
	held |= (uint64_t)1 << rank;
}

void noipa no_tsan weft__lock_rank_pop(enum lock_rank rank)
{
	check(held >> rank & 1);
	if (rank == RANK_CHAN_NEXT && more) {
		more--;
		return;
	}
	held &= ~((uint64_t)1 << rank);
}
#endif
