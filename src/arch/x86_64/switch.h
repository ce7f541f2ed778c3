/* SPDX-License-Identifier: MIT */
/*
 * switch.h: the context switch on x86-64 (System V ABI).
 *
 * It is inline assembly, and reaches the other side by a jump, so that it contains neither a call nor a ret: the
 * processor predicts returns from a stack of its own, and a call that is left by a jump puts every later ret out of
 * step, on both sides. As a function in a .S file the same switch cost two mispredicted returns more a yield
 * (measured in one run: 33 ns a yield against 14).
 *
 * Only the frame pointer and the address to go on at are saved by hand; that the other registers are lost is told to
 * the compiler, which saves those that it needs. The floating-point control words are per thread and stay out of it.
 *
 * Frame of a suspended context, from its stack pointer upwards: address to go on at, rbp, 128 bytes that a function
 * without calls may use below its stack pointer (the red zone).
 */
#ifndef WEFT_ARCH_X86_64_SWITCH_H
#define WEFT_ARCH_X86_64_SWITCH_H

#include "base/attr.h"

enum { FRAME_PC = 0, FRAME_FP = 1, FRAME_WORDS = 2 };

struct thread;

#ifdef __AVX512F__
#define SWITCH_LOSES_WIDE \
	, "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", \
		"xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", \
		"k4", "k5", "k6", "k7"
#else
#define SWITCH_LOSES_WIDE
#endif

/* Leaves the calling context in *from_sp, continues the one at to_sp; gives the `t` of whoever came back here. */
static always_inline struct thread *weft__switch(void **from_sp, void *to_sp, struct thread *t)
{
	__asm__ volatile("leaq -128(%%rsp), %%rsp\n\t"
			 "pushq %%rbp\n\t"
			 "leaq 1f(%%rip), %%rcx\n\t"
			 "pushq %%rcx\n\t"
			 "movq %%rsp, (%%rdi)\n\t"
			 "movq %%rsi, %%rsp\n\t"
			 "popq %%rcx\n\t"
			 "jmpq *%%rcx\n"
			 "1:\n\t"
			 "popq %%rbp\n\t"
			 "leaq 128(%%rsp), %%rsp"
			 : "+a"(t), "+D"(from_sp), "+S"(to_sp)
			 :
			 : "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
			   "r15", "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
			   "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
			   "xmm14", "xmm15" SWITCH_LOSES_WIDE);
	return t;
}

#endif
