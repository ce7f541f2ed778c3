/* SPDX-License-Identifier: MIT */
/*
 * start.S: the bottom frame of every task on x86-64. The first switch to a task arrives here, with
 * the thread in rax. Unwinders stop: the return address is undefined and rbp is 0.
 */
	.text
	.globl	weft__task_entry
	.hidden	weft__task_entry
	.type	weft__task_entry, @function
	.p2align 4
weft__task_entry:
	.cfi_startproc
	.cfi_undefined %rip
	endbr64
	xorl	%ebp, %ebp
	andq	$-16, %rsp
	movq	%rax, %rdi
	call	weft__task_main
	ud2
	.cfi_endproc
	.size	weft__task_entry, . - weft__task_entry

	.section .note.GNU-stack, "", @progbits
