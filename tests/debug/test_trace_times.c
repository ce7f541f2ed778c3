/* SPDX-License-Identifier: MIT */
/*
 * test_trace_times.c: rings that are made by hand, read as a trace: which time an event gets that
 * has none of its own, what is dropped, and what comes first across rings.
 */
#include <stdlib.h>
#include <string.h>

#include "../kit.h"
#include "debug/trace_order.h"
#include "sched/trace.h"

enum { ROOM = 16, PROCESSORS = 2, END = 10000 };

struct made {
	struct trace_event places[ROOM];
	uint64_t written;
};

static struct made rings[PROCESSORS + 1];
static struct trace_item seen[8 * ROOM];
static size_t count;
static struct trace_log result;

static void put(unsigned ring, enum trace_kind kind, uint64_t a, uint64_t b)
{
	struct made *m = &rings[ring];
	m->places[m->written++ % ROOM] =
		(struct trace_event){a, (uint64_t)kind << TRACE_KIND_SHIFT | b};
}

static void stamp(unsigned ring, uint64_t ticks, uint32_t tick, uint32_t thread)
{
	put(ring, TRACE_stamp, ticks, (uint64_t)tick << TRACE_TICK_SHIFT | thread);
}

static void event(unsigned ring, enum trace_kind kind, uint64_t task, const char *why)
{
	put(ring, kind, task, (uintptr_t)why);
}

static const char *text(void *arg, uint64_t address)
{
	return (const char *)address;
}

static void note(void *arg, const struct trace_item *item)
{
	expect(count < array_len(seen));
	expect(count == 0 || seen[count - 1].ticks <= item->ticks);
	seen[count++] = *item;
}

/* Reads the rings, which are empty then; the trace began at 100 and ended at END in tick 1. */
static void read_all(void)
{
	free(result.items);
	result = (struct trace_log){
		.ticks = {100, END}, .last = 1, .processors = PROCESSORS, .text = text};
	count = 0;
	for (unsigned i = 0; i <= PROCESSORS; i++) {
		struct trace_places places = {rings[i].places, ROOM, rings[i].written};
		expect(weft__trace_add(&result, i, &places) == 0);
	}
	expect(weft__trace_each(&result, note, NULL) == 0 && count == result.count);
	memset(rings, 0, sizeof(rings));
}

/* The place of the nth event of this kind about this task. */
static size_t find(enum trace_kind kind, uint64_t task, unsigned nth)
{
	for (size_t i = 0; i < count; i++)
		if (seen[i].kind == kind && seen[i].a == task && nth-- == 0)
			return i;
	fail("no event %d about task %llu", (int)kind, (unsigned long long)task);
}

static void free_after(const struct kit_test *test, int nth)
{
	test->body(nth);
	free(result.items);
}

TEST("events lie evenly between two stamps", .around = free_after)
{
	stamp(0, 1000, 1, 7);
	for (uint64_t task = 1; task <= 4; task++)
		event(0, TRACE_run, task, "yield");
	stamp(0, 2000, 1, 8);
	event(0, TRACE_stop, 0, "end");
	read_all();
	expect(count == 5);
	for (size_t i = 0; i < 4; i++)
		expect(seen[i].ticks == 1000 + 250 * i && seen[i].thread == 7 &&
		       seen[i].a == i + 1);
	expect(seen[4].ticks == 2000 && seen[4].thread == 8 && seen[4].kind == TRACE_stop);
}

TEST("a tick between bounds what came before it", .around = free_after)
{
	stamp(0, 1000, 1, 7);
	event(0, TRACE_run, 1, NULL);
	event(0, TRACE_run, 2, "yield"); /* and computes, through nine ticks */
	stamp(0, 10000, 10, 7);
	event(0, TRACE_run, 1, "yield");
	read_all();
	expect(seen[1].a == 2 && seen[1].ticks == 1500);
	expect(seen[2].ticks == 10000);
}

TEST("what comes before the first stamp is dropped", .around = free_after)
{
	event(0, TRACE_run, 1, NULL);
	stamp(0, 50, 1, 7); /* of a trace before this one */
	event(0, TRACE_run, 2, NULL);
	stamp(0, 500, 1, 7);
	event(0, TRACE_run, 3, NULL);
	read_all();
	expect(count == 1 && seen[0].a == 3);
}

