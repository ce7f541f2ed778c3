/* SPDX-License-Identifier: MIT */
/*
 * program.c: what the files of this program (executable and libraries) ask of every stack.
 *
 * libc puts a thread's static thread-local storage on its stack, and makes stacks executable when a
 * file says so (PT_GNU_STACK with X: nested functions whose addresses are taken). It does both for
 * stacks of its own; for ours we look at the same program headers.
 *
 * The sum also counts libraries that were loaded later, whose variables may lie elsewhere: too much
 * costs address space only. What libc reserves beyond it (a tunable) cannot be seen here: thread.c
 * gives a thread more when libc says that its stack is too small.
 *
 * Rejected: __pthread_get_minstack, which is private to glibc.
 */
#include "sched/program.h"

#include <link.h>

static int add_file(struct dl_phdr_info *file, size_t size, void *arg)
{
	struct program_needs *needs = arg;
	for (unsigned i = 0; i < file->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &file->dlpi_phdr[i];
		if (p->p_type == PT_TLS)
			needs->thread_local_bytes += p->p_memsz + p->p_align;
		if (p->p_type == PT_GNU_STACK && p->p_flags & PF_X)
			needs->executable_stacks = true;
	}
	return 0;
}

struct program_needs weft__program_needs(void)
{
	struct program_needs needs = {0};
	dl_iterate_phdr(add_file, &needs);
	return needs;
}
