/* SPDX-License-Identifier: MIT */
/*
 * rwmutex.c: many readers or one writer, first come first served.
 *
 * The word counts readers in units of READER, and has two flags: WRITER, somebody writes; QUEUED,
 * somebody waits.
 *
 *   move              who                     how
 *   + READER          a reader                CAS, acquire, only while neither flag is set
 *   0 -> WRITER       a writer                CAS, acquire
 *   - READER          a reader, leaving       CAS, release; the last one serves the queue
 *   WRITER -> 0       the writer, leaving     CAS, release; then it serves the queue
 *   QUEUED set        a waiter                CAS under the lock, only while it cannot be served
 *   + READER, WRITER  grant, for a waiter     under the lock, QUEUED set: others only leave
 *   QUEUED cleared    grant, the queue empty  under the lock
 *
 * A caller that leaves hands over: to the writer at the head of the queue, or to all readers up to
 * the next writer. So a waiting writer keeps new readers out, a batch of readers keeps the next
 * writer waiting once, and nobody starves. A waiter that gives up at its deadline hands over as
 * well: when a writer leaves the queue, readers behind it may join those inside.
 *
 * Rejected: serving by a plain store of the word (correct only while nobody is inside, so a waiter
 * that gives up would need a second way to serve).
 */
#include "api/call.h"
#include "api/waitq.h"
#include "base/lock.h"
#include "weft/sync.h"

enum { WRITER = 1, QUEUED = 2, READER = 4 };

struct rwmutex {
	uint64_t word;
	uint64_t writer;      /* the writer, by call_holder [the writer] */
	struct waitq waiting; /* [lock] */
	struct lock lock;     /* rank SYNC */
	uint32_t spare[7];
};
_Static_assert(sizeof(struct rwmutex) == sizeof(struct weft_rwmutex), "ABI");

struct turn {
	struct waitq_node link;
	uint64_t writer; /* the caller that wants to write; 0: it wants to read */
};

static struct rwmutex *rwmutex_of(struct weft_rwmutex *m)
{
	return (struct rwmutex *)m;
}

/* ---- the word ---- */

static bool take_read(struct rwmutex *m)
{
	uint64_t word = load_relaxed(&m->word);
	while (!(word & (WRITER | QUEUED)))
		/* pairs with weft_rwmutex_wrunlock */
		if (cas_acquire(&m->word, &word, word + READER))
			return true;
	return false;
}

static bool take_write(struct rwmutex *m, uint64_t me)
{
	uint64_t nobody = 0;
	/* pairs with weft_rwmutex_rdunlock, weft_rwmutex_wrunlock */
	if (!cas_acquire(&m->word, &nobody, WRITER))
		return false;
	store_relaxed(&m->writer, me);
	return true;
}

/* Takes it after all, or sets QUEUED. The lock is held. */
static bool take_or_announce(struct rwmutex *m, uint64_t writer)
{
	for (;;) {
		if (writer ? take_write(m, writer) : take_read(m))
			return true;
		uint64_t word = load_relaxed(&m->word);
		bool in_the_way = writer ? word : word & (WRITER | QUEUED);
		if (in_the_way && cas_relaxed(&m->word, &word,
					      word | QUEUED)) /* competes with callers that leave */
			return false;
	}
}

/* ---- serving the queue ---- */

/* The first waiter, if it can be served. The lock is held. */
static struct turn *next_turn(struct rwmutex *m)
{
	if (waitq_empty(&m->waiting))
		return NULL;
	struct turn *turn = container_of(m->waiting.first, struct turn, link);
	uint64_t word = load_relaxed(&m->word); /* others only leave: what is free stays free */
	return word & WRITER || (turn->writer && word != QUEUED) ? NULL : turn;
}

/* Claims all waiters that can be served, into `served`. The lock is held, QUEUED is set. */
static void grant(struct rwmutex *m, struct waitq *served)
{
	struct turn *turn;
	while ((turn = next_turn(m))) {
		waitq_remove(&m->waiting, &turn->link);
		if (!wait_claim(turn->link.waiter))
			continue; /* its deadline has passed */
		waitq_push_tail(served, &turn->link);
		if (turn->writer)
			store_relaxed(&m->writer, turn->writer);
		/* pairs with weft_rwmutex_rdunlock, weft_rwmutex_wrunlock */
		add_acq_rel(&m->word, turn->writer ? WRITER : READER);
	}
	if (waitq_empty(&m->waiting))
		and_relaxed(&m->word, ~(uint64_t)QUEUED);
}