TEST("a full ring returns its newest in order", .around = free_after)
{
	for (uint64_t task = 1; task <= 100; task++) {
		if (task % 4 == 1)
			stamp(0, 1000 + task, 1, 7);
		event(0, TRACE_run, task, "yield");
	}
	read_all();
	expect(count >= 5 &&
	       seen[count - 1].a ==
		       100); /* of 16 places two are given up, 4 may come before a stamp */
	for (size_t i = 1; i < count; i++)
		expect(seen[i].a == seen[i - 1].a + 1);
	expect(seen[0].ticks == 1000 + seen[0].a && result.lost >= 100);
}

/*
 * Task 5 waits, is woken on one processor somewhere between two stamps, and runs on another at a
 * known time.
 */
TEST("a wake comes before the run that it caused", .around = free_after)
{
	stamp(0, 200, 1, 7);
	event(0, TRACE_run, 5, NULL);
	event(0, TRACE_run, 6, "chan recv");
	event(0, TRACE_wake, 5, NULL); /* placed at 200 + 3/4 of 800 */
	event(0, TRACE_wake, 9, NULL);
	stamp(0, 1200, 1, 7);
	event(0, TRACE_stop, 0, "end");
	stamp(1, 500, 1, 8);
	event(1, TRACE_run, 5, NULL);
	read_all();
	size_t wake = find(TRACE_wake, 5, 0), run = find(TRACE_run, 5, 1);
	expect(wake < run && seen[run].ticks == 500 && seen[wake].ticks <= 500);
	expect(find(TRACE_run, 6, 0) < wake &&
	       wake < find(TRACE_wake, 9, 0)); /* the ring's order is kept */
}

TEST("a task that yielded needs no wake", .around = free_after)
{
	stamp(0, 200, 1, 7);
	event(0, TRACE_run, 5, NULL);
	event(0, TRACE_run, 6, "yield");
	event(0, TRACE_run, 5, "yield");
	event(0, TRACE_run, 6, "chan recv");
	stamp(0, 1000, 1, 7);
	event(0, TRACE_stop, 0, "end");
	stamp(1, 210, 1, 8);
	event(1, TRACE_run, 8, NULL);
	event(1, TRACE_wake, 5, NULL);
	stamp(1, 9000, 1, 8);
	event(1, TRACE_stop, 0, "end");
	read_all();
	expect(find(TRACE_wake, 5, 0) > find(TRACE_run, 5, 1));
}

TEST("a birth comes before the first run", .around = free_after)
{
	stamp(0, 200, 1, 7);
	event(0, TRACE_run, 1, NULL);
	event(0, TRACE_birth, 2, NULL);
	stamp(0, 9000, 1, 7);
	event(0, TRACE_stop, 0, "end");
	stamp(1, 300, 1, 8);
	event(1, TRACE_run, 2, NULL);
	read_all();
	expect(find(TRACE_birth, 2, 0) < find(TRACE_run, 2, 0));
}

TEST("what a thread did comes before its lease is taken", .around = free_after)
{
	stamp(0, 200, 1, 7);
	event(0, TRACE_run, 1, NULL);
	event(0, TRACE_run, 2, "yield"); /* placed at 2600 */
	stamp(0, 5000, 1, 8);
	event(0, TRACE_run, 1, NULL);
	stamp(PROCESSORS, 400, 1, 7);
	event(PROCESSORS, TRACE_lease, 0, NULL);
	read_all();
	expect(find(TRACE_run, 2, 0) < find(TRACE_lease, 0, 0));
	expect(find(TRACE_lease, 0, 0) < find(TRACE_run, 1, 1));
}

/*
 * Each run waits for a wake-up that lies behind the other: no order is right, and none is looked
 * for without end.
 */
TEST("rings that contradict each other are read all the same", .around = free_after)
{
	for (unsigned i = 0; i < PROCESSORS; i++) {
		stamp(i, 200, 1, 7 + i);
		event(i, TRACE_run, 1 + i, NULL);
		event(i, TRACE_run, 2 - i, "chan recv");
		event(i, TRACE_wake, 1 + i, NULL);
	}
	read_all();
	expect(count == 6);
}
