/* SPDX-License-Identifier: MIT */
/*
 * descriptor.h: which tasks wait on which descriptor, and how a descriptor is closed.
 *
 * One record per descriptor number, in a table that only grows. Two kinds of descriptors:
 *
 *   own       opened by weft: registered with the poller once, edge triggered, for its life, and
 *             closed with weft_close
 *   borrowed  all others: armed for one event, level triggered, each time somebody waits
 *
 * Tokens. A token for IN (OUT, ...) says: a try to read (write, ...) may succeed. It lies in
 * `word`, or a task that tries has it. An event makes a token and gives it to the first task that
 * waits, or else leaves it in `word`. A task that has tried passes it on, unless the try has shown
 * that there is nothing more: then the next event makes a new one. So on an own descriptor no token
 * means that a try is useless, each event wakes one task however many wait, and no event is
 * forgotten. On borrowed descriptors everybody may try; tokens only pass the turn on. A task that
 * passes a token on as it leaves looks for waiters when it is no longer a user, perhaps after a
 * close: it may leave a token to the number's next life, where a try with it finds nothing.
 *
 * One word says both who is inside and which tokens lie there, so that a call takes its token as it
 * enters, and gives it back as it leaves:
 *
 *   word      who writes it                                     order
 *   tokens    events, takers and givers                         a giver writes it, then looks at
 *                                                               the queue; a waiter queues, then
 *                                                               looks at it: seq_cst both
 *   users     each call: +1 before it touches the descriptor,   what users did is over when the
 *             -1 after                                          closer sees it
 *   CLOSING   weft_close
 *   the rest of the record is guarded by its lock
 *
 * Closing: CLOSING turns new calls away, all waits end with -EBADF, calls under way end, and only
 * then the number goes back to the system. This happens under `closing`: a call, an adoption or a
 * close that meets the number's next life waits for this lock until the former life is over. Plain
 * blocking calls are not counted as users: nobody can end them.
 *
 * Lives. Anybody may close a number without weft (close, fclose, dup2), and the kernel gives it to
 * another file. The poller's registration ends with the file, and nobody is told; but it belongs to
 * file and number together, so asking the poller whether it knows the number (weft__netpoll_knows)
 * tells whether this is still the life that it registered. When it is not, the record is wiped:
 * waits end with -EBADF, and the number is borrowed from then on. The poller is asked
 *
 *   before a wait           that follows a try in vain, or joins others that wait
 *   during a wait           once, BELIEVED after it began, for all other waits: those that begin
 *                           without a try because a read had come short, as a server's connections
 *                           do all day
 *   before a token goes on  from one task to another that waits, perhaps since a former life
 *   by arming               a borrowed number: what is armed must be known
 *
 * A wait that has not been checked when its number is found in a new life counts as the new life's:
 * the call tries again. All other waits belong to the life that ended. So a task can meet a
 * stranger's bytes only when its number is closed and used again, by others than weft's calls,
 * within BELIEVED of the wait's beginning; or while something else (a dup, a child) keeps the
 * closed file open, and that file has an event.
 *
 * Rejected: asking before every wait (one system call each: a tenth of an echo's time),
 * intercepting close (misses static programs and raw system calls), comparing what fstat says (a
 * system call as well), generation numbers (a call under way would still read a stranger's bytes),
 * waking all tasks for each event (a thundering herd for a listener with many acceptors).
 */
#ifndef WEFT_SCHED_DESCRIPTOR_H
#define WEFT_SCHED_DESCRIPTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/atomic.h"
#include "base/attr.h"
#include "base/fatal.h"
#include "base/list.h"
#include "base/lock.h"
#include "sched/sched.h"

/* Tokens are poll's bits, and one more, which says that the last call under way has ended. */
enum { TOKEN_UNUSED = 1u << 16 };

/* Above the tokens: */
#define DESCRIPTOR_USER (UINT64_C(1) << 32)
#define DESCRIPTOR_CLOSING (UINT64_C(1) << 63)

enum descriptor_flags {
	DESCRIPTOR_OWN = 1,
	DESCRIPTOR_TCP = 2,    /* own, a TCP stream: a short read has taken all there was */
	DESCRIPTOR_UNSURE = 4, /* an end, an error or urgent data: a short read says nothing */
	DESCRIPTOR_KNOWN = 8,  /* the poller has seen this number; it may have forgotten it */
	DESCRIPTOR_OTHER = 16, /* was no socket when it was last tried: a hint */
};

/* One accept at a time per descriptor. */
enum accept_state {
	ACCEPT_FREE,
	ACCEPT_BUSY,	/* a task is in accept(2) */
	ACCEPT_AWAITED, /* the same, and others were turned away */
};

struct descriptor {
	uint64_t word;	     /* tokens, calls under way, CLOSING [any] */
	uint32_t flags;	     /* enum descriptor_flags [any, atomically] */
	uint32_t accept;     /* enum accept_state: api/socket.c [any] */
	struct list waiting; /* struct wait_node [lock] */
	struct lock lock;    /* rank NETPOLL */
	struct lock closing; /* rank IO */
} cache_aligned;

/* Region k of the table: FIRST << k records; never moved. The last one reaches beyond INT_MAX. */
enum { DESCRIPTOR_FIRST = 1024, DESCRIPTOR_REGIONS = 22 };
extern struct descriptor *weft__descriptors[DESCRIPTOR_REGIONS];

