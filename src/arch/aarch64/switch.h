/* SPDX-License-Identifier: MIT */
/*
 * switch.h: the context switch on aarch64 (AAPCS64). See the one for x86-64 for why it is inline and ends in a jump.
 *
 * Frame of a suspended context, from its stack pointer upwards: address to go on at, x29 (frame pointer).
 */
#ifndef WEFT_ARCH_AARCH64_SWITCH_H
#define WEFT_ARCH_AARCH64_SWITCH_H

#include "base/attr.h"

enum { FRAME_PC = 0, FRAME_FP = 1, FRAME_WORDS = 2 };

struct thread;

/* Leaves the calling context in *from_sp, continues the one at to_sp; gives the `t` of whoever came back here. */
static always_inline struct thread *weft__switch(void **from_sp, void *to_sp, struct thread *t)
{
	register struct thread *x0 __asm__("x0") = t;
	register void **x1 __asm__("x1") = from_sp;
	register void *x2 __asm__("x2") = to_sp;
	__asm__ volatile("adr x3, 1f\n\t"
			 "stp x3, x29, [sp, #-16]!\n\t"
			 "mov x4, sp\n\t"
			 "str x4, [x1]\n\t"
			 "mov sp, x2\n\t"
			 "ldp x3, x29, [sp], #16\n\t"
			 "br x3\n"
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

#endif
