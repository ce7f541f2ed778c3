/* SPDX-License-Identifier: MIT */
/*
 * descriptor.h: who waits on which descriptor, and who may close it.
 *
 * One record per descriptor number, in a table that only grows. Two kinds of descriptors:
 *
 *   own       opened by weft: registered with the poller once, edge triggered, for its life, and
 *             closed with weft_close
 *   borrowed  all others: armed for one event, level triggered, each time somebody waits; so a
 *             plain close() by a library, and the number's reuse, leave nothing wrong behind
 *
 * Tokens. A token for IN (OUT, ...) says: a try to read (write, ...) may succeed. It lies in
 * `ready`, or a task that tries has it. An event makes one and hands it to the first task that
 * waits, else leaves it in `ready`. Who has tried gives it on, unless the try has shown that there
 * is nothing more: then the next event makes a new one. So on an own descriptor no token means that
 * a try is useless, each event wakes one task however many wait, and none is forgotten. On borrowed
 * descriptors everybody may try; tokens only pass the turn on.
 *
 *   word       who writes it                                      order
 *   users      each call: +1 before it touches the descriptor,    acq_rel: what users did is over
 *              -1 after; CLOSING by weft_close                    when the closer sees it
 *   ready      events, takers and givers, atomically              give stores it, then looks at the
 *                                                                 queue; who waits queues, then
 *                                                                 looks at it: seq_cst both
 *   the rest   under the record's lock
 *
 * Closing: CLOSING turns new calls away, whoever waits is woken with -EBADF, calls under way end, and
 * only then the number is given back to the system, under `closing`, which keeps a call or an
 * adoption that meets the number's next life waiting until this one is over. Plain blocking calls
 * are not counted as users: nobody can end them.
 *
 * Rejected: generation numbers (a call under way would still read a stranger's bytes), waking
 * everybody for each event (a thundering herd for a listener with many acceptors).
 */
#ifndef WEFT_SCHED_DESCRIPTOR_H
#define WEFT_SCHED_DESCRIPTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/atomic.h"
#include "base/attr.h"
#include "base/list.h"
#include "base/lock.h"

enum { DESCRIPTOR_CLOSING = 1u << 31 };

/* Tokens are poll's bits, and one more: the last call under way has ended. */
enum { TOKEN_UNUSED = 1u << 16 };

enum descriptor_flags {
	DESCRIPTOR_OWN = 1,
	DESCRIPTOR_TCP = 2,    /* own, a TCP stream: a short read has taken all there was */
	DESCRIPTOR_UNSURE = 4, /* an end, an error or urgent data: a short read says nothing */
	DESCRIPTOR_KNOWN = 8,  /* the poller has seen this number; it may have forgotten it */
	DESCRIPTOR_OTHER = 16, /* was no socket when last tried: a hint */
};

struct descriptor {
	uint32_t users;	     /* calls under way, and CLOSING [any] */
	uint32_t ready;	     /* tokens [any] */
	uint32_t flags;	     /* enum descriptor_flags [any, atomically] */
	uint32_t accept;     /* api/socket.c: one accept at a time [any] */
	struct list waiting; /* struct wait_node [lock] */
	struct lock lock;    /* rank NETPOLL */
	struct lock closing; /* rank IO */
} cache_aligned;

/* The record of a number; NULL: no memory for it, or a negative number. */
struct descriptor *weft__descriptor(int fd);
/* Frees the table. Nobody waits. */
void weft__descriptor_shutdown(void);

/* Makes `fd`, just opened by weft, an own descriptor. 0 or -errno. */
int weft__descriptor_adopt(int fd, uint32_t flags);

bool weft__descriptor_enter_slow(struct descriptor *d);
void weft__descriptor_leave_slow(struct descriptor *d);

/* The beginning of a call on a descriptor. False: it is being closed. */
static inline bool descriptor_enter(struct descriptor *d)
{
	if (likely(!(add_acq_rel(&d->users, 1) & DESCRIPTOR_CLOSING)))
		return true;
	return weft__descriptor_enter_slow(d);
}

static inline void descriptor_leave(struct descriptor *d)
{
	if (unlikely(sub_acq_rel(&d->users, 1) & DESCRIPTOR_CLOSING)) /* pairs with the closer */
		weft__descriptor_leave_slow(d);
}

static inline bool descriptor_is(const struct descriptor *d, uint32_t flag)
{
	return load_relaxed(&d->flags) & flag;
}

/* Takes the tokens that there are. False: none; on an own descriptor a try is useless then. */
static inline bool descriptor_take(struct descriptor *d, uint32_t tokens)
{
	if (!(load_relaxed(&d->ready) & tokens))
		return false;
	return __atomic_fetch_and(&d->ready, ~tokens, __ATOMIC_SEQ_CST) & tokens;
}

/* Gives tokens on: to a task that waits, else to whoever comes. Outside of the runtime. */
void weft__descriptor_give(struct descriptor *d, uint32_t tokens);

/*
 * Waits until a token comes, and takes it: 0. Tasks only, outside of the runtime, between enter and
 * leave. -EAGAIN, -ETIMEDOUT, -ECANCELED; -EBADF: weft_close; -EPERM: cannot be polled, it is always
 * ready; or what else the poller says.
 */
int weft__descriptor_wait(int fd, struct descriptor *d, uint32_t tokens, const char *why,
			  int64_t deadline);

/* Closes as said above. Tasks only, outside of the runtime. 0 or -errno. */
int weft__descriptor_close(int fd, struct descriptor *d);

/* An event of the poller's: tasks that may go on are added to `woken`. */
void weft__descriptor_event(int fd, uint32_t events, struct list *woken);

#endif
