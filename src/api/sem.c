/* SPDX-License-Identifier: MIT */
/*
 * sem.c: counting semaphores, first come first served.
 *
 * The word contains the free units and the flag QUEUED: somebody waits. Without it, units are taken
 * and given back by CAS. With it, all moves are made under the queue's lock, and units are handed
 * to the first waiter as soon as there are as many as it wants. QUEUED is set only while the first
 * cannot be served.
 */
#include "api/sem.h"

#include "api/call.h"
#include "api/waitq.h"
#include "base/lock.h"

#define QUEUED ((uint64_t)1 << 63)
enum { MOST = UINT32_MAX / 2 };

_Static_assert(sizeof(struct waited_word) == sizeof(struct weft_sem), "ABI");

static struct waited_word *sem_of(struct weft_sem *s)
{
	return (struct waited_word *)s;
}

static bool take(struct waited_word *s, unsigned n)
{
	uint64_t word = load_relaxed(&s->word);
	while (!(word & QUEUED) && word >= n)
		/* pairs with serve, weft__sem_give, weft_sem_release */
		if (cas_acquire(&s->word, &word, word - n))
			return true;
	return false;
}

/* Takes n after all, or sets QUEUED. The lock is held. */
static bool take_or_announce(struct waited_word *s, unsigned n)
{
	uint64_t word = load_relaxed(&s->word);
	do {
		if (take(s, n))
			return true;
		word = load_relaxed(&s->word);
	} while (!(word & QUEUED) &&
		 (word >= n || !cas_relaxed(&s->word, &word, word | QUEUED))); /* against give */
	return false;
}

/* Hands units to the waiters whose turn it is, and moves them, claimed, to `served`. The lock is
 * held, QUEUED is set. */
static void serve(struct waited_word *s, uint64_t units, struct waitq *served)
{
	while (!waitq_empty(&s->waiting)) {
		struct wish *first = container_of(s->waiting.first, struct wish, link);
		if (first->units > units)
			break;
		waitq_remove(&s->waiting, &first->link);
		if (wait_claim(first->link.waiter)) {
			units -= first->units;
			first->served = true;
			waitq_push_tail(served, &first->link);
		}
	}
	/* A taker by CAS sees what the callers did that gave these units: pairs with take. */
	store_release(&s->word, units | (waitq_empty(&s->waiting) ? 0 : QUEUED));
}

/* A wish that ends unfulfilled may have kept smaller ones behind it waiting. */
void weft__sem_unqueue(struct thread *t, struct weft_sem *sem, struct wish *wish)
{
	struct waited_word *s = sem_of(sem);
	struct waitq served = {0};
	lock_take(&s->lock, RANK_SYNC);
	waitq_remove(&s->waiting, &wish->link);
	uint64_t word = load_relaxed(&s->word);
	if (word & QUEUED)
		serve(s, word & ~QUEUED, &served);
	lock_drop(&s->lock, RANK_SYNC);
	weft__wake_all(t, &served);
}

bool weft__sem_ready(const struct weft_sem *sem)
{
	uint64_t word = load_relaxed(&((const struct waited_word *)sem)->word);
	return word && !(word & QUEUED);
}

bool weft__sem_queue(struct weft_sem *sem, struct wish *wish)
{
	struct waited_word *s = sem_of(sem);
	lock_take(&s->lock, RANK_SYNC);
	bool taken = take_or_announce(s, wish->units);
	if (!taken)
		waitq_push_tail(&s->waiting, &wish->link);
	lock_drop(&s->lock, RANK_SYNC);
	return taken;
}

static noinline int await(struct weft_sem *sem, unsigned n, int64_t deadline)
{
	struct waiter lone;
	struct thread *t = enter();
	struct wish wish = {.units = n};
	uint32_t reason = WAKE_USER;
	wish.link.waiter = weft__wait_begin(t, &lone, "semaphore", true);
	if (weft__sem_queue(sem, &wish))
		weft__wait_abandon(wish.link.waiter);
	else
		reason = weft__wait_park(&t, wish.link.waiter, deadline);
	if (reason != WAKE_USER)
		weft__sem_unqueue(t, sem, &wish);
	call_leave(t);
	return weft__wait_result(reason, deadline);
}

int weft_sem_acquire(struct weft_sem *sem, unsigned count, int64_t deadline)
{
	if (likely(take(sem_of(sem), count)))
		return 0;
	return deadline == 0 ? weft__would_wait() : await(sem, count, deadline);
}

static void check_units(uint64_t units)
{
	if (unlikely(units > MOST))
		weft__misuse("weft_sem_release", "more than UINT32_MAX / 2 units");
}

void weft__sem_give(struct thread *t, struct weft_sem *sem, unsigned n)
{
	struct waited_word *s = sem_of(sem);
	struct waitq served = {0};
	lock_take(&s->lock, RANK_SYNC);
	uint64_t word = load_relaxed(&s->word);
	while (!(word & QUEUED) && !cas_release(&s->word, &word, word + n)) /* pairs with take */
		;
	check_units((word & ~QUEUED) + n);
	if (word & QUEUED)
		serve(s, (word & ~QUEUED) + n, &served);
	lock_drop(&s->lock, RANK_SYNC);
	weft__wake_all(t, &served);
}

static noinline void give_in_turn(struct weft_sem *sem, unsigned n)
{
	struct thread *t = enter();
	weft__sem_give(t, sem, n);
	call_leave(t);
}

void weft_sem_release(struct weft_sem *sem, unsigned count)
{
	uint64_t word = load_relaxed(&sem_of(sem)->word);
	while (!(word & QUEUED)) {
		check_units(word + count);
		if (cas_release(&sem_of(sem)->word, &word, word + count)) /* pairs with take */
			return;
	}
	give_in_turn(sem, count);
}
