/* SPDX-License-Identifier: MIT */
/*
 * state.h: one thread's random state: how it is taken, used and given back.
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

#include "base/atomic.h"
#include "base/attr.h"
#include "random/vdso.h"

struct slot;

/* The frame of the crash, under the name that the storm shows. */
#ifdef WEFT_FAULTS
#define weft__state_put state_put
#endif

#pragma GCC visibility push(default)
/* Takes and keys a state now; waits for the pool where a draw would only try. 0 or -errno. */
int weft__state_acquire(void);
/* Gives this thread's state back now, if it has one. Never allocates, locks or waits. */
void weft__state_put(void);
bool weft__state_owned(void);
/* States per page, 21 on x86-64: the number that one growth of the pool adds. 0 without vDSO
 * getrandom. */
unsigned weft__state_per_page(void);
#pragma GCC visibility pop

/*
 * What a thread knows about its states. Touched by its thread alone, and by signal handlers on it:
 * every field is a word, and each change leaves a consistent picture.
 *
 *   ready     the state that the next draw uses. NULL: there is none, or a draw is using it (this
 *             draw is a signal handler's, or that one was left by siglongjmp)
 *   mine      all slots that it owns, linked; nearly always one
 *   inside    a take or give of this thread is going on
 *   missed    draws since the last good one that found no ready state although there is one
 *   skip      draws that must not try to take: mmap was refused lately
 *   armed     the key has a value: its destructor will run
 *   swept     what a dead thread left at this address has been given back
 *   endings   how often the destructor has run
 */
struct thread_state {
	void *ready;
	struct slot *mine;
	uint32_t missed, owned;
	uint32_t skip, backoff;
	bool inside, armed, swept;
	uint8_t endings;
};

/* initial-exec: no call and no allocation for its address, also in a library loaded late. */
extern __thread struct thread_state weft__thread_state __attribute__((tls_model("initial-exec")));

/*
 * For a draw that found no ready state: takes one if that is possible without waiting, notices a
 * state that is stuck in an abandoned draw, and returns the state that is ready then; NULL: draw by
 * system call.
 */
void *weft__state_want(void);

#ifdef WEFT_DEBUG
/* Two threads with one thread pointer (clone without CLONE_SETTLS) would draw the same bytes. */
void weft__state_check_thread(void);
#else
static inline void weft__state_check_thread(void)
{
}
#endif

/* Draws with `state`, which is ready and belongs to this call alone until it is ready again. */
static no_tsan always_inline ssize_t weft__state_draw(void *buf, size_t len, unsigned flags,
						      void *state)
{
	weft__state_check_thread();
	weft__thread_state.ready = NULL;
	compiler_barrier(); /* pairs with a signal handler's look at it */
	ssize_t got = weft__vdso.draw(buf, len, flags, state, weft__vdso.state_size);
	compiler_barrier();
	weft__thread_state.ready = state;
	weft__thread_state.missed = 0;
	return got;
}

#endif
