/* SPDX-License-Identifier: MIT */
/*
 * park.h: how everything waits, and how everything is woken. All of src/api is built on this file.
 *
 * Every wait has one word, in the waiter of the task (or on the stack of a thread that is not the
 * runtime's):
 *
 *   bit        meaning
 *   OPEN       the wait is announced, nobody has ended it
 *   CLAIMED    one party, and no other, is ending it: hands something over, then publishes
 *   PARKED     the owner has left its stack (a foreign thread: is about to sleep on the word)
 *   CANCEL     weft_cancel may end it
 *   BOUND      of a foreign thread: the end of the runtime ends it (foreign.c)
 *   without OPEN: the reason, shifted by WAIT_REASON_SHIFT: the wait is over
 *
 *   move                              who                   order
 *   (reason)        -> OPEN           owner: wait_begin     store_release, before anyone sees it
 *   OPEN            -> OPEN|CLAIMED   one waker: claim      cas_acq_rel; all others fail from here
 *   OPEN..|CLAIMED  -> reason         the same: publish     swap_acq_rel; pairs with the owner's
 *                                                           load_acquire
 *   OPEN            -> reason         a waker that has      cas_acq_rel, like both of these
 *                                     nothing to hand over:
 *                                     end_open
 *   any             -> |PARKED        owner, off its stack  add_acq_rel in finish_switch
 *
 * Who makes the task runnable? When publish sees PARKED, the waker does. When the owner's add sees
 * no OPEN, finish_switch does, on the successor's stack. Exactly one of the two happens, because
 * both are atomic on one word. So a waker needs no lock against a task that is just leaving its
 * stack, and an object's lock need not be held across a switch.
 *
 * A waker must be sure that the waiter still waits for what the waker brings: it finds waiters in
 * queues, under the queue's lock, and a waiter leaves every queue before its wait function returns.
 *
 * Rejected: Go's "unlock after the switch" callback (a pointer to code in every park), one lock per
 * task, a state machine with a hand-over that spins.
 */
#ifndef WEFT_SCHED_PARK_H
#define WEFT_SCHED_PARK_H

#include <stdbool.h>
#include <stdint.h>

#include "sched/sched.h"

enum {
	WAIT_OPEN = 1,
	WAIT_CLAIMED = 2,
	WAIT_PARKED = 4,
	WAIT_CANCEL = 8,
	WAIT_BOUND = 16,
	WAIT_REASON_SHIFT = 8,
};

/* Why a wait ended. Users of a wait may number their own from WAKE_USER on (select: which case). */
enum wake_reason {
	WAKE_TIMEOUT = 1,
	WAKE_CANCELLED,
	WAKE_CLOSED,
	WAKE_NO_TIMER, /* there was no memory to watch its deadline */
	WAKE_ENDED,    /* the runtime has ended: only bound waits */
	WAKE_USER = 16
};

/*
 * Announces a wait of the calling task (t) or thread (t NULL, `lone` then is its waiter). From here
 * on claims succeed. `why`: what dumps print. Returns the waiter that wakers are to find. If the
 * task is cancelled, a cancellable wait is claimed from the start with WAKE_CANCELLED: wait_park
 * returns at once.
 */
static inline struct waiter *wait_begin_inline(struct thread *t, struct waiter *lone,
					       const char *why, bool cancellable);

/*
 * Waits until somebody publishes or `deadline` passes, or the task's limit if the wait is
 * cancellable (WAKE_TIMEOUT; 0 and past deadlines end it at once unless it was claimed already;
 * WAKE_NO_TIMER when there is no memory to watch it). Returns the reason. *t is the caller's
 * thread, another one perhaps when it returns.
 */
static inline uint32_t weft__wait_park(struct thread **t, struct waiter *w, int64_t deadline);

/* Until when a wait that was just begun may last, asked for `deadline`: the task's limit counts. */
int64_t weft__wait_until(const struct waiter *w, int64_t deadline);

