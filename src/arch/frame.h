/* SPDX-License-Identifier: MIT */
/*
 * frame.h: what a switch leaves on a stack, for C code that prepares or reads it.
 *
 * A context is its stack pointer; everything else lies on its stack in the order that
 * <cpu>/switch.h names: FRAME_PC, FRAME_FP and FRAME_ENV are indices of words from the stack
 * pointer upwards.
 */
#ifndef WEFT_ARCH_FRAME_H
#define WEFT_ARCH_FRAME_H

#include <stdint.h>

#if defined(__x86_64__)
#include "arch/x86_64/switch.h"
#elif defined(__aarch64__)
#include "arch/aarch64/switch.h"
#endif

/* The bottom frame of a task (start.S); it calls weft__task_main(t). */
void weft__task_entry(void);

/*
 * arch_start_over(top, t), <cpu>/switch.h: enters weft__task_entry at once, on the stack that ends
 * below `top`. It may be the one that the caller is on: no frame is prepared, which would overwrite
 * those in use.
 */

/* Prepares a stack that ends below `top` (16-byte aligned) so that the first switch to the result
 * enters weft__task_entry, with the floating-point environment `env` (arch_fp_env): a task begins
 * with its spawner's, as a thread does. */
static inline void *frame_prepare(void *top, uintptr_t env)
{
	uintptr_t *sp = (uintptr_t *)top - FRAME_WORDS;
	sp[FRAME_PC] = (uintptr_t)weft__task_entry;
	sp[FRAME_FP] = 0;
	sp[FRAME_ENV] = env;
	return sp;
}

#endif
