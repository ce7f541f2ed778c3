/* SPDX-License-Identifier: MIT */
/*
 * mapped.h: the files whose code a process has mapped: its program and its libraries, opened.
 */
#ifndef WEFT_CLI_PROC_MAPPED_H
#define WEFT_CLI_PROC_MAPPED_H

#include <stdint.h>
#include <sys/types.h>

struct mapped_file {
	int fd;		  /* for reading, closed after the call; or -errno: it cannot be opened */
	const char *path; /* as the process knows it; valid during the call only */
	uint64_t start,
		offset; /* its first executable mapping, and that one's offset in the file */
};

/*
 * Calls `each` once for every file of `pid` that is mapped with execute permission, by rising
 * address, until it returns non-zero; returns that, 0, or -errno. A deleted file is opened too,
 * where this process may (CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE).
 */
int weft__mapped_each(pid_t pid, int (*each)(const struct mapped_file *f, void *arg), void *arg);

#endif