/*
 * The same for what weft__wait_until returned, if that was ahead a moment ago: the clock is not
 * read again.
 */
uint32_t weft__wait_park_ahead(struct thread **t, struct waiter *w, int64_t deadline);

/*
 * Ends the caller's own announced wait, before it parked, when no waker is needed any more. Only
 * for waiters that no waker can find by now.
 */
void weft__wait_abandon(struct waiter *w);

/*
 * Ends a wait that the caller owns, for this reason, unless a waker has claimed it: then it returns
 * when that has published.
 */
void weft__wait_give_up(struct waiter *w, enum wake_reason reason);

/* Claims a wait. Returns true when the caller, and nobody else, may end it; it must do so soon, by
 * weft__wait_end. */
static inline bool wait_claim(struct waiter *w)
{
	uint32_t word = load_relaxed(&w->word);
	/* pairs with wait_claim, wait_claim_cancel, wait_end_open, park.c:weft__wait_begin_foreign,
	 * foreign.c:sleep_on */
	while ((word & (WAIT_OPEN | WAIT_CLAIMED)) == WAIT_OPEN)
		if (cas_acq_rel(&w->word, &word, word | WAIT_CLAIMED))
			return true;
	return false;
}

/* The same, but only for a wait that weft_cancel may end. */
static inline bool wait_claim_cancel(struct waiter *w)
{
	const uint32_t mask = WAIT_OPEN | WAIT_CLAIMED | WAIT_CANCEL;
	uint32_t word = load_relaxed(&w->word);
	/* pairs with wait_claim, wait_end_open */
	while ((word & mask) == (WAIT_OPEN | WAIT_CANCEL))
		if (cas_acq_rel(&w->word, &word, word | WAIT_CLAIMED))
			return true;
	return false;
}

/*
 * The first half of weft__wait_end. Returns true when the waiter had parked: the caller must make
 * its owner runnable.
 */
static inline bool wait_publish(struct waiter *w, uint32_t reason)
{
	tsan_release(w);
	/* pairs with wait_reason, park.c:wait_open, foreign.c:sleep_on, schedule.c:finish_park */
	uint32_t old = swap_acq_rel(&w->word, reason << WAIT_REASON_SHIFT);
	debug_check(old & WAIT_OPEN && old & WAIT_CLAIMED);
	return old & WAIT_PARKED;
}

/*
 * Claims and publishes in one move, where there is nothing to hand over. Returns the former word;
 * 0: somebody else ends the wait.
 */
static inline uint32_t wait_end_open(struct waiter *w, uint32_t reason)
{
	uint32_t word = load_relaxed(&w->word);
	tsan_release(w);
	do
		if ((word & (WAIT_OPEN | WAIT_CLAIMED)) != WAIT_OPEN)
			return 0;
	/* pairs with wait_claim, wait_claim_cancel, wait_reason, park.c:wait_open,
	 * foreign.c:sleep_on, schedule.c:finish_park */
	while (!cas_acq_rel(&w->word, &word, reason << WAIT_REASON_SHIFT));
	return word;
}

static inline uint32_t wait_reason(const struct waiter *w)
{
	/* pairs with wait_publish, wait_end_open */
	return load_acquire(&w->word) >> WAIT_REASON_SHIFT;
}

/*
 * Makes the owner of a published, parked wait runnable: `task`, or the foreign thread that sleeps
 * on `word`.
 */
void weft__wake(struct thread *t, struct task *task, const uint32_t *word);

/*
 * Ends a claimed wait and makes its owner runnable when that is the waker's part. t: the caller's
 * thread, NULL outside of the runtime. A foreign thread's waiter may be gone the moment it is
 * published: read it before. Best called after an object's lock is dropped: a claimed waiter stays
 * where it is.
 */
static inline void weft__wait_end(struct thread *t, struct waiter *w, uint32_t reason)
{
	struct task *task = w->task;
	if (wait_publish(w, reason))
		weft__wake(t, task, &w->word);
}

