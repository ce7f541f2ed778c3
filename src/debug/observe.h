/* SPDX-License-Identifier: MIT */
/*
 * observe.h: what looks into the runtime comes and goes with it.
 *
 * The scheduler knows no observer: src/run gives these two to weft__runtime_run, and from there on
 * it calls what they have hung up: sched.on_stuck, weft__fatal_hook, a trace's rings.
 */
#ifndef WEFT_DEBUG_OBSERVE_H
#define WEFT_DEBUG_OBSERVE_H

/* Before the first task; `sched` is set up. */
void weft__observe_begin(void);
/* All tasks have ended and all threads are gone; counters can still be read. */
void weft__observe_end(void);

#endif
