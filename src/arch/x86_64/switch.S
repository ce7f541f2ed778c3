/* SPDX-License-Identifier: MIT */
/*
 * switch.S: the context switch on x86-64 (System V ABI).
 *
 *   struct thread *weft__switch(void **from_sp, void *to_sp, struct thread *t);
 *
 * Pushes the six registers that a callee must preserve, stores the stack pointer, loads the other one, pops six
 * registers, and gives `t` to whoever continues there: the resumed side learns on which thread it is now.
 *
 * It ends in a jmp, not in a ret: a ret would be predicted from the processor's return stack, which belongs to the
 * stack that was just left, and would miss every time (measured elsewhere in the tree: 2.6 ns against 8.5).
 * The floating-point control words are per thread and stay out of the switch.
 *
 * Frame of a suspended context, from its stack pointer upwards: r15 r14 r13 r12 rbx rbp, return address.
 */
	.text
	.globl	weft__switch
	.hidden	weft__switch
	.type	weft__switch, @function
	.p2align 4
weft__switch:
	.cfi_startproc
	pushq	%rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	pushq	%rbx
	.cfi_def_cfa_offset 24
	.cfi_offset %rbx, -24
	pushq	%r12
	.cfi_def_cfa_offset 32
	.cfi_offset %r12, -32
	pushq	%r13
	.cfi_def_cfa_offset 40
	.cfi_offset %r13, -40
	pushq	%r14
	.cfi_def_cfa_offset 48
	.cfi_offset %r14, -48
	pushq	%r15
	.cfi_def_cfa_offset 56
	.cfi_offset %r15, -56
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp	/* the same layout on the other side: the CFI above holds for both */
	movq	%rdx, %rax
	popq	%r15
	.cfi_def_cfa_offset 48
	.cfi_restore %r15
	popq	%r14
	.cfi_def_cfa_offset 40
	.cfi_restore %r14
	popq	%r13
	.cfi_def_cfa_offset 32
	.cfi_restore %r13
	popq	%r12
	.cfi_def_cfa_offset 24
	.cfi_restore %r12
	popq	%rbx
	.cfi_def_cfa_offset 16
	.cfi_restore %rbx
	popq	%rbp
	.cfi_def_cfa_offset 8
	.cfi_restore %rbp
	popq	%rcx
	.cfi_def_cfa_offset 0
	.cfi_register %rip, %rcx
	jmp	*%rcx
	.cfi_endproc
	.size	weft__switch, . - weft__switch

/*
 * The bottom frame of every task: the first switch to it arrives here. Unwinders stop: rip is undefined and rbp is 0.
 */
	.globl	weft__task_start
	.hidden	weft__task_start
	.type	weft__task_start, @function
	.p2align 4
weft__task_start:
	.cfi_startproc
	.cfi_undefined %rip
	endbr64
	movq	%rax, %rdi
	call	weft__task_main
	ud2
	.cfi_endproc
	.size	weft__task_start, . - weft__task_start

	.section .note.GNU-stack, "", @progbits
