/* SPDX-License-Identifier: MIT */
/*
 * weft/debug.h: look into the running runtime. Since 0.1.
 *
 * SIGQUIT, or `weft ps` and `weft dump` from outside, show the same as weft_dump. Any thread may
 * make these calls.
 */
#ifndef WEFT_DEBUG_H
#define WEFT_DEBUG_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/*
 * Writes every task to `fd`: id, name, state, what it waits for, for how long, call stack. Text for
 * people; it may change. SIGQUIT writes the same to stderr, and then does what it did before
 * weft_run. Returns 0. Errors: -EINVAL no runtime runs; -EBUSY another dump is being written;
 * -EBADF and other errors of write(2).
 */
int weft_dump(int fd);

/*
 * Counters of the runtime. The caller sets `size`, the call fills what fits; what the library does
 * not know, being older than the program, is set to 0. Exact when nothing runs, else close.
 */
struct weft_stats {
	size_t size;		  /* set by the caller: sizeof(struct weft_stats) */
	uint64_t tasks;		  /* tasks that have not ended */
	uint64_t tasks_started;	  /* ever */
	uint64_t threads;	  /* threads of the runtime at this moment */
	uint64_t threads_started; /* ever */
	uint64_t threads_retired; /* ended: their task ended locked, or they were idle */
	uint64_t switches;	  /* times that a thread began to run a task */
	uint64_t steals;	  /* times that a processor took tasks from another's queue */
	uint64_t handoffs;	  /* times that a thread gave its processor to another thread */
	uint64_t leases_taken;	  /* times that the monitor took a processor from user code */
	uint64_t parks;		  /* times that a task began to wait */
	uint64_t timers;	  /* timers that have not run out */
	uint64_t netpoll_wakeups; /* tasks made ready by the poller */
};

/*
 * Fills *stats. Returns 0, or -EINVAL when no runtime runs, `stats` is NULL, or its size is too
 * small to be any version's.
 */
int weft_stats(struct weft_stats *stats);

/*
 * Records what the scheduler does until weft_trace_stop or the end of the runtime, which write it
 * to the file `path`: JSON that Perfetto and chrome://tracing open. Kept in memory meanwhile: the
 * newest 65,536 events of each processor or more. WEFT_TRACE=path in the environment records the
 * whole run; WEFT_TRACE_CLOCK=exact reads the clock for each event, where times are interpolated
 * otherwise. Returns 0. Errors: -EBUSY a trace runs already; -EINVAL no runtime runs, or `path` is
 * NULL; -ENOMEM; errors of open(2).
 */
int weft_trace_start(const char *path);
/*
 * Ends the trace and writes the file. Returns 0. Errors: -EINVAL none runs; the first error of
 * writing it, such as -ENOSPC.
 */
int weft_trace_stop(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
