/* SPDX-License-Identifier: MIT */
/*
 * observe.h: what the runtime calls when it begins and ends, for dumps, traces and reports.
 *
 * The scheduler works without them: weft__runtime_run gets them in its options, and only what looks into the runtime
 * (src/debug, which stands above it) implements them.
 */
#ifndef WEFT_DEBUG_OBSERVE_H
#define WEFT_DEBUG_OBSERVE_H

/* Before the first task; `sched` is set up. */
void weft__observe_begin(void);
/* All tasks have ended and all threads are gone; counters can still be read. */
void weft__observe_end(void);

#endif
