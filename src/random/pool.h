/* SPDX-License-Identifier: MIT */
/*
 * pool.h: the process's random states: who owns which, and the free ones. pool.c has the protocol.
 */
#ifndef WEFT_RANDOM_POOL_H
#define WEFT_RANDOM_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

/* The record of one state. It is in ordinary memory, because the kernel may zero the states' own
 * pages. */
struct slot {
	void *state;
	struct slot *next;  /* free: the next free slot. Owned: the owner's next slot */
	const void **owner; /* the owner, as weft__pool_take was told; NULL: none */
	pid_t pid, tid;	    /* debug builds: whose it is */
} cache_aligned;

enum { POOL_BUSY = 1 }; /* another thread is taking */

/*
 * Returns a free slot, owned from now on; NULL with *error POOL_BUSY or the -errno of a refused
 * mmap. `self` is any address that no other living thread passes.
 */
struct slot *weft__pool_take(const void *self, int *error);

/* Zeroes an owned slot's state and links it. Never allocates, locks, waits or fails. */
void weft__pool_give(struct slot *slot);

/*
 * Gives back what a dead thread at the address `self` left behind: all of `self`'s slots but those
 * linked from *mine, and the right to take. Called once by each thread, before its first take.
 * Never allocates, locks or waits.
 */
void weft__pool_sweep(const void *self, struct slot *const *mine);

/* Opens the pool again after a take of `self` that will never end: a siglongjmp left it, or its
 * thread was cancelled in it. */
void weft__pool_abandon(const void *self);

/* In a fork's child, whose one thread owns the slots linked from `mine`: all others become free. */
void weft__pool_after_fork(const struct slot *mine);

struct pool_count {
	size_t pages, mapped, free;
};
struct pool_count weft__pool_count(void);

#endif
