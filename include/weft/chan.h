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

struct weft_group;
struct weft_sem;
struct weft_task;

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

/* What a case of weft_select waits for. 0 in `op` leaves the case out. */
enum {
	WEFT_CHAN_SEND = 1, /* `chan` takes *item */
	WEFT_CHAN_RECV = 2, /* `chan` has an item, for *item */
	WEFT_READY = 3,	    /* `ready`: poll(2) reports an event of a descriptor. Since 0.2 */
	WEFT_JOIN = 4,	    /* `task` has ended. Since 0.2 */
	WEFT_GROUP = 5,	    /* `group`: all members have ended. Since 0.2 */
	WEFT_SEM = 6,	    /* `sem`: one unit, which is taken. Since 0.2 */
};

/* A descriptor and events of poll(2). Since 0.2. */
struct weft_ready {
	int fd;
	short events;
	short zero; /* 0 */
};

/*
 * One case of weft_select. The caller owns it and what `item` points to until the call returns.
 * The inline functions below make them.
 */
struct weft_case {
	int op; /* WEFT_CHAN_SEND, ..., or 0: never ready */
	/*
	 * Of the case that ran: 0; channels: -EPIPE as it is closed; WEFT_READY: what poll(2)
	 * gives, or -errno.
	 */
	int result;
	union {
		struct weft_chan *chan; /* NULL: never ready */
		struct weft_task *task;
		struct weft_group *group;
		struct weft_sem *sem;
		struct weft_ready ready;
	};
	/*
	 * Channels: as for weft_chan_send and weft_chan_recv. WEFT_JOIN, WEFT_GROUP: the result, an
	 * int, or NULL.
	 */
	void *item;
};

/*
 * Runs exactly one ready case and returns its index, or waits until one is ready; fair among those
 * that are. Two cases may name one channel, send and receive included: they may meet.
 *
 * WEFT_READY takes nothing: a read that follows may find that another task was faster. When
 * WEFT_JOIN or WEFT_GROUP runs, the handle or group is freed and `op` becomes 0, so that a loop may
 * go on with the array; in the other cases of the array they stay the caller's. A select that is
 * cancelled leaves a group as it is.
 *
 * Errors, no case ran: -EAGAIN, -ETIMEDOUT, -ECANCELED; -EINVAL unknown op, cases NULL with a
 * count, a task or group that stands there twice, the calling task itself, a NULL task, group or
 * semaphore, and while no runtime runs all but channels and semaphores; -ESHUTDOWN the runtime has
 * ended (such cases, in a thread that is not its own); -E2BIG `zero` is not 0; -ENOMEM.
 */
WEFT_MUST_CHECK int weft_select(struct weft_case *cases, unsigned count, int64_t deadline);

/* Cases for weft_select. Since 0.2. */
static inline struct weft_case weft_on_recv(struct weft_chan *chan, void *item)
{
	struct weft_case made;
	made.op = WEFT_CHAN_RECV;
	made.result = 0;
	made.chan = chan;
	made.item = item;
	return made;
}

static inline struct weft_case weft_on_send(struct weft_chan *chan, const void *item)
{
	struct weft_case made = weft_on_recv(chan, (void *)item);
	made.op = WEFT_CHAN_SEND;
	return made;
}

static inline struct weft_case weft_on_ready(int fd, short events)
{
	struct weft_case made = weft_on_recv(0, 0);
	made.op = WEFT_READY;
	made.ready.fd = fd;
	made.ready.events = events;
	made.ready.zero = 0;
	return made;
}

static inline struct weft_case weft_on_join(struct weft_task *task, int *result)
{
	struct weft_case made = weft_on_recv(0, result);
	made.op = WEFT_JOIN;
	made.task = task;
	return made;
}

static inline struct weft_case weft_on_group(struct weft_group *group, int *result)
{
	struct weft_case made = weft_on_recv(0, result);
	made.op = WEFT_GROUP;
	made.group = group;
	return made;
}

static inline struct weft_case weft_on_sem(struct weft_sem *sem)
{
	struct weft_case made = weft_on_recv(0, 0);
	made.op = WEFT_SEM;
	made.sem = sem;
	return made;
}

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
