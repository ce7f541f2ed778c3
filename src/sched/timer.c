/* SPDX-License-Identifier: MIT */
/* timer.c: see timer.h. */
#include "sched/timer.h"

#include <errno.h>
#include <string.h>

#include "base/sys.h"
#include "sched/netpoll.h"
#include "sched/sched.h"

enum { ARITY = 4, FIRST_ROOM = 256, BATCH = 64 };
enum { PATIENCE = 500 * 1000 };
#define ROOM_EACH (sizeof(struct timer_slot) + sizeof(struct timer_entry))

static void place(struct timer_heap *h, uint32_t i, struct timer_slot slot)
{
	h->slots[i] = slot;
	h->entries[slot.entry].slot = i;
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

static void heap_add(struct timer_heap *h, struct timer *timer)
{
	struct timer_slot slot = {timer->when, h->free};
	struct timer_entry *e = &h->entries[slot.entry];
	h->free = e->slot;
	e->timer = timer;
	timer->index = slot.entry + 1;
	sift_up(h, h->count++, slot);
}

static void heap_remove(struct timer_heap *h, uint32_t entry)
{
	struct timer_entry *e = &h->entries[entry];
	uint32_t i = e->slot;
	e->slot = h->free;
	h->free = entry;
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
	uint32_t room = h->room ? 2 * h->room : FIRST_ROOM;
	struct timer_slot *slots = weft__remap(h->slots, h->room * ROOM_EACH, room * ROOM_EACH);
	if (!slots)
		return -ENOMEM;
	h->slots = slots;
	h->entries = (struct timer_entry *)(slots + room);
	tsan_acquire(h); /* it looks into memmove, though not into the lock */
	memmove(h->entries, slots + h->room, h->room * sizeof(*h->entries));
	tsan_release(h);
	for (uint32_t i = h->room; i < room; i++)
		h->entries[i].slot = i + 1;
	h->free = h->room; /* it was full */
	h->room = room;
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
		heap_add(h, timer);
		publish_earliest(h);
	}
	lock_drop(&h->lock, RANK_TIMER);
	/* A thread that sleeps in the poller must not sleep past it, unless this one is at hand. */
	if (!err && max_of(timer->when, load_relaxed(&h->turn)) < load_relaxed(&sched.poll_until))
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
		timer->index = 0;
		publish_earliest(h);
	}
	lock_drop(&h->lock, RANK_TIMER);
	return live;
}

void weft__timer_again(struct timer *timer)
{
	heap_add(&timer->processor->timers, timer); /* it was in until now: there is room */
}

/*
 * Takes up to `room` due timers out of the heap. Only their addresses are read: they, and the tasks
 * around them, have slept for long and are in no cache, so all are asked for before one is used; and
 * in one go, so that the CPU looks up several of their pages at a time.
 */
static unsigned take_due(struct timer_heap *h, int64_t now, struct timer **due, unsigned room)
{
	unsigned n = 0;
	while (n < room && h->count && h->slots[0].when <= now) {
		uint32_t entry = h->slots[0].entry;
		due[n++] = h->entries[entry].timer;
		heap_remove(h, entry);
	}
	for (unsigned i = 0; i < n; i++) {
		__builtin_prefetch(due[i]);
		__builtin_prefetch(container_of(due[i], struct task, timer));
	}
	return n;
}

/* Fires up to `room` and a BATCH. */
static unsigned run(struct timer_heap *h, int64_t now, struct list *ready, unsigned room)
{
	struct timer *due[BATCH];
	unsigned n;
	if (load_relaxed(&h->earliest) > now)
		return 0;
	lock_take(&h->lock, RANK_TIMER);
	n = take_due(h, now, due, min_of(room, array_len(due)));
	for (unsigned i = 0; i < n; i++) {
		due[i]->index = 0;
		due[i]->fire(due[i], ready);
	}
	publish_earliest(h);
	lock_drop(&h->lock, RANK_TIMER);
	return n;
}

bool weft__timer_attended(const struct processor *p, int64_t now)
{
	return load_relaxed(&p->timers.turn) > now;
}

unsigned weft__timer_run(struct processor *p, int64_t now, struct list *ready)
{
	unsigned fired = 0;
	unsigned n = BATCH;
	if (weft__timer_attended(p, now))
		return 0;
	for (; n == BATCH; fired += n)
		n = run(&p->timers, now, ready, BATCH);
	return fired;
}

unsigned weft__timer_run_own(struct processor *p, int64_t now, struct list *ready,
			     unsigned room)
{
	store_relaxed(&p->timers.turn, now + PATIENCE);
	return run(&p->timers, now, ready, room);
}

void weft__timer_leave(struct processor *p)
{
	store_seq_cst(&p->timers.turn, 0); /* pairs with poller_begin in proc.c */
	if (load_relaxed(&p->timers.earliest) < load_relaxed(&sched.poll_until))
		weft__netpoll_kick();
}

int64_t weft__timer_earliest(void)
{
	int64_t earliest = INT64_MAX;
	for (unsigned i = 0; i < sched.processor_count; i++) {
		const struct timer_heap *h = &sched.processors[i].timers;
		int64_t when = max_of(load_relaxed(&h->earliest), load_relaxed(&h->turn));
		earliest = min_of(earliest, when);
	}
	return max_of(earliest, 1); /* 0 would tell the poller not to sleep at all */
}

void weft__timer_heap_free(struct processor *p)
{
	weft__unmap(p->timers.slots, p->timers.room * ROOM_EACH);
}
