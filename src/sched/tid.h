/* SPDX-License-Identifier: MIT */
/* tid.h: what the kernel says about a thread of this process, by its number [monitor]. */
#ifndef WEFT_SCHED_TID_H
#define WEFT_SCHED_TID_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* CPU time in ns; -1: the kernel does not tell. */
int64_t weft__tid_cpu(pid_t tid);
/* The state letter of /proc/self/task/TID/stat; 0: the kernel does not tell. */
char weft__tid_letter(pid_t tid);
/* Returns true when the thread neither runs nor is runnable; false also when the kernel does not
 * tell. */
bool weft__tid_asleep(pid_t tid);
/* Before the first look, while the program may still have a free descriptor; after the last one. */
void weft__tid_begin(void);
void weft__tid_end(void);

#endif
