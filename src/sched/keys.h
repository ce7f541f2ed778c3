/* SPDX-License-Identifier: MIT */
/* keys.h: task-local storage; see keys.c. */
#ifndef WEFT_SCHED_KEYS_H
#define WEFT_SCHED_KEYS_H

struct task;

/* Runs the destructors of the calling, ending task's values and frees its table. In user code. */
void weft__keys_end(struct task *task);

#endif
