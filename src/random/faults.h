/* SPDX-License-Identifier: MIT */
/*
 * faults.h: the free list that Go 1.24.0 had, for the storm command alone.
 *
 * For builds with WEFT_FAULTS: the weft command compiles these sources a second time with it. In
 * the libraries the three functions at the end are constant false. With `grow_alloc` set before the
 * process's first draw, free states sit in an array as in Go: the first page of states reserves
 * room for one page's worth, later pages reserve nothing, and giving back beyond that grows the
 * array with memory from `grow_alloc` (the storm passes the scheduler's per-processor cache). In a
 * core file or an unwinder the crash then reads grow_alloc's function < list_grow < state_put < its
 * caller.
 *
 * weft__state_put may be called in any order relative to giving up the processor; that order is
 * what the storm varies.
 */
#ifndef WEFT_RANDOM_FAULTS_H
#define WEFT_RANDOM_FAULTS_H

#include <stdbool.h>

#include "base/attr.h"

struct slot;

#ifdef WEFT_FAULTS
#include "base/atomic.h"
#include "random/pool.h"
#include "random/vdso.h"
#include "random/wipe.h"

struct weft__random_faults {
	void *(*grow_alloc)(size_t bytes); /* NULL: the list of the shipped library */
};
extern struct weft__random_faults weft__random_faults;

/*
 * For kernels whose vDSO has no getrandom: states of the usual size in ordinary memory, drawn with
 * by system call. They exercise the same bookkeeping, not the speed; weft_random_info still says
 * vdso 0. To be called before the first draw.
 */
void weft__random_stand_in(void);

struct faulty_list {
	struct slot **slots;
	size_t len, cap;
	uint32_t lock;
};
extern struct faulty_list weft__faulty_list;

static inline void faulty_list_lock(struct faulty_list *l)
{
	uint32_t unlocked = 0;
	while (!cas_acquire(&l->lock, &unlocked, 1)) { /* pairs with faulty_list_unlock */
		unlocked = 0;
		cpu_relax();
	}
}

static inline void faulty_list_unlock(struct faulty_list *l)
{
	store_release(&l->lock, 0); /* pairs with faulty_list_lock */
}

/* Doubles the array. A frame of its own, because its name is the evidence. */
noinline void list_grow(struct faulty_list *l);
noinline void weft__faulty_list_add(struct faulty_list *l, struct slot *first);
noinline struct slot *weft__faulty_list_take(struct faulty_list *l);

/* Each works on the array and returns true; false: there is no array, use the list. */

/* Go's append. Inlined, so that list_grow's caller is the function that gives the state back. */
static always_inline bool faulty_list_give(struct slot *slot)
{
	struct faulty_list *l = &weft__faulty_list;
	if (!weft__random_faults.grow_alloc)
		return false;
	wipe(slot->state, weft__vdso.stride);
	store_relaxed(slot->owner, NULL);
	faulty_list_lock(l);
	if (l->len == l->cap)
		list_grow(l);
	l->slots[l->len++] = slot;
	faulty_list_unlock(l);
	return true;
}

/* A whole page of free slots, linked from `first`. */
static inline bool faulty_list_add(struct slot *first)
{
	if (weft__random_faults.grow_alloc)
		weft__faulty_list_add(&weft__faulty_list, first);
	return weft__random_faults.grow_alloc != NULL;
}

/* *slot is NULL when the array is empty. */
static inline bool faulty_list_take(struct slot **slot)
{
	if (weft__random_faults.grow_alloc)
		*slot = weft__faulty_list_take(&weft__faulty_list);
	return weft__random_faults.grow_alloc != NULL;
}
#else
static always_inline bool faulty_list_give(struct slot *slot)
{
	return false;
}

static always_inline bool faulty_list_add(struct slot *first)
{
	return false;
}

static always_inline bool faulty_list_take(struct slot **slot)
{
	return false;
}
#endif

#endif
