/* SPDX-License-Identifier: MIT */
/*
 * state.h: one thread's random state: how it is got, used and given back.
 *
 * The three functions at the top are for the scheduler: a thread of its own takes a state and gives
 * it back at fixed places (weft__state_put is step 2 of thread exit). All other threads take one
 * with their first draw and give it back by the destructor of a pthread key. A state belongs to the
 * OS thread, never to a task: nothing between fetching `ready` and storing it again may switch
 * tasks.
 */
#ifndef WEFT_RANDOM_STATE_H
#define WEFT_RANDOM_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct slot;

#ifdef WEFT_FAULTS
#define weft__state_put \
	state_put /* the frame of the crash, under the name that the storm shows \
		   */
#endif

#pragma GCC visibility push(default)
/* Takes and keys a state for this thread now; waits for the pool where a draw would only try. 0 or
 * -errno. */
int weft__state_acquire(void);
/* Gives this thread's state back now. Never allocates, locks or waits; without a state it does
 * nothing. */
void weft__state_put(void);
bool weft__state_owned(void);
/* How many states one growth of the pool adds (21 to a page of 4096 bytes on x86-64); 0 without
 * vDSO getrandom. */
unsigned weft__state_per_page(void);
#pragma GCC visibility pop

/*
 * What a thread knows about its states. Touched by its thread alone, and by signal handlers on it:
 * every field is a word, and each change leaves a consistent picture.
 *
 *   ready     the state that the next draw uses. NULL: none, or in use by a draw (this one was
 * interrupted by a signal handler, or that one was left by siglongjmp) mine      all slots that it
 * owns, linked. Nearly always one inside    a take or give of this thread is going on missed draws
 * since the last good one that found no ready state although there is one skip      draws that
 * shall not try to take: mmap was refused lately
 */
struct thread_state {
	void *ready;
	struct slot *mine;
	uint32_t missed, owned;
	uint32_t skip, backoff;
	bool inside, armed;
	uint8_t endings;
};

/* initial-exec: one instruction to its address, no call, no allocation, also in a library loaded
 * late. */
extern __thread struct thread_state weft__thread_state __attribute__((tls_model("initial-exec")));

/*
 * For a draw that found no ready state: takes one if that is possible without waiting, notices a
 * state that is stuck in a draw that was left, and gives what is ready then; NULL: draw by system
 * call.
 */
void *weft__state_want(void);

#ifdef WEFT_DEBUG
/* Two threads with one thread pointer (clone with CLONE_VM, without CLONE_SETTLS) would draw the
 * same bytes. */
void weft__state_check_thread(void);
#else
static inline void weft__state_check_thread(void)
{
}
#endif

#endif
