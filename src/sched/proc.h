/* SPDX-License-Identifier: MIT */
/* proc.h: processors change hands. */
#ifndef WEFT_SCHED_PROC_H
#define WEFT_SCHED_PROC_H

#include "sched/sched.h"

/* p to t, which has none; t->next becomes p->next. [S] is held. */
void weft__proc_attach(struct thread *t, struct processor *p);
/* Whether t, which asks for itself and without the lock, has a processor by now. */
static always_inline bool proc_given(const struct thread *t)
{
	/* pairs with proc.c:weft__proc_attach */
	return load_acquire(&t->processor);
}
/* t's processor, which is nobody's then. [S] is held; t is the caller, or not yet alive. */
struct processor *weft__proc_detach(struct thread *t);
/* Takes an idle processor for t. False: there is none. */
bool weft__proc_take_idle(struct thread *t);
/* t comes back from user code, its processor was taken: takes an idle one. False: there is none; t
 * still counts as in user code, until its task is queued. */
bool weft__proc_return(struct thread *t);
/* t lets its processor go, to the idle list. False, and t keeps it: work has come meanwhile. */
bool weft__proc_release(struct thread *t);
/* t's processor, with `next` to run first (or NULL), to another thread: of the idle ones, or a new
 * one. */
void weft__proc_hand_off(struct thread *t, struct task *next);
/* t's processor, as t ends and will not sleep again: to another thread if anything is left to do or
 * to be awaited, else to the idle list. */
void weft__proc_leave(struct thread *t);
/* hand_off for a processor that the monitor has taken. */
void weft__proc_start(struct processor *p);
/* t's processor to `to`, which sleeps, with `task` to run first. */
void weft__proc_give(struct thread *t, struct thread *to, struct task *task);
/* t goes to user code without its processor, which goes to another thread: weft_blocking_begin. */
void weft__proc_lend(struct thread *t);
/* Returns true when a timer runs or a descriptor is awaited and no thread sleeps in the poller. */
bool weft__proc_poller_missing(void);
/* Looks whether all tasks have ended, or wait for ever, as is done whenever the last processor goes
 * idle; the latter is left to the monitor's judgement. */
void weft__proc_look_stuck(void);
/* The last processor may have gone idle: looks whether all tasks have ended, or wait for ever. [S] is
 * held. */
void weft__proc_all_idle(void);
/* The monitor's: reports a deadlock if there is one. True: there may be one later. */
bool weft__proc_judge(void);
/* Puts an idle processor to work for what waits in the global queues, for want of a thread. */
void weft__proc_serve_waiting(void);
/* Puts one idle processor to work, if there is one and nobody looks for work already. */
void weft__proc_wake(void);
/* Does the caller have a processor and all rights? One predicted branch; see sched.h, invariant 2.
 */
void weft__proc_check(const struct thread *t, const char *what);
/* Are more runnable tasks queued here than the holder will run next? Then another processor should
 * help. */
static inline bool proc_has_surplus(const struct processor *p)
{
	return runq_length(&p->ready) + deque_length(&p->fresh) > 1;
}

static inline bool proc_has_work(const struct processor *p)
{
	return runq_length(&p->ready) + deque_length(&p->fresh) > 0;
}

#endif
