/* SPDX-License-Identifier: MIT */
/*
 * cond.c: condition variables: a queue. A waiter is in it before it unlocks the mutex, so no signal
 * that follows a change made under the mutex can miss it; and only a claim wakes it, so no wake-up
 * is without a reason and a signal that loses against a deadline goes to the next waiter.
 */
#include "api/call.h"
#include "api/mutex.h"
#include "api/waitq.h"
#include "base/lock.h"

struct cond {
	struct waitq waiting; /* [lock] */
	struct lock lock;     /* rank SYNC */
	uint32_t spare[3];
};
_Static_assert(sizeof(struct cond) == sizeof(struct weft_cond), "ABI");

static struct cond *cond_of(struct weft_cond *c)
{
	return (struct cond *)c;
}

static int await(struct cond *c, struct weft_mutex *m, int64_t deadline)
{
	struct waiter lone;
	struct thread *t = enter();
	struct waitq_node node = {.waiter = weft__wait_begin(t, &lone, "cond", true)};
	lock_take(&c->lock, RANK_SYNC);
	waitq_push_tail(&c->waiting, &node);
	lock_drop(&c->lock, RANK_SYNC);
	weft__mutex_unlock(t, m, "weft_cond_wait");
	uint32_t reason = weft__wait_park(&t, node.waiter, deadline);
	if (reason != WAKE_USER) {
		lock_take(&c->lock, RANK_SYNC);
		waitq_remove(&c->waiting, &node);
		lock_drop(&c->lock, RANK_SYNC);
	}
	call_leave(t);
	return weft__wait_result(reason, deadline);
}

int weft_cond_wait(struct weft_cond *cond, struct weft_mutex *mutex, int64_t deadline)
{
	weft__mutex_require(mutex, "weft_cond_wait");
	if (deadline == 0)
		return weft__would_wait();
	int result = await(cond_of(cond), mutex, deadline);
	weft_mutex_lock(mutex);
	return result;
}

/* Wakes one or all of the waiters that are there when it begins. */
static void wake(struct cond *c, bool all)
{
	struct waitq woken = {0};
	struct waitq_node *node;
	if (waitq_empty(&c->waiting))
		return;
	struct thread *t = enter();
	lock_take(&c->lock, RANK_SYNC);
	while ((all || waitq_empty(&woken)) && (node = waitq_claim(&c->waiting)))
		waitq_push_tail(&woken, node);
	lock_drop(&c->lock, RANK_SYNC);
	weft__wake_all(t, &woken);
	call_leave(t);
}

void weft_cond_signal(struct weft_cond *cond)
{
	wake(cond_of(cond), false);
}

void weft_cond_broadcast(struct weft_cond *cond)
{
	wake(cond_of(cond), true);
}
