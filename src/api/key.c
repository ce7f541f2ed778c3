/* SPDX-License-Identifier: MIT */
/*
 * key.c: task-local storage.
 *
 * Keys are numbers, handed out once and never taken back, as most programs want; a task's first
 * weft_key_set allocates its table of values, by malloc, in user code. A value belongs to its task
 * alone, so no call here enters the runtime. When a task ends, destructors run on its own stack, as
 * with pthread keys: again while they set new values, at most four times.
 */
#include <errno.h>
#include <stdlib.h>

#include "api/call.h"
#include "sched/stack.h"
#include "weft/task.h"

enum { KEYS_MAX = 1024, DESTRUCTOR_ROUNDS = 4 };

static uint32_t key_count;
static void (*destructors[KEYS_MAX])(void *);

struct values {
	struct task_values in_task;
	uint32_t room;
	void *value[];
};

static struct values *values_of(const struct task *task)
{
	return (struct values *)task->stack->values; /* in_task is its first member */
}

int weft_key_create(unsigned *key, void (*destructor)(void *))
{
	/* Keys are for tasks; before weft_run any thread may make them for later tasks. */
	/* pairs with runtime.c:run */
	if (!key || (!call_task() && load_acquire(&sched.running)))
		return weft__outside();
	uint32_t n = load_relaxed(&key_count);
	do {
		if (n == KEYS_MAX)
			return -EAGAIN;
		/* pairs with weft_key_create, weft_key_set */
	} while (!cas_acq_rel(&key_count, &n, n + 1));
	/* pairs with destroy_round */
	store_release(&destructors[n], destructor);
	*key = n;
	return 0;
}

static bool destroy_round(struct task *task)
{
	bool any = false;
	for (uint32_t i = 0; i < values_of(task)->room; i++) {
		struct values *v = values_of(task); /* a destructor may have moved it */
		void *value = v->value[i];
		/* pairs with weft_key_create */
		void (*destructor)(void *) = load_acquire(&destructors[i]);
		v->value[i] = NULL;
		if (!value || !destructor)
			continue;
		destructor(value);
		any = true;
	}
	return any;
}

/* The task ends: destructors, then the table. In user code. */
static void end(struct task *task)
{
	for (int i = 0; i < DESTRUCTOR_ROUNDS && destroy_round(task); i++)
		;
	free(task->stack->values);
	task->stack->values = NULL;
}

static struct values *grow(struct task *task, unsigned key)
{
	struct values *old = values_of(task);
	uint32_t had = old ? old->room : 0;
	uint32_t room = max_of(2 * had, max_of(key + 1, 8u));
	struct values *v = realloc(old, sizeof(*v) + room * sizeof(v->value[0]));
	if (!v)
		return NULL;
	for (uint32_t i = had; i < room; i++)
		v->value[i] = NULL;
	v->in_task.end = end;
	v->room = room;
	task->stack->values = &v->in_task;
	return v;
}

int weft_key_set(unsigned key, void *value)
{
	struct task *task = call_task();
	/* pairs with weft_key_create */
	if (!task || key >= load_acquire(&key_count))
		return -EINVAL;
	struct values *v = values_of(task);
	if (!v || key >= v->room) {
		if (!value)
			return 0;
		v = grow(task, key);
	}
	if (!v)
		return -ENOMEM;
	v->value[key] = value;
	return 0;
}

void *weft_key_get(unsigned key)
{
	struct task *task = call_task();
	struct values *v = task ? values_of(task) : NULL;
	return v && key < v->room ? v->value[key] : NULL;
}
