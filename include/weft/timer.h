/* SPDX-License-Identifier: MIT */
/*
 * weft/timer.h: timers that do something while nobody waits for them: send into a channel, or start
 * a task; once, or again and again. Since 0.1.
 *
 * For a limit on a single wait no timer is needed: every call that waits takes a deadline.
 *
 * A timer that is still running when all tasks have ended does not keep the runtime alive: it stops
 * then. It may be started again in a later run, or freed at any time.
 */
#ifndef WEFT_TIMER_H
#define WEFT_TIMER_H

#include <stdint.h>

#include "weft/attr.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct weft_chan;

/*
 * Made by one of the two calls below, freed by weft_timer_free. Its owner starts and stops it, from
 * several tasks at once if need be.
 */
struct weft_timer;

/*
 * Returns a timer that sends the moment for which it was set, an int64_t on weft_now's clock, into
 * `chan` (or a pure signal if the item size is 0) each time it fires. It never waits: what does not
 * fit is dropped, so make the channel with room for one. Holds a reference to the channel. It does
 * not run yet. NULL: no memory, `chan` NULL, or another item size.
 */
struct weft_timer *weft_timer_new_chan(struct weft_chan *chan);

/*
 * Returns a timer that starts a detached task, fn(arg), each time it fires; none after weft_stop.
 * When there is no memory for the task it tries again every millisecond. It does not run yet. NULL:
 * no memory, or fn NULL.
 */
struct weft_timer *weft_timer_new_task(void (*fn)(void *arg), void *arg);

/*
 * Sets the timer to fire at `deadline` (at once when that has passed), and then, if `period` is not
 * 0, every `period` nanoseconds after it; ticks that came too late to fire are left out. Returns 1
 * when it was running, and the firing for which it was set before will not happen; 0 when it was
 * not. Errors: -EINVAL no runtime runs, timer NULL or period negative (nothing changes); -ENOTSUP
 * in a forked child; -ENOMEM the timer does not run.
 */
int weft_timer_start(struct weft_timer *timer, int64_t deadline, int64_t period);

/*
 * Stops the timer. Returns 1 when it was running, and it does not fire any more; 0 when it was not
 * running: its last firing is over (what it sent is in the channel, its task has been started), or
 * it never was started. -EINVAL: timer NULL.
 */
int weft_timer_stop(struct weft_timer *timer);

/* Stops the timer and frees it. NULL: nothing. */
void weft_timer_free(struct weft_timer *timer);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
