/* SPDX-License-Identifier: MIT */
/* timer.c: see timer.h. */
#include "sched/timer.h"

#include <errno.h>

#include "base/sys.h"
#include "sched/netpoll.h"
#include "sched/sched.h"

enum { ARITY = 4, FIRST_ROOM = 256 };

static void place(struct timer_heap *h, uint32_t i, struct timer_slot slot)
{
	h->slots[i] = slot;
	slot.timer->index = i + 1;
}

static void sift_up(struct timer_heap *h, uint32_t i, struct timer_slot slot)
{
	while (i > 0) {
		uint32_t parent = (i - 1) / ARITY;
		if (h->slots[parent].when <= slot.when)
			break;
		place(h, i, h->slots[parent]);
		i = parent;
	}
	place(h, i, slot);
}

static uint32_t earliest_child(const struct timer_heap *h, uint32_t i)
{
	uint32_t first = i * ARITY + 1;
	uint32_t end = min_of(first + ARITY, h->count);
	uint32_t best = first;
	for (uint32_t c = first + 1; c < end; c++)
		if (h->slots[c].when < h->slots[best].when)
			best = c;
	return best;
}

static void sift_down(struct timer_heap *h, uint32_t i, struct timer_slot slot)
{
	while (i * ARITY + 1 < h->count) {
		uint32_t child = earliest_child(h, i);
		if (h->slots[child].when >= slot.when)
			break;
		place(h, i, h->slots[child]);
		i = child;
	}
	place(h, i, slot);
}

static void publish_earliest(struct timer_heap *h)
{
	store_relaxed(&h->earliest, h->count ? h->slots[0].when : INT64_MAX);
}

static void heap_remove(struct timer_heap *h, uint32_t i)
{
	h->slots[i].timer->index = 0;
	struct timer_slot last = h->slots[--h->count];
	if (i == h->count)
		return;
	if (i > 0 && last.when < h->slots[(i - 1) / ARITY].when)
		sift_up(h, i, last);
	else
		sift_down(h, i, last);
}

static int heap_grow(struct timer_heap *h)
{
	size_t old = h->room * sizeof(*h->slots);
	size_t new = h->room ? 2 * old : FIRST_ROOM * sizeof(*h->slots);
	void *p = weft__remap(h->slots, old, new);
	if (!p)
		return -ENOMEM;
	h->slots = p;
	h->room = (uint32_t)(new / sizeof(*h->slots));
	return 0;
}

int weft__timer_start(struct thread *t, struct timer *timer)
{
	struct processor *p = t->processor;
	struct timer_heap *h = &p->timers;
	int err = 0;
	debug_check(proc_held(t) && timer->index == 0);
	timer->processor = p;
	lock_take(&h->lock, RANK_TIMER);
	if (h->count == h->room)
		err = heap_grow(h);
	if (!err) {
		struct timer_slot slot = {timer->when, timer};
		sift_up(h, h->count++, slot);
		publish_earliest(h);
	}
	lock_drop(&h->lock, RANK_TIMER);
	/* A thread that sleeps in the poller must not sleep past it. */
	if (!err && timer->when < load_relaxed(&sched.poll_until))
		weft__netpoll_kick();
	return err;
}

bool weft__timer_stop(struct timer *timer)
{
	struct timer_heap *h = &timer->processor->timers;
	bool live;
	lock_take(&h->lock, RANK_TIMER);
	live = timer->index != 0;
	if (live) {
		heap_remove(h, timer->index - 1);
		publish_earliest(h);
	}
	lock_drop(&h->lock, RANK_TIMER);
	return live;
}

void weft__timer_again(struct timer *timer)
{
	struct timer_heap *h = &timer->processor->timers;
	struct timer_slot slot = {timer->when, timer};
	sift_up(h, h->count++, slot); /* it was in until now: there is room */
}

unsigned weft__timer_run(struct processor *p, int64_t now, struct list *ready)
{
	struct timer_heap *h = &p->timers;
	unsigned fired = 0;
	if (load_relaxed(&h->earliest) > now)
		return 0;
	lock_take(&h->lock, RANK_TIMER);
	while (h->count && h->slots[0].when <= now) {
		struct timer *timer = h->slots[0].timer;
		heap_remove(h, 0);
		timer->fire(timer, ready);
		fired++;
	}
	publish_earliest(h);
	lock_drop(&h->lock, RANK_TIMER);
	return fired;
}

int64_t weft__timer_earliest(void)
{
	int64_t earliest = INT64_MAX;
	for (unsigned i = 0; i < sched.processor_count; i++)
		earliest = min_of(earliest, load_relaxed(&sched.processors[i].timers.earliest));
	return earliest;
}

void weft__timer_heap_free(struct processor *p)
{
	weft__unmap(p->timers.slots, p->timers.room * sizeof(*p->timers.slots));
}