/* The same for a caller that collects runnable tasks: they are added to `ready`. */
void weft__wait_end_list(struct waiter *w, uint32_t reason, struct list *ready);
/*
 * Claims and ends a wait in one move, also for callers that collect (timers, the poller). False:
 * somebody else ends it.
 */
bool weft__wait_finish(struct waiter *w, uint32_t reason, struct list *ready);

/*
 * ---- the two calls that every wait makes, inlined: 6 % of a ping-pong; their rarer parts are in
 * park.c ----
 */

struct waiter *weft__wait_begin_foreign(struct waiter *lone);
/* The end of the runtime ends a foreign thread's wait that was just announced, and that no waker
 * has seen. A task's is not changed. */
static inline void wait_bind(struct waiter *w)
{
	if (unlikely(!w->task))
		or_relaxed(&w->word, WAIT_BOUND);
}

/* Claims and ends the wait just announced, as its task is cancelled. */
void weft__wait_cancelled(struct waiter *w);
/* For a task, without a deadline. */
uint32_t weft__wait_park_forever(struct thread **t, struct waiter *w);
uint32_t weft__wait_park_until(struct thread **t, struct waiter *w, int64_t deadline);

/* Of a waiter that is a task's. */
static always_inline struct task *waiter_task(struct waiter *w)
{
	return container_of(w, struct task, waiter);
}

static inline struct waiter *wait_begin_inline(struct thread *t, struct waiter *lone,
					       const char *why, bool cancellable)
{
	if (unlikely(!t))
		return weft__wait_begin_foreign(lone);
	struct task *task = t->task;
	struct waiter *w = &task->waiter;
	debug_check(!(load_relaxed(&w->word) & WAIT_OPEN)); /* one wait at a time */
	bool cancel = cancellable && !task->cancel_masked;
	task->why = why;
	task->since = load_relaxed(&sched.coarse_now);
	/*
	 * A canceller sets `cancelled` and then tries the word, this function does it in the other
	 * order: pairs with park.c:weft__task_cancel.
	 */
	store_seq_cst(&w->word, WAIT_OPEN | (cancel ? WAIT_CANCEL : 0));
	/* pairs with park.c:weft__task_cancel */
	if (cancel && unlikely(load_seq_cst(&task->cancelled)))
		weft__wait_cancelled(w);
	return w;
}

#ifdef WEFT_TSAN
/* Out of line, like enter(): a thread's tasks share its record. */
struct waiter *weft__wait_begin(struct thread *t, struct waiter *lone, const char *why,
				bool cancellable);
#else
#define weft__wait_begin wait_begin_inline
#endif

/* The same for a call that is inside the runtime: what weft_cancel may end in a task, the end of
 * the runtime may in another thread. */
static inline struct waiter *wait_begin_inside(struct thread *t, struct waiter *lone,
					       const char *why, bool cancellable)
{
	struct waiter *w = weft__wait_begin(t, lone, why, cancellable);
	if (cancellable)
		wait_bind(w);
	return w;
}

static inline uint32_t weft__wait_park(struct thread **t, struct waiter *w, int64_t deadline)
{
	if (likely(deadline == WEFT_FOREVER) && likely(*t) && likely(!waiter_task(w)->limited))
		return weft__wait_park_forever(t, w);
	return weft__wait_park_until(t, w, deadline);
}

/* Sets the task's sticky cancellation and ends the cancellable wait that it may be in. */
void weft__task_cancel(struct thread *t, struct task *task);

/*
 * The result that a reason stands for: -ETIMEDOUT (-EAGAIN for deadline 0), -ECANCELED, -ENOMEM for
 * WAKE_NO_TIMER, -ESHUTDOWN for WAKE_ENDED, else 0.
 */
int weft__wait_result(uint32_t reason, int64_t deadline);

#endif
