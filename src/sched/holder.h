/* SPDX-License-Identifier: MIT */
/* holder.h: what the thread that holds a processor does in user code, for the monitor. */
#ifndef WEFT_SCHED_HOLDER_H
#define WEFT_SCHED_HOLDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct processor;

/* Returns true when the holder of p, whose CPU time is `cpu` now, has slept in the kernel since the
 * last look. */
bool weft__holder_blocked(struct processor *p, pid_t tid, int64_t cpu);
/* Returns true when it has computed for long enough, while others wait. */
bool weft__holder_busy(struct processor *p, int64_t now, int64_t cpu);

#endif
