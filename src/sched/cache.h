/* SPDX-License-Identifier: MIT */
/*
 * cache.h: small records of the runtime, from the processor's own free lists. It is what a
 * processor is for when it comes to memory, as mcache is in Go's runtime: whoever allocates must
 * hold a processor.
 *
 * A bin's free records are chained through themselves; an empty bin is refilled, a full one
 * emptied, in batches from and to the central lists. Threads without a processor that are not the
 * runtime's use the central lists. Memory goes back to the kernel when the runtime ends. Not for
 * user data: that is malloc's.
 *
 * Beside the bins, a processor keeps free records of tasks and free stacks of the default size, the
 * last given first, each kind in two magazines (Bonwick and Adams, "Magazines and Vmem", 2001): one
 * is given to the central list as a whole, no cold stack is touched for it. While a processor lies
 * idle all are taken from it, so that a peak's memory does not stay.
 */
#ifndef WEFT_SCHED_CACHE_H
#define WEFT_SCHED_CACHE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/list.h"

struct stack;
struct task;
struct thread;

enum { CACHE_BINS = 7, CACHE_MIN = 64 }; /* 64 bytes to 4 KiB */

struct cache_bin {
	void *free;
	unsigned count;
};

struct magazines {
	struct list list, spare; /* the spare one is full or empty */
	unsigned count, spare_count;
};

struct cache {
	struct cache_bin bins[CACHE_BINS];
	struct magazines records, stacks;
};

/* From memory that is all zero. */
void weft__cache_init(struct cache *cache);
/* `size` bytes, at most 4096, not cleared; NULL when there is no memory. t: the caller, who must
 * hold a processor; NULL: not one of the runtime's threads. */
void *weft__cache_alloc(struct thread *t, size_t size);
/* Gives back what weft__cache_alloc(_, size) gave. */
void weft__cache_free(struct thread *t, void *record, size_t size);
/* A free record of a task with a stack of the default size, and back. NULL: no memory. */
struct task *weft__cache_record_take(struct thread *t);
void weft__cache_record_give(struct thread *t, struct task *task);
/* A free stack of the default size, and back. NULL: no memory. */
struct stack *weft__cache_stack_take(struct thread *t);
/* One that is in the cache already; NULL: none is. */
struct stack *weft__cache_stack_pop(struct thread *t);
void weft__cache_stack_give(struct thread *t, struct stack *stack);
/* Gives the free records and stacks of idle processors to the central lists, which weft__stack_trim
 * looks through. Returns true when there were stacks, which have memory to give back. */
bool weft__cache_trim(void);
/* Gives all memory back to the kernel. No record is left in use. */
void weft__cache_shutdown(void);

#endif
