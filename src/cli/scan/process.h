/* SPDX-License-Identifier: MIT */
/*
 * process.h: looking at one running process: the vDSO that it sees, and the gauge of its random
 * states.
 */
#ifndef WEFT_CLI_SCAN_PROCESS_H
#define WEFT_CLI_SCAN_PROCESS_H

#include "cli/scan/scan.h"

/* Does the vDSO image in `view` export the getrandom symbol that Go looks up? */
enum scan_answer weft__scan_vdso_view(struct view *view);
/* Does the vDSO that `pid` has mapped? A shield changes the process's own copy. */
enum scan_answer weft__scan_process_vdso(pid_t pid);
/* How many pages of random states `pid` has now. 0 or -errno. */
int weft__scan_process_pages(pid_t pid, unsigned *pages);
/* How many pages the first batch of states of `pid` has; 0: not known. */
unsigned weft__scan_process_limit(pid_t pid);
/* The same for so many CPUs and pages of this size. */
unsigned weft__scan_page_limit(unsigned cpus, unsigned page_size);

#endif
