/* SPDX-License-Identifier: MIT */
/*
 * switch.h: the context switch on aarch64 (AAPCS64). See the one for x86-64 for why it is inline
 * and ends in a jump, and why the floating-point environment is loaded only where it differs.
 *
 * The environment is FPCR, whose rounding mode and traps a callee must keep by the ABI. The
 * exception flags (FPSR) stay with the thread.
 *
 * Frame of a suspended context, from its stack pointer upwards: address to continue at, x29 (frame
 * pointer), FPCR, a word that keeps the stack pointer aligned.
 */
#ifndef WEFT_ARCH_AARCH64_SWITCH_H
#define WEFT_ARCH_AARCH64_SWITCH_H

#include <stdint.h>

#include "base/attr.h"

enum { FRAME_PC = 0, FRAME_FP = 1, FRAME_ENV = 2, FRAME_WORDS = 4 };

struct thread;

/* The calling thread's floating-point environment, as the word FRAME_ENV of a frame holds it. */
static always_inline uintptr_t arch_fp_env(void)
{
	uintptr_t fpcr;
	__asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
	return fpcr;
}

/* Leaves the calling context in *from_sp and continues the one at to_sp; returns the `t` of the
 * switch that came back here. */
static always_inline struct thread *weft__switch(void **from_sp, void *to_sp, struct thread *t)
{
	register struct thread *x0 __asm__("x0") = t;
	register void **x1 __asm__("x1") = from_sp;
	register void *x2 __asm__("x2") = to_sp;
	__asm__ volatile("adr x3, 1f\n\t"
			 "mrs x5, fpcr\n\t"
			 "stp x3, x29, [sp, #-32]!\n\t"
			 "str x5, [sp, #16]\n\t"
			 "mov x4, sp\n\t"
			 "str x4, [x1]\n\t"
			 "mov sp, x2\n\t"
			 "ldr x6, [sp, #16]\n\t"
			 "cmp x5, x6\n\t"
			 "b.ne 3f\n"
			 "2:\n\t"
			 "ldp x3, x29, [sp], #32\n\t"
			 "br x3\n"
			 "3:\n\t"
			 "msr fpcr, x6\n\t"
			 "b 2b\n"
			 "1:"
			 : "+r"(x0), "+r"(x1), "+r"(x2)
			 :
			 : "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",
			   "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23",
			   "x24", "x25", "x26", "x27", "x28", "x30", "memory", "cc", "v0", "v1",
			   "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12",
			   "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22",
			   "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31");
	return x0;
}

/* Sets what arch_fp_env read, where it differs. */
static always_inline void arch_fp_env_set(uintptr_t env)
{
	if (unlikely(arch_fp_env() != env))
		__asm__ volatile("msr fpcr, %0" : : "r"(env));
}

static always_inline _Noreturn void arch_start_over(void *top, struct thread *t)
{
	register struct thread *x0 __asm__("x0") = t;
	__asm__ volatile("mov sp, %0\n\t"
			 "b weft__task_entry"
			 :
			 : "r"(top), "r"(x0)
			 : "memory");
	__builtin_unreachable();
}

#endif
