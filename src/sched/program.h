/* SPDX-License-Identifier: MIT */
/* program.h: what the files of this program ask of every stack; see program.c. */
#ifndef WEFT_SCHED_PROGRAM_H
#define WEFT_SCHED_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

struct program_needs {
	size_t thread_local_bytes; /* of all files together, alignment included */
	bool executable_stacks;
};

struct program_needs weft__program_needs(void);

#endif
