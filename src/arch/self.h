/* SPDX-License-Identifier: MIT */
/*
 * self.h: one thread-local pointer, read in a way that survives a move to another thread.
 *
 * A task may return from a call on another thread than the one on which it made the call, and
 * compilers keep the addresses of thread-local variables across calls: gcc and clang have no option
 * against it. Here the compiler never has the address as a value: one statement of volatile
 * assembly forms it and reads what is there, each time anew.
 *
 * Rejected: a function that is not inlined. It is just as safe, but costs a call and a return (1.4
 * ns) at each entry.
 */
#ifndef WEFT_ARCH_SELF_H
#define WEFT_ARCH_SELF_H

#include "base/attr.h"

struct thread;

/* Defined in sched/sched.c. C code goes through the two functions below. */
extern __thread struct thread *weft__self
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

static always_inline struct thread *self_read(void)
{
	struct thread *t;
#if defined(__x86_64__)
	__asm__ volatile("movq weft__self@gottpoff(%%rip), %0\n\t"
			 "movq %%fs:(%0), %0"
			 : "=r"(t)
			 :
			 : "memory");
#elif defined(__aarch64__)
	struct thread **offset;
	__asm__ volatile("mrs %0, tpidr_el0\n\t"
			 "adrp %1, :gottprel:weft__self\n\t"
			 "ldr %1, [%1, #:gottprel_lo12:weft__self]\n\t"
			 "ldr %0, [%0, %1]"
			 : "=&r"(t), "=&r"(offset)
			 :
			 : "memory");
#endif
	return t;
}

#endif
