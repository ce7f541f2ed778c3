/* SPDX-License-Identifier: MIT */
/*
 * stack.h: stacks of tasks, and the records that lie at their tops.
 *
 * Slots are numbered from 0 per size class and live in regions that double in size, so a number is
 * an address without a table. Slots are never unmapped while the runtime runs, and all tasks can be
 * found by walking the numbers below `used`. From its lowest address upwards a slot is
 *
 *   gap      the end of the page on which the slot below has its record: a write that misses the
 *            guard does not meet that record first
 *   guard    64 KiB, or a page that is larger: whatever touches it dies
 *   stack    at least what was asked for, a power of two
 *   record   at the end of the slot, down by a few cache lines; with the innermost frames of a task
 *            that only waits it takes one page of memory
 *
 *   free slot   where                          memory
 *   cached      a processor's cache (cache.h)  as the last task left it
 *   warm        class->warm, newest first      as the last task left it
 *   cold        class->cold, by number         given back to the kernel: reads as zero (TASK_FREE)
 *   unused      numbers from `used` on         never touched
 *   closed      numbers from `open` on         address space that nobody may touch
 *
 * Address space is reserved closed and not locked, and opened for up to 64 slots at a time: so
 * mlockall(MCL_FUTURE) does not fill it, and a kernel that accounts strictly is asked for what is
 * opened alone. Guards: MADV_GUARD_INSTALL (Linux 6.13) costs no mapping. Elsewhere, and in memory
 * that mlockall(MCL_CURRENT) has locked, a guard is what stays closed: two mappings a stack, where
 * vm.max_map_count ends it at about 32,000 with a clear error.
 *
 * The record's distance from the slot's end is coloured by its number: records at one page offset
 * would share one cache set (8.7 ns a touch with sixteen of them, 2.0 coloured).
 *
 * Rejected: a guard of one page, as pthreads have: a frame of two pages reaches over it, into
 * another task. No gap: the first thing behind a guard would be a record, which the scheduler
 * trusts.
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
	uint32_t open;	  /* slots below it may be used, and have their guard */
	uint32_t warm_count, cold_count;
	uint32_t warm_low; /* least warm_count since the last trim */
	struct list warm;
	size_t size;			    /* of a slot; fixed */
	size_t usable;			    /* of it, at least, for a task's frames; fixed */
	char *regions[STACK_REGIONS];	    /* where their first slots begin: with a gap */
	uint32_t *cold_next[STACK_REGIONS]; /* links of the cold list, beside their region */
	uint32_t cold_first;		    /* first cold slot + 1; 0: none */
};

enum { STACK_COLOURS = 16, STACK_COLOUR_STEP = 128 };

/* For debuggers, which find all tasks by them. */
extern struct stack_class weft__stack_classes[STACK_CLASSES];

/* The class whose stacks have at least `size` usable bytes; NULL: larger than any. */
struct stack_class *weft__stack_class(size_t size);
/* Up to `room` free slots' records into `out`; gives how many, or -ENOMEM with a warning when there
 * is none. */
int weft__stack_take(struct stack_class *c, struct task **out, unsigned room);
/* Gives slots back, to the warm list. */
void weft__stack_give(struct stack_class *c, struct list *tasks, unsigned count);
/* Gives memory of half of what has lain warm since the last call back to the kernel; true: there may
 * be more to do. */
bool weft__stack_trim(void);
/* Address space that nobody may touch yet, and that is not locked. NULL: there is none. */
void *weft__stack_reserve(size_t size);
/* Lets a reserved range be used as stacks, for code, too, if this program wants that (program.h).
 * 0 or -errno. */
int weft__stack_open(void *base, size_t size);
/* Bytes of a guard. */
size_t weft__stack_guard_size(void);
/* Memory for a table of which most is never touched. NULL: there is none. */
void *weft__stack_table(size_t size);
/* Unmaps everything. No task is left. */
void weft__stack_shutdown(void);

/* The record of slot number `slot`. */
struct task *weft__stack_task(const struct stack_class *c, uint32_t slot);
/* The usable stack of a task: from above the guard to below the record. Pure: its number alone decides. */
__attribute__((pure)) void *weft__stack_bottom(const struct task *task);
/* The task in whose guard `address` lies; NULL: none. Async-signal-safe. */
struct task *weft__stack_guard_owner(const void *address);
/* Calls `fn` for every record that was ever used, in order; those in state TASK_FREE included. */
void weft__stack_each(void (*fn)(struct task *task, void *arg), void *arg);

#endif
