/* SPDX-License-Identifier: MIT */
/*
 * trace.h: what the scheduler does, recorded while somebody wants to know.
 *
 * Each point is one predicted branch on sched.trace.on, and a USDT probe of the provider `weft`
 * where there was <sys/sdt.h> at build time: one nop, for perf, bpftrace, systemtap and gdb.
 *
 * Each processor has a ring of events that its holder writes without any atomic instruction; one
 * more ring takes the events of threads that hold no processor. A full ring overwrites its oldest
 * events. The rings are mapped as long as the runtime runs, and cost nothing while nobody writes to
 * them, so that a trace may begin at any moment, also from another process that sets
 * sched.trace.on.
 *
 * Time. Reading the clock is most of the cost of an event (about 8 ns, 1.2 without), so most events
 * carry no time. A *stamp* is a place of its own in the ring, before an event: the time, and the
 * thread that writes from there on. These get a stamp:
 *   - what `trace_exact` records: whatever is rare, and all that begins or ends a time in which
 *     nothing runs
 *   - the first event of another thread in the ring
 *   - after each tick, the first TRACE_EXACT_A_TICK events; beyond them every TRACE_EVERY-th place
 *
 * Ticks come from the monitor's rounds, 0.1 to 1 ms apart while anything runs: each raises
 * sched.trace.on, which every event reads anyway. So a processor that does less than about a
 * hundred thousand things a second has the exact time of each, and one that does more loses some 2
 * ns for each. What happened between two stamps is known in its order, and placed evenly between
 * them when the trace is written, or up to the tick after the first stamp when that came earlier
 * (debug/trace_times.c). In the last ring each event has its stamp. With TRACE_ALL in
 * sched.trace.on each event has one everywhere.
 *
 * What must hold
 *  1. An event is complete before it is counted (trace_put), but in the last ring, where several
 *     write: there a reader checks the time of the stamp.
 *  2. When sched.trace.on has been 0 for a while, at most one event of each ring is still being
 *     written, at the place after the last: where a full ring has its oldest.
 *  3. All of a ring's head may be zeroed while nobody writes; then the first event is stamped.
 *
 * Rejected: more rounds of the monitor while a trace is on, for a finer tick (one sleep of it costs
 * 12 us on a virtual machine, so ten thousand a second are 12 % of a CPU); the kernel's coarse
 * clock (1 to 4 ms); a difference of times packed into each event (needs the clock).
 *
 *   probe, kind   a                 b
 *   run           task that runs    why the one before left: a string constant; NULL: none was
 *   stop          0                 why the task left
 *   birth         task              its function
 *   wake          task              task that woke it; 0: none; not in the ring, whose order tells
 *   lease         processor taken   1: its holder computed; 0: it was blocked
 *   handoff       processor         number of the thread that gets it; 0: one yet to be started
 *   thread_birth  0                 0
 *   thread_exit   step (exit.c)     0
 */
#ifndef WEFT_SCHED_TRACE_H
#define WEFT_SCHED_TRACE_H

#include <stdint.h>

#include "sched/sched.h"

#if defined(__has_include)
#if __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#define trace_probe(kind, a, b) DTRACE_PROBE2(weft, kind, a, b)
#endif
#endif
#ifndef trace_probe
#define trace_probe(kind, a, b) ((void)0)
#endif

enum trace_kind {
	TRACE_none, /* a place in a ring that was never written */
	TRACE_run,
	TRACE_stop,
	TRACE_birth,
	TRACE_wake,
	TRACE_lease,
	TRACE_handoff,
	TRACE_thread_birth,
	TRACE_thread_exit,
	TRACE_stamp,
};

/* What a place of a ring holds. `word`: the kind in its top byte, below it b. In a stamp `a` is the
 * time, and below the kind are the tick (24 bits) and the number of the thread (32). */
struct trace_event {
	uint64_t a, word;
};

enum {
	TRACE_KIND_SHIFT = 56,
	TRACE_TICK_SHIFT = 32,
	TRACE_TICKS = 1 << 24,
	TRACE_EVERY = 256,
	TRACE_EXACT_A_TICK = 128
};

/* A bit in sched.trace.on, beside the number of the tick, which is never 0: each event gets its
 * exact time. */
#define TRACE_ALL (UINT32_C(1) << 31)

struct trace_ring {
	/* The number of places ever written is the sum of both; `at` counts bytes, and stays within
	 * the ring's places [holder]. In the last ring `at` is 0, and `written` counts all
	 * [any]. */
	uint64_t written, at;
	uint32_t tick;	/* last seen [holder] */
	uint32_t exact; /* stamps left for it [holder] */
	/* The tick in which an event needs no stamp; 0: none [holder; S for a new one]. */
	uint32_t without;
	uint32_t unused[9];
	struct trace_event events[];
};

/* Maps the rings: one for each processor, and the last for all other threads. Without memory there
 * is no trace. */
void weft__trace_open(void);
void weft__trace_close(void);
struct trace_ring *weft__trace_ring(unsigned number);

/* Begins another tick while a trace runs; the monitor calls it in each round. */
void weft__trace_tick(int64_t now);

static inline uint64_t trace_written(const struct trace_ring *ring)
{
	/* pairs with trace_put, trace.c:put_stamped */
	return ring->written + load_acquire(&ring->at) / sizeof(struct trace_event);
}

/* Records an event of t, which is inside the runtime, or NULL; with a stamp when one is due. */
void weft__trace_note(const struct thread *t, enum trace_kind kind, uint64_t a, uint64_t b);

/* Records an event with its time, for any t. */
void weft__trace_exact(const struct thread *t, enum trace_kind kind, uint64_t a, uint64_t b);

static inline uint64_t weft__trace_ticks(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#else
	uint64_t ticks;
	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
	return ticks;
#endif
}

/* The next event in that ring, which p's new holder will write, gets a stamp. [S] is held, nobody
 * writes. */
static inline void trace_new_holder(const struct processor *p)
{
	if (load_relaxed(&sched.trace.on) && p->ring)
		p->ring->without = 0;
}

/* Writes an event that needs no stamp. False: it needs one, or t has no ring. */
static always_inline bool trace_put(const struct thread *t, enum trace_kind kind, uint64_t a,
				    uint64_t b)
{
	struct trace_ring *ring = t && t->processor ? t->processor->ring : NULL;
	if (unlikely(!ring) || unlikely(load_relaxed(&sched.trace.on) != ring->without))
		return false;
	uint64_t at = ring->at;
	if (unlikely(at % (TRACE_EVERY * sizeof(struct trace_event)) == 0))
		return false;
	struct trace_event *e = (struct trace_event *)((char *)ring->events + at);
	e->a = a;
	e->word = (uint64_t)kind << TRACE_KIND_SHIFT | b;
	store_release(&ring->at, at + sizeof(*e)); /* pairs with trace_written */
	return true;
}

/*
 * t: the thread that acts, or that the event is about.
 *   trace         on the main path; t is inside the runtime, or NULL
 *   trace_exact   anywhere
 */
#ifdef WEFT_NO_TRACE /* for bench/: what do events cost when they are off? */
#define trace_on() false
#else
#define trace_on() unlikely(load_relaxed(&sched.trace.on))
#endif

#define trace_with(note, t, kind, a, b) \
	do { \
		trace_probe(kind, a, b); \
		if (trace_on()) \
			note((t), TRACE_##kind, (uint64_t)(a), (uint64_t)(b)); \
	} while (0)
#define trace(t, kind, a, b) trace_with(weft__trace_note, t, kind, a, b)
#define trace_exact(t, kind, a, b) trace_with(weft__trace_exact, t, kind, a, b)

#endif
