/* SPDX-License-Identifier: MIT */
/*
 * timer.h: the timers of each processor, and who serves them. Which one is next: timerq.h.
 *
 * Each processor's queue has a lock, taken by its processor, by whoever stops one of its timers,
 * and by a thread that serves timers for processors that are in user code. `earliest` is read
 * without the lock.
 *
 * Who serves a queue? Its processor, at each of its looks. The poller, the monitor and thieves keep
 * away until TURN has passed since the last one: with many timers one is due at any moment, and a
 * monitor that went after each burnt a CPU, fought for the lock, and sent all tasks by the global
 * queue. A processor that goes idle ends its turn at once (weft__timer_leave), and wakes the poller
 * if need be.
 *
 * Firing happens under the lock, so after weft__timer_stop the timer is nobody's but the caller's.
 * Woken tasks are returned in a list: timers never call up into the scheduler.
 */
#ifndef WEFT_SCHED_TIMER_H
#define WEFT_SCHED_TIMER_H

#include <stdbool.h>
#include <stdint.h>

struct list;
struct processor;
struct thread;
struct timer;

/* Starts `timer` (when and fire are set, it runs nowhere) on the caller's processor. 0 or -ENOMEM.
 */
int weft__timer_start(struct thread *t, struct timer *timer);
/* Stops it: true when it had not fired. When it gives false, fire has returned. Any thread. */
bool weft__timer_stop(struct timer *timer);
/* Called by `fire` with its own timer: back into the queue, for its new `when`. */
void weft__timer_again(struct timer *timer);
/* Fires what is due at `now` in the queue of `p`, unless its processor sees to it; woken tasks are
 * added to `ready`. Gives how many fired. For whoever does not hold p. */
unsigned weft__timer_run(struct processor *p, int64_t now, struct list *ready);
/* The holder of p looks: up to `room` and a batch are fired, what is due beyond that next time. */
unsigned weft__timer_run_own(struct processor *p, int64_t now, struct list *ready, unsigned room);
/* The holder of p will not look for a while: it goes idle. */
void weft__timer_leave(struct processor *p);
/* The holder of p has looked since half a millisecond before `time`: others need not then. */
bool weft__timer_attended(const struct processor *p, int64_t time);
/* When others may have to fire one: the earliest of all processors' timers, later where the
 * processor sees to it itself. INT64_MAX when there is none. */
int64_t weft__timer_earliest(void);
/*
 * How long to sleep for a timer that is due at `until`, after a sleep that `fired` timers ended.
 * Among thousands of sleepers one is due every few microseconds, and a sleep costs as much as
 * twenty of them: then it lasts a tenth of a millisecond longer, and some gather. A timer that is
 * alone, or far ahead, is not made to wait.
 */
int64_t weft__timer_gather(int64_t until, int64_t now, unsigned fired);
void weft__timer_free(struct processor *p);

#endif
