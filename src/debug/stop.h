/* SPDX-License-Identifier: MIT */
/*
 * stop.h: finds out where a thread of the runtime is, for a reader of its stack.
 *
 * A thread that sleeps in the kernel is not disturbed: /proc/self/task/TID/syscall contains its
 * stack pointer. A running thread gets a SIGQUIT with a note of ours; the handler (quit.c) writes
 * its registers into the note and waits until the reader has finished. So no system call ever ends
 * early because of a dump. Without the handler (WEFT_NO_SIGNALS, or the program installed its own)
 * no running thread is asked.
 */
#ifndef WEFT_DEBUG_STOP_H
#define WEFT_DEBUG_STOP_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "debug/unwind.h"

/*
 * Finds where the thread is; a running thread stops until weft__stop_release. One thread at a time.
 * False: it cannot be found out.
 */
bool weft__stop_hold(pid_t tid, struct registers *r);
void weft__stop_release(void);

/* Does the thread sleep in a system call, which one, and where? False also when it cannot be found
 * out. */
bool weft__stop_asleep(pid_t tid, long *call, struct registers *r);

/* For the handler. Returns true when the signal was such a note, which is handled then. */
bool weft__stop_answer(const siginfo_t *info, const void *context);
struct registers weft__stop_registers(const void *context);

#endif
