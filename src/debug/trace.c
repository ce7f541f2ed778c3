/* SPDX-License-Identifier: MIT */
/*
 * trace.c: weft_trace_start and weft_trace_stop: write the rings of sched/trace.h to a file.
 *
 * While a trace runs only the rings are written: no thread of its own, no file access, no lock.
 * What a ring cannot hold is lost, oldest first, and counted in the file. The work is done at the
 * stop, in the caller's time, as user code: it may take long.
 *
 *   control.state   OFF -> STARTING -> ON -> STOPPING -> OFF   each move by CAS, or by its owner
 */
#include "debug/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "base/time.h"
#include "debug/symbols.h"
#include "debug/trace_json.h"
#include "sched/foreign.h"
#include "sched/trace.h"
#include "weft/debug.h"

enum { OFF, STARTING, ON, STOPPING };
#define WRITERS_DONE MS(1) /* threads that saw the flag have long written by then */

static struct {
	uint32_t state;
	FILE *file;
	uint64_t ticks;
	int64_t time;
} control;

/* WEFT_TRACE_CLOCK=exact */
static bool all_exact(void)
{
	const char *clock = getenv("WEFT_TRACE_CLOCK");
	return clock && strcmp(clock, "exact") == 0;
}

static int start(const char *path)
{
	uint32_t off = OFF;
	if (!sched.trace.rings)
		return -ENOMEM;
	if (!cas_acq_rel(&control.state, &off, STARTING)) /* pairs with start, stop */
		return -EBUSY;
	control.file = fopen(path, "we");
	if (!control.file) {
		int err = -errno;
		store_release(&control.state, OFF); /* pairs with start */
		return err;
	}
	for (unsigned i = 0; i <= sched.processor_count; i++)
		memset(weft__trace_ring(i), 0, sizeof(struct trace_ring));
	control.ticks = weft__trace_ticks();
	control.time = weft__clock();
	store_release(&sched.trace.on, all_exact() ? 1 | TRACE_ALL : 1); /* pairs with stop */
	store_release(&control.state, ON);				 /* pairs with stop */
	return 0;
}

static const char *own_text(void *arg, uint64_t address)
{
	return (const char *)address;
}

static const char *own_function(void *arg, uint64_t address)
{
	return *(bool *)arg ? weft__symbol_at(address).name : NULL;
}

static int collect(struct trace_log *log)
{
	int err = 0;
	for (unsigned i = 0; i <= sched.processor_count && !err; i++) {
		const struct trace_ring *ring = weft__trace_ring(i);
		struct trace_places places = {ring->events, sched.trace.room, trace_written(ring)};
		err = weft__trace_add(log, i, &places);
	}
	return err;
}

static int write_file(uint32_t last)
{
	bool symbols = weft__symbols_open();
	struct trace_log log = {
		.ticks = {control.ticks, weft__trace_ticks()},
		.times = {control.time, weft__clock()},
		.last = last,
		.processors = sched.processor_count,
		.text = own_text,
		.function = own_function,
		.arg = &symbols,
	};
	int err = collect(&log);
	if (!err)
		err = weft__trace_json(&log, control.file);
	free(log.items);
	if (symbols)
		weft__symbols_close();
	if (fclose(control.file) != 0 && !err)
		err = -errno;
	return err;
}

static int stop(void)
{
	uint32_t on = ON, never = 0;
	if (!cas_acq_rel(&control.state, &on, STOPPING)) /* pairs with start */
		return -EINVAL;
	uint32_t last = swap_acq_rel(&sched.trace.on, 0); /* pairs with start */
	weft__futex_wait(&never, 0, weft__clock() + WRITERS_DONE);
	int err = write_file(last);
	store_release(&control.state, OFF); /* pairs with start */
	return err;
}

int weft_trace_start(const char *path)
{
	int err = path ? weft__foreign_enter() : -EINVAL;
	if (err)
		return err;
	err = start(path);
	weft__foreign_leave();
	return err;
}

int weft_trace_stop(void)
{
	int err = weft__foreign_enter();
	if (err)
		return err;
	err = stop();
	weft__foreign_leave();
	return err;
}

void weft__trace_begin(void)
{
	const char *path = getenv("WEFT_TRACE");
	weft__trace_open();
	if (!path || !*path)
		return;
	int err = start(path);
	if (err)
		weft__warn("WEFT_TRACE=%s: %s", path, strerror(-err));
}

void weft__trace_end(void)
{
	int err = stop();
	if (err && err != -EINVAL)
		weft__warn("the trace is not complete: %s", strerror(-err));
	weft__trace_close();
}
