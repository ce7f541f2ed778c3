/* SPDX-License-Identifier: MIT */
/*
 * task.c: birth and end of tasks.
 *
 * A task ends in two halves. The first (weft__task_exit) runs on its own stack and leaves it for
 * ever; the second (weft__task_ended) runs on the stack that comes next and tells the joiner. So
 * whoever learns that a task has ended may free its stack at once.
 *
 *   task->join       meaning                               who moves it
 *   JOIN_RUNNING     nobody waits yet
 *   a waiter         that one waits                        RUNNING <-> waiter: the joiner, by CAS
 *   JOIN_DETACHED    nobody ever will; frees itself        RUNNING -> DETACHED: the handle's owner
 *   JOIN_MEMBER      a group's, which is told; frees itself
 *   JOIN_CLAIMING    the waiter is being told              waiter -> CLAIMING -> ENDED: tell_joiner
 *   JOIN_ENDED       ended; the handle's owner frees it    RUNNING -> ENDED: tell_joiner
 *
 * A joiner that gives up (deadline, cancel) moves its waiter out by CAS; when it finds CLAIMING
 * instead, it waits the few instructions until ENDED: nobody touches its waiter after that.
 */
#include "sched/task.h"

#include <string.h>
#include <unistd.h>

#include "sched/cache.h"
#include "sched/check.h"
#include "sched/park.h"
#include "sched/schedule.h"
#include "sched/stack.h"

enum { ID_BATCH = 1024 };

void (*weft__on_member_end)(struct thread *t, struct task *task);
void (*weft__on_stop)(struct task *task);

static uint64_t ids; /* handed out to processors in batches */

static uint64_t new_id(struct processor *p)
{
	if (!p)
		return add_relaxed(&ids, 1) + 1;
	if (p->next_id == p->last_id) {
		p->next_id = add_relaxed(&ids, ID_BATCH);
		p->last_id = p->next_id + ID_BATCH;
	}
	return ++p->next_id;
}

uint64_t weft__task_last_id(void)
{
	return load_relaxed(&ids);
}

static struct task *allocate(struct thread *t, size_t stack_size)
{
	struct stack_class *class = stack_size ? weft__stack_class(stack_size) : sched.stack_class;
	struct task *task = NULL;
	if (class == sched.stack_class)
		return weft__cache_task_take(t);
	if (class)
		weft__stack_take(class, &task, 1);
	return task;
}

static void count_started(struct thread *t, int more)
{
	if (t) {
		count_owned(&t->processor->started, more);
		return;
	}
	lock_take(&sched.lock, RANK_SCHED);
	sched.counts.foreign_started += (uint64_t)(int64_t)more;
	lock_drop(&sched.lock, RANK_SCHED);
}

/* How much of its slot a task may use: its stack, and its record, which lies behind it. */
static size_t usable(const struct task *task)
{
	return (size_t)((const char *)(task + 1) - (const char *)weft__stack_bottom(task));
}

struct task *weft__task_new(struct thread *t, const struct task_options *options)
{
	struct task *task = allocate(t, options->stack_size);
	if (unlikely(!task))
		return NULL;
	tsan_acquire(task);
	context_init(&task->context, weft__stack_bottom(task),
		     (void *)((uintptr_t)task & ~(uintptr_t)15));
	lsan_look_into(weft__stack_bottom(task), usable(task));
	list_init(&task->link);
	debug_run(task_check(task, TASK_FREE));
	task->thread = NULL;
	task->locked_thread = NULL;
	task->locks = 0;
	debug_check(task->timer.index == 0);
	task->cancelled = task->cancel_masked = task->limited = 0;
	task->join = options->detached ? JOIN_DETACHED : JOIN_RUNNING;
	task->values = NULL;
	task->onces = NULL;
	task->in_user_wait = 0;
	task->called_stop = 0;
	task->id = new_id(t ? t->processor : NULL);
	task->named = 0;
	if (options->name)
		weft__task_name(task, options->name);
	count_started(t, 1);
	return task;
}

