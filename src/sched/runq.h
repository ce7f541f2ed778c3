/* SPDX-License-Identifier: MIT */
/*
 * runq.h: a processor's two queues of runnable tasks.
 *
 *   runq    tasks that have run before, first in, first out: fairness
 *   deque   tasks that have never run, newest first: a tree of spawns is then walked depth first,
 *           and the stacks that it touches are as many as it is deep, not as many as it has leaves
 *
 * Thieves take the oldest, and what has waited for long becomes a woken task (elder.c).
 *
 *   queue  field    written by          order
 *   runq   tail     owner               store_release; pairs with the thieves' load_acquire
 *          head     owner and thieves   cas_acq_rel: whoever moves it owns what was between
 *   deque  bottom   owner               store_release; pairs with the thieves' load_acquire
 *          top      owner and thieves   cas_seq_cst, and a fence_seq_cst on both sides: in pop
 *                                       between the store of bottom and the load of top, in steal
 *                                       between the loads of top and bottom; for the last task one
 *                                       of the two sees the other
 *
 * A slot is read before the CAS that claims it; the owner reuses a slot only after head (top) has
 * passed it, so a value read too late is dropped with the failed CAS.
 *
 * The ring is what Go's runtime uses for its local queues, the deque is Chase and Lev's ("Dynamic
 * circular work-stealing deque", 2005) with the orders of Le, Pop, Cohen and Nardelli (2013) and a
 * fixed size: what does not fit goes to the global queues. Rejected: one ring for both (never-run
 * tasks ahead of woken ones made a ticking task late by 195 ms), growing arrays (freeing one needs
 * a grace period).
 */
#ifndef WEFT_SCHED_RUNQ_H
#define WEFT_SCHED_RUNQ_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/attr.h"

struct task;

enum {
	RUNQ_SIZE = 256,
	DEQUE_SIZE = 1024
}; /* powers of two; one batch of spawns fits into the latter */

struct runq {
	uint32_t head cache_aligned;
	uint32_t tail cache_aligned;
	struct task *ring[RUNQ_SIZE];
};

struct deque {
	uint32_t top cache_aligned;
	uint32_t bottom cache_aligned;
	struct task *ring[DEQUE_SIZE];
};

/* The number of tasks, roughly: exact for the owner while no thief is active. */
static inline uint32_t runq_length(const struct runq *q)
{
	return load_relaxed(&q->tail) - load_relaxed(&q->head);
}

/* How many more it holds; for its owner, who alone adds to it. */
static inline uint32_t runq_room(const struct runq *q)
{
	return RUNQ_SIZE - min_of(runq_length(q), RUNQ_SIZE);
}

static inline uint32_t deque_length(const struct deque *d)
{
	int32_t n = (int32_t)(load_relaxed(&d->bottom) - load_relaxed(&d->top));
	return n > 0 ? (uint32_t)n : 0;
}

/* Owner: adds at the tail. False: full. */
static inline bool runq_push(struct runq *q, struct task *task)
{
	uint32_t tail = load_relaxed(&q->tail);
	/* pairs with runq_pop, runq.c:weft__runq_steal */
	if (unlikely(tail - load_acquire(&q->head) >= RUNQ_SIZE))
		return false;
	store_relaxed(&q->ring[tail % RUNQ_SIZE], task);
	/* pairs with runq.c:weft__runq_steal */
	store_release(&q->tail, tail + 1);
	return true;
}

/* Owner: takes from the head. NULL: empty. */
static inline struct task *runq_pop(struct runq *q)
{
	uint32_t head = load_relaxed(&q->head);
	uint32_t tail = load_relaxed(&q->tail);
	while (head != tail) {
		struct task *task = load_relaxed(&q->ring[head % RUNQ_SIZE]);
		/* pairs with runq_push, runq.c:weft__runq_steal */
		if (likely(cas_acq_rel(&q->head, &head, head + 1)))
			return task;
	}
	return NULL;
}

/* Owner, where there are no thieves because there is no other processor: no atomic instruction. */
static inline struct task *runq_pop_alone(struct runq *q)
{
	uint32_t head = load_relaxed(&q->head);
	if (head == load_relaxed(&q->tail))
		return NULL;
	store_relaxed(&q->head, head + 1);
	return load_relaxed(&q->ring[head % RUNQ_SIZE]);
}

/* Owner: the task `ahead` places behind the one that would be taken now; a thief may take it at any
 * moment. NULL: none. */
static inline const struct task *runq_peek(const struct runq *q, uint32_t ahead)
{
	uint32_t i = load_relaxed(&q->head) + ahead;
	return (int32_t)(load_relaxed(&q->tail) - i) > 0 ? load_relaxed(&q->ring[i % RUNQ_SIZE])
							 : NULL;
}

/*
 * Anyone: takes up to `room` from the head, at most half (rounded up), into `out`. Returns how
 * many; 0 also when another thief was faster.
 */
unsigned weft__runq_steal(struct runq *q, struct task **out, unsigned room);

/* Owner: adds the newest. False: full. */
static inline bool deque_push(struct deque *d, struct task *task)
{
	uint32_t bottom = load_relaxed(&d->bottom);
	/* pairs with runq.c:weft__deque_steal */
	if (unlikely((int32_t)(bottom - load_acquire(&d->top)) >= DEQUE_SIZE))
		return false;
	store_relaxed(&d->ring[bottom % DEQUE_SIZE], task);
	/* pairs with runq.c:weft__deque_steal */
	store_release(&d->bottom, bottom + 1);
	return true;
}

/* Owner: takes the newest. NULL: empty. */
static inline struct task *deque_pop(struct deque *d)
{
	uint32_t bottom = load_relaxed(&d->bottom);
	if (bottom == load_relaxed(&d->top)) /* only the owner adds: empty stays empty */
		return NULL;
	bottom--;
	store_relaxed(&d->bottom, bottom);
	/* pairs with runq.c:weft__deque_steal */
	fence_seq_cst();
	uint32_t top = load_relaxed(&d->top);
	struct task *task = NULL;
	if ((int32_t)(bottom - top) > 0)
		return load_relaxed(&d->ring[bottom % DEQUE_SIZE]);
	if (bottom == top) { /* the last one: a thief may want it too */
		task = load_relaxed(&d->ring[bottom % DEQUE_SIZE]);
		/* pairs with runq.c:weft__deque_steal */
		if (!cas_seq_cst(&d->top, &top, top + 1))
			task = NULL;
	}
	store_relaxed(&d->bottom, bottom + 1);
	return task;
}

/* Anyone: the oldest; it may be taken any moment. NULL: none. */
static inline const struct task *deque_oldest(const struct deque *d)
{
	return deque_length(d) ? load_relaxed(&d->ring[load_relaxed(&d->top) % DEQUE_SIZE]) : NULL;
}

/* Owner, where there are no thieves. */
static inline struct task *deque_pop_alone(struct deque *d)
{
	uint32_t bottom = load_relaxed(&d->bottom);
	if (bottom == load_relaxed(&d->top))
		return NULL;
	store_relaxed(&d->bottom, bottom - 1);
	return load_relaxed(&d->ring[(bottom - 1) % DEQUE_SIZE]);
}

/* Anyone, the owner included: takes the oldest. NULL: empty, or another was faster. */
struct task *weft__deque_steal(struct deque *d);

#endif
