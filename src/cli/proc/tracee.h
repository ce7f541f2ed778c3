/* SPDX-License-Identifier: MIT */
/*
 * tracee.h: the memory and the mappings of another process that the caller may trace.
 */
#ifndef WEFT_CLI_PROC_TRACEE_H
#define WEFT_CLI_PROC_TRACEE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Reads exactly `len` bytes. 0 or -errno. */
int weft__tracee_read(pid_t pid, uint64_t address, void *buf, size_t len);
/*
 * Writes `len` bytes, read-only pages included: they become private to that process. `thread` is
 * one that the caller traces and that is stopped. 0 or -errno.
 */
int weft__tracee_write(pid_t thread, uint64_t address, const void *bytes, size_t len);

struct unwind_start;

/* Where a stopped thread of the caller's stands; its function is left 0. 0 or -errno. */
int weft__tracee_registers(pid_t thread, struct unwind_start *at);

struct tracee_mapping {
	uint64_t start, end, offset;
	uint64_t device, inode; /* 0 for anonymous memory */
	bool executable;
	const char *path; /* "" for anonymous memory; valid during the call only */
};

/*
 * Calls `each` for every line of /proc/PID/maps until it returns non-zero; returns that, 0, or
 * -errno.
 */
int weft__tracee_mappings(pid_t pid, int (*each)(const struct tracee_mapping *m, void *arg),
			  void *arg);

/*
 * The number that follows "NAME:\t" in /proc/PID/status, read in `base`; -errno when there is none.
 */
int64_t weft__tracee_status(pid_t pid, const char *name, int base);

#endif
