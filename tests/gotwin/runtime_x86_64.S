/* SPDX-License-Identifier: MIT */
/*
 * runtime_x86_64.S: the functions of Go 1.24.0's runtime that matter here, and the table that names
 * them.
 *
 * Not Go's code: a miniature with the same names, the same calls in the same (wrong) order, and the
 * same instruction bytes where `weft shield --pid` looks for them. It runs and it crashes as the
 * original does: PutState needs a longer list, which allocates from the cache of a processor that
 * mexit has handed off.
 *
 * With REPAIRED it has Go 1.24.3's order and name.
 *
 * Conventions of its own: rdi holds the argument, a struct m * or (vgetrandom) a struct g *; see
 * gotwin.c.
 */
	.text
	.balign 32
text:

#define FUNCTION(label) label: pushq %rbp; movq %rsp, %rbp

FUNCTION(handoffp)
	movq	twin_cache@gottpoff(%rip), %rax
	movq	$0, %fs:(%rax)
	popq	%rbp
	ret

	.balign 32
FUNCTION(mallocgcSmallNoscan)
	movq	twin_cache@gottpoff(%rip), %rax
	movq	%fs:(%rax), %rax
	movq	(%rax), %rax			/* address 0: there is no processor any more */
	popq	%rbp
	ret

	.balign 32
FUNCTION(mallocgc)
	call	mallocgcSmallNoscan
	popq	%rbp
	ret

	.balign 32
FUNCTION(growslice)
	call	mallocgc
	popq	%rbp
	ret

	.balign 32
FUNCTION(vgetrandomPutState)
	movq	%rax, %rdi
	call	twin_put			/* does the list have to grow? */
	testl	%eax, %eax
	je	1f
	call	growslice
1:	popq	%rbp
	ret

	.balign 32
FUNCTION(mexit)
	subq	$0x20, %rsp
	movq	%rdi, 0x10(%rsp)
#ifndef REPAIRED
	call	handoffp
#endif
	movq	0x10(%rsp), %rcx
	movq	0x518(%rcx), %rax
	nop
	testq	%rax, %rax
	je	1f
	nop
	call	vgetrandomPutState
	movq	0x10(%rsp), %rcx
	movq	$0, 0x518(%rcx)
1:
#ifdef REPAIRED
	call	handoffp
#endif
	addq	$0x20, %rsp
	popq	%rbp
	ret

	.balign 32
	.globl	twin_mstart0
	.type	twin_mstart0, @function
FUNCTION(twin_mstart0)
	call	mexit
	popq	%rbp
	ret

	.balign 32
	.globl	twin_vgetrandom
	.type	twin_vgetrandom, @function
FUNCTION(twin_vgetrandom)
	pushq	%r14
	subq	$0x18, %rsp
	movq	%rdi, %r14
	cmpq	$0, twin_state_size(%rip)
	nop
	.byte	0x0f, 0x84, 0x8a, 0, 0, 0	/* je 3f */
1:	movq	0x30(%r14), %rdx
	cmpq	$0, 0x518(%rdx)
	.byte	0x75, 0x49			/* jne 2f */
	movq	%rdx, 0x8(%rsp)
	call	twin_get
	movq	0x8(%rsp), %rdx
	movq	%rax, 0x518(%rdx)
	.skip	0x49 + 0x0e - (. - 1b), 0x90
2:	movl	$1, %eax
	jmp	4f
	.skip	0x8a - (. - 1b), 0x90
3:	movl	$-1, %eax
4:	addq	$0x18, %rsp
	popq	%r14
	popq	%rbp
	ret
etext_go:

#define RECORD(label) record_##label: .long label - text, name_##label - names
#define ENTRY(label) .long label - text, record_##label - functions
#define NAME(label, name) name_##label: .asciz "runtime." name

	.section .data.rel.ro, "aw"
	.balign 8
pclntab:
	.long	0xfffffff1
	.byte	0, 0, 1, 8
	.quad	8, 0, text
	.quad	names - pclntab, names_end - pclntab, names_end - pclntab
	.quad	names_end - pclntab, functions - pclntab
names:
	NAME(handoffp, "handoffp")
	NAME(mallocgcSmallNoscan, "mallocgcSmallNoscan")
	NAME(mallocgc, "mallocgc")
	NAME(growslice, "growslice")
#ifdef REPAIRED
	NAME(vgetrandomPutState, "vgetrandomDestroy")
#else
	NAME(vgetrandomPutState, "vgetrandomPutState")
#endif
	NAME(mexit, "mexit")
	NAME(twin_mstart0, "mstart0")
	NAME(twin_vgetrandom, "vgetrandom")
names_end:
	.balign 8
functions:
	ENTRY(handoffp)
	ENTRY(mallocgcSmallNoscan)
	ENTRY(mallocgc)
	ENTRY(growslice)
	ENTRY(vgetrandomPutState)
	ENTRY(mexit)
	ENTRY(twin_mstart0)
	ENTRY(twin_vgetrandom)
	.long	etext_go - text, 0
	RECORD(handoffp)
	RECORD(mallocgcSmallNoscan)
	RECORD(mallocgc)
	RECORD(growslice)
	RECORD(vgetrandomPutState)
	RECORD(mexit)
	RECORD(twin_mstart0)
	RECORD(twin_vgetrandom)

	.section .data.rel, "aw"
	.balign 8
	.globl	twin_moduledata
twin_moduledata:
	.quad	pclntab, 0, 0, text, etext_go
	.skip	64 * 8
	.section .note.GNU-stack, "", @progbits
