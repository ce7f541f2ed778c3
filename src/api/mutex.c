/* SPDX-License-Identifier: MIT */
/*
 * mutex.c: mutual exclusion for tasks: one CAS without contention, a bounded wait with it.
 *
 * The word contains the holder (0: nobody) and three flags:
 *
 *   QUEUED   somebody waits in the queue
 *   AWAKE    a waiter was woken and is about to take the mutex: nobody else need be woken
 *   HAND     the first in the queue has waited for HAND_AFTER: the next unlock gives it the mutex
 *
 *   move                               who                  how
 *   0 -> me, flags kept                a taker              CAS, acquire
 *   me -> 0, flags kept                the holder           CAS, release; its last touch
 *   me -> another, HAND as it fits     the holder, handing  store under the queue's lock
 *   QUEUED, HAND set; AWAKE cleared    a waiter, queueing   CAS under the lock, while it is held
 *   AWAKE set                          the holder, waking   CAS under the lock
 *   AWAKE cleared                      the woken waiter     with 0 -> me
 *   QUEUED, HAND cleared               holder or waiter     under the lock, as the queue empties
 *
 * Mostly an unlock only wakes: a running caller may take the mutex first, which makes it fast, as
 * the woken one needs a while to run. A waiter that has waited for HAND_AFTER is handed the mutex
 * instead, and nobody can take it in between: so no one waits longer than the waiters in front hold
 * it. The holder never touches the mutex after releasing it, so the next holder may free it.
 *
 * A waiter that finds the mutex held spins a little when there is another processor for the holder
 * to run on.
 *
 * Rejected: always handing over (each lock then costs a switch as soon as two tasks contend), never
 * handing over (a task in a tight loop starves the others), a count of waiters (the queue is one).
 */
#include "api/mutex.h"

#include "api/call.h"
#include "api/waitq.h"
#include "base/lock.h"
#include "base/time.h"

enum { QUEUED = 1, AWAKE = 2, HAND = 4, FLAGS = 15 };
enum { SPINS = 4, RELAXES = 64 };
#define HAND_AFTER MS(1)
enum { WAKE_TRY = WAKE_USER, WAKE_HANDED };

_Static_assert(sizeof(struct waited_word) == sizeof(struct weft_mutex), "ABI");

/* One call's attempt to lock. */
struct attempt {
	struct waitq_node link;
	uint64_t me;
	uint64_t mine; /* AWAKE when this waiter was woken: it clears the flag */
	int64_t since; /* when it first waited */
};

static struct waited_word *mutex_of(struct weft_mutex *m)
{
	return (struct waited_word *)m;
}

static uint64_t holder(uint64_t word)
{
	return word & ~(uint64_t)FLAGS;
}

/* Somebody waits whom the holder has to wake, or to hand the mutex to. */
static bool must_wake(uint64_t word)
{
	return word & HAND || (word & (QUEUED | AWAKE)) == QUEUED;
}

static void clear(struct waited_word *m, uint64_t flags)
{
	uint64_t word = load_relaxed(&m->word);
	while (!cas_relaxed(&m->word, &word, word & ~flags))
		;
}

/* ---- locking ---- */

/* Takes a free mutex. */
static bool take(struct waited_word *m, uint64_t me, uint64_t mine)
{
	uint64_t word = load_relaxed(&m->word);
	while (!holder(word))
		/* pairs with let_go, let_go_alone, weft_mutex_unlock */
		if (cas_acquire(&m->word, &word, (word & ~mine) | me))
			return true;
	return false;
}

static bool take_soon(struct waited_word *m, const struct attempt *a)
{
	int spins = sched.processor_count == 1 ? 0 : SPINS;
	while (!take(m, a->me, a->mine)) {
		if (spins-- == 0 || load_relaxed(&m->word) & HAND)
			return false;
		for (int i = 0; i < RELAXES; i++)
			cpu_relax();
	}
	return true;
}

/*
 * Sets `flags` while somebody holds the mutex, and clears the attempt's own. False: it is free. The
 * lock is held.
 */
