/* SPDX-License-Identifier: MIT */
/* foreign.h: threads that are not the runtime's: their calls, their waits, their end; foreign.c. */
#ifndef WEFT_SCHED_FOREIGN_H
#define WEFT_SCHED_FOREIGN_H

#include "sched/sched.h"
#include "sched/timer.h"

/* For threads that are not the runtime's: it gives nothing back between these two calls. The first
 * returns what weft__runtime_state does; they nest. */
int weft__foreign_enter(void);
void weft__foreign_leave(void);

/* Into the runtime, for a task (*t: its thread) or for another thread (*t: NULL). Fails with what
 * weft__runtime_state does. */
static inline int runtime_enter(struct thread **t)
{
	*t = enter();
	return *t ? 0 : weft__foreign_enter();
}

static inline void runtime_leave(struct thread *t)
{
	if (likely(t))
		leave(t);
	else
		weft__foreign_leave();
}

/* Back from enter(), which for other threads does nothing. */
static always_inline void call_leave(struct thread *t)
{
	if (likely(t))
		leave(t);
}

/* Sleeps until the wait, announced by this thread, is ended, and returns why. */
uint32_t weft__foreign_sleep(struct waiter *w, int64_t deadline);

/* One more wait of such a thread for the poller, or one less (-1). */
void weft__foreign_polls(int more);

/* Does it count, or its processor (t)? */
static inline void poller_awaited(struct thread *t, int more)
{
	if (likely(t))
		count_owned(&t->processor->awaiting_poller, (uint32_t)more);
	else
		weft__foreign_polls(more);
}

/* weft__timer_start for any caller. */
int weft__foreign_timer_start(struct timer *timer);
static inline int timer_start_by(struct thread *t, struct timer *timer)
{
	return likely(t) ? weft__timer_start(t, timer) : weft__foreign_timer_start(timer);
}

/* The runtime ends, `running` says so: ends what waits for it. Whoever comes later sees that. */
void weft__foreign_end_waits(void);
/* The last thing after that: returns when nobody is inside. */
void weft__foreign_await_outside(void);
/* In a child of fork, which has none of the threads. */
void weft__foreign_forget(void);

/* Between these two, who sleeps goes on sleeping, or is woken and stays where it is. */
void weft__foreign_hold(void);
void weft__foreign_release(void);
/* While held: does this thread sleep without a deadline, and nobody has woken it? */
bool weft__foreign_sleeps(pid_t tid);
/* While held: is anybody inside who does not sleep so? */
bool weft__foreign_stirs(void);

#endif
