/* SPDX-License-Identifier: MIT */
/*
 * stack.h: stacks of tasks, and the records that lie at their tops.
 *
 * A slot is a power of two of address space: a guard page, the stack, and at its top, a few cache
 * lines down, the task's record. One page of it is touched by a task that only waits. Slots are
 * numbered from 0 per size class and live in regions that double in size, so a number is an address
 * without a table; slots are never unmapped while the runtime runs, and all tasks can be found by
 * walking the numbers below `used`.
 *
 *   free slot   where                          memory
 *   cached      a processor's cache (cache.h)  as the last task left it
 *   warm        class->warm, newest first      as the last task left it
 *   cold        class->cold, by number         given back to the kernel: reads as zero (TASK_FREE)
 *   unused      numbers from `used` on         never touched
 *
 * Guards: MADV_GUARD_INSTALL (Linux 6.13) costs no mapping, else mprotect, two mappings a stack,
 * where vm.max_map_count ends it at about 32,000 with a clear error.
 *
 * The record's distance from the top is coloured by slot: records at one page offset would share
 * one cache set (8.7 ns a touch with sixteen of them, 2.0 coloured).
 */
#ifndef WEFT_SCHED_STACK_H
#define WEFT_SCHED_STACK_H

#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/lock.h"

struct task;

enum { STACK_REGIONS = 24, STACK_FIRST = 64 };	   /* region k holds STACK_FIRST << k slots */
enum { STACK_CLASSES = 20, STACK_MIN_SHIFT = 14 }; /* 16 KiB to 8 GiB */

struct stack_class {
	struct lock lock; /* rank STACK; guards all below */
	uint32_t used;	  /* slots handed out at least once; read without the lock */
	uint32_t guarded; /* slots below it have their guard */
	uint32_t warm_count, cold_count;
	uint32_t warm_low; /* least warm_count since the last trim */
	struct list warm;
	size_t size; /* of a slot; fixed */
	char *regions[STACK_REGIONS];
	uint32_t *cold_next[STACK_REGIONS]; /* links of the cold list, beside their region */
	uint32_t cold_first;		    /* first cold slot + 1; 0: none */
};

enum { STACK_COLOURS = 16, STACK_COLOUR_STEP = 128 };

/* For debuggers, which find all tasks by them. */
extern struct stack_class weft__stack_classes[STACK_CLASSES];

/* The class whose stacks have at least `size` bytes; NULL: larger than any. */
struct stack_class *weft__stack_class(size_t size);
/* Up to `room` free slots' records into `out`; gives how many, or -ENOMEM with a warning when there
 * is none. */
int weft__stack_take(struct stack_class *c, struct task **out, unsigned room);
/* Gives slots back, to the warm list. */
void weft__stack_give(struct stack_class *c, struct list *tasks, unsigned count);
/* Gives memory of half of what has lain warm since the last call back to the kernel; true: there may
 * be more to do. */
bool weft__stack_trim(void);
/* Address space for stacks, touched lazily; NULL: none to be had. And a guard page at the start of one stack: 0, or
 * -ENOMEM with a warning. For the stacks of threads, too. */
void *weft__stack_reserve(size_t size);
int weft__stack_guard(void *base);
/* Unmaps everything. No task is left. */
void weft__stack_shutdown(void);

/* The record of slot number `slot`. */
struct task *weft__stack_task(const struct stack_class *c, uint32_t slot);
/* The usable stack of a task: from above the guard to below the record. Pure: its number alone decides. */
__attribute__((pure)) void *weft__stack_bottom(const struct task *task);
/* The task in whose guard page `address` lies; NULL: none. Async-signal-safe. */
struct task *weft__stack_guard_owner(const void *address);
/* Calls `fn` for every record that was ever used, in order; those in state TASK_FREE included. */
void weft__stack_each(void (*fn)(struct task *task, void *arg), void *arg);

#endif
