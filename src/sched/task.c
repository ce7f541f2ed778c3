/* SPDX-License-Identifier: MIT */
/*
 * task.c: birth and end of tasks.
 *
 * A task ends in two halves. The first (weft__task_exit) runs on its own stack and leaves it for
 * ever; the second (weft__task_ended) runs on the stack that comes next and tells the joiner. So
 * whoever learns that a task has ended may free its stack at once.
 *
 * A task costs nothing but its record until it runs. Its stack comes and goes:
 *
 *   the task is               stack                moved on by
 *   unborn (TASK_UNBORN)      none; of another     its spawner, into a queue; then whoever takes it
 *                             size: its own        out, who holds a processor, attaches one
 *   ready, running, waiting   its own
 *   ended                     none                 the thread that leaves it: to the unborn task
 *                                                  that runs next, which starts over on it; else
 *                                                  finish_switch, on the next stack: to the cache,
 *                                                  before it tells the joiner
 *
 * So a task that is switched to from another's stack takes one that its processor's cache has
 * (weft__task_attach_cached). More are fetched on the scheduler's stack alone (weft__task_attach):
 * an array for a batch of them on the stack of a task that is about to wait would be a second page
 * for each task that waits.
 *
 * models/stack.pml searches these moves, and what goes wrong when one of them is made too early.
 *
 * The spawner's floating-point environment waits in the record. To ThreadSanitizer a task's fiber
 * is made by its spawner, whose clock it begins with.
 *
 * Rejected: a stack at the start (a page fault, a guard and page tables each: a burst of 100,000
 * short tasks took 400 MiB); a stack that unborn tasks share with whoever starts them.
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
#include "sched/proc.h"
#include "sched/record.h"
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

static struct stack_class *class_of(const struct task *task)
{
	return &weft__stack_classes[task->class];
}

/* Gives a record or a stack back that no cache keeps. */
static void give_record(struct task *task)
{
	struct list one;
	list_init(&one);
	list_push_head(&one, &task->link);
	weft__record_give(class_of(task), &one);
}

static void give_stack(struct stack *stack)
{
	struct list one;
	list_init(&one);
	list_push_head(&one, &stack->link);
	weft__stack_give(stack->class, &one, 1);
}

/* A record of a class that no cache keeps, with its stack. */
static struct task *allocate_whole(struct stack_class *class)
{
	struct task *task;
	if (!class || weft__record_take(class, &task, 1) < 0)
		return NULL;
	if (weft__stack_take(class, &task->stack, 1) > 0)
		return task;
	give_record(task);
	return NULL;
}

