/* SPDX-License-Identifier: MIT */
/*
 * start.S: the bottom frame of every task on aarch64. The first switch to a task arrives here, with
 * the thread in x0. Unwinders stop: the return address is undefined and x29 is 0.
 */
	.text
	.globl	weft__task_entry
	.hidden	weft__task_entry
	.type	weft__task_entry, %function
	.p2align 4
weft__task_entry:
	.cfi_startproc
	.cfi_undefined x30
	hint	#34	/* bti c */
	mov	x29, xzr
	bl	weft__task_main
	brk	#1
	.cfi_endproc
	.size	weft__task_entry, . - weft__task_entry

	.section .note.GNU-stack, "", %progbits
