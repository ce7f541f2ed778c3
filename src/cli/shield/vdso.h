/* SPDX-License-Identifier: MIT */
/*
 * vdso.h: a process without getrandom in its vDSO.
 *
 * Every process has the vDSO mapped from the same pages of the kernel. Writing to it through ptrace
 * gives that process a private copy, which its children by fork inherit and exec drops. One byte of
 * the symbol's name in .dynstr is changed: the name no longer matches, the program falls back to
 * the system call, and clock_gettime and the others stay.
 */
#ifndef WEFT_CLI_SHIELD_VDSO_H
#define WEFT_CLI_SHIELD_VDSO_H

#include <sys/types.h>

/*
 * Hides the symbol in a process that the caller traces and that is stopped before its first
 * instruction. 1: hidden; 0: there was nothing to hide; -errno.
 */
int weft__shield_vdso_hide(pid_t pid);

enum shield_vdso { SHIELD_VDSO_ABSENT, SHIELD_VDSO_PRESENT, SHIELD_VDSO_HIDDEN };

/* How it stands with the vDSO of `pid` (which the caller may trace); negative: -errno. */
int weft__shield_vdso_state(pid_t pid);

#endif