void weft__task_name(struct task *task, const char *name)
{
	memset(task->name, 0, sizeof(task->name));
	strncpy(task->name, name, sizeof(task->name) - 1);
	task->named = *name != 0;
}

void weft__task_free(struct thread *t, struct task *task)
{
	task->state = TASK_FREE;
	tsan_release(task);
	if (likely(t && t->processor && task->class == sched.stack_class)) {
		weft__cache_task_give(t, task);
		return;
	}
	struct list one;
	list_init(&one);
	list_push_head(&one, &task->link);
	weft__stack_give(task->class, &one, 1);
}

void weft__task_drop(struct thread *t, struct task *task)
{
	count_started(t, -1);
	lsan_forget(weft__stack_bottom(task), usable(task));
	context_release(&task->context);
	weft__task_free(t, task);
}

/* There is nothing to go back to: the scheduler's threads stayed with the parent. */
static _Noreturn cold void exit_forked(int result)
{
	weft__warn("a task has ended in a child of fork: so does the child, with status %d",
		   result & 0xff);
	_exit(result);
}

/* Members that nobody waits for would run on after what their maker gave them is gone. */
static _Noreturn cold void groups_left(const struct task *task)
{
	weft__fatal("the end of a task: it has not waited for a group of its own (called by task "
		    "%llu '%s')",
		    (unsigned long long)task->id, task_name(task));
}

void weft__task_exit(int result)
{
	if (unlikely(!weft__thread_self()))
		exit_forked(result);
	struct task *task = weft__thread_self()->task;
	if (task->values)
		task->values->end(task);
	if (unlikely(task->groups))
		groups_left(task);
	struct thread *t = enter(); /* perhaps another one by now */
	task->result = result;
	if (unlikely(task == sched.main.task)) {
		sched.main.task = NULL;
		sched.main.result = result;
		store_relaxed(&sched.main.returned, 1);
	}
	tsan_release(task);
	tsan_release(&sched); /* pairs with the end of weft__runtime_run */
	weft__switch_away(t, AFTER_END);
	__builtin_unreachable();
}

static void tell_joiner(struct thread *t, struct task *task)
{
	/* pairs with api/task.c:weft__join_queue, api/task.c:weft_detach */
	struct waiter *seen = load_acquire(&task->join);
	for (;;) {
		if (seen == JOIN_DETACHED || seen == JOIN_MEMBER) {
			if (seen == JOIN_MEMBER)
				weft__on_member_end(t, task);
			weft__task_free(t, task);
			return;
		}
		struct waiter *to = seen == JOIN_RUNNING ? JOIN_ENDED : JOIN_CLAIMING;
		/* pairs with api/task.c:weft__join_unqueue, api/task.c:weft__join_queue, api/task.c:weft_detach,
		 * api/task.c:weft__join_ended */
		if (cas_acq_rel(&task->join, &seen, to))
			break;
	}
	if (seen == JOIN_RUNNING)
		return;
	bool claimed = wait_claim(seen);
	/* From here on the joiner may free the task: pairs with api/task.c:weft__join_unqueue,
	 * api/task.c:weft__join_ended. */
	store_release(&task->join, JOIN_ENDED);
	if (claimed)
		weft__wait_end(t, seen, WAKE_USER);
}

void weft__task_ended(struct thread *t, struct task *task)
{
	lsan_forget(weft__stack_bottom(task), usable(task));
	context_release(&task->context);
	debug_run(task_check(task, TASK_RUNNING));
	task->state = TASK_ENDED;
	if (unlikely(task->locked_thread)) {
		t->locked_task = NULL;
		t->leaving = 1;
	}
	tell_joiner(t, task);
	count_owned(&t->processor->ended, 1);
}

uint64_t weft__task_count(void)
{
	uint64_t started = sched.counts.foreign_started, ended = 0;
	for (unsigned i = 0; i < sched.processor_count; i++) {
		started += load_relaxed(&sched.processors[i].started);
		ended += load_relaxed(&sched.processors[i].ended);
	}
	return started - ended;
}
