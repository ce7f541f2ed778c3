/* SPDX-License-Identifier: MIT */
/*
 * trace_json.h: events of the scheduler (sched/trace.h) as a file that Perfetto and
 * chrome://tracing open.
 *
 * It does not use the running runtime, so that `weft trace` can write another process's events,
 * too.
 */
#ifndef WEFT_DEBUG_TRACE_JSON_H
#define WEFT_DEBUG_TRACE_JSON_H

#include <stdio.h>

#include "debug/trace_times.h"

/* 0, -ENOMEM or the error of a write. */
int weft__trace_json(struct trace_log *log, FILE *out);

#endif
