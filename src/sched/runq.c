/* SPDX-License-Identifier: MIT */
/* runq.c: the thieves' half of runq.h, where the protocol is written down. */
#include "sched/runq.h"

unsigned weft__runq_steal(struct runq *q, struct task **out, unsigned room)
{
	uint32_t head = load_acquire(&q->head);	    /* pairs with the CAS of other thieves */
	uint32_t n = load_acquire(&q->tail) - head; /* pairs with push */
	if (n > RUNQ_SIZE)			    /* head moved between the two loads */
		return 0;
	n = min_of(n - n / 2, room);
	for (uint32_t i = 0; i < n; i++)
		out[i] = load_relaxed(&q->ring[(head + i) % RUNQ_SIZE]);
	if (n == 0 || !cas_acq_rel(&q->head, &head, head + n)) /* against pop and other thieves */
		return 0;
	return n;
}

struct task *weft__deque_steal(struct deque *d)
{
	uint32_t top = load_acquire(&d->top);
	fence_seq_cst();			    /* pairs with the fence in pop */
	uint32_t bottom = load_acquire(&d->bottom); /* pairs with push */
	if ((int32_t)(bottom - top) <= 0)
		return NULL;
	struct task *task = load_relaxed(&d->ring[top % DEQUE_SIZE]);
	return cas_seq_cst(&d->top, &top, top + 1) ? task
						   : NULL; /* against pop and other thieves */
}
