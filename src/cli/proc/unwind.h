/* SPDX-License-Identifier: MIT */
/*
 * unwind.h: the call chain of a stopped or dead thread, from its registers and its memory.
 *
 * Walks frame pointers: weft's own code keeps them, and so does Go's on both processors. The memory
 * may be a live process or a core file, and is not trusted: every step must move up the stack, and
 * the number of steps is bounded.
 *
 * Frame pointers alone lose the caller of a function that has not built its frame yet, which is
 * where optimised code likes to fault (the check that fails comes before the prologue). So the
 * innermost step first looks which of the possible return addresses follows a call to the very
 * function that `pc` is in.
 *
 * Rejected: .eh_frame. It would be a second parser of hostile input, and Go has none.
 */
#ifndef WEFT_CLI_PROC_UNWIND_H
#define WEFT_CLI_PROC_UNWIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads exactly `len` bytes at `address` of the other address space. */
struct memory {
	bool (*read)(const struct memory *m, uint64_t address, void *buf, size_t len);
};

struct unwind_start {
	unsigned machine;	   /* EM_X86_64 or EM_AARCH64 */
	uint64_t pc, sp, fp, link; /* link: the return address register; 0 on x86-64 */
	uint64_t function;	   /* where the function of `pc` starts; 0: unknown */
};

/* Fills pcs[] from the innermost on and returns how many, at least 1 when max is not 0. */
unsigned weft__watch_unwind(const struct memory *m, const struct unwind_start *at, uint64_t *pcs,
			    unsigned max);

#endif
