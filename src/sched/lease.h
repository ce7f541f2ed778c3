/* SPDX-License-Identifier: MIT */
/*
 * lease.h: how a processor is taken back from user code that does not return.
 *
 * A task that runs user code leases its processor. Two words in the thread's record say who has it:
 *
 *   in_runtime   0 in user code, 1 inside the runtime        written by the owner thread alone
 *   word         HELD       the thread has its processor
 *                REQUESTED  the monitor would like to have it
 *                TAKEN      the thread has no processor
 *
 *   move                     who       when
 *   HELD      -> REQUESTED   monitor   wants the processor
 *   REQUESTED -> HELD        owner     enters the runtime in time: the processor stays
 *   REQUESTED -> HELD        monitor   saw in_runtime = 1, or has no barrier: withdraws
 *   REQUESTED -> TAKEN       monitor   saw in_runtime = 0 behind the barrier
 *   TAKEN     -> HELD        owner     was given another processor
 *   HELD      -> TAKEN       owner     gave its processor away by itself
 *
 * The owner stores in_runtime and then loads the word; the monitor stores the word and then loads
 * in_runtime. Each needs its store to be visible before its load: the monitor pays for both sides
 * with membarrier(2), the owner has a compiler barrier only (about 1 ns a call). Without membarrier
 * the owner pays. `order` says who does:
 *
 *   BARRIER    the monitor
 *   ASKED      membarrier has failed, as a sandbox was closed in mid-run: the owner is to pay, but
 *              may not know it yet. Its processor stays
 *   FENCED     the owner, with a fence at each entry
 *
 *   move                     who       when
 *   BARRIER   -> ASKED       monitor   membarrier has failed
 *   ASKED     -> FENCED      owner     enters the runtime
 *   ASKED     -> FENCED      monitor   the owner has left its CPU since: changing threads orders
 *                                      all that it does before and after (membarrier relies on it,
 *                                      too)
 *
 * Every move that two parties may make is a CAS, and an owner whose CAS failed must look at what it
 * saw: HELD means that the monitor has just withdrawn, and only TAKEN means that the processor is
 * lost.
 *
 * Rejected: a lock per thread (an atomic instruction on each call), a signal to the thread (no
 * signals: libraries see EINTR), a plain store by either party for REQUESTED -> HELD (would lose
 * the other's move).
 */
#ifndef WEFT_SCHED_LEASE_H
#define WEFT_SCHED_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/attr.h"

enum lease_word { LEASE_HELD, LEASE_REQUESTED, LEASE_TAKEN };
enum lease_order { LEASE_BARRIER, LEASE_ASKED, LEASE_FENCED };

struct lease {
	uint32_t in_runtime;
	uint32_t word;
	uint32_t order;
};

/* Owner, without membarrier: orders its store of in_runtime before what it loads next. */
static inline void lease_fence(struct lease *l)
{
	/* pairs with lease_take: in_runtime is seen by whoever sees that the owner knows */
	store_release(&l->order, LEASE_FENCED);
	/* pairs with lease_take: the first CAS */
	fence_seq_cst();
}

/* Owner, in user code: enters the runtime. False: the monitor wants the processor, or has taken it:
 * call lease_answer(). */
static always_inline bool lease_enter(struct lease *l)
{
	store_relaxed(&l->in_runtime, 1);
	compiler_barrier(); /* pairs with the membarrier in lease_take */
	/* pairs with monitor.c:ask_for_fences */
	if (unlikely(load_relaxed(&l->order)))
		lease_fence(l);
	/* pairs with lease_take */
	return likely(load_acquire(&l->word) == LEASE_HELD);
}

/* Owner, after lease_enter returned false. Returns true when the processor is still its own. */
static inline bool lease_answer(struct lease *l)
{
	uint32_t seen = LEASE_REQUESTED;
	/* pairs with lease_take: the two moves from REQUESTED */
	if (cas_acq_rel(&l->word, &seen, LEASE_HELD))
		return true;
	return seen == LEASE_HELD;
}

/* Owner: back to user code. What the runtime wrote is visible to the monitor that takes the
 * processor. */
static always_inline void lease_leave(struct lease *l)
{
	/* pairs with lease_take */
	store_release(&l->in_runtime, 0);
}

/* Monitor: no barrier is to be had any more. */
static inline void lease_ask(struct lease *l)
{
	if (load_relaxed(&l->order) == LEASE_BARRIER)
		store_relaxed(&l->order, LEASE_ASKED);
}

/* Monitor: the owner was off the CPU at some time after lease_ask. */
static inline void lease_settle(struct lease *l)
{
	if (load_relaxed(&l->order) == LEASE_ASKED)
		store_relaxed(&l->order, LEASE_FENCED);
}

/* Monitor: takes the processor of a thread that is in user code. `barrier` is membarrier(2): 0 when
 * it worked. */
static inline bool lease_take(struct lease *l, int (*barrier)(void))
{
#ifdef WEFT_NO_LEASE
	return false; /* enter() does not look: for measuring what looking costs */
#endif
	uint32_t seen = LEASE_HELD;
	/* pairs with lease_fence */
	uint32_t order = load_acquire(&l->order);
	/* pairs with lease_enter, lease_fence, proc.c:weft__proc_attach,
	 * proc.c:weft__proc_detach */
	if (order == LEASE_ASKED || !cas_seq_cst(&l->word, &seen, LEASE_REQUESTED))
		return false;
	/* pairs with lease_leave */
	if ((order == LEASE_FENCED || barrier() == 0) && !load_acquire(&l->in_runtime)) {
		seen = LEASE_REQUESTED;
		/* pairs with lease_enter, lease_answer */
		return cas_acq_rel(&l->word, &seen, LEASE_TAKEN);
	}
	seen = LEASE_REQUESTED;
	/* pairs with lease_enter, lease_answer */
	cas_acq_rel(&l->word, &seen, LEASE_HELD);
	return false;
}

#endif
