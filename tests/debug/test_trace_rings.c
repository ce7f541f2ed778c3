/* SPDX-License-Identifier: MIT */
/*
 * test_trace_rings.c: what a processor's ring holds after what its holders noted: events, and their
 * stamps.
 */
#include "../tasks.h"
#include "sched/proc.h"
#include "sched/trace.h"

enum { TICK = 1, MANY = 10 * TRACE_EXACT_A_TICK };

static struct processor processor;
static struct thread threads[2];
static struct trace_ring *ring;

static void setup(void)
{
	sched.processors = &processor;
	sched.processor_count = 1;
	weft__trace_open();
	ring = processor.ring;
	expect_ne(ring, NULL);
	sched.trace.on = TICK;
	for (unsigned i = 0; i < 2; i++)
		threads[i] = (struct thread){.number = i + 7, .lease.in_runtime = 1};
}

static void hold(struct thread *t)
{
	lock_take(&sched.lock, RANK_SCHED);
	if (processor.thread)
		weft__proc_detach(processor.thread);
	weft__proc_attach(t, &processor);
	lock_drop(&sched.lock, RANK_SCHED);
	t->lease.in_runtime = 1;
}

static void note(const struct thread *t)
{
	weft__trace_note(t, TRACE_wake, 1, 0);
}

static enum trace_kind kind_at(uint64_t place)
{
	return (enum trace_kind)(ring->events[place].word >> TRACE_KIND_SHIFT);
}

/* The last event has a stamp, and it names t. */
static bool stamped_by(const struct thread *t)
{
	uint64_t last = trace_written(ring) - 1;
	return kind_at(last - 1) == TRACE_stamp &&
	       (uint32_t)ring->events[last - 1].word == t->number;
}

TEST("after many events of a tick most have no stamp")
{
	setup();
	unsigned stamps = 0;
	hold(&threads[0]);
	for (int i = 0; i < MANY; i++)
		note(&threads[0]);
	for (uint64_t i = 0; i < trace_written(ring); i++)
		stamps += kind_at(i) == TRACE_stamp;
	expect_eq(trace_written(ring), MANY + stamps);
	expect_ge(stamps, TRACE_EXACT_A_TICK);
	expect_le(stamps, TRACE_EXACT_A_TICK + MANY / TRACE_EVERY + 1);
}

TEST("the first event of another holder has its stamp")
{
	setup();
	hold(&threads[0]);
	for (int i = 0; i < MANY; i++)
		note(&threads[0]);
	while (stamped_by(&threads[0])) /* perhaps it was its turn */
		note(&threads[0]);
	hold(&threads[1]);
	note(&threads[1]);
	expect(stamped_by(&threads[1]));
}