static bool announce(struct waited_word *m, const struct attempt *a, uint64_t flags)
{
	uint64_t word = load_relaxed(&m->word);
	while (holder(word))
		if (cas_relaxed(&m->word, &word, (word & ~a->mine) | flags)) /* against let_go */
			return true;
	return false;
}

static bool enqueue(struct waited_word *m, struct attempt *a)
{
	int64_t now = weft__sched_now();
	bool starved = a->mine && now - a->since >= HAND_AFTER;
	if (!announce(m, a, QUEUED | (starved ? HAND : 0)))
		return false;
	if (a->mine) {
		waitq_push_head(&m->waiting, &a->link);
	} else {
		a->since = now;
		waitq_push_tail(&m->waiting, &a->link);
	}
	return true;
}

static void dequeue(struct waited_word *m, struct attempt *a)
{
	lock_take(&m->lock, RANK_SYNC);
	uint64_t flags = m->waiting.first == &a->link ? HAND : 0;
	waitq_remove(&m->waiting, &a->link);
	if (waitq_empty(&m->waiting))
		flags |= QUEUED;
	if (flags)
		clear(m, flags);
	lock_drop(&m->lock, RANK_SYNC);
}

/* Waits to be woken, or handed the mutex, or for the deadline; returns WAKE_TRY at once when it is
 * free. */
static uint32_t await(struct waited_word *m, struct attempt *a, int64_t deadline)
{
	struct waiter lone;
	struct thread *t = enter();
	a->link.waiter = weft__wait_begin(t, &lone, "mutex", false);
	lock_take(&m->lock, RANK_SYNC);
	bool queued = enqueue(m, a);
	lock_drop(&m->lock, RANK_SYNC);
	uint32_t reason = WAKE_TRY;
	if (queued) {
		reason = weft__wait_park(&t, a->link.waiter, deadline);
		a->mine = reason == WAKE_TRY ? AWAKE : 0;
		if (reason != WAKE_TRY && reason != WAKE_HANDED)
			dequeue(m, a);
	} else {
		weft__wait_abandon(a->link.waiter);
	}
	call_leave(t);
	return reason;
}

static noinline int lock_slow(struct waited_word *m, uint64_t me, int64_t deadline)
{
	struct attempt a = {.me = me};
	uint32_t reason = WAKE_TRY;
	while (reason == WAKE_TRY) {
		if (take_soon(m, &a))
			return 0;
		reason = await(m, &a, deadline);
	}
	return reason == WAKE_HANDED ? 0 : weft__wait_result(reason, deadline);
}

/*
 * Takes it if it has no holder: while a woken waiter is about to take it, flags stay set. With one
 * processor it is mostly free, and reading it first only costs; with more, a CAS that fails would
 * take the cache line away from the holder.
 */
static always_inline bool take_fast(struct waited_word *m, uint64_t me)
{
	uint64_t word = 0;
	/* pairs with let_go, let_go_alone, weft_mutex_unlock */
	if (sched.processor_count == 1 && likely(cas_acquire(&m->word, &word, me)))
		return true;
	word = load_relaxed(&m->word);
	/* pairs with let_go, let_go_alone, weft_mutex_unlock */
	return !holder(word) && cas_acquire(&m->word, &word, word | me);
}

void weft_mutex_lock(struct weft_mutex *mutex)
{
	uint64_t me = call_holder();
	if (unlikely(!take_fast(mutex_of(mutex), me)))
		lock_slow(mutex_of(mutex), me, WEFT_FOREVER);
}

int weft_mutex_trylock(struct weft_mutex *mutex)
{
	return take(mutex_of(mutex), call_holder(), 0) ? 0 : -EAGAIN;
}

int weft_mutex_lock_until(struct weft_mutex *mutex, int64_t deadline)
{
	uint64_t me = call_holder();
	if (likely(take_fast(mutex_of(mutex), me)))
		return 0;
	return deadline == 0 ? weft_mutex_trylock(mutex) : lock_slow(mutex_of(mutex), me, deadline);
}

