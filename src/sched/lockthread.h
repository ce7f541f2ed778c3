/* SPDX-License-Identifier: MIT */
/* lockthread.h: a task and its thread belong to each other; see lockthread.c. */
#ifndef WEFT_SCHED_LOCKTHREAD_H
#define WEFT_SCHED_LOCKTHREAD_H

struct thread;

void weft__lock_thread(struct thread *t);
/* 0, or -EPERM when the task is not locked. */
int weft__unlock_thread(struct thread *t);

#endif