/* A caller has left, from inside or from the queue. */
static void serve(struct thread *t, struct rwmutex *m, struct turn *gone)
{
	struct waitq served = {0};
	lock_take(&m->lock, RANK_SYNC);
	if (gone)
		waitq_remove(&m->waiting, &gone->link);
	if (load_relaxed(&m->word) & QUEUED)
		grant(m, &served);
	lock_drop(&m->lock, RANK_SYNC);
	weft__wake_all(t, &served);
}

/* ---- the calls that lock ---- */

static noinline int lock_slow(struct rwmutex *m, uint64_t writer, int64_t deadline)
{
	struct waiter lone;
	struct thread *t = enter();
	struct turn turn = {.writer = writer};
	uint32_t reason = WAKE_USER;
	turn.link.waiter =
		weft__wait_begin(t, &lone, writer ? "rwmutex write" : "rwmutex read", false);
	lock_take(&m->lock, RANK_SYNC);
	bool taken = take_or_announce(m, writer);
	if (!taken)
		waitq_push_tail(&m->waiting, &turn.link);
	lock_drop(&m->lock, RANK_SYNC);
	if (taken)
		weft__wait_abandon(turn.link.waiter);
	else
		reason = weft__wait_park(&t, turn.link.waiter, deadline);
	if (reason != WAKE_USER)
		serve(t, m, &turn);
	call_leave(t);
	return weft__wait_result(reason, deadline);
}

int weft_rwmutex_tryrdlock(struct weft_rwmutex *rwmutex)
{
	return take_read(rwmutex_of(rwmutex)) ? 0 : -EAGAIN;
}

int weft_rwmutex_rdlock_until(struct weft_rwmutex *rwmutex, int64_t deadline)
{
	if (likely(take_read(rwmutex_of(rwmutex))))
		return 0;
	return deadline == 0 ? -EAGAIN : lock_slow(rwmutex_of(rwmutex), 0, deadline);
}

void weft_rwmutex_rdlock(struct weft_rwmutex *rwmutex)
{
	if (unlikely(!take_read(rwmutex_of(rwmutex))))
		lock_slow(rwmutex_of(rwmutex), 0, WEFT_FOREVER);
}

int weft_rwmutex_trywrlock(struct weft_rwmutex *rwmutex)
{
	return take_write(rwmutex_of(rwmutex), call_holder()) ? 0 : -EAGAIN;
}

int weft_rwmutex_wrlock_until(struct weft_rwmutex *rwmutex, int64_t deadline)
{
	uint64_t me = call_holder();
	if (likely(take_write(rwmutex_of(rwmutex), me)))
		return 0;
	return deadline == 0 ? -EAGAIN : lock_slow(rwmutex_of(rwmutex), me, deadline);
}

void weft_rwmutex_wrlock(struct weft_rwmutex *rwmutex)
{
	uint64_t me = call_holder();
	if (unlikely(!take_write(rwmutex_of(rwmutex), me)))
		lock_slow(rwmutex_of(rwmutex), me, WEFT_FOREVER);
}

/* ---- unlocking ---- */

static noinline void leave_slow(struct rwmutex *m)
{
	struct thread *t = enter();
	serve(t, m, NULL);
	call_leave(t);
}

void weft_rwmutex_rdunlock(struct weft_rwmutex *rwmutex)
{
	uint64_t *word = &rwmutex_of(rwmutex)->word, old = load_relaxed(word);
	do {
		if (unlikely(old < READER))
			weft__misuse("weft_rwmutex_rdunlock",
				     "nobody holds this rwmutex for reading");
	} while (!cas_acq_rel(word, &old, old - READER)); /* pairs with take_write, grant */
	if (unlikely(old == (READER | QUEUED)))
		leave_slow(rwmutex_of(rwmutex));
}

void weft_rwmutex_wrunlock(struct weft_rwmutex *rwmutex)
{
	struct rwmutex *m = rwmutex_of(rwmutex);
	uint64_t old = load_relaxed(&m->word);
	if (unlikely(!(old & WRITER) || load_relaxed(&m->writer) != call_holder()))
		weft__misuse("weft_rwmutex_wrunlock",
			     "the caller does not hold this rwmutex for writing");
	store_relaxed(&m->writer, 0);
	while (!cas_release(&m->word, &old,
			    old & ~(uint64_t)WRITER)) /* pairs with take_read, take_write, grant */
		;
	if (unlikely(old & QUEUED))
		leave_slow(m);
}