/* ---- unlocking ---- */

/* The holder's last access. `word`: a guess of its value; tried until it is right. */
static void let_go(struct waited_word *m, uint64_t word)
{
	while (!cas_release(&m->word, &word, word & FLAGS)) /* pairs with take, take_fast */
		;
}

/* The flags that fit the queue, except AWAKE. */
static uint64_t queue_flags(const struct waited_word *m, int64_t now)
{
	if (waitq_empty(&m->waiting))
		return 0;
	const struct attempt *first = container_of(m->waiting.first, struct attempt, link);
	return now - first->since >= HAND_AFTER ? QUEUED | HAND : QUEUED;
}

/*
 * Claims the first waiter and stores the new word: the waiter's when it has waited long enough,
 * else still the caller's, with AWAKE set. NULL: nobody waits any more. While the mutex is held all
 * flags are changed only under the lock, so plain stores suffice.
 */
static struct attempt *claim_next(struct waited_word *m, uint64_t me, uint32_t *reason)
{
	int64_t now = weft__sched_now();
	lock_take(&m->lock, RANK_SYNC);
	uint64_t asked = load_relaxed(&m->word) & HAND;
	struct waitq_node *link = waitq_claim(&m->waiting);
	struct attempt *next = link ? container_of(link, struct attempt, link) : NULL;
	uint64_t flags = queue_flags(m, now);
	if (next && (asked || now - next->since >= HAND_AFTER)) {
		*reason = WAKE_HANDED;
		store_relaxed(&m->word, next->me | flags);
	} else {
		*reason = WAKE_TRY;
		store_relaxed(&m->word, me | flags | (next ? AWAKE : 0));
	}
	lock_drop(&m->lock, RANK_SYNC);
	return next;
}

/* Somebody waits and no woken waiter is about to take it. */
static void pass_on(struct thread *t, struct waited_word *m, uint64_t me)
{
	uint32_t reason;
	struct attempt *next = claim_next(m, me, &reason);
	struct waiter *w = next ? next->link.waiter : NULL;
	if (reason == WAKE_TRY)
		let_go(m, load_relaxed(&m->word));
	if (w)
		call_wake(t, w, reason);
}

static void require_holder(uint64_t word, uint64_t me, const char *call)
{
	if (unlikely(holder(word) != me))
		weft__misuse(call, "the caller does not hold this mutex");
}

void weft__mutex_require(const struct weft_mutex *m, const char *call)
{
	require_holder(load_relaxed(&((const struct waited_word *)m)->word), call_holder(), call);
}

/* Unlocks when nobody has to be woken. False: somebody has. */
static bool let_go_alone(struct waited_word *m, uint64_t me, const char *call)
{
	uint64_t word = load_relaxed(&m->word);
	do {
		require_holder(word, me, call);
		if (must_wake(word))
			return false;
	} while (!cas_release(&m->word, &word, word & FLAGS)); /* pairs with take, take_fast */
	return true;
}

void weft__mutex_unlock(struct thread *t, struct weft_mutex *m, const char *call)
{
	uint64_t me = call_holder();
	if (!let_go_alone(mutex_of(m), me, call))
		pass_on(t, mutex_of(m), me);
}

static noinline void unlock_slow(struct weft_mutex *m)
{
	struct thread *t = enter();
	weft__mutex_unlock(t, m, "weft_mutex_unlock");
	call_leave(t);
}

void weft_mutex_unlock(struct weft_mutex *mutex)
{
	uint64_t me = call_holder(), word = load_relaxed(&mutex_of(mutex)->word);
	/* pairs with take, take_fast */
	if (likely(word == me) && likely(cas_release(&mutex_of(mutex)->word, &word, 0)))
		return;
	bool alone = holder(word) == me && !must_wake(word);
	/* pairs with take, take_fast */
	if (!alone || !cas_release(&mutex_of(mutex)->word, &word, word & FLAGS))
		unlock_slow(mutex);
}