struct descriptor *weft__descriptor_far(int fd);

/* Why the number has no record: -EBADF, it is not open; or -ENOMEM. */
int weft__descriptor_missing(int fd);

/* Returns the record of a number. NULL: see weft__descriptor_missing. */
static inline struct descriptor *weft__descriptor(int fd)
{
	/* pairs with descriptor.c:region_map */
	struct descriptor *first = load_acquire(&weft__descriptors[0]);
	if (likely((unsigned)fd < DESCRIPTOR_FIRST) && likely(first))
		return &first[fd];
	return weft__descriptor_far(fd);
}

/* Frees the table. Nobody waits. */
void weft__descriptor_shutdown(void);

/* Makes `fd`, just opened by weft, an own descriptor. 0 or -errno. */
int weft__descriptor_adopt(int fd, uint32_t flags);

/* Waits until the close under way is over. False: another close has begun meanwhile. */
bool weft__descriptor_enter_slow(struct descriptor *d);
/* Gives tokens in the word to tasks that wait for them. Called outside of the runtime. */
void weft__descriptor_hand_out(struct descriptor *d, uint32_t tokens);

/*
 * The beginning of a call on a descriptor: takes those of `tokens` that are there. False: it is
 * being closed.
 */
static inline bool descriptor_enter(struct descriptor *d, uint32_t tokens, uint32_t *taken)
{
	uint64_t word = load_relaxed(&d->word);
	do {
		while (unlikely(word & DESCRIPTOR_CLOSING)) {
			if (!weft__descriptor_enter_slow(d))
				return false;
			word = load_relaxed(&d->word);
		}
		/* pairs with descriptor.c:hand_out, descriptor.c:weft__descriptor_give,
		 * descriptor.c:begin_close, descriptor.c:weft__descriptor_close */
	} while (!cas_seq_cst(&d->word, &word, (word & ~(uint64_t)tokens) + DESCRIPTOR_USER));
	*taken = (uint32_t)word & tokens;
	return true;
}

/* Does any task wait? Read without the lock. Fresh records are all zero: their lists are
 * initialised on first use. */
static inline bool descriptor_awaited(const struct descriptor *d)
{
	const struct list *first = load_relaxed(&d->waiting.next);
	return first && first != &d->waiting;
}

/* The caller is one of the users. */
static inline void users_check(uint64_t word)
{
	require((word & ~DESCRIPTOR_CLOSING) >= DESCRIPTOR_USER,
		"a call on a descriptor ends that never began");
}

/*
 * The end of a call that gives `tokens` on: to a task that waits, or else to the next one that
 * comes. Called outside of the runtime.
 */
static inline void descriptor_leave(struct descriptor *d, uint32_t tokens)
{
	uint64_t word = load_relaxed(&d->word);
	debug_run(users_check(word));
	do
		tokens |= word & DESCRIPTOR_CLOSING ? TOKEN_UNUSED : 0;
	/* pairs with descriptor.c:take_tokens, descriptor.c:await_token,
	 * descriptor.c:weft__descriptor_close */
	while (!cas_seq_cst(&d->word, &word, (word | tokens) - DESCRIPTOR_USER));
	if (unlikely(descriptor_awaited(d)) && tokens)
		weft__descriptor_hand_out(d, tokens);
}

static inline bool descriptor_is(const struct descriptor *d, uint32_t flag)
{
	return load_relaxed(&d->flags) & flag;
}

/* Gives tokens on during a call. Called outside of the runtime. */
void weft__descriptor_give(struct descriptor *d, uint32_t tokens);

/*
 * Waits until a token comes, and takes it: returns 0. Outside of the runtime, between enter and
 * leave. `tried`: after a try in vain. Returns 0 also when the number has a new life: try again.
 * Fails with -EAGAIN, -ETIMEDOUT, -ECANCELED, -ESHUTDOWN; -EBADF: weft_close; -EPERM: cannot be
 * polled, it is always ready; or with another error of the poller.
 */
int weft__descriptor_wait(int fd, struct descriptor *d, uint32_t tokens, const char *why,
			  int64_t deadline, bool tried);

/* Who waits; it lies on the stack of the call. */
struct wait_node {
	struct list link;
	struct waiter *waiter;
	uint32_t tokens; /* it waits for any of them */
	int fd;
	bool borrowed;	    /* it counts in the poller's interest */
	bool checked;	    /* the poller knew the number after the wait began [any, atomically] */
	uint32_t *hit;	    /* where to write how this node's wait was ended, or NULL [lock] */
	struct timer doubt; /* checks it later, when it is not */
};

/*
 * The same in two parts, for a wait for several things, inside of the runtime: puts the node, whose
 * waiter is announced, into the queue: 0. Returns 1 when a token was there, which the caller has
 * now; -errno as above. What was queued must be unqueued, after which *node->hit is fixed.
 */
int weft__descriptor_queue(struct thread *t, struct descriptor *d, struct wait_node *node);
void weft__descriptor_unqueue(struct descriptor *d, struct wait_node *node);

/* Closes as said above. Outside of the runtime. 0 or -errno. */
int weft__descriptor_close(int fd, struct descriptor *d);

/* An event from the poller: tasks that may continue are added to `woken`. */
void weft__descriptor_event(int fd, uint32_t events, struct list *woken);

#endif
