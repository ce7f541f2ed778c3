/* SPDX-License-Identifier: MIT */
/*
 * weft/thread.h: a task and its thread. Since 0.1.
 *
 * Lock a task to its thread when what it does belongs to the thread: namespaces, credentials,
 * signal masks, thread-local state of a library, a GUI's main thread. While locked, the task runs
 * on that thread alone and no other task does.
 *
 * A task that ends while locked takes its thread with it: the thread is gone within 100 ms of its
 * last key destructor. No thread of the runtime ever inherits what a locked task did to its own:
 * new threads are started by a clean one.
 */
#ifndef WEFT_THREAD_H
#define WEFT_THREAD_H

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/*
 * Locks the calling task to the thread that it runs on. Nests: it takes as many unlocks.
 * Returns 0, or -EINVAL outside a task.
 */
int weft_lock_os_thread(void);

/*
 * Takes one lock back; after the last the task may move again, and its thread serves others: undo
 * first what you did to the thread, or end locked. Errors: -EPERM not locked (nothing changes);
 * -EINVAL outside a task.
 */
int weft_unlock_os_thread(void);

/*
 * A hint that the calling task is about to block in code that is not weft's: hands the processor on
 * at once instead of when the monitor notices. No call needs it. Nests. Returns 0, or -EINVAL
 * outside a task. Where no other thread can be had, the processor stays, as if the hint had not
 * been made. In between only weft_now, weft_after, weft_stop, the random functions and these two
 * calls may be made: a call that waits, wakes or starts something is misuse: a message and abort.
 */
int weft_blocking_begin(void);
/*
 * Ends the hint; waits for a processor. Returns 0. Errors: -EINVAL outside a task; -EPERM without
 * weft_blocking_begin.
 */
int weft_blocking_end(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
