/* SPDX-License-Identifier: MIT */
/*
 * waitgroup.c: waiting until a count is zero.
 *
 * The word contains the count and the flag QUEUED: somebody waits. The move to zero with QUEUED set
 * is made under the queue's lock, and clears the flag: the caller that makes it wakes all. Without
 * QUEUED a CAS is the last access, so a waiter that finds zero may free the object at once.
 */
#include "api/call.h"
#include "api/waitq.h"
#include "base/lock.h"
#include "weft/sync.h"

#define QUEUED ((uint64_t)1 << 63)

_Static_assert(sizeof(struct waited_word) == sizeof(struct weft_waitgroup), "ABI");

static struct waited_word *waitgroup_of(struct weft_waitgroup *w)
{
	return (struct waited_word *)w;
}

/* Returns the word with n more; reports misuse. */
static uint64_t sum(uint64_t word, int n, const char *call)
{
	int64_t count = (int64_t)(word & ~QUEUED) + n;
	if (unlikely(count < 0))
		weft__misuse(call, "the count falls below zero");
	if (unlikely(count > INT32_MAX))
		weft__misuse(call, "the count rises above INT32_MAX");
	return (uint64_t)count | (word & QUEUED);
}

/* Brings the count to zero and wakes all. False: the count has changed meanwhile. */
static noinline bool finish(struct waited_word *w, int n, const char *call)
{
	struct waitq woken = {0};
	struct waitq_node *node;
	struct thread *t = enter();
	lock_take(&w->lock, RANK_SYNC);
	uint64_t word = load_relaxed(&w->word);
	/* pairs with weft_waitgroup_wait, announce */
	bool last = sum(word, n, call) == QUEUED && cas_acq_rel(&w->word, &word, 0);
	while (last && (node = waitq_claim(&w->waiting)))
		waitq_push_tail(&woken, node);
	lock_drop(&w->lock, RANK_SYNC);
	weft__wake_all(t, &woken);
	call_leave(t);
	return last;
}

static always_inline void add(struct waited_word *w, int n, const char *call)
{
	uint64_t word = load_relaxed(&w->word);
	for (;;) {
		uint64_t to = sum(word, n, call);
		if (to == QUEUED) {
			if (finish(w, n, call))
				return;
			word = load_relaxed(&w->word);
		} else if (cas_acq_rel(&w->word, &word,
				       to)) { /* pairs with weft_waitgroup_wait, announce */
			return;
		}
	}
}

void weft_waitgroup_add(struct weft_waitgroup *waitgroup, int delta)
{
	add(waitgroup_of(waitgroup), delta, "weft_waitgroup_add");
}

void weft_waitgroup_done(struct weft_waitgroup *waitgroup)
{
	add(waitgroup_of(waitgroup), -1, "weft_waitgroup_done");
}

/* Sets QUEUED. False: the count is zero. The lock is held. */
static bool announce(struct waited_word *w)
{
	uint64_t word = load_acquire(&w->word); /* pairs with finish, add */
	while (word & ~QUEUED)
		if (cas_acquire(&w->word, &word, word | QUEUED)) /* pairs with finish, add */
			return true;
	return false;
}

static void withdraw(struct waited_word *w, struct waitq_node *node)
{
	lock_take(&w->lock, RANK_SYNC);
	waitq_remove(&w->waiting, node);
	uint64_t word = load_relaxed(&w->word);
	while (waitq_empty(&w->waiting) &&
	       !cas_relaxed(&w->word, &word, word & ~QUEUED)) /* against add */
		;
	lock_drop(&w->lock, RANK_SYNC);
}

static int await(struct waited_word *w, int64_t deadline)
{
	struct waiter lone;
	struct thread *t = enter();
	struct waitq_node node = {.waiter = weft__wait_begin(t, &lone, "wait group", true)};
	uint32_t reason = WAKE_USER;
	lock_take(&w->lock, RANK_SYNC);
	bool wait = announce(w);
	if (wait)
		waitq_push_tail(&w->waiting, &node);
	lock_drop(&w->lock, RANK_SYNC);
	if (wait)
		reason = weft__wait_park(&t, node.waiter, deadline);
	else
		weft__wait_abandon(node.waiter);
	if (reason != WAKE_USER)
		withdraw(w, &node);
	call_leave(t);
	return weft__wait_result(reason, deadline);
}

int weft_waitgroup_wait(struct weft_waitgroup *waitgroup, int64_t deadline)
{
	if (load_acquire(&waitgroup_of(waitgroup)->word) == 0) /* pairs with finish, add */
		return 0;
	return deadline == 0 ? weft__would_wait() : await(waitgroup_of(waitgroup), deadline);
}
