/* SPDX-License-Identifier: MIT */
/*
 * switch.S: the context switch on aarch64 (AAPCS64). See the x86-64 one for what it does and why.
 *
 *   struct thread *weft__switch(void **from_sp, void *to_sp, struct thread *t);
 *
 * Preserved by a callee: x19-x28, x29 (frame), x30 (return address), the low halves of v8-v15, sp.
 *
 * Frame of a suspended context, from its stack pointer upwards (160 bytes):
 *   x29 x30  x19 x20  x21 x22  x23 x24  x25 x26  x27 x28  d8 d9  d10 d11  d12 d13  d14 d15
 */
	.text
	.globl	weft__switch
	.hidden	weft__switch
	.type	weft__switch, %function
	.p2align 4
weft__switch:
	.cfi_startproc
	stp	x29, x30, [sp, #-160]!
	.cfi_def_cfa_offset 160
	.cfi_offset x29, -160
	.cfi_offset x30, -152
	stp	x19, x20, [sp, #16]
	stp	x21, x22, [sp, #32]
	stp	x23, x24, [sp, #48]
	stp	x25, x26, [sp, #64]
	stp	x27, x28, [sp, #80]
	.cfi_offset x19, -144
	.cfi_offset x20, -136
	.cfi_offset x21, -128
	.cfi_offset x22, -120
	.cfi_offset x23, -112
	.cfi_offset x24, -104
	.cfi_offset x25, -96
	.cfi_offset x26, -88
	.cfi_offset x27, -80
	.cfi_offset x28, -72
	stp	d8, d9, [sp, #96]
	stp	d10, d11, [sp, #112]
	stp	d12, d13, [sp, #128]
	stp	d14, d15, [sp, #144]
	mov	x9, sp
	str	x9, [x0]
	mov	sp, x1
	mov	x0, x2
	ldp	d14, d15, [sp, #144]
	ldp	d12, d13, [sp, #128]
	ldp	d10, d11, [sp, #112]
	ldp	d8, d9, [sp, #96]
	ldp	x27, x28, [sp, #80]
	ldp	x25, x26, [sp, #64]
	ldp	x23, x24, [sp, #48]
	ldp	x21, x22, [sp, #32]
	ldp	x19, x20, [sp, #16]
	ldp	x29, x30, [sp], #160
	.cfi_def_cfa_offset 0
	.cfi_restore x29
	.cfi_restore x30
	br	x30
	.cfi_endproc
	.size	weft__switch, . - weft__switch

	.globl	weft__task_start
	.hidden	weft__task_start
	.type	weft__task_start, %function
	.p2align 4
weft__task_start:
	.cfi_startproc
	.cfi_undefined x30
	bl	weft__task_main		/* x0: the thread, from weft__switch */
	brk	#1
	.cfi_endproc
	.size	weft__task_start, . - weft__task_start

	.section .note.GNU-stack, "", %progbits