static struct task *allocate(struct thread *t, size_t stack_size)
{
	struct stack_class *class = stack_size ? weft__stack_class(stack_size) : sched.stack_class;
	return class == sched.stack_class ? weft__cache_record_take(t) : allocate_whole(class);
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

/* How much of a slot a task may use: from the bottom to the end of the head. */
static size_t usable(const struct stack *stack)
{
	return (size_t)((const char *)(stack + 1) - weft__stack_bottom(stack));
}

_Static_assert(sizeof(((struct stack *)0)->name) == TASK_NAME, "names move between the two");

static void own(struct task *task, struct stack *stack)
{
	if (unlikely(task->named) && stack != task->stack)
		memcpy(stack->name, task->name, TASK_NAME);
	task->timer.index = 0;			    /* the name has lain there */
	stack->locks = task->locked_thread != NULL; /* the main task with WEFT_LOCK_MAIN */
	stack->in_user_wait = 0;
	stack->values = NULL;
	stack->onces = NULL;
	store_relaxed(&task->stack, stack);
	task->special &= (uint8_t) ~(TASK_UNBORN | TASK_PUT_OFF);
}

static bool attach(struct task *task, struct stack *stack)
{
	if (unlikely(!stack))
		return false;
	own(task, stack);
	context_mount(&task->context, weft__stack_bottom(stack), stack, task->fp_env);
	lsan_look_into(weft__stack_bottom(stack), usable(stack));
	return true;
}

bool weft__task_attach(struct thread *t, struct task *task)
{
	return attach(task, task->stack ? task->stack : weft__cache_stack_take(t));
}

bool weft__task_attach_cached(struct thread *t, struct task *task)
{
	return attach(task, task->stack ? task->stack : weft__cache_stack_pop(t));
}

/* Whoever still looks at the frames of a task that has ended finds no sense in them. */
static void spoil(const struct task *task)
{
#if defined(WEFT_DEBUG) && !defined(WEFT_TSAN) /* to which that is a write */
	char *sp = task->context.sp;
	size_t size = (size_t)((char *)task->stack - sp);
	context_forget(sp, size);
	memset(sp, 0xa5, size);
#endif
}

/* Takes away its stack, which was left for ever or never entered. */
static struct stack *detach(struct task *task)
{
	struct stack *stack = task->stack;
	if (unlikely(task->named))
		memcpy(task->name, stack->name, TASK_NAME);
	store_relaxed(&task->stack, NULL);
	return stack;
}

/* Not with ThreadSanitizer: the end of one task would seem to come before the other, and hide races
 * between the two. */
bool weft__task_inherit(struct task *task, struct task *ended)
{
#ifdef WEFT_TSAN
	return false;
#endif
	if (task->stack || task->class != ended->class)
		return false;
	struct stack *stack = detach(ended);
	own(task, stack);
	context_inherit(&task->context, weft__stack_bottom(stack), stack);
	return true;
}

static void keep(struct thread *t, struct stack *stack)
{
	if (likely(t && t->processor && stack->class == sched.stack_class))
		weft__cache_stack_give(t, stack);
	else
		give_stack(stack);
}

struct task *weft__task_new(struct thread *t, const struct task_options *options)
{
	struct task *task = allocate(t, options->stack_size);
	if (unlikely(!task))
		return NULL;
	tsan_acquire(task);
	context_new(&task->context);
	task->fp_env = arch_fp_env();
	list_init(&task->link);
	debug_run(task_check(task, TASK_FREE));
	task->thread = NULL;
	task->locked_thread = NULL;
	task->special = TASK_UNBORN;
	task->cancelled = task->cancel_masked = task->limited = 0;
	task->join = options->detached ? JOIN_DETACHED : JOIN_RUNNING;
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
	char *place = task->stack ? task->stack->name : task->name;
	memset(place, 0, TASK_NAME);
	strncpy(place, name, TASK_NAME - 1);
	task->named = *name != 0;
}

void weft__task_free(struct thread *t, struct task *task)
{
	task->state = TASK_FREE;
	tsan_release(task);
	if (likely(t && t->processor && class_of(task) == sched.stack_class)) {
		weft__cache_record_give(t, task);
		return;
	}
	give_record(task);
}

void weft__task_drop(struct thread *t, struct task *task)
{
	count_started(t, -1);
	context_release(&task->context);
	if (task->stack)
		keep(t, detach(task));
	weft__task_free(t, task);
	if (unlikely(!t)) /* it was the last that kept the runtime from ending, perhaps */
		weft__proc_look_stuck();
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
	if (task->stack->values)
		task->stack->values->end(task);
	if (unlikely(task->groups))
		groups_left(task);
	struct thread *t = enter(); /* perhaps another one by now */
	debug_check(task->timer.index == 0);
	task->result = result;
	if (unlikely(task == sched.main.task)) {
		sched.main.task = NULL;
		sched.main.result = result;
		store_relaxed(&sched.main.returned, 1);
	}
	tsan_release(task);
	tsan_release(task->stack); /* pairs with weft__task_main */
	tsan_release(&sched);	   /* pairs with the end of weft__runtime_run */
	weft__switch_end(t);
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
		/* pairs with api/task.c:weft__join_unqueue, api/task.c:weft__join_queue,
		 * api/task.c:weft_detach, api/task.c:weft__join_ended */
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
	context_release(&task->context);
	debug_run(task_check(task, TASK_RUNNING));
	task->state = TASK_ENDED;
	if (task->stack) { /* no other has inherited it */
		lsan_forget(weft__stack_bottom(task->stack), usable(task->stack));
		spoil(task);
		keep(t, detach(task));
	}
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
