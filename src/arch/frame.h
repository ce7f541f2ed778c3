/* SPDX-License-Identifier: MIT */
/*
 * frame.h: what a switch leaves on a stack, for C code that prepares or reads it.
 *
 * A context is its stack pointer; everything else lies on its stack in the order that <cpu>/switch.h names:
 * FRAME_PC and FRAME_FP are indices of words from the stack pointer upwards.
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

/* Prepares a stack that ends below `top` (16-byte aligned) so that the first switch to the result enters
 * weft__task_entry. */
static inline void *frame_prepare(void *top)
{
	uintptr_t *sp = (uintptr_t *)top - FRAME_WORDS;
	sp[FRAME_PC] = (uintptr_t)weft__task_entry;
	sp[FRAME_FP] = 0;
	return sp;
}

#endif
