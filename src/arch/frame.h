/* SPDX-License-Identifier: MIT */
/*
 * frame.h: what switch.S leaves on a stack, for C code that prepares or reads it.
 *
 * A context is its stack pointer; everything else lies on its stack in the order that switch.S
 * names.
 */
#ifndef WEFT_ARCH_FRAME_H
#define WEFT_ARCH_FRAME_H

#include <stdint.h>
#include <string.h>

struct thread;

/* Leaves the calling context in *from_sp, continues the one at to_sp; gives the `t` of whoever came
 * back here. */
struct thread *weft__switch(void **from_sp, void *to_sp, struct thread *t);
/* The bottom frame of a task (switch.S); it calls weft__task_main(t). */
void weft__task_start(void);

/* Words of the frame: where switch.S keeps the frame pointer and the return address. */
#if defined(__x86_64__)
enum { FRAME_WORDS = 7, FRAME_FP = 5, FRAME_PC = 6 };
#elif defined(__aarch64__)
enum { FRAME_WORDS = 20, FRAME_FP = 0, FRAME_PC = 1 };
#endif

/*
 * Prepares a stack that ends below `top` (16-byte aligned) so that the first switch to the result
 * enters weft__task_start, with the stack pointer at `top`.
 */
static inline void *frame_prepare(void *top)
{
	uintptr_t *sp = (uintptr_t *)top - FRAME_WORDS;
	memset(sp, 0, FRAME_WORDS * sizeof(*sp));
	sp[FRAME_PC] = (uintptr_t)weft__task_start;
	return sp;
}

#endif
