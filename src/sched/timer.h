/* SPDX-License-Identifier: MIT */
/*
 * timer.h: the timers of each processor, and who serves them. Which timer is next: timerq.h.
 *
 * Each processor's queue has a lock, taken by its processor, by whoever stops one of its timers,
 * and by a thread that serves timers for processors that are in user code. `earliest` is read
 * without the lock.
 *
 * Who serves a queue? Its processor, at each of its looks. The poller, the monitor and thieves
 * leave it alone until TURN has passed since the last look: with many timers one is due at any
 * moment, and a monitor that served each of them burnt a CPU, contended for the lock, and sent all
 * tasks through the global queue. A processor that goes idle ends its turn at once
 * (weft__timer_leave), and wakes the poller if need be.
 *
 * Firing happens under the lock, so after weft__timer_stop nobody but the caller uses the timer.
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

/* Starts `timer`, whose `when` and `fire` are set and which is not running, on the caller's
 * processor. 0 or -ENOMEM. */
int weft__timer_start(struct thread *t, struct timer *timer);
/* The same in the queue of any processor; the caller sees to it that somebody wakes up in time. */
int weft__timer_put(struct processor *p, struct timer *timer);
/* Stops it. Returns true when it had not fired; false: it has, and `fire` has returned. Any
 * thread. */
bool weft__timer_stop(struct timer *timer);
/* Called by `fire` for its own timer: puts it back into the queue, for its new `when`. */
void weft__timer_again(struct timer *timer);
/* Fires what is due at `now` in the queue of `p`, unless p serves it itself; woken tasks are added
 * to `ready`. Returns how many fired. For callers that do not hold p. */
unsigned weft__timer_run(struct processor *p, int64_t now, struct list *ready);
/* The holder of p looks: fires up to `room` timers and a batch; what is due beyond that waits for
 * the next look. */
unsigned weft__timer_run_own(struct processor *p, int64_t now, struct list *ready, unsigned room);
/* The holder of p goes idle: it will not look for a while. */
void weft__timer_leave(struct processor *p);
/* Returns true when the holder of p has looked since half a millisecond before `time`: others need
 * not. */
bool weft__timer_attended(const struct processor *p, int64_t time);
/* When a thread that holds no processor may have to fire a timer: the earliest of all processors'
 * timers, later where the processor serves them itself. INT64_MAX when there is none. */
int64_t weft__timer_earliest(void);
/*
 * Until when to sleep for a timer that is due at `until`, after a sleep at whose end `fired` timers
 * fired. With thousands of sleeping tasks one is due every few microseconds, and a sleep costs as
 * much as firing twenty: then it lasts a tenth of a millisecond longer, so that several become due.
 * A timer that is alone, or far ahead, does not wait.
 */
int64_t weft__timer_gather(int64_t until, int64_t now, unsigned fired);
void weft__timer_free(struct processor *p);

#endif
