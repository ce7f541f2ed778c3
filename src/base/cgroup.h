/* SPDX-License-Identifier: MIT */
/*
 * cgroup.h: what this process's control groups allow it, version 1, version 2, or both side by
 * side.
 */
#ifndef WEFT_BASE_CGROUP_H
#define WEFT_BASE_CGROUP_H

#include <stdint.h>

/* INT64_MAX: no limit, or none that can be read. */
struct cgroup_limits {
	int64_t cpu_millis; /* thousandths of a CPU: 1500 is one and a half */
	int64_t tasks;	    /* processes and threads */
	int64_t memory;	    /* bytes */
};

/*
 * The strictest limits between this process's groups and the outermost ones that it can see. `root`
 * comes before every path ("" for the real files). May allocate: not for signal handlers.
 */
void weft__cgroup_limits(const char *root, struct cgroup_limits *limits);

#endif
