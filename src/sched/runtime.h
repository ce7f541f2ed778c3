/* SPDX-License-Identifier: MIT */
/* runtime.h: starting the runtime and ending it; see runtime.c. */
#ifndef WEFT_SCHED_RUNTIME_H
#define WEFT_SCHED_RUNTIME_H

#include <stddef.h>

struct runtime_options {
	unsigned processors, max_threads;
	size_t stack_size;
	unsigned flags;
	void (*begin)(void), (*end)(void); /* as in debug/observe.h; NULL: no observer */
};

/* Runs `main_task(arg)` as the first task and returns when all tasks have ended and all threads are
 * gone: 0, or -errno when the runtime could not start. The result of main_task goes to *result. */
int weft__runtime_run(const struct runtime_options *options, int (*main_task)(void *arg), void *arg,
		      int *result);
/* The number of processors by default: the CPUs of the affinity mask, at most the cgroup's
 * quota. */
unsigned weft__runtime_default_processors(void);
/* Is a runtime running here? 0, -EINVAL, or -ENOTSUP in a forked child. */
int weft__runtime_state(void);

#endif
