/* SPDX-License-Identifier: MIT */
/*
 * The CPUs of a thread on machines of every size. This program's own sched_getaffinity stands in
 * front of libc's: a kernel for `kernel_cpus` CPUs, of which every third is allowed.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>

#include "../kit.h"
#include "base/cpus.h"

static int kernel_cpus;
static int refusal;
static pid_t asked;

int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *mask)
{
	asked = pid;
	if (refusal || size * 8 < (size_t)kernel_cpus) {
		errno = refusal ? refusal : EINVAL;
		return -1;
	}
	memset(mask, 0, size);
	for (int cpu = 0; cpu < kernel_cpus; cpu += 3)
		CPU_SET_S(cpu, size, mask);
	return 0;
}

TEST("masks of every size are counted")
{
	for (kernel_cpus = 1; kernel_cpus <= 1 << 20; kernel_cpus *= 2)
		expect_eq(weft__cpu_count(0), (kernel_cpus + 2) / 3);
	for (kernel_cpus = CPU_SETSIZE - 1; kernel_cpus <= CPU_SETSIZE + 1; kernel_cpus++)
		expect_eq(weft__cpu_count(0), (kernel_cpus + 2) / 3);
}

TEST("a mask that is never large enough ends the search")
{
	kernel_cpus = (1 << 20) + 1;
	expect_eq(weft__cpu_count(0), -EINVAL);
}

TEST("other threads are asked for, and refusals returned")
{
	kernel_cpus = 3;
	expect_eq(weft__cpu_count(4711), 1);
	expect_eq(asked, 4711);
	refusal = ESRCH;
	expect_eq(weft__cpu_count(4711), -ESRCH);
}
