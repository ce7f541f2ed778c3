/* SPDX-License-Identifier: MIT */
/* tid.h: what the kernel says of a thread of this process, by its number. */
#ifndef WEFT_SCHED_TID_H
#define WEFT_SCHED_TID_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* CPU time in ns; -1: it cannot be told. */
int64_t weft__tid_cpu(pid_t tid);
/* The state letter of /proc/self/task/TID/stat; 0: it cannot be told. */
char weft__tid_letter(pid_t tid);
/* Returns true when the thread neither runs nor wants to; false also when it cannot be told. */
bool weft__tid_asleep(pid_t tid);

#endif
