/* SPDX-License-Identifier: MIT */
/*
 * cpus.c: the kernel refuses with EINVAL a mask that is smaller than its own, and says nowhere how
 * large its own is: the mask grows until it fits. (A cpu_set_t holds 1,024 CPUs. The number of CPUs
 * online would be no substitute: it ignores taskset, cpusets and cgroups.)
 */
#include "base/cpus.h"

#include <errno.h>
#include <sched.h>

enum { CPUS_FIRST = CPU_SETSIZE, CPUS_MAX = 1 << 20 };

static int count_in_mask(pid_t tid, int cpus)
{
	cpu_set_t *mask = CPU_ALLOC(cpus);
	size_t size = CPU_ALLOC_SIZE(cpus);
	if (!mask)
		return -ENOMEM;
	int count = sched_getaffinity(tid, size, mask) ? -errno : CPU_COUNT_S(size, mask);
	CPU_FREE(mask);
	return count;
}

int weft__cpu_count(pid_t tid)
{
	int count = -EINVAL;
	for (int cpus = CPUS_FIRST; count == -EINVAL && cpus <= CPUS_MAX; cpus *= 2)
		count = count_in_mask(tid, cpus);
	return count;
}
