/* SPDX-License-Identifier: MIT */
/*
 * trace_times.c: see trace_times.h; what is written, and when, is in sched/trace.h.
 *
 * Between two stamps of a ring, t1 in tick k and t2 in tick m, lie events without a time. All of
 * them saw tick k: so they happened before tick k + 1, which came about (t2 - t1) / (m - k) after
 * t1. They are placed evenly up to there, or up to t2 when there was no tick between. The end of
 * the trace is the last stamp of every ring.
 *
 * What comes before a ring's first stamp is dropped: the oldest places of a full ring, or what a
 * trace before this one left there.
 */
#include "debug/trace_times.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "sched/trace.h"

/* The events since a stamp. */
struct stretch {
	struct trace_log *log;
	size_t first; /* item; the one that has the stamp's time */
	uint64_t ticks;
	uint32_t tick, thread;
	uint16_t processor;
	bool live; /* there was a stamp of this trace */
};

static void set_times(struct stretch *s, uint64_t ticks, uint32_t tick)
{
	struct trace_log *log = s->log;
	uint32_t between = (tick - s->tick) % TRACE_TICKS;
	uint64_t span = ticks > s->ticks ? ticks - s->ticks : 0, n = log->count - s->first;
	if (between > TRACE_TICKS / 2) /* one more came while the end was recorded */
		between = 0;
	double step = (double)(between ? span / between : span) / (double)max_of(n, UINT64_C(1));
	for (size_t i = 0; i < n; i++) {
		struct trace_item *item = &log->items[s->first + i];
		item->ticks = s->ticks + (uint64_t)(step * (double)i);
		item->least = s->ticks;
		item->most = i ? ticks : s->ticks;
	}
}

static void on_stamp(struct stretch *s, uint64_t ticks, uint64_t word)
{
	const uint64_t *ends = s->log->ticks;
	uint32_t tick = (word >> TRACE_TICK_SHIFT) % TRACE_TICKS;
	bool live = ticks >= ends[0];
	ticks = min_of(ticks, ends[1]);
	if (s->live && live && s->processor != TRACE_NO_PROCESSOR)
		ticks = max_of(ticks, s->ticks); /* the clocks of two CPUs may differ by a tick */
	if (s->live)
		set_times(s, live ? ticks : s->ticks, tick);
	*s = (struct stretch){s->log,	      s->log->count, ticks, tick,
			      (uint32_t)word, s->processor,  live};
}

static void on_event(struct stretch *s, const struct trace_event *e)
{
	uint64_t kind = e->word >> TRACE_KIND_SHIFT;
	if (!s->live || kind == TRACE_none || kind > TRACE_stamp)
		return;
	s->log->items[s->log->count++] = (struct trace_item){
		.thread = s->thread,
		.kind = (uint16_t)kind,
		.processor = s->processor,
		.a = e->a,
		.b = e->word & ((UINT64_C(1) << TRACE_KIND_SHIFT) - 1),
	};
}

static int by_time(const void *a, const void *b)
{
	const struct trace_item *x = a, *y = b;
	return x->ticks < y->ticks ? -1 : x->ticks > y->ticks;
}

int weft__trace_add(struct trace_log *log, unsigned number, const struct trace_places *ring)
{
	/*
	 * In a full ring the event being written takes the place of the oldest, and perhaps leaves
	 * half a pair.
	 */
	uint64_t first =
		ring->written >= ring->room ? (ring->written - ring->room + 2) & ~UINT64_C(1) : 0;
	size_t old = log->count, room = old + (size_t)(ring->written - first) + 1;
	bool apart = number >= log->processors;
	struct stretch s = {.log = log, .processor = apart ? TRACE_NO_PROCESSOR : (uint16_t)number};
	struct trace_item *items = realloc(log->items, room * sizeof(*items));
	if (!items)
		return -ENOMEM;
	log->items = items;
	log->lost += first;
	for (uint64_t i = first; i < ring->written; i++) {
		const struct trace_event *e = &ring->places[i % ring->room];
		if (e->word >> TRACE_KIND_SHIFT == TRACE_stamp)
			on_stamp(&s, e->a, e->word);
		else
			on_event(&s, e);
	}
	if (s.live)
		set_times(&s, apart ? s.ticks : log->ticks[1], log->last % TRACE_TICKS);
	if (apart) /* several threads wrote it */
		qsort(log->items + old, log->count - old, sizeof(*items), by_time);
	return 0;
}
