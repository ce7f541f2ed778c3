/* SPDX-License-Identifier: MIT */
/*
 * lockthread.c: a task and its thread belong to each other.
 *
 * While they do, this holds:
 *   - the thread runs no other task: when its task parks or yields, it hands its processor to
 *     another thread and sleeps (THREAD_LOCKED);
 *   - no other thread runs the task: whoever finds it in a queue gives its own processor, with the
 *     task, to the thread that owns it (weft__proc_give), and goes idle;
 *   - when the task ends, the thread ends: exit.c.
 *
 * No thread is ever started from a locked thread, so nothing that a locked task does to its thread
 * (namespaces, working directory, signal mask, capabilities, scheduling, name) reaches another:
 * threads are started by the template alone (template.c), which runs no task.
 */
#include "sched/lockthread.h"

#include <errno.h>

#include "sched/sched.h"
#include "sched/stack.h"

void weft__lock_to(struct thread *t, struct task *task)
{
	task->locked_thread = t;
	task->special |= TASK_LOCKED;
	t->locked_task = task;
}

void weft__lock_thread(struct thread *t)
{
	t->task->stack->locks++;
	weft__lock_to(t, t->task);
}

int weft__unlock_thread(struct thread *t)
{
	struct task *task = t->task;
	if (task->stack->locks == 0)
		return -EPERM;
	if (--task->stack->locks == 0) {
		task->locked_thread = NULL;
		task->special &= (uint8_t)~TASK_LOCKED;
		t->locked_task = NULL;
	}
	return 0;
}
