/* SPDX-License-Identifier: MIT */
/*
 * select.h: what the two files of a select share: select.c has the channels, select_other.c the
 * rest.
 */
#ifndef WEFT_API_SELECT_H
#define WEFT_API_SELECT_H

#include "api/call.h"
#include "api/chan.h"
#include "api/sem.h"
#include "sched/descriptor.h"

struct select_node {
	union {
		struct chan_node chan;
		struct wish wish;
		struct wait_node fd;
	};
	struct descriptor *d; /* of a descriptor that this select is a user of, or NULL */
	uint32_t tokens;      /* that it took there, to be given on */
	uint32_t hit;	      /* how its descriptor ended the wait; 0: it did not */
	bool queued;	      /* not for channels */
};

struct selection {
	struct weft_case *cases;
	struct select_node *nodes; /* of the cases, by index */
	/* Indices: first the `live` cases of channels, from step 2 on by address of the channel;
	 * from the end of the array on down the `others`. */
	uint32_t *order;
	uint32_t count, live, others;
	bool inside; /* the caller is not a task, and inside the runtime for these cases */
};

/* The index of the i-th case that is not of a channel. */
static inline uint32_t select_other(const struct selection *s, uint32_t i)
{
	return s->order[s->count - 1 - i];
}

/* Inside: a descriptor was no longer ready, and nothing ran: begin anew. */
enum { SELECT_AGAIN = -ERESTART };

/* May such a case be waited for? 0, -EINVAL, -E2BIG, or what weft__runtime_state does. The first
 * that needs the runtime brings a caller inside that is not a task. */
int weft__select_check(struct selection *s, const struct weft_case *k);
/* Is it worth a try? */
bool weft__select_ready(const struct weft_case *k);
/* True: it was ready and ran. */
bool weft__select_try(struct thread *t, struct weft_case *k);
/* Queues all others with `w`; one that is ready by now ends the wait and runs. Returns its index,
 * or -1. */
int weft__select_queue(const struct selection *s, struct thread *t, struct waiter *w);
/* Does a descriptor stand in its queue? */
bool weft__select_polls(const struct selection *s);
/* Takes them out again. Returns the index of the case that ran, -1: none of them. `may_run`: the
 * wait was ended by a waker, and no other case has run. */
int weft__select_unqueue(const struct selection *s, struct thread *t, struct waiter *w,
			 bool may_run);
/* Outside of the runtime, at the end: lets go of the descriptors. */
void weft__select_leave(const struct selection *s);

#endif
