/* SPDX-License-Identifier: MIT */
/*
 * trace_json.h: events of the scheduler (sched/trace.h) as a file that Perfetto and chrome://tracing open.
 *
 * Knows nothing of the running runtime, so that `weft trace` can write another process's events, too.
 */
#ifndef WEFT_DEBUG_TRACE_JSON_H
#define WEFT_DEBUG_TRACE_JSON_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct trace_event;

struct trace_log {
	struct trace_event *events; /* in any order; they are sorted */
	size_t count;
	uint64_t lost;	   /* overwritten before they were read */
	uint64_t ticks[2]; /* two moments of the ticking clock, */
	int64_t times[2];  /* and of CLOCK_MONOTONIC */
	unsigned processors;
	/* What the process that wrote the events calls things; each may give NULL. */
	const char *(*text)(void *arg, uint64_t address);
	const char *(*function)(void *arg, uint64_t address);
	void *arg;
};

/* 0, -ENOMEM or the error of a write. */
int weft__trace_json(struct trace_log *log, FILE *out);

#endif
