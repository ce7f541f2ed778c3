/* SPDX-License-Identifier: MIT */
/* lockthread.h: a task and its thread belong to each other; see lockthread.c. */
#ifndef WEFT_SCHED_LOCKTHREAD_H
#define WEFT_SCHED_LOCKTHREAD_H

struct task;
struct thread;

/* From now on only t runs the task, and t runs nothing else. */
void weft__lock_to(struct thread *t, struct task *task);
/* Locks t's own task to it; each time counts. */
void weft__lock_thread(struct thread *t);
/* 0, or -EPERM when the task is not locked. */
int weft__unlock_thread(struct thread *t);

#endif
