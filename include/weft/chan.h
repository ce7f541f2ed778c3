/* SPDX-License-Identifier: MIT */
/*
 * weft/chan.h: channels, and select over several of them. Since 0.1.
 *
 * A channel carries items of one size, first in, first out. With capacity 0 a send meets a receive;
 * otherwise up to `capacity` items wait inside. Items are copied in and out; the channel never owns
 * what a pointer in an item points to.
 *
 * Any thread may use channels while the runtime runs (a thread that is not the runtime's blocks in
 * the kernel where a task would wait), and may make them before. Sends and receives by tasks are
 * cancellable. The order is the same in every call: what is ready is delivered, then -ECANCELED,
 * then -EAGAIN (weft/task.h).
 */
#ifndef WEFT_CHAN_H
#define WEFT_CHAN_H

#include <stddef.h>
#include <stdint.h>

#include "weft/attr.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* References are counted: weft_chan_new returns the first, the last weft_chan_unref frees. */
struct weft_chan;

/*
 * Returns a channel for items of `item_size` bytes, 0 for a pure signal. The caller holds one
 * reference. NULL: no memory, or sizes whose product does not fit.
 */
WEFT_MALLOC struct weft_chan *weft_chan_new(size_t item_size, size_t capacity);

/* Takes one more reference and returns `chan`. NULL stays NULL. */
struct weft_chan *weft_chan_ref(struct weft_chan *chan);
/*
 * Drops one reference; the last frees the channel and what waits in it. Nobody may be waiting then.
 * NULL: nothing.
 */
void weft_chan_unref(struct weft_chan *chan);

/*
 * Sends a copy of the item. Returns 0 when a receiver has it, or it is in the buffer. `item` may be
 * NULL when the item size is 0. Errors: -EPIPE the channel is closed (the item was not sent);
 * -EAGAIN, -ETIMEDOUT, -ECANCELED nothing was sent. A NULL channel is never ready: the call waits
 * for its deadline alone.
 */
WEFT_MUST_CHECK int weft_chan_send(struct weft_chan *chan, const void *item, int64_t deadline);

/*
 * Receives into `item`, which may be NULL to drop it. Returns 0 when an item came. Errors: -EPIPE
 * the channel is closed and empty (*item is zeroed); -EAGAIN, -ETIMEDOUT, -ECANCELED nothing was
 * received and *item is unchanged. NULL channel: as in weft_chan_send.
 */
WEFT_MUST_CHECK int weft_chan_recv(struct weft_chan *chan, void *item, int64_t deadline);

/*
 * Closes: every waiting and later send returns -EPIPE; receives take what is inside and then return
 * -EPIPE. Not cancellable. Errors: -EPIPE closed already; -EINVAL the channel is NULL.
 */
int weft_chan_close(struct weft_chan *chan);

/* Returns the number of items inside at this moment; 0 for NULL. */
size_t weft_chan_len(const struct weft_chan *chan);
/* Returns the capacity that weft_chan_new was told; 0 for NULL. */
size_t weft_chan_cap(const struct weft_chan *chan);

/* What a case of weft_select does. 0 in `op` leaves the case out. */
enum {
	WEFT_CHAN_SEND = 1,
	WEFT_CHAN_RECV = 2,
};

/* One case of weft_select. The caller owns it and what `item` points to until the call returns. */
struct weft_case {
	int op;			/* WEFT_CHAN_SEND, WEFT_CHAN_RECV, or 0: never ready */
	int result;		/* of the case that ran: 0, or -EPIPE as the channel is closed */
	struct weft_chan *chan; /* NULL: never ready */
	void *item;		/* as for weft_chan_send and weft_chan_recv */
};

/*
 * Runs exactly one ready case and returns its index, or waits until one is ready; fair among those
 * that are. Two cases may name one channel, send and receive included: they may meet. Errors, no
 * case ran: -EAGAIN, -ETIMEDOUT, -ECANCELED; -EINVAL unknown op, or cases NULL with a count;
 * -ENOMEM.
 */
WEFT_MUST_CHECK int weft_select(struct weft_case *cases, unsigned count, int64_t deadline);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
