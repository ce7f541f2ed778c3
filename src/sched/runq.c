/* SPDX-License-Identifier: MIT */
/* runq.c: the thieves' half of runq.h, where the protocol is written down. */
#include "sched/runq.h"

unsigned weft__runq_steal(struct runq *q, struct task **out, unsigned room)
{
	/* pairs with weft__runq_steal, runq.h:runq_pop */
	uint32_t head = load_acquire(&q->head);
	/* pairs with runq.h:runq_push */
	uint32_t n = load_acquire(&q->tail) - head;
	if (n > RUNQ_SIZE) /* head moved between the two loads */
		return 0;
	n = min_of(n - n / 2, room);
	for (uint32_t i = 0; i < n; i++)
		out[i] = load_relaxed(&q->ring[(head + i) % RUNQ_SIZE]);
	/* pairs with weft__runq_steal, runq.h:runq_push, runq.h:runq_pop, check.h:place_check */
	if (n == 0 || !cas_acq_rel(&q->head, &head, head + n))
		return 0;
	return n;
}

struct task *weft__deque_steal(struct deque *d)
{
	/* pairs with weft__deque_steal, runq.h:deque_pop */
	uint32_t top = load_acquire(&d->top);
	/* pairs with runq.h:deque_pop */
	fence_seq_cst();
	/* pairs with runq.h:deque_push */
	uint32_t bottom = load_acquire(&d->bottom);
	if ((int32_t)(bottom - top) <= 0)
		return NULL;
	struct task *task = load_relaxed(&d->ring[top % DEQUE_SIZE]);
	/* pairs with weft__deque_steal, runq.h:deque_push, runq.h:deque_pop,
	 * check.h:place_check */
	return cas_seq_cst(&d->top, &top, top + 1) ? task : NULL;
}
