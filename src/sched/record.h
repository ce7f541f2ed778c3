/* SPDX-License-Identifier: MIT */
/*
 * record.h: the records of tasks, apart from their stacks.
 *
 * Records are numbered from 0 per class of stacks and live in regions that double in size, as slots
 * do (stack.h). They are never unmapped while the runtime runs, and no number is skipped: so they
 * are type-stable, and all tasks can be found by walking the numbers below class->used, while they
 * run and without a lock. A record that is free is TASK_FREE and has no stack.
 *
 * There are never more records of a class than open slots: record n is handed out for the first
 * time when slot n is open. Which stack a task then gets has nothing to do with its number.
 *
 * 192 bytes: a hundred thousand tasks that wait take 4,096 bytes each of stack, 256 of page tables
 * and 192 of record.
 *
 * Rejected: records at the heads of stacks (each task that is started touches a page of its own,
 * even when it runs on a stack that another has just left); giving the memory of free records back
 * (stale handles would read zeroes, and it is a twentieth of what their stacks take).
 */
#ifndef WEFT_SCHED_RECORD_H
#define WEFT_SCHED_RECORD_H

#include "base/list.h"

struct stack_class;
struct task;

/* Up to `room` free records into `out`; returns how many, or -ENOMEM with a warning when there is
 * none. */
int weft__record_take(struct stack_class *c, struct task **out, unsigned room);
void weft__record_give(struct stack_class *c, struct list *tasks);
/* Calls `fn` for every record that was ever used, in order; those in state TASK_FREE included. */
void weft__record_each(void (*fn)(struct task *task, void *arg), void *arg);
/* The task in whose guard `address` lies; NULL: none. Async-signal-safe. */
struct task *weft__record_guard_owner(const void *address);

#endif
