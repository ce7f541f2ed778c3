/* SPDX-License-Identifier: MIT */
/* cancel.h: cancellation, down to all that a task or a group has started; see cancel.c. */
#ifndef WEFT_API_CANCEL_H
#define WEFT_API_CANCEL_H

#include "sched/sched.h"

struct weft_group;

/* Cancels the task, which must be there, and all groups below it. t: the caller's, or NULL. */
void weft__cancel_task(struct thread *t, struct task *task);

/* Cancels the members, now and later, and all groups below them. */
void weft__cancel_group(struct thread *t, struct weft_group *g);

/* weft_stop's walk: cancels the groups of one task, but not their members: the walk finds them. */
void weft__cancel_stop(struct task *maker);

/* Returns when nobody is between cancelling a group of the task's and cancelling the task. */
void weft__cancel_settle(struct task *maker);

#endif
