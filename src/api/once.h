/* SPDX-License-Identifier: MIT */
/* once.h: what weft_exit does for weft_once. */
#ifndef WEFT_API_ONCE_H
#define WEFT_API_ONCE_H

struct task;

/* The calling task ends: the calls of weft_once that it is in count as done. */
void weft__once_end_all(struct task *task);

#endif
