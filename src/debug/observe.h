/* SPDX-License-Identifier: MIT */
/*
 * observe.h: sets up and takes down what observes the runtime.
 *
 * The scheduler knows no observer: src/run passes these two functions to weft__runtime_run, and the
 * scheduler uses what they have put in place: sched.on_stuck, weft__fatal_hook, a trace's rings.
 */
#ifndef WEFT_DEBUG_OBSERVE_H
#define WEFT_DEBUG_OBSERVE_H

/* Before the first task; `sched` is set up. */
void weft__observe_begin(void);
/* All tasks have ended and all threads are gone; counters can still be read. */
void weft__observe_end(void);

#endif
