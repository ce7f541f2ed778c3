/* SPDX-License-Identifier: MIT */
/*
 * group.h: the inside of a group, for group.c, for cancellation on its way down (cancel.c) and for
 * select.c.
 */
#ifndef WEFT_API_GROUP_H
#define WEFT_API_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "api/waitq.h"
#include "base/list.h"
#include "base/lock.h"
#include "sched/sched.h"
#include "weft/group.h"

struct weft_group {
	struct lock lock;   /* rank GROUP */
	uint32_t cancelled; /* sticky; who turns it visits the group: cancel.c [any] */
	uint32_t refs;	    /* of who waits for it, and of a visit to come [any] */
	bool apart;	    /* made under a mask: its maker's cancellation leaves it out; fixed */
	bool by_maker;	    /* a cancelled maker took it along; written by who turns `cancelled` */
	struct task *maker; /* NULL: made outside of tasks; fixed */
	struct weft_group *next, **at; /* among the groups that its maker has made [maker->made] */
	struct weft_group *below;      /* the next to be visited [the visit] */
	struct list members;	       /* struct member [lock] */
	struct waiter *waiter;	       /* of weft_group_wait, NULL: nobody waits [lock] */
	struct waitq starters;	       /* wait for a place [lock] */
	uint32_t places;	       /* that are taken, if `limit` is set [lock] */
	uint32_t limit;		       /* members at once; 0: any number; fixed */
	int result;		       /* the first that was not zero [lock] */
	int cut;	   /* why members were cancelled by their maker's waiting, or 0 [lock] */
	int64_t until;	   /* the limit that members inherit; fixed */
	size_t stack_size; /* theirs, 0: the default; fixed */
	char name[32];	   /* theirs, "": none; fixed */
};

struct member {
	struct list link; /* in group->members [its lock] */
	struct weft_group *group;
	struct task *task;
};

/* All have ended, and nobody is about to start one. [lock] */
static inline bool group_ended(const struct weft_group *g)
{
	return list_empty(&g->members) && !g->places;
}

static inline void group_ref(struct weft_group *g)
{
	add_relaxed(&g->refs, 1);
}

/*
 * A wait for all members in parts: is the caller allowed to; shows the waiter to the last one
 * (false: all have ended); takes the waiter back (false: all have ended); have all ended?; takes
 * the result and lets the group go.
 */
void weft__group_require_maker(const struct thread *t, const struct weft_group *g);
bool weft__group_queue(struct weft_group *g, struct waiter *w);
bool weft__group_unqueue(struct weft_group *g);
bool weft__group_ended(struct weft_group *g);
int weft__group_retire(struct thread *t, struct weft_group *g);

/* The last one frees it. */
void weft__group_unref(struct thread *t, struct weft_group *g);

#endif
