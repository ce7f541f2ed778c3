/* SPDX-License-Identifier: MIT */
/* key.h: task-local storage; see key.c. */
#ifndef WEFT_API_KEY_H
#define WEFT_API_KEY_H

struct task;

/* Runs the destructors of the calling, ending task's values and frees its table. In user code. */
void weft__keys_end(struct task *task);

#endif
