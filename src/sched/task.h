/* SPDX-License-Identifier: MIT */
/* task.h: the beginning and the end of tasks. */
#ifndef WEFT_SCHED_TASK_H
#define WEFT_SCHED_TASK_H

#include "sched/sched.h"
#include "sched/stack.h"

/* What the caller fixes about a new task; starts it through weft__ready_fresh. */
struct task_options {
	const char *name;
	size_t stack_size; /* 0: default */
	bool detached;
};
/* NULL: no memory. The task is not yet visible to anyone. */
struct task *weft__task_new(struct thread *t, const struct task_options *options);
/* Names it: a copy, cut to fit. */
void weft__task_name(struct task *task, const char *name);

/* Its name; "" when it has none. It lies at the head of the stack while there is one. */
static inline const char *task_name(const struct task *task)
{
	const struct stack *stack = load_relaxed(&task->stack);
	if (!task->named)
		return "";
	return stack ? stack->name : task->name;
}
/* Its number, from any thread, while it may end; 0: there is no task. */
static inline uint64_t task_number(const struct task *task)
{
	return task ? load_relaxed(&task->id) : 0;
}

/* Gives an unborn task a stack to run on; on the scheduler's stack. Returns false when there is
 * none now. t holds a processor. */
bool weft__task_attach(struct thread *t, struct task *task);
/* The same on any stack: one that t's processor has in its cache. */
bool weft__task_attach_cached(struct thread *t, struct task *task);
/* An unborn task takes over the stack of `ended`, which the caller is on and leaves for ever.
 * Returns false when it may not. */
bool weft__task_inherit(struct task *task, struct task *ended);
/* Takes back a task that was never started. */
void weft__task_drop(struct thread *t, struct task *task);
/* What a task with JOIN_MEMBER is given to when it has ended; set before there is any. */
extern void (*weft__on_member_end)(struct thread *t, struct task *task);
/* weft_stop: called with each record before the tasks are cancelled; NULL: there are no groups. */
extern void (*weft__on_stop)(struct task *task);
/* Frees an ended task. */
void weft__task_free(struct thread *t, struct task *task);
/* The second half of a task's end, on another stack. */
void weft__task_ended(struct thread *t, struct task *task);
/* Ends the calling task; never returns. */
_Noreturn void weft__task_exit(int result);
/* Tasks that have started and not ended; exact only while nothing runs. */
uint64_t weft__task_count(void);
/* The last number of a task that was handed out, to a task or to a processor for its next ones. */
uint64_t weft__task_last_id(void);

#endif
