/* SPDX-License-Identifier: MIT */
/*
 * trace.h: what the scheduler does, noted down while somebody wants to know.
 *
 * Each point is one predicted branch on sched.tracing, and a USDT probe of the provider `weft` where <sys/sdt.h> was
 * there at build time: one nop, for perf, bpftrace, systemtap and gdb.
 *
 * Each processor has a ring of events that its holder writes without any atomic instruction; one more ring takes the
 * events of whoever holds no processor. A full ring overwrites its oldest events. The rings are mapped as long as the
 * runtime runs, and cost nothing while nobody writes to them, so that a trace may begin at any moment, also from
 * another process that sets sched.tracing.
 *
 *   probe, kind   a                        b
 *   run           task that runs           why the one before left: a string constant; NULL: none was there
 *   stop          0                        why the task left
 *   birth         task                     its function
 *   wake          task                     task that woke it; 0: a timer, a descriptor, another thread
 *   lease         processor taken          1: its holder computed; 0: it was blocked
 *   handoff       processor                number of the thread that gets it; 0: one that must be born
 *   thread_birth  0                        0
 *   thread_exit   step (exit.c)            0
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
};

struct trace_event {
	uint64_t ticks;	 /* of the processor's clock: weft__trace_ticks */
	uint32_t thread; /* whose doing it is, or whom it is about */
	uint16_t kind, processor;
	uint64_t a, b;
};

enum { TRACE_NO_PROCESSOR = UINT16_MAX };

struct trace_ring {
	uint64_t
		written; /* ever; place `written % sched.trace_room` is next [holder; any in the last ring] */
	uint64_t unused[3];
	struct trace_event events[];
};

/* Maps the rings: one for each processor, and the last for all others. Without memory there is no trace. */
void weft__trace_open(void);
void weft__trace_close(void);
struct trace_ring *weft__trace_ring(unsigned number);

void weft__trace_write(const struct thread *t, enum trace_kind kind, uint64_t a, uint64_t b);

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

/* t: whose doing it is, or whom it is about. */
#define trace(t, kind, a, b) \
	do { \
		trace_probe(kind, a, b); \
		if (unlikely(load_relaxed(&sched.tracing))) \
			weft__trace_write((t), TRACE_##kind, (uint64_t)(a), (uint64_t)(b)); \
	} while (0)

#endif
