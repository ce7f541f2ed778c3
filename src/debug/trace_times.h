/* SPDX-License-Identifier: MIT */
/*
 * trace_times.h: what the rings of sched/trace.h hold, each event with a time.
 *
 * It does not use the running runtime, so that `weft trace` can read another process's rings, too.
 */
#ifndef WEFT_DEBUG_TRACE_TIMES_H
#define WEFT_DEBUG_TRACE_TIMES_H

#include <stddef.h>
#include <stdint.h>

struct trace_event;

enum { TRACE_NO_PROCESSOR = UINT16_MAX };

struct trace_item {
	uint64_t ticks;	      /* of the CPU's clock: when, as well as is known */
	uint64_t least, most; /* surely not earlier, surely not later */
	uint32_t thread;      /* the one that did it, or that it is about; 0: none */
	uint16_t kind, processor;
	uint64_t a, b;
};

struct trace_log {
	struct trace_item *items; /* ring by ring, each in its order */
	size_t count;
	uint64_t lost;	   /* places that were overwritten before they were read */
	uint64_t ticks[2]; /* two moments of the ticking clock, before and after all events, */
	int64_t times[2];  /* and of CLOCK_MONOTONIC */
	uint32_t last;	   /* sched.trace.on at the second */
	unsigned processors;
	/* The names of things in the process that wrote the events; each may return NULL. */
	const char *(*text)(void *arg, uint64_t address);
	const char *(*function)(void *arg, uint64_t address);
	void *arg;
};

/* A ring that nobody writes to any more, except for one event that may still be under way. */
struct trace_places {
	const struct trace_event *places;
	uint32_t room;
	uint64_t written;
};

/* Adds the events of ring `number`, once for each. 0 or -ENOMEM. */
int weft__trace_add(struct trace_log *log, unsigned number, const struct trace_places *ring);

#endif
