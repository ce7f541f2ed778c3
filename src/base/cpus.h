/* SPDX-License-Identifier: MIT */
/*
 * cpus.h: on how many CPUs a thread may run, on machines of any size.
 */
#ifndef WEFT_BASE_CPUS_H
#define WEFT_BASE_CPUS_H

#include <sys/types.h>

/* Returns the CPUs in the affinity mask of thread `tid` (0: the caller), or -errno. Allocates. */
int weft__cpu_count(pid_t tid);

#endif
