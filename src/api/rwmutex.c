/* SPDX-License-Identifier: MIT */
/*
 * rwmutex.c: many readers or one writer, first come first served.
 *
 * The word counts readers in units of READER, and has two flags: WRITER, somebody writes; QUEUED, somebody waits.
 *
 *   move                        who                  how
 *   + READER                    a reader             CAS, acquire, only while neither flag is set
 *   0 -> WRITER                 a writer             CAS, acquire
 *   - READER                    a reader, leaving    CAS, release; the last one serves the queue if there is one
 *   WRITER -> 0                 the writer, leaving  CAS, release; or it serves the queue
 *   QUEUED set                  a waiter             CAS under the queue's lock, only while it could not have its turn
 *   QUEUED -> what was granted  who serves           store under the lock: with QUEUED alone nobody else moves the word
 *
 * Who leaves hands over: to the writer at the head of the queue, or to all readers up to the next writer. So a waiting
 * writer keeps new readers out, a batch of readers keeps the next writer waiting once, and nobody starves.
 */
#include "api/call.h"
#include "api/waitq.h"
#include "base/lock.h"
#include "weft/sync.h"

enum { WRITER = 1, QUEUED = 2, READER = 4 };

struct rwmutex {
	uint64_t word;
	uint64_t writer;      /* who writes: call_holder's [the writer] */
	struct waitq waiting; /* [lock] */
	struct lock lock;     /* rank SYNC */
	uint32_t spare[7];
};
_Static_assert(sizeof(struct rwmutex) == sizeof(struct weft_rwmutex), "ABI");

struct turn {
	struct waitq_node link;
	uint64_t writer; /* who wants to write; 0: wants to read */
};

static struct rwmutex *rwmutex_of(struct weft_rwmutex *m)
{
	return (struct rwmutex *)m;
}

/* ---- locking ---- */

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
		if (in_the_way &&
		    cas_relaxed(&m->word, &word, word | QUEUED)) /* against those who leave */
			return false;
	}
}

static noinline void lock_slow(struct rwmutex *m, uint64_t writer)
{
	struct waiter lone;
	struct thread *t = enter();
	struct turn turn = {.writer = writer};
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
		weft__wait_park(&t, turn.link.waiter, WEFT_FOREVER);
	call_leave(t);
}

void weft_rwmutex_rdlock(struct weft_rwmutex *m)
{
	if (unlikely(!take_read(rwmutex_of(m))))
		lock_slow(rwmutex_of(m), 0);
}

int weft_rwmutex_tryrdlock(struct weft_rwmutex *m)
{
	return take_read(rwmutex_of(m)) ? 0 : -EAGAIN;
}

void weft_rwmutex_wrlock(struct weft_rwmutex *m)
{
	uint64_t me = call_holder();
	if (unlikely(!take_write(rwmutex_of(m), me)))
		lock_slow(rwmutex_of(m), me);
}

int weft_rwmutex_trywrlock(struct weft_rwmutex *m)
{
	return take_write(rwmutex_of(m), call_holder()) ? 0 : -EAGAIN;
}

/* ---- unlocking ---- */

/* Claims whose turn it is, into `served`, and sets the word to it. The lock is held, the word is QUEUED. */
static void grant(struct rwmutex *m, struct waitq *served)
{
	uint64_t word = 0;
	while (!waitq_empty(&m->waiting)) {
		struct turn *turn = container_of(m->waiting.first, struct turn, link);
		if (turn->writer && word)
			break;
		waitq_remove(&m->waiting, &turn->link);
		bool claimed = wait_claim(turn->link.waiter);
		check(claimed); /* these waits end in no other way */
		waitq_push_tail(served, &turn->link);
		word += turn->writer ? WRITER : READER;
		if (turn->writer) {
			store_relaxed(&m->writer, turn->writer);
			break;
		}
	}
	store_relaxed(&m->word, word | (waitq_empty(&m->waiting) ? 0 : QUEUED));
}

/* Nobody reads or writes any more, and somebody waits. */
static noinline void serve(struct rwmutex *m)
{
	struct waitq served = {0};
	struct thread *t = enter();
	lock_take(&m->lock, RANK_SYNC);
	/* pairs with weft_rwmutex_rdunlock, weft_rwmutex_wrunlock */
	if (load_acquire(&m->word) == QUEUED)
		grant(m, &served);
	lock_drop(&m->lock, RANK_SYNC);
	weft__wake_all(t, &served);
	call_leave(t);
}

void weft_rwmutex_rdunlock(struct weft_rwmutex *m)
{
	uint64_t *word = &rwmutex_of(m)->word, old = load_relaxed(word);
	do {
		if (unlikely(old < READER))
			weft__misuse("weft_rwmutex_rdunlock",
				     "nobody holds this rwmutex for reading");
	} while (!cas_acq_rel(word, &old, old - READER)); /* pairs with take_write, serve */
	if (unlikely(old == (READER | QUEUED)))
		serve(rwmutex_of(m));
}

void weft_rwmutex_wrunlock(struct weft_rwmutex *m)
{
	struct rwmutex *rw = rwmutex_of(m);
	uint64_t old = load_relaxed(&rw->word);
	if (unlikely(!(old & WRITER) || load_relaxed(&rw->writer) != call_holder()))
		weft__misuse("weft_rwmutex_wrunlock",
			     "the caller does not hold this rwmutex for writing");
	store_relaxed(&rw->writer, 0);
	/* pairs with take_read, take_write, serve */
	while (!cas_release(&rw->word, &old, old & ~(uint64_t)WRITER))
		;
	if (unlikely(old & QUEUED))
		serve(rw);
}
