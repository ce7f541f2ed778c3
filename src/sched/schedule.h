/* SPDX-License-Identifier: MIT */
/* schedule.h: the main path: who runs next, and what becomes of the task that was left. */
#ifndef WEFT_SCHED_SCHEDULE_H
#define WEFT_SCHED_SCHEDULE_H

#include "sched/sched.h"

/* Leaves the calling task's stack; `after` says what becomes of the task. Returns when it runs
 * again, on *that* thread. Inside the runtime. */
struct thread *weft__switch_away(struct thread *t, enum after after);
/* A task that may run: to the caller's processor; t NULL or without a processor: to the global
 * queue. */
void weft__ready(struct thread *t, struct task *task);
/* Adds a new task to such a list as weft__ready_list takes. Here, because the links of its members belong to whoever
 * has the list, and ThreadSanitizer must not look at that. */
void weft__ready_later(struct task *task, struct list *tasks);
/* Tasks that may run, to the global queue; wakes processors for them. Any thread. Empties the list.
 */
void weft__ready_list(struct list *tasks);
/* The same, to t's own queue. */
void weft__ready_here(struct thread *t, struct list *tasks);
/* A task that has never run. */
void weft__ready_fresh(struct thread *t, struct task *task);
/* The loop of a thread on its own stack: returns when its locked task has ended or the runtime
 * ends. */
void weft__scheduler(struct thread *t);

#endif
