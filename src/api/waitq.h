/* SPDX-License-Identifier: MIT */
/*
 * waitq.h: the waits for an object, first come first served. All-zero is empty.
 *
 * The object's lock guards the queue. A node lies on the stack of the waiting call. A waker takes a
 * node out by waitq_claim: it is claimed from then on (park.h), so its owner cannot continue before
 * the waker has published, and the waker may read and write the node until then, with or without
 * the lock. Nodes whose wait is just ending by deadline or cancel cannot be claimed; waitq_claim
 * drops them from the queue. A waiting caller calls waitq_remove under the lock when no waker has
 * taken it out of the queue.
 *
 * `first` is also read without the lock, to see that nobody waits.
 *
 * Debug builds check each node from both sides, as base/list.h does.
 */
#ifndef WEFT_API_WAITQ_H
#define WEFT_API_WAITQ_H

#include <stdbool.h>
#include <stddef.h>

#include "base/lock.h"
#include "sched/park.h"

struct waitq_node {
	struct waitq_node *next, *prev;
	struct waiter *waiter;
	bool queued;
};

struct waitq {
	struct waitq_node *first, *last;
};

/* A mutex, a semaphore and a wait group, each in the room of its public struct: a word that is
 * changed by CAS, and the queue of those that wait for it. */
struct waited_word {
	uint64_t word;
	struct waitq waiting; /* [lock] */
	struct lock lock;     /* rank SYNC */
	uint32_t spare;
};

static inline bool waitq_empty(const struct waitq *q)
{
	return load_relaxed(&q->first) == NULL;
}

/* A node that is queued is where its neighbours, or the queue's ends, say. */
static inline void waitq_check(const struct waitq *q, const struct waitq_node *node)
{
	require(node->queued && (node->next ? node->next->prev : q->last) == node &&
			(node->prev ? node->prev->next : q->first) == node,
		"a wait is not where its neighbours in the queue say");
}

/* Puts it between two neighbours; NULL: there is none, it becomes the first or the last. */
static inline void waitq_insert(struct waitq *q, struct waitq_node *prev, struct waitq_node *node,
				struct waitq_node *next)
{
	node->queued = true;
	node->prev = prev;
	node->next = next;
	if (prev)
		prev->next = node;
	else
		store_relaxed(&q->first, node);
	if (next)
		next->prev = node;
	else
		q->last = node;
	debug_run(waitq_check(q, node));
}

static inline void waitq_push_tail(struct waitq *q, struct waitq_node *node)
{
	debug_check(!q->last || !q->last->next);
	waitq_insert(q, q->last, node, NULL);
}

static inline void waitq_push_head(struct waitq *q, struct waitq_node *node)
{
	debug_check(!q->first || !q->first->prev);
	waitq_insert(q, NULL, node, q->first);
}

/* Does nothing to a node that is out already. */
static inline void waitq_remove(struct waitq *q, struct waitq_node *node)
{
	if (!node->queued)
		return;
	debug_run(waitq_check(q, node));
	node->queued = false;
	if (node->next)
		node->next->prev = node->prev;
	else
		q->last = node->prev;
	if (node->prev)
		node->prev->next = node->next;
	else
		store_relaxed(&q->first, node->next);
}

/* The first node whose wait could be claimed, taken out; NULL: nobody waits. */
static inline struct waitq_node *waitq_claim(struct waitq *q)
{
	struct waitq_node *node;
	while ((node = q->first)) {
		waitq_remove(q, node);
		if (likely(wait_claim(node->waiter)))
			return node;
	}
	return NULL;
}

#endif
