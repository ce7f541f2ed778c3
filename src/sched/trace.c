/* SPDX-License-Identifier: MIT */
/* trace.c: the rings of trace.h. Their readers are src/debug/trace.c and `weft trace`. */
#include "sched/trace.h"
#include "base/time.h"

#include <sys/mman.h>

enum {
	ROOM_MAX = 1 << 17,
	ROOM_MIN = 1 << 11,
	ROOM_ALL = 1 << 22
}; /* places in a ring, two for an event with its stamp; places in all rings */

#define TICK US(100) /* at least, as the exact events of each tick cost 2 us */

static size_t ring_size(void)
{
	return sizeof(struct trace_ring) + sched.trace.room * sizeof(struct trace_event);
}

static size_t all_size(void)
{
	return (sched.processor_count + 1) * ring_size();
}

void weft__trace_open(void)
{
	sched.trace.room = ROOM_MAX;
	while (sched.trace.room > ROOM_MIN &&
	       (uint64_t)sched.trace.room * (sched.processor_count + 1) > ROOM_ALL)
		sched.trace.room /= 2;
	void *p = mmap(NULL, all_size(), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	sched.trace.rings = p == MAP_FAILED ? NULL : p;
	for (unsigned i = 0; sched.trace.rings && i < sched.processor_count; i++)
		sched.processors[i].ring = weft__trace_ring(i);
}

void weft__trace_close(void)
{
	store_relaxed(&sched.trace.on, 0);
	for (unsigned i = 0; i < sched.processor_count; i++)
		sched.processors[i].ring = NULL;
	if (sched.trace.rings)
		munmap(sched.trace.rings, all_size());
	sched.trace.rings = NULL;
}

struct trace_ring *weft__trace_ring(unsigned number)
{
	return (struct trace_ring *)((char *)sched.trace.rings + number * ring_size());
}

void weft__trace_tick(int64_t now)
{
	static int64_t last;
	uint32_t old = load_relaxed(&sched.trace.on);
	if (likely(!old) || old & TRACE_ALL || now - last < TICK)
		return;
	last = now;
	/* If somebody ends the trace meanwhile, it stays ended. */
	cas_relaxed(&sched.trace.on, &old, old + 1 < TRACE_TICKS ? old + 1 : 1);
}

static struct trace_event stamp(const struct thread *t, uint32_t tick)
{
	uint64_t rest = (uint64_t)(tick % TRACE_TICKS) << TRACE_TICK_SHIFT | (t ? t->number : 0);
	return (struct trace_event){weft__trace_ticks(),
				    (uint64_t)TRACE_stamp << TRACE_KIND_SHIFT | rest};
}

/* The next place; the caller counts it after writing it. */
static struct trace_event *next_place(struct trace_ring *ring)
{
	if (ring->at == sched.trace.room * sizeof(struct trace_event)) {
		ring->written += sched.trace.room;
		ring->at = 0;
	}
	return (struct trace_event *)((char *)ring->events + ring->at);
}

/* t holds the ring's processor. */
static void put_stamped(struct trace_ring *ring, const struct thread *t, struct trace_event e)
{
	uint32_t tick = load_relaxed(&sched.trace.on);
	if (ring->tick != tick) {
		ring->tick = tick;
		ring->exact = TRACE_EXACT_A_TICK;
	}
	ring->exact -= ring->exact > 0;
	ring->without = ring->exact || tick & TRACE_ALL ? 0 : tick;
	*next_place(ring) = stamp(t, tick);
	ring->at += sizeof(e);
	*next_place(ring) = e;
	/* pairs with trace.h:trace_written */
	store_release(&ring->at, ring->at + sizeof(e));
}

/* Several threads write here: each takes the places for a stamp and an event. */
static void put_apart(const struct thread *t, struct trace_event e)
{
	struct trace_ring *ring = weft__trace_ring(sched.processor_count);
	uint64_t n = add_relaxed(&ring->written, 2) & (sched.trace.room - 1);
	ring->events[n] = stamp(t, load_relaxed(&sched.trace.on));
	ring->events[n + 1] = e;
}

void weft__trace_exact(const struct thread *t, enum trace_kind kind, uint64_t a, uint64_t b)
{
	struct trace_event e = {a, (uint64_t)kind << TRACE_KIND_SHIFT | b};
	if (!sched.trace.rings)
		return;
	if (proc_held(t))
		put_stamped(t->processor->ring, t, e);
	else
		put_apart(t, e);
}

void weft__trace_note(const struct thread *t, enum trace_kind kind, uint64_t a, uint64_t b)
{
	if (!trace_put(t, kind, a, b))
		weft__trace_exact(t, kind, a, b);
}
