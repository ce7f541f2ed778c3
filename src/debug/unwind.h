/* SPDX-License-Identifier: MIT */
/*
 * unwind.h: the calls that are on a task's stack.
 *
 * Frames are found through the chain of frame pointers, which weft and all code that is compiled
 * with -fno-omit-frame-pointer keep. Code without it (libc) may be at the top, or in between as the
 * caller of a callback. There, the words of the stack up to the next frame of the chain that point
 * behind a call instruction are taken for return addresses, and marked as guesses. Only words of
 * the task's own stack are read, so a broken chain leads to a short answer, never to a fault: the
 * stack's task may even be running meanwhile.
 */
#ifndef WEFT_DEBUG_UNWIND_H
#define WEFT_DEBUG_UNWIND_H

#include <stdbool.h>
#include <stdint.h>

struct task;

struct registers {
	uintptr_t pc, sp, fp;
};

struct frame {
	uintptr_t pc;
	bool guess;
};

/* Where a task that does not run would continue. */
struct registers weft__unwind_parked(const struct task *task);
/* The calls from `r` down to the task's function, innermost first, into `out`; returns how many. */
unsigned weft__unwind(const struct task *task, struct registers r, struct frame *out,
		      unsigned room);

#endif
