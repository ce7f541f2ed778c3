/* SPDX-License-Identifier: MIT */
/* schedule.h: the main path: who runs next, and what becomes of the task that was left. */
#ifndef WEFT_SCHED_SCHEDULE_H
#define WEFT_SCHED_SCHEDULE_H

#include "sched/sched.h"

/* Leaves the calling task's stack for ever. */
_Noreturn void weft__switch_end(struct thread *t);
/* Leaves the calling task's stack; `after` says what becomes of the task. Returns when it runs
 * again, on *that* thread. Inside the runtime. */
struct thread *weft__switch_away(struct thread *t, enum after after);
/* Queues a runnable task: on the caller's processor; in the global queue when t is NULL or has
 * none. */
void weft__ready(struct thread *t, struct task *task);
/* Adds a new task to a list for weft__ready_list. It is a function of this file because the links
 * of a list's members belong to whoever has the list, which ThreadSanitizer must not look at. */
void weft__ready_later(struct task *task, struct list *tasks);
/* Moves runnable tasks to the global queue and wakes processors for them. The list is empty then.
 * Any thread. */
void weft__ready_list(struct list *tasks);
/* The same, but to t's own queue. */
void weft__ready_here(struct thread *t, struct list *tasks);
/* How often a processor has switched to a task: while it does not grow, nothing runs. */
uint64_t weft__all_switches(void);
/* Queues a task that has never run. */
void weft__ready_fresh(struct thread *t, struct task *task);
/* The loop of a thread on its own stack: returns when its locked task has ended or the runtime
 * ends. */
void weft__scheduler(struct thread *t);

#endif
