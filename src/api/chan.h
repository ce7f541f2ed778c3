/* SPDX-License-Identifier: MIT */
/*
 * chan.h: the inside of a channel, for chan.c, select.c and code that sends from within the
 * runtime.
 */
#ifndef WEFT_API_CHAN_H
#define WEFT_API_CHAN_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "api/waitq.h"
#include "base/attr.h"
#include "base/lock.h"
#include "weft/chan.h"

/* What a try under the lock returns when the other side is not there; users never see it. */
enum { CHAN_WAIT = 1 };

/* A send or receive that waits. The waker fills in `result` before it publishes. */
struct chan_node {
	struct waitq_node link;
	void *item;
	int result; /* CHAN_WAIT until a waker has come: then 0 or -EPIPE */
};

struct weft_chan {
	struct lock lock; /* rank CHAN; guards what is not fixed */
	uint32_t closed;  /* also read without the lock, as is `count` */
	size_t count;	  /* items inside */
	size_t first;	  /* place of the oldest */
	struct waitq receivers, senders;
	size_t item_size, capacity; /* fixed */
	uint32_t refs;
	char items[] cache_aligned;
};

static always_inline struct chan_node *chan_node_of(struct waitq_node *link)
{
	return link ? container_of(link, struct chan_node, link) : NULL;
}

/* What holds whenever the lock is free: the two rules of chan.c, and the bounds of the ring. Both
 * hold for all nodes of the queues: a try that fails has dropped those that could not be
 * claimed. */
static inline void chan_check(const struct weft_chan *c)
{
	require(c->count <= c->capacity, "a channel of %zu holds %zu items", c->capacity, c->count);
	require(c->first < c->capacity || !c->first, "a channel of %zu begins at place %zu",
		c->capacity, c->first);
	require(waitq_empty(&c->receivers) || !c->count,
		"somebody waits to receive from a channel that holds %zu items", c->count);
	require(waitq_empty(&c->senders) || c->count == c->capacity,
		"somebody waits to send to a channel of %zu that holds %zu", c->capacity, c->count);
	require(!c->closed || (waitq_empty(&c->receivers) && waitq_empty(&c->senders)),
		"somebody waits for a closed channel");
}

/* `rank`: CHAN, or CHAN_NEXT where several are taken. */
static always_inline void chan_lock(struct weft_chan *c, enum lock_rank rank)
{
	lock_take(&c->lock, rank);
	debug_run(chan_check(c));
}

static always_inline void chan_unlock(struct weft_chan *c, enum lock_rank rank)
{
	debug_run(chan_check(c));
	lock_drop_lightly(&c->lock, rank);
}

/*
 * Items are mostly words: these are copied without a call. Either side may be NULL: a dropped item,
 * or one of no size.
 */
static always_inline void item_copy(void *to, const void *from, size_t size)
{
	if (likely(size == sizeof(uint64_t)) && to)
		memcpy(to, from, sizeof(uint64_t));
	else if (size == sizeof(uint32_t) && to)
		memcpy(to, from, sizeof(uint32_t));
	else if (size && to)
		memcpy(to, from, size);
}

static always_inline void *chan_place(struct weft_chan *c, size_t i)
{
	size_t place = c->first + i;
	return c->items + (place < c->capacity ? place : place - c->capacity) * c->item_size;
}

static always_inline void chan_advance(struct weft_chan *c)
{
	c->first = c->first + 1 == c->capacity ? 0 : c->first + 1;
}

/*
 * One try, the lock held: 0, -EPIPE, or CHAN_WAIT. *peer: the other side when it waited, claimed
 * and served: to be woken (WAKE_USER) once the lock is dropped.
 */
static always_inline int chan_try_send(struct weft_chan *c, const void *item,
				       struct chan_node **peer)
{
	if (unlikely(c->closed))
		return -EPIPE;
	struct chan_node *receiver = chan_node_of(waitq_claim(&c->receivers));
	if (receiver) {
		item_copy(receiver->item, item, c->item_size);
		receiver->result = 0;
		*peer = receiver;
		return 0;
	}
	if (c->count == c->capacity)
		return CHAN_WAIT;
	item_copy(chan_place(c, c->count), item, c->item_size);
	store_relaxed(&c->count, c->count + 1); /* pairs with chan_ready */
	return 0;
}

/* The same for receiving. -EPIPE leaves *item alone: chan_zero is the caller's job. */
static always_inline int chan_try_recv(struct weft_chan *c, void *item, struct chan_node **peer)
{
	struct chan_node *sender = chan_node_of(waitq_claim(&c->senders));
	if (c->count) {
		void *oldest = chan_place(c, 0);
		item_copy(item, oldest, c->item_size);
		chan_advance(c);
		if (!sender) {
			store_relaxed(&c->count, c->count - 1); /* pairs with chan_ready */
			return 0;
		}
		item_copy(oldest, sender->item,
			  c->item_size); /* it was full: the oldest's place is the newest's */
	} else if (sender) {
		item_copy(item, sender->item, c->item_size);
	} else {
		return c->closed ? -EPIPE : CHAN_WAIT;
	}
	sender->result = 0;
	*peer = sender;
	return 0;
}

static always_inline int chan_try(struct weft_chan *c, int op, void *item, struct chan_node **peer)
{
	return op == WEFT_CHAN_SEND ? chan_try_send(c, item, peer) : chan_try_recv(c, item, peer);
}

static always_inline struct waitq *chan_queue(struct weft_chan *c, int op)
{
	return op == WEFT_CHAN_SEND ? &c->senders : &c->receivers;
}

static always_inline void chan_zero(const struct weft_chan *c, void *item)
{
	if (item && c->item_size)
		memset(item, 0, c->item_size);
}

/*
 * Looks without the lock. False: there was a moment during this call when the operation would have
 * had to wait. True: it is worth a try. A closed channel stays closed and is never "not ready"
 * again; so for sending, open is read before full, and for receiving empty before open: in both
 * cases there was a moment when both were true.
 */
static always_inline bool chan_ready(const struct weft_chan *c, int op)
{
	if (op == WEFT_CHAN_SEND) {
		if (load_acquire(&c->closed)) /* pairs with chan.c:weft_chan_close */
			return true;
		/* pairs with chan_try_recv */
		return c->capacity ? load_acquire(&c->count) < c->capacity
				   : !waitq_empty(&c->receivers);
	}
	/* pairs with chan_try_send, chan.c:await */
	if (c->capacity ? load_acquire(&c->count) : load_acquire(&c->senders.first) != NULL)
		return true;
	return load_acquire(&c->closed); /* pairs with chan.c:weft_chan_close */
}

/*
 * Sends if that is possible at once, from within the runtime (timers, signals); tasks to wake are
 * added to `ready`. 0, -EPIPE or -EAGAIN.
 */
int weft__chan_offer(struct weft_chan *c, const void *item, struct list *ready);

#endif
