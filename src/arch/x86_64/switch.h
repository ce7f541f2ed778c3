/* SPDX-License-Identifier: MIT */
/*
 * switch.h: the context switch on x86-64 (System V ABI).
 *
 * It is inline assembly, and reaches the other side by a jump, so that it contains neither a call
 * nor a ret: the processor predicts returns from a stack of its own, and a call that is left by a
 * jump makes it mispredict every later ret, on both sides. As a function in a .S file the same
 * switch cost two more mispredicted returns per yield (measured in one run: 33 ns a yield against
 * 14).
 *
 * The assembly saves the frame pointer, the address to continue at, and the floating-point
 * environment: MXCSR and the x87 control word, which a callee must keep by the ABI. The compiler is
 * told that the other registers are lost, and saves those that it needs.
 *
 * The environment is stored at each switch and loaded only where the other side's differs: storing
 * and comparing overlap with the rest of a switch, loading another rounding mode takes 12 ns (SSE)
 * and 43 ns (x87; Zen 5). MXCSR is compared with its exception flags, so those of SSE arithmetic
 * are a context's own, too. Those of x87 arithmetic stay with the thread (reading them at each
 * switch costs as much as all of this); they are cleared wherever an environment is loaded, be it
 * for MXCSR alone: under another control word one context's old flags would be another's SIGFPE.
 *
 * Frame of a suspended context, from its stack pointer upwards: address to continue at, rbp, the
 * environment, 128 bytes that a function without calls may use below its stack pointer (the red
 * zone).
 */
#ifndef WEFT_ARCH_X86_64_SWITCH_H
#define WEFT_ARCH_X86_64_SWITCH_H

#include <stdint.h>

#include "base/attr.h"

enum { FRAME_PC = 0, FRAME_FP = 1, FRAME_ENV = 2, FRAME_WORDS = 3 };

struct thread;

#ifdef __AVX512F__
#define SWITCH_LOSES_WIDE \
	, "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", \
		"xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", \
		"k4", "k5", "k6", "k7"
#else
#define SWITCH_LOSES_WIDE
#endif

/* The calling thread's floating-point environment, as the word FRAME_ENV of a frame holds it. */
static always_inline uintptr_t arch_fp_env(void)
{
	uint32_t mxcsr;
	uint16_t x87_control;
	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	__asm__ volatile("fnstcw %0" : "=m"(x87_control));
	return mxcsr | (uintptr_t)x87_control << 32;
}

/* Leaves the calling context in *from_sp and continues the one at to_sp; returns the `t` of the
 * switch that came back here. */
static always_inline struct thread *weft__switch(void **from_sp, void *to_sp, struct thread *t)
{
	__asm__ volatile("leaq -136(%%rsp), %%rsp\n\t"
			 "stmxcsr (%%rsp)\n\t"
			 "fnstcw 4(%%rsp)\n\t"
			 "movl (%%rsp), %%edx\n\t"
			 "movzwl 4(%%rsp), %%r8d\n\t"
			 "pushq %%rbp\n\t"
			 "leaq 1f(%%rip), %%rcx\n\t"
			 "pushq %%rcx\n\t"
			 "movq %%rsp, (%%rdi)\n\t"
			 "movq %%rsi, %%rsp\n\t"
			 "cmpl 16(%%rsp), %%edx\n\t"
			 "jne 3f\n\t"
			 "cmpw 20(%%rsp), %%r8w\n\t"
			 "jne 4f\n"
			 "2:\n\t"
			 "popq %%rcx\n\t"
			 "jmpq *%%rcx\n"
			 "3:\n\t"
			 "ldmxcsr 16(%%rsp)\n\t"
			 "cmpw 20(%%rsp), %%r8w\n\t"
			 "je 2b\n"
			 "4:\n\t"
			 "fnclex\n\t"
			 "fldcw 20(%%rsp)\n\t"
			 "jmp 2b\n"
			 "1:\n\t"
			 "popq %%rbp\n\t"
			 "leaq 136(%%rsp), %%rsp"
			 : "+a"(t), "+D"(from_sp), "+S"(to_sp)
			 :
			 : "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
			   "r15", "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
			   "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
			   "xmm14", "xmm15" SWITCH_LOSES_WIDE);
	return t;
}

/* Sets what arch_fp_env read, where it differs. */
static always_inline void arch_fp_env_set(uintptr_t env)
{
	if (likely(arch_fp_env() == env))
		return;
	uint32_t mxcsr = (uint32_t)env;
	uint16_t x87_control = (uint16_t)(env >> 32);
	__asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
	__asm__ volatile("fnclex\n\tfldcw %0" ::"m"(x87_control));
}

static always_inline _Noreturn void arch_start_over(void *top, struct thread *t)
{
	__asm__ volatile("movq %0, %%rsp\n\t"
			 "jmp weft__task_entry"
			 :
			 : "r"(top), "a"(t)
			 : "memory");
	__builtin_unreachable();
}

#endif
