/* SPDX-License-Identifier: MIT */
/*
 * core.h: what a core file says of a dead process.
 *
 * The file comes from anybody: it is read through a view, and what holds after weft__core_open
 * returned 0 is that every segment's bytes lie inside of it. Memory use is bounded by caps, not by
 * what the file claims. Little-endian 64-bit cores of x86-64 and aarch64 are read, on any host.
 */
#ifndef WEFT_CLI_CORE_CORE_H
#define WEFT_CLI_CORE_CORE_H

#include "cli/elf/view.h"

enum {
	CORE_SEGMENTS = 1 << 17, /* the kernel's default limit of mappings is 65,530 */
	CORE_NOTES = 1 << 18,	 /* four a thread */
	CORE_FILES = 1 << 17,
};

struct core_segment {
	uint64_t start, size, offset; /* memory that is in the file */
};

/* A range of a vector of the kernel's, in the view; size 0: it is not there. */
struct core_range {
	uint64_t offset, size;
};

struct core {
	struct view *view;
	uint16_t machine;	       /* EM_X86_64 or EM_AARCH64 */
	struct core_segment *segments; /* by rising start */
	unsigned segment_count, threads;
	char command[17]; /* pr_fname */
	char arguments[81];
	int signal; /* 0: none, as in a core that a debugger made of a live process */
	int code;
	bool has_address; /* of the fault: only cores that the kernel wrote have it */
	uint64_t address;
	bool has_registers; /* those of the thread that died, else of the first one */
	uint32_t thread;
	uint64_t pc, sp, fp, link;
	struct core_range files, auxiliary;
};

/*
 * 0; -ENOEXEC: not a core file; -ENOTSUP: of a processor that is not known here; -E2BIG; -ENOMEM;
 * -errno of a failed read. To be closed when it returned 0.
 */
int weft__core_open(struct core *core, struct view *view);
void weft__core_close(struct core *core);

/* Reads exactly `size` bytes of the dead process's memory; false when they are not in the file. */
bool weft__core_read(const struct core *core, uint64_t address, void *buf, size_t size);
/* Value `type` of its auxiliary vector; 0: not there. */
uint64_t weft__core_auxiliary(const struct core *core, uint64_t type);

struct core_file {
	uint64_t start, end, offset; /* [start, end) was `path` from `offset` on */
	const char *path;	     /* valid during the call only */
};

/* Calls `each` for every file that was mapped, until it returns non-zero; returns that or 0. */
int weft__core_each_file(const struct core *core,
			 int (*each)(const struct core_file *file, void *arg), void *arg);

#endif
