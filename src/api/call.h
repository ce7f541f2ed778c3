/* SPDX-License-Identifier: MIT */
/*
 * call.h: what the calls of src/api share: the caller, waking, and random choice.
 *
 * A caller is a task (its thread t, between enter and leave) or a thread that is not the runtime's
 * (t NULL). The latter waits in the kernel, on a waiter on its own stack (sched/foreign.c). Objects
 * of the program work between such threads before weft_run, too: there it is counted as inside the
 * runtime only while it makes a task runnable. In calls for what belongs to a run (runtime_enter,
 * call_hold) it is inside for the whole call, and its waits are bound.
 */
#ifndef WEFT_API_CALL_H
#define WEFT_API_CALL_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/waitq.h"
#include "sched/foreign.h"
#include "sched/park.h"
#include "sched/runtime.h"
#include "sched/sched.h"

/* A child of fork has no runtime: its tasks stayed with the parent. */
static always_inline bool call_forked(const struct thread *t)
{
	return unlikely(!t) && unlikely(sched.forked);
}

/* The calling task; NULL: the caller is none. What belongs to it alone needs no way into the
 * runtime. */
static always_inline struct task *call_task(void)
{
	const struct thread *t = weft__thread_self();
	return t ? t->task : NULL;
}

/* What a call for tasks alone returns to other callers: -ENOTSUP in a forked child, else
 * -EINVAL. */
int weft__outside(void);

/* Called before entering, by calls for tasks alone: 0 when the caller is one, else that result. */
static always_inline int call_outside(void)
{
	const struct thread *t = weft__thread_self();
	return likely(t) && likely(t->task) ? 0 : weft__outside();
}

/* Called before entering, by calls for every thread while the runtime runs: 0, or what
 * weft__runtime_state does. */
static always_inline int call_allowed(void)
{
	const struct thread *t = weft__thread_self();
	return likely(t) && likely(t->task) ? 0 : weft__runtime_state();
}

/* Around what uses the runtime's things without entering it: they stay. The first fails with what
 * weft__runtime_state does. */
static inline int call_hold(void)
{
	return likely(weft__thread_self()) ? 0 : weft__foreign_enter();
}

static inline void call_unhold(void)
{
	if (unlikely(!weft__thread_self()))
		weft__foreign_leave();
}

/* weft__wait_end for a caller that is not the runtime's. */
void weft__foreign_wake(struct waiter *w, uint32_t reason);

/* Ends a claimed wait, for any caller. No object's lock is held. */
static always_inline void call_wake(struct thread *t, struct waiter *w, uint32_t reason)
{
	if (likely(t))
		weft__wait_end(t, w, reason);
	else
		weft__foreign_wake(w, reason);
}

/* The same for a queue of claimed waits. */
void weft__wake_all(struct thread *t, const struct waitq *claimed);

/*
 * The result of a cancellable call that would have to wait and may not (deadline 0): -ECANCELED for
 * a cancelled task, as from any wait, else -EAGAIN. Does not enter the runtime.
 */
int weft__would_wait(void);

/* Waits for nothing but the deadline or a cancel; `bound`: or the end of the runtime. */
int weft__wait_alone(const char *why, int64_t deadline, bool bound);

/*
 * A wait for a task's end in parts: shows the waiter to it (false: it has ended); takes the waiter
 * back (false: it has ended, and nobody will touch the waiter any more); has it ended?; takes its
 * result and frees it.
 */
bool weft__join_queue(struct task *task, struct waiter *w);
bool weft__join_unqueue(struct task *task, struct waiter *w);
bool weft__join_ended(const struct task *task);
int weft__join_free(struct thread *t, struct task *task);

struct task_options;

/* The handle was not joined or detached before; else misuse. */
void weft__require_live(const struct task *task, const char *call);

/* Makes a task, which the runtime waits for from now on. NULL: *err says why not. */
struct task *weft__task_make(struct thread *t, const struct task_options *options, int *err);

/* Lets a new task run; it is cancelled when weft_stop was called before. */
void weft__task_launch(struct thread *t, struct task *task);

/*
 * Identifies the caller as a holder: the calling task, or the foreign thread (its pthread_self()).
 * Never 0; the low four bits are 0.
 */
static always_inline uint64_t call_holder(void)
{
	struct thread *t = weft__thread_self();
	return likely(t) ? (uintptr_t)t->task : (uintptr_t)__builtin_thread_pointer();
}

/* Prints a line that names the call and the task, and the dump; aborts. */
_Noreturn cold void weft__misuse(const char *call, const char *what);

/* Returns a number below `bound`, each about equally likely. t: the caller's thread, or NULL. */
uint32_t weft__pick(struct thread *t, uint32_t bound);

#endif
