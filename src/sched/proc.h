/* SPDX-License-Identifier: MIT */
/* proc.h: processors change hands. */
#ifndef WEFT_SCHED_PROC_H
#define WEFT_SCHED_PROC_H

#include "sched/sched.h"

/* Gives p to t, which has none; t->next becomes p->next. [S] is held. */
void weft__proc_attach(struct thread *t, struct processor *p);
/* Has t, which asks for itself and without the lock, a processor by now? */
static always_inline bool proc_given(const struct thread *t)
{
	/* pairs with proc.c:weft__proc_attach */
	return load_acquire(&t->processor);
}
/* Takes t's processor away, returns it; then nobody holds it. [S] is held; t is the caller, or not
 * yet started. */
struct processor *weft__proc_detach(struct thread *t);
/* Takes an idle processor for t. False: there is none. */
bool weft__proc_take_idle(struct thread *t);
/* t comes back from user code and its processor was taken: takes an idle one. False: there is none;
 * t still counts as in user code, until its task is queued. */
bool weft__proc_return(struct thread *t);
/* Puts t's processor on the idle list. False, and t keeps it: work has come meanwhile. */
bool weft__proc_release(struct thread *t);
/* Gives t's processor, with `next` (or NULL) to run first, to another thread: an idle one, or a new
 * one. */
void weft__proc_hand_off(struct thread *t, struct task *next);
/* t ends, and will not sleep again: gives its processor to another thread if anything is left to do
 * or to wait for, else puts it on the idle list. */
void weft__proc_leave(struct thread *t);
/* The same as weft__proc_hand_off, for a processor that the monitor has taken. */
void weft__proc_start(struct processor *p);
/* Gives t's processor to `to`, which sleeps, with `task` to run first. */
void weft__proc_give(struct thread *t, struct thread *to, struct task *task);
/* t enters user code without its processor, which goes to another thread: weft_blocking_begin. */
void weft__proc_lend(struct thread *t);
/* Returns true when a timer runs or a descriptor is awaited and no thread sleeps in the poller. */
bool weft__proc_poller_missing(void);
/* Looks whether all tasks have ended or wait for ever, as whenever the last processor goes idle;
 * waiting for ever is left to the monitor to judge. */
void weft__proc_look_stuck(void);
/* The last processor may have gone idle: looks whether all tasks have ended, or wait for ever. [S]
 * is held. */
void weft__proc_all_idle(void);
/* Returns true when no task runs and nothing of the runtime's will wake one; but some may lie in
 * queues, for want of a stack or a thread. */
bool weft__proc_stands_still(void);
/* The same moment, if it lasts: returns true when something outside of the runtime may wake a
 * task. */
bool weft__proc_outside_wakes(void);
/* The monitor's: reports a deadlock if there is one. True: there may be one later. */
bool weft__proc_judge(void);
/* Puts an idle processor to work on what waits in the global queues because there was no thread. */
void weft__proc_serve_waiting(void);
/* Puts one idle processor to work, if there is one and no thread looks for work already. */
void weft__proc_wake(void);
/* Aborts unless t holds a processor and is inside the runtime. One predicted branch; see sched.h,
 * invariant 2. */
void weft__proc_check(const struct thread *t, const char *what);
/* Returns true when more runnable tasks are queued here than the holder runs next: another
 * processor should help. */
static inline bool proc_has_surplus(const struct processor *p)
{
	return runq_length(&p->ready) + deque_length(&p->fresh) > 1;
}

static inline bool proc_has_work(const struct processor *p)
{
	return runq_length(&p->ready) + deque_length(&p->fresh) > 0;
}

/* Returns true when a woken task waits for this processor or for any. */
static inline bool proc_woken_wait(const struct processor *p)
{
	return runq_length(&p->ready) || load_relaxed(&sched.global_ready.length);
}

#endif
