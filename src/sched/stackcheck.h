/* SPDX-License-Identifier: MIT */
/*
 * stackcheck.h: what must hold of a size class of stacks, in words and in code.
 *
 * Debug builds call these through debug_run (base/fatal.h): a stack when it leaves its class, the
 * whole class, which costs a look at each free stack, when memory is given back (stack.c). Records
 * are checked by cache.c:records_check.
 *
 * Rejected: a mark in each head that says who owns it (one more thing to move, which itself can be
 * wrong): a stack with two owners is in a list twice, and so the count is wrong, or the list is.
 */
#ifndef WEFT_SCHED_STACKCHECK_H
#define WEFT_SCHED_STACKCHECK_H

#include "base/fatal.h"
#include "sched/stack.h"

/* A free stack: its head says where it lies. */
static inline void stack_check(const struct stack_class *c, const struct stack *stack)
{
	require(stack->class == c, "the stack %p is free in a class that is not its own",
		(const void *)stack);
	require(stack->slot < c->taken, "stack %u is free, and was never taken", stack->slot);
	require(weft__stack_at(c, stack->slot) == stack, "the stack %p says that it is number %u",
		(const void *)stack, stack->slot);
}

/* A slot is opened, gets its guard and is taken, in that order, and is open before its record. */
static inline void stack_limits_check(const struct stack_class *c)
{
	require(c->taken <= c->guarded && c->guarded <= c->open,
		"of a class %u stacks are taken, %u have guards and %u are open", c->taken,
		c->guarded, c->open);
	require(c->used <= c->open, "a class has %u records for %u stacks", c->used, c->open);
}

static inline void stack_warm_check(const struct stack_class *c)
{
	uint32_t found = 0;
	list_each (l, &c->warm) {
		stack_check(c, container_of(l, struct stack, link));
		require(++found <= c->warm_count, "a class of %u warm stacks has more",
			c->warm_count);
	}
	require(found == c->warm_count, "a class of %u warm stacks has %u", c->warm_count, found);
	require(c->warm_low <= c->warm_count, "of %u warm stacks %u were never needed",
		c->warm_count, c->warm_low);
}

/* Those that are warm are not cold. */
static inline void stack_cold_check(const struct stack_class *c)
{
	uint32_t found = 0;
	for (uint32_t next = c->cold_first; next; next = *stack_cold_next(c, next - 1)) {
		require(next <= c->taken, "stack %u is cold, and was never taken", next - 1);
		require(++found <= c->taken - c->warm_count,
			"of %u stacks %u are warm, and more than the others cold", c->taken,
			c->warm_count);
	}
}

/* The class is locked. */
static inline void stack_class_check(const struct stack_class *c)
{
	stack_limits_check(c);
	stack_warm_check(c);
	stack_cold_check(c);
}

#endif
