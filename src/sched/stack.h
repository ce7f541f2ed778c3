/* SPDX-License-Identifier: MIT */
/*
 * stack.h: stacks of tasks, by size class.
 *
 * Slots are numbered from 0 per class and live in regions that double in size, so a number is an
 * address without a table. Slots are never unmapped while the runtime runs. From its lowest address
 * upwards a slot is
 *
 *   gap      the end of the page on which the slot below has its head: a write that misses the
 *            guard does not meet that head first
 *   guard    64 KiB, or a page that is larger: whatever touches it dies
 *   stack    at least what was asked for, a power of two
 *   head     at the end of the slot, down by a few cache lines; with the innermost frames of a task
 *            that only waits it takes one page of memory
 *
 *   free slot   where                          memory
 *   cached      a processor's cache (cache.h)  as the last task left it
 *   warm        class->warm, newest first      as the last task left it
 *   cold        class->cold, by number         given back to the kernel: reads as zero
 *   unused      numbers from `taken` on        never touched
 *   closed      numbers from `open` on         address space that nobody may touch
 *
 * A stack has one owner: a task (task->stack), a cache or a list of its class. Only the thread that
 * has left it for ever, or has not yet entered it, moves it on.
 *
 * Address space is reserved closed and not locked, and opened for up to 64 slots at a time: so
 * mlockall(MCL_FUTURE) does not fill it, and a kernel that accounts strictly is asked for what is
 * opened alone. Slot n is opened before task record n is handed out for the first time (record.h):
 * so a task that was started never lacks address space, and its spawner is told when there is none.
 *
 * Guards: MADV_GUARD_INSTALL (Linux 6.13) costs no mapping; such guards are set when a slot is used
 * for the first time. Elsewhere, and in memory that mlockall(MCL_CURRENT) has locked, a guard is
 * what stays closed: two mappings a stack, where vm.max_map_count ends it at about 32,000. The
 * spawner is told, but for slots that were open and had no guard yet when memory was locked: there
 * a task that was started waits until another leaves it a stack (schedule.c:put_off).
 *
 * The head's distance from the slot's end is coloured by its number: heads and innermost frames at
 * one page offset would share one cache set (8.7 ns a touch with sixteen of them, 2.0 coloured).
 *
 * Rejected: a guard of one page, as pthreads have: a frame of two pages reaches over it, into
 * another task. No gap: the first thing behind a guard would be a head, which the runtime trusts.
 * Guards when a slot is opened: 0.7 us and half a page of page tables for each task that is
 * started, where most of them run one after another on few stacks.
 */
#ifndef WEFT_SCHED_STACK_H
#define WEFT_SCHED_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/list.h"
#include "base/lock.h"

struct once_call;
struct task;
struct task_values;

enum { STACK_REGIONS = 24, STACK_FIRST = 64 };	   /* region k holds STACK_FIRST << k slots */
enum { STACK_CLASSES = 20, STACK_MIN_SHIFT = 14 }; /* 16 KiB to 8 GiB */

/* The head of a stack. What few tasks need lies here, and not in their records. */
struct stack {
	struct list link; /* of free ones [who owns the stack] */
	struct stack_class *class;
	uint32_t slot;		    /* its number in the class */
	uint32_t locks;		    /* lock_os_thread's nesting [the task] */
	uint32_t in_user_wait;	    /* weft_blocking_begin's nesting [the task] */
	struct task_values *values; /* task-local storage, NULL when none [the task] */
	struct once_call *onces;    /* calls of weft_once that it is in: api/once.c [the task] */
	char name[32];		    /* if task->named [the task] */
} cache_aligned;

struct stack_class {
	struct lock lock; /* rank STACK; guards all below */
	uint32_t used;	  /* records used at least once; read without the lock */
	uint32_t taken;	  /* slots used at least once */
	uint32_t open;	  /* slots below it may be used: all that are taken, and more */
	uint32_t guarded; /* slots below it have their guards: all that are taken */
	uint32_t warm_count;
	uint32_t warm_low;		     /* least warm_count since the last trim */
	struct list warm;		     /* of stacks */
	struct list free;		     /* records: record.h */
	size_t size;			     /* of a slot; fixed */
	size_t usable;			     /* of it, at least, for a task's frames; fixed */
	char *regions[STACK_REGIONS];	     /* where their first slots begin: with a gap */
	struct task *records[STACK_REGIONS]; /* as many as slots: record.h */
	uint32_t *cold_next[STACK_REGIONS];  /* links of the cold list, beside their region */
	bool told;			     /* that there is no stack: once until there is one */
	uint32_t cold_first;		     /* first cold slot + 1; 0: none */
};

enum { STACK_COLOURS = 16, STACK_COLOUR_STEP = 128 };

/* For debuggers, which find all tasks by them. */
extern struct stack_class weft__stack_classes[STACK_CLASSES];

/* Region k starts at slot STACK_FIRST * (2^k - 1). */
static inline unsigned stack_region(uint32_t slot)
{
	return 31 - (unsigned)__builtin_clz(slot / STACK_FIRST + 1);
}

static inline uint32_t stack_region_first(unsigned region)
{
	return STACK_FIRST * ((1u << region) - 1);
}

/* Where the number of the cold slot behind cold slot `slot` lies, plus one; 0: it is the last. */
static inline uint32_t *stack_cold_next(const struct stack_class *c, uint32_t slot)
{
	unsigned region = stack_region(slot);
	return &c->cold_next[region][slot - stack_region_first(region)];
}

/* The class whose stacks have at least `size` usable bytes; NULL: larger than any. */
struct stack_class *weft__stack_class(size_t size);
/* Sees to it that slot number `slot`, the first that is not promised yet, is open, and that there
 * is a place for its record. 0, or -ENOMEM, with a warning if it is `needed`, and not only kept in
 * store. The class is locked. */
int weft__stack_promise(struct stack_class *c, uint32_t slot, bool needed);
/* Up to `room` free stacks into `out`; returns how many, or -ENOMEM with a warning when there is
 * none. */
int weft__stack_take(struct stack_class *c, struct stack **out, unsigned room);
/* Gives stacks back, to the warm list. */
void weft__stack_give(struct stack_class *c, struct list *stacks, unsigned count);
/* Gives memory of half of what has lain warm since the last call back to the kernel; true: there
 * may be more to do. */
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

/* The head of slot number `slot`. */
struct stack *weft__stack_at(const struct stack_class *c, uint32_t slot);
/* The lowest usable byte: the stack reaches from there to its head. Pure: the slot's number alone
 * decides, and a build in which nobody needs the result makes no call. */
__attribute__((pure)) char *weft__stack_bottom(const struct stack *stack);
/* The same by the address alone, for who may not trust what lies there; NULL: not a stack. */
char *weft__stack_bottom_of(const struct stack *stack);
/* The stack in whose guard `address` lies; NULL: none. Async-signal-safe. */
struct stack *weft__stack_guarded(const void *address);

#endif
