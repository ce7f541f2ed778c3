/* SPDX-License-Identifier: MIT */
/*
 * seccomp.h: a process tree in which no program can own a vDSO random state.
 *
 * States live in droppable mappings. The filter answers `mmap` of that type as a kernel without it
 * would, and every program (Go's runtime, libc) falls back to the system call. Children inherit the
 * filter, whatever starts them.
 */
#ifndef WEFT_CLI_SHIELD_SECCOMP_H
#define WEFT_CLI_SHIELD_SECCOMP_H

#include <stdbool.h>

/*
 * Is there anything to refuse? False on kernels without such mappings and under a filter like ours.
 */
bool weft__shield_seccomp_useful(void);

/*
 * Installs the filter. Without CAP_SYS_ADMIN the kernel wants no_new_privs set first, which is done
 * when `no_new_privs` says so, else -EACCES. 0 or -errno.
 */
int weft__shield_seccomp_install(bool no_new_privs);

#endif
