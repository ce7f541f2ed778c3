/* SPDX-License-Identifier: MIT */
/* trace.c: the rings of trace.h; who reads them is in src/debug/trace.c, and `weft trace`. */
#include "sched/trace.h"

#include <sys/mman.h>

enum {
	ROOM_MAX = 1 << 16,
	ROOM_MIN = 1 << 10,
	ROOM_ALL = 1 << 21
}; /* events a ring, events in all */

static size_t ring_size(void)
{
	return sizeof(struct trace_ring) + sched.trace_room * sizeof(struct trace_event);
}

static size_t all_size(void)
{
	return (sched.processor_count + 1) * ring_size();
}

void weft__trace_open(void)
{
	sched.trace_room = ROOM_MAX;
	while (sched.trace_room > ROOM_MIN &&
	       (uint64_t)sched.trace_room * (sched.processor_count + 1) > ROOM_ALL)
		sched.trace_room /= 2;
	void *p = mmap(NULL, all_size(), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	sched.trace_rings = p == MAP_FAILED ? NULL : p;
}

void weft__trace_close(void)
{
	store_relaxed(&sched.tracing, 0);
	if (sched.trace_rings)
		munmap(sched.trace_rings, all_size());
	sched.trace_rings = NULL;
}

struct trace_ring *weft__trace_ring(unsigned number)
{
	return (struct trace_ring *)((char *)sched.trace_rings + number * ring_size());
}

/* The place for the next event. Only the last ring has several writers. */
static struct trace_event *next_place(const struct processor *p)
{
	struct trace_ring *ring = weft__trace_ring(p ? p->number : sched.processor_count);
	uint64_t n = ring->written;
	if (p)
		store_relaxed(&ring->written, n + 1);
	else
		n = add_relaxed(&ring->written, 1);
	return &ring->events[n % sched.trace_room];
}

noinline void weft__trace_write(const struct thread *t, enum trace_kind kind, uint64_t a,
				uint64_t b)
{
	const struct processor *p = proc_held(t) ? t->processor : NULL;
	if (!sched.trace_rings)
		return;
	struct trace_event *e = next_place(p);
	*e = (struct trace_event){
		.ticks = weft__trace_ticks(),
		.thread = t ? t->number : 0,
		.kind = (uint16_t)kind,
		.processor = p ? (uint16_t)p->number : TRACE_NO_PROCESSOR,
		.a = a,
		.b = b,
	};
}
