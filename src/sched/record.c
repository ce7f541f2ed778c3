/* SPDX-License-Identifier: MIT */
/* record.c: see record.h. */
#include "sched/record.h"

#include <errno.h>

#include "sched/sched.h"
#include "sched/stack.h"

enum { NEW_BATCH = 32 };

static struct task *record_at(const struct stack_class *c, uint32_t number)
{
	unsigned region = stack_region(number);
	return &c->records[region][number - stack_region_first(region)];
}

/* A record that was never used, with what stays as it is for all of its tasks. */
static struct task *record_new(struct stack_class *c, bool needed)
{
	uint32_t number = c->used;
	if (weft__stack_promise(c, number, needed) < 0)
		return NULL;
	struct task *task = record_at(c, number);
	task->class = (uint8_t)(c - weft__stack_classes);
	task->waiter.task = task;
	/* pairs with weft__record_each, stack.c:weft__stack_trim */
	store_release(&c->used, number + 1);
	return task;
}

int weft__record_take(struct stack_class *c, struct task **out, unsigned room)
{
	unsigned n = 0;
	lock_take(&c->lock, RANK_STACK);
	unsigned fresh = min_of(max_of(c->used, 1u), (uint32_t)NEW_BATCH);
	while (n < room) {
		struct list *free = list_pop_head(&c->free);
		struct task *task = free ? container_of(free, struct task, link) : NULL;
		if (!task && n < fresh)
			task = record_new(c, n == 0);
		if (!task)
			break;
		out[n++] = task;
	}
	lock_drop(&c->lock, RANK_STACK);
	return n ? (int)n : -ENOMEM;
}

void weft__record_give(struct stack_class *c, struct list *tasks)
{
	lock_take(&c->lock, RANK_STACK);
	list_move_all_head(&c->free, tasks); /* the newest in front */
	lock_drop(&c->lock, RANK_STACK);
}

void weft__record_each(void (*fn)(struct task *task, void *arg), void *arg)
{
	for (unsigned i = 0; i < STACK_CLASSES; i++) {
		struct stack_class *c = &weft__stack_classes[i];
		uint32_t used = load_acquire(&c->used); /* pairs with record_new */
		for (uint32_t number = 0; number < used; number++)
			fn(record_at(c, number), arg);
	}
}

struct search {
	const struct stack *stack;
	struct task *owner;
};

static void compare(struct task *task, void *arg)
{
	struct search *search = arg;
	if (load_relaxed(&task->stack) == search->stack)
		search->owner = task;
}

struct task *weft__record_guard_owner(const void *address)
{
	struct search search = {.stack = weft__stack_guarded(address)};
	if (search.stack)
		weft__record_each(compare, &search);
	return search.owner;
}
