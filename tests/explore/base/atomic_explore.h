/* SPDX-License-Identifier: MIT */
/*
 * atomic_explore.h: the operations of base/atomic.h as calls into the schedule explorer
 * (tests/explore/explore.h).
 *
 * Any value of up to eight bytes travels as a uint64_t. On the machine that is explored (TSO) a
 * load is a load, whatever its order, and a store that is not seq_cst waits in its thread's buffer.
 */
#ifndef WEFT_BASE_ATOMIC_EXPLORE_H
#define WEFT_BASE_ATOMIC_EXPLORE_H

#include <stddef.h>
#include <stdint.h>

uint64_t explore_load(const void *p, size_t size);
void explore_store(void *p, size_t size, uint64_t value);
void explore_fence(void);
void explore_relax(void);

/* Read, change, write in one step: returns the old value. */
enum explore_change { EXPLORE_SWAP, EXPLORE_ADD, EXPLORE_SUB, EXPLORE_OR, EXPLORE_AND };
uint64_t explore_change(void *p, size_t size, enum explore_change change, uint64_t operand);
bool explore_cas(void *p, size_t size, void *expected, uint64_t value);

#define explore_load_as(p) ((__typeof__(*(p)))explore_load((p), sizeof(*(p))))
#define explore_store_as(p, v) explore_store((p), sizeof(*(p)), (uint64_t)(uintptr_t)(v))
#define explore_change_as(p, change, v) \
	({ /* not just a cast: the result may be of no interest */ \
	   uint64_t changed_ = \
		   explore_change((p), sizeof(*(p)), (change), (uint64_t)(uintptr_t)(v)); \
	   (__typeof__(*(p)))changed_; \
	})
#define explore_cas_as(p, expected, v) \
	explore_cas((p), sizeof(*(p)), (expected), (uint64_t)(uintptr_t)(v))

#define load_relaxed(p) explore_load_as(p)
#define load_acquire(p) explore_load_as(p)
#define load_seq_cst(p) explore_load_as(p)
#define store_relaxed(p, v) explore_store_as(p, v)
#define store_release(p, v) explore_store_as(p, v)
#define store_seq_cst(p, v) (explore_store_as(p, v), explore_fence())

#define add_relaxed(p, v) explore_change_as(p, EXPLORE_ADD, v)
#define add_acq_rel(p, v) explore_change_as(p, EXPLORE_ADD, v)
#define add_seq_cst(p, v) explore_change_as(p, EXPLORE_ADD, v)
#define sub_relaxed(p, v) explore_change_as(p, EXPLORE_SUB, v)
#define sub_acq_rel(p, v) explore_change_as(p, EXPLORE_SUB, v)
#define sub_seq_cst(p, v) explore_change_as(p, EXPLORE_SUB, v)

#define or_relaxed(p, v) explore_change_as(p, EXPLORE_OR, v)
#define or_seq_cst(p, v) explore_change_as(p, EXPLORE_OR, v)
#define and_relaxed(p, v) explore_change_as(p, EXPLORE_AND, v)
#define and_release(p, v) explore_change_as(p, EXPLORE_AND, v)
#define and_seq_cst(p, v) explore_change_as(p, EXPLORE_AND, v)

#define swap_relaxed(p, v) explore_change_as(p, EXPLORE_SWAP, v)
#define swap_acquire(p, v) explore_change_as(p, EXPLORE_SWAP, v)
#define swap_release(p, v) explore_change_as(p, EXPLORE_SWAP, v)
#define swap_acq_rel(p, v) explore_change_as(p, EXPLORE_SWAP, v)
#define swap_seq_cst(p, v) explore_change_as(p, EXPLORE_SWAP, v)

#define cas_relaxed(p, expected, v) explore_cas_as(p, expected, v)
#define cas_acquire(p, expected, v) explore_cas_as(p, expected, v)
#define cas_release(p, expected, v) explore_cas_as(p, expected, v)
#define cas_acq_rel(p, expected, v) explore_cas_as(p, expected, v)
#define cas_seq_cst(p, expected, v) explore_cas_as(p, expected, v)

#define fence_seq_cst() explore_fence()
#define cpu_relax() explore_relax()

#endif
