/* SPDX-License-Identifier: MIT */
/*
 * chan.c: channels: a ring of items, a queue of waiting receivers, a queue of waiting senders, one
 * short lock.
 *
 * What holds whenever the lock is free
 *  1. receivers wait only while the ring is empty, senders only while it is full: so at most one
 *     queue is not empty, except for a select that waits on both sides, which never meets itself
 *     (it takes one case only).
 *  2. both queues of a closed channel are empty. ("Waits" means a wait that can still be claimed;
 *     those that end by deadline or cancel may stay in the queue for a while.)
 *
 * Hand-over is direct: a sender that finds a waiting receiver copies the item to where the receiver
 * wants it, and a receiver that makes room in a full ring fills it from the first waiting sender. A
 * woken caller need not try again, so the order is first in, first out without further work, and an
 * item is copied only once where possible.
 *
 * A waker claims the other's wait under the lock, copies, drops the lock and publishes: deadline,
 * cancel, close and the other cases of a select compete for the same claim, and exactly one of them
 * wins. That is why an error always means that nothing happened.
 *
 * A call that may not wait (deadline 0) and sees that it would have to takes no lock at all.
 *
 * Rejected: a lock-free ring beside the queues (closing, select and direct hand-over then need a
 * protocol between ring and queues, to save one CAS), waking without handing over (the woken caller
 * may find the item gone), one lock for each end (a receive that makes room touches both).
 */
#include "api/chan.h"

#include <stdlib.h>

#include "api/call.h"

struct weft_chan *weft_chan_new(size_t item_size, size_t capacity)
{
	size_t size;
	if (__builtin_mul_overflow(item_size, capacity, &size) || size > SIZE_MAX / 2)
		return NULL;
	struct weft_chan *c =
		aligned_alloc(CACHE_LINE, round_up(sizeof(*c) + size, (size_t)CACHE_LINE));
	if (!c)
		return NULL;
	memset(c, 0, sizeof(*c));
	c->item_size = item_size;
	c->capacity = capacity;
	c->refs = 1;
	return c;
}

struct weft_chan *weft_chan_ref(struct weft_chan *chan)
{
	if (chan)
		add_relaxed(&chan->refs, 1);
	return chan;
}

void weft_chan_unref(struct weft_chan *chan)
{
	/* The last owner sees what the others did: pairs with weft_chan_unref. */
	if (!chan || sub_acq_rel(&chan->refs, 1) != 1)
		return;
	if (unlikely(!waitq_empty(&chan->senders) || !waitq_empty(&chan->receivers)))
		weft__misuse("weft_chan_unref", "somebody still waits");
	free(chan);
}

/* Waits for the other side. The lock is held, and dropped here. */
static int await(struct thread **t, struct weft_chan *c, int op, void *item, int64_t deadline)
{
	struct waiter lone;
	struct waitq *q = chan_queue(c, op);
	const char *why = op == WEFT_CHAN_SEND ? "chan send" : "chan recv";
	struct waiter *w = weft__wait_begin(*t, &lone, why, true);
	struct chan_node node;
	node.link.waiter = w;
	node.item = item;
	node.result = CHAN_WAIT;
	waitq_push_tail(q, &node.link); /* pairs with chan.h:chan_ready */
	chan_unlock(c, RANK_CHAN);
	uint32_t reason = weft__wait_park(t, w, deadline);
	if (likely(reason == WAKE_USER))
		return node.result;
	chan_lock(c, RANK_CHAN);
	waitq_remove(q, &node.link);
	chan_unlock(c, RANK_CHAN);
	return weft__wait_result(reason, deadline);
}

static always_inline int operate(struct weft_chan *c, int op, void *item, int64_t deadline)
{
	struct chan_node *peer = NULL;
	struct thread *t = enter();
	if (call_forked(t))
		return -ENOTSUP;
	chan_lock(c, RANK_CHAN);
	int result = chan_try(c, op, item, &peer);
	if (result == CHAN_WAIT && deadline != 0) {
		result = await(&t, c, op, item, deadline);
	} else {
		chan_unlock(c, RANK_CHAN);
		if (peer)
			call_wake(t, peer->link.waiter, WAKE_USER);
	}
	call_leave(t);
	return result == CHAN_WAIT ? weft__would_wait() : result;
}

/* Without the lock, for calls that may not wait. */
static always_inline bool surely_waits(const struct weft_chan *c, int op)
{
	/*
	 * Ordered after what this thread did to other channels: of two threads that each send to
	 * their own channel and then try to receive from the other's, at least one finds the item.
	 * It pairs with surely_waits.
	 */
	fence_seq_cst();
	return !chan_ready(c, op);
}

int weft_chan_send(struct weft_chan *chan, const void *item, int64_t deadline)
{
	if (unlikely(!chan))
		return weft__wait_alone("send on a NULL channel", deadline, false);
	if (deadline == 0 && surely_waits(chan, WEFT_CHAN_SEND))
		return weft__would_wait();
	return operate(chan, WEFT_CHAN_SEND, (void *)item, deadline);
}

int weft_chan_recv(struct weft_chan *chan, void *item, int64_t deadline)
{
	if (unlikely(!chan))
		return weft__wait_alone("recv on a NULL channel", deadline, false);
	if (deadline == 0 && surely_waits(chan, WEFT_CHAN_RECV))
		return weft__would_wait();
	int result = operate(chan, WEFT_CHAN_RECV, item, deadline);
	if (unlikely(result == -EPIPE))
		chan_zero(chan, item);
	return result;
}

/* Claims all waits in `q` and moves them to `woken`. */
static void refuse_all(struct waitq *q, struct waitq *woken)
{
	struct waitq_node *link;
	while ((link = waitq_claim(q))) {
		chan_node_of(link)->result = -EPIPE;
		waitq_push_tail(woken, link);
	}
}

int weft_chan_close(struct weft_chan *chan)
{
	struct waitq woken = {0};
	if (!chan)
		return -EINVAL;
	struct thread *t = enter();
	if (call_forked(t))
		return -ENOTSUP;
	chan_lock(chan, RANK_CHAN);
	int result = chan->closed ? -EPIPE : 0;
	store_release(&chan->closed, 1); /* pairs with chan.h:chan_ready */
	refuse_all(&chan->receivers, &woken);
	refuse_all(&chan->senders, &woken);
	chan_unlock(chan, RANK_CHAN);
	weft__wake_all(t, &woken);
	call_leave(t);
	return result;
}

int weft__chan_offer(struct weft_chan *c, const void *item, struct list *ready)
{
	struct chan_node *peer = NULL;
	chan_lock(c, RANK_CHAN);
	int result = chan_try_send(c, item, &peer);
	chan_unlock(c, RANK_CHAN);
	if (peer)
		weft__wait_end_list(peer->link.waiter, WAKE_USER, ready);
	return result == CHAN_WAIT ? -EAGAIN : result;
}

size_t weft_chan_len(const struct weft_chan *chan)
{
	return chan ? load_relaxed(&chan->count) : 0;
}

size_t weft_chan_cap(const struct weft_chan *chan)
{
	return chan ? chan->capacity : 0;
}
