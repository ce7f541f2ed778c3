/* SPDX-License-Identifier: MIT */
/*
 * weft/task.h: start the runtime, start tasks, wait for them, cancel them. Since 0.1.
 *
 * A task is a function with a stack of its own that the runtime runs on one of its threads. A task
 * that is not locked to its thread (weft/thread.h) may move to another thread at any weft call, and
 * while it is in other code it never moves.
 *
 * Deadlines, here and in every other header: absolute CLOCK_MONOTONIC nanoseconds, made by
 * weft_after. WEFT_FOREVER never ends; 0 tries once and returns -EAGAIN where the call would wait;
 * any other deadline, passed already or passing meanwhile, tries at least once and then returns
 * -ETIMEDOUT. A wait with a deadline that finds no memory to watch it returns -ENOMEM, and nothing
 * has happened.
 *
 * Cancellation is sticky: once cancelled, each cancellable call of a task that would have to wait
 * returns -ECANCELED, until the task itself calls weft_cancel_clear. So with every deadline, 0
 * included, the order is the same: what is ready is delivered; else a cancelled task that is not
 * masked gets -ECANCELED; else a deadline that does not let the call wait gives -EAGAIN or
 * -ETIMEDOUT. Not cancellable: locking a mutex or rwmutex, once, the relock inside weft_cond_wait,
 * and blocking calls that are not weft's.
 *
 * Any thread may make the calls of weft, not only tasks, while the runtime runs: one that is not
 * the runtime's waits in the kernel where a task would park (since 0.2; weft_go, weft_cancel,
 * weft_stop and weft_detach since 0.1). Cancellation and limits are tasks' alone. weft_run does not
 * wait for such threads, except to the end of a call under way: when the last task has ended, their
 * waits for tasks, groups and descriptors return -ESHUTDOWN, and the handles and groups of that run
 * end with it: none may be used in a later run, which a program does not begin before its threads
 * are done with them. Before and after a run these calls return -EINVAL, but those of weft/chan.h
 * and weft/sync.h work there, too. Only for tasks: weft_exit, the keys, weft_set_name,
 * weft_cancel_clear, weft_cancel_mask, weft_limit, and weft/thread.h.
 */
#ifndef WEFT_TASK_H
#define WEFT_TASK_H

#include <stddef.h>
#include <stdint.h>

#include "weft/attr.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/*
 * A task that was spawned and is not yet joined or detached. Made by weft_spawn, freed by weft_join
 * or weft_detach.
 */
struct weft_task;

/* The deadline that never comes. */
#define WEFT_FOREVER INT64_MAX

/* Flags of struct weft_options. */
enum {
	/* The main task runs on the thread that called weft_run, locked to it. */
	WEFT_LOCK_MAIN = 1,
	/* No handlers for SIGQUIT (dump) and SIGSEGV (report of a stack overflow). */
	WEFT_NO_SIGNALS = 2,
	/* A deadlock of all tasks is not reported: the program waits for ever. Nor is it ended
	 * because a thread, or memory for a stack, is missing. Since 0.2. */
	WEFT_NO_DEADLOCK_REPORT = 4,
};

/*
 * What weft_run may be told. A zero field means its default. The caller owns it; it is read during
 * the call only.
 */
struct weft_options {
	/* sizeof(struct weft_options); 0: that of version 0.1. */
	size_t size;
	/*
	 * How many tasks run at the same time. Default: the CPUs of the affinity mask, lowered by
	 * the cgroup's CPU quota; WEFT_PROCESSORS in the environment overrides the default.
	 */
	unsigned processors;
	/* The most threads that the runtime may have. Default 10,000. */
	unsigned max_threads;
	/*
	 * Bytes of a task's stack that can be used, at least; touched lazily. Rounded up to a power
	 * of two, 16 KiB or more. A guard of 64 KiB and a page for the task's record come on top.
	 * Default 256 KiB.
	 */
	size_t stack_size;
	/* WEFT_LOCK_MAIN, WEFT_NO_SIGNALS, WEFT_NO_DEADLOCK_REPORT. */
	unsigned flags;
};

/*
 * Starts the runtime, runs `main_task(arg)` as the first task, waits until it and every other task
 * has ended, and stops the runtime. All threads of the runtime are gone when it returns; it may be
 * called again afterwards. `options` may be NULL.
 *
 * Returns what main_task returned, as it is. weft_run's own errors are negative, and each means
 * that main_task has not been called. So there is no doubt when the results of main_task are 0 and
 * above, as those of a program are; a main_task that returns negative numbers tells its own from
 * these by what it writes to `arg`.
 *
 * Errors: -EBUSY a runtime runs in this process already (also when called by a task); -EINVAL an
 * unknown flag, an absurd number, main_task NULL; -E2BIG options of a later version; -ENOMEM,
 * -EAGAIN no memory or no thread to start with; -ENOTSUP in a forked child.
 */
WEFT_MUST_CHECK int weft_run(const struct weft_options *options, int (*main_task)(void *arg),
			     void *arg);

/*
 * Asks every task to end: cancels all of them, each once, and refuses new ones (-ESHUTDOWN).
 * Returns at once: a task that calls it is cancelled by then, the others very soon.
 * Async-signal-safe; any thread may call it. Returns 0, or -EINVAL when no runtime runs.
 */
int weft_stop(void);

/*
 * Returns 1 while weft_run has tasks to run: from the start of the main task until the last task
 * has ended; else 0, in a forked child, too. A hint: it may have changed when the caller looks at
 * it. Any thread may call it. Async-signal-safe. Since 0.2.
 */
int weft_running(void);

/*
 * What weft_spawn may be told. A zero field means its default. Read during the call only; `name` is
 * copied.
 */
struct weft_spawn_options {
	/* sizeof(struct weft_spawn_options); 0: that of version 0.1. */
	size_t size;
	/* For dumps and traces: the first 31 bytes count. Default none. */
	const char *name;
	/* As in weft_run's options, which is the default. */
	size_t stack_size;
};

/*
 * Starts a task that nobody joins. Any thread may call it while the runtime runs. Returns 0.
 * Errors: -ENOMEM; -ESHUTDOWN after weft_stop; -EINVAL no runtime runs, or fn is NULL; -ENOTSUP in
 * a forked child.
 */
WEFT_MUST_CHECK int weft_go(void (*fn)(void *arg), void *arg);

/*
 * Starts a task and stores its handle in *task. The caller owns the handle and must give it to
 * weft_join or to weft_detach, once. `options` may be NULL. Any thread may call it while the
 * runtime runs. Returns 0. Errors: -ENOMEM; -ESHUTDOWN after weft_stop; -EINVAL no runtime runs, or
 * a NULL or absurd argument; -E2BIG options of a later version; -ENOTSUP in a forked child.
 */
WEFT_MUST_CHECK int weft_spawn(struct weft_task **task, const struct weft_spawn_options *options,
			       int (*fn)(void *arg), void *arg);

/*
 * Waits until the task has ended and stores what its function returned, or passed to weft_exit, in
 * *result (may be NULL). Frees the handle when it returns 0, and only then. Errors: -EAGAIN,
 * -ETIMEDOUT, -ECANCELED; -EDEADLK the task is the caller itself; -EINVAL no runtime runs, or
 * `task` is NULL. Two joins of one task, or a join of a detached one, are misuse: a message and
 * abort.
 */
WEFT_MUST_CHECK int weft_join(struct weft_task *task, int *result, int64_t deadline);

/*
 * Gives the handle back: the task is freed when it ends. Returns 0, or -EINVAL when `task` is NULL
 * or no runtime runs. Twice is misuse: a message and abort.
 */
int weft_detach(struct weft_task *task);

/*
 * Cancels a task: its cancellable waits, the one it is in included, return -ECANCELED from now on;
 * groups that it has made and not waited for are cancelled with it (weft/group.h). Does not wait
 * for the task. The handle must not have been joined or detached. Returns 0, also when the task has
 * ended, or -EINVAL when `task` is NULL or no runtime runs.
 */
int weft_cancel(struct weft_task *task);

/*
 * Returns 1 when the calling task is cancelled (masked or not), 0 when it is not or outside a task.
 */
int weft_cancelled(void);

/*
 * Takes the calling task's cancellation back: its waits wait again, until the next weft_cancel.
 * Groups that were cancelled with it stay cancelled.
 */
void weft_cancel_clear(void);

/*
 * Masks (1) or unmasks (0) cancellation for the calling task, for clean-up that has to wait.
 * Returns the old mask, 0 or 1, or -EINVAL outside a task. A cancellation that comes meanwhile is
 * not lost.
 */
int weft_cancel_mask(int on);

/*
 * Bounds the calling task: from now on no cancellable wait of it lasts beyond `deadline`; such a
 * wait ends with -ETIMEDOUT, weft_sleep, too. What is ready is delivered even so, and a call whose
 * own deadline is 0 still returns -EAGAIN. Only shortens: of two limits the earlier one holds.
 * weft_cancel_mask(1) masks it. Returns the former limit, WEFT_FOREVER if there was none; so
 * weft_limit(WEFT_FOREVER) asks. Members of groups inherit it (weft/group.h), other tasks do not.
 * Outside a task it does nothing and returns WEFT_FOREVER. Since 0.2.
 *
 *	int64_t former = weft_limit(weft_after(second));
 *	...
 *	weft_limit_end(former);
 */
int64_t weft_limit(int64_t deadline);
/* Sets the limit to what weft_limit returned. Outside a task: nothing. Since 0.2. */
void weft_limit_end(int64_t former);

/* Lets other ready tasks run first. Outside a task: sched_yield. */
void weft_yield(void);

/*
 * Ends the calling task with this result; does not return. No C++ destructor and no clean-up
 * handler of its stack runs, the destructors of its keys do. Outside a task it is misuse: a message
 * and abort.
 */
__attribute__((__noreturn__)) void weft_exit(int result);

/*
 * Sleeps. Returns 0 when the time was reached, at once for a duration <= 0. Errors: -ECANCELED;
 * -ETIMEDOUT the task's limit (weft_limit) comes first; -EINVAL no runtime runs. Neither signals
 * nor, in a thread that is not the runtime's, the end of the runtime cut it short.
 */
int weft_sleep(int64_t nanoseconds);
/* The same until a moment on weft_now's clock; returns 0 at once when it has passed. */
int weft_sleep_until(int64_t deadline);

/* Returns CLOCK_MONOTONIC in nanoseconds. Async-signal-safe. */
int64_t weft_now(void);

/*
 * Returns the deadline so many nanoseconds from now: at most WEFT_FOREVER; for a duration <= 0 one
 * that has passed (never 0, which would mean "try once"). Async-signal-safe.
 */
int64_t weft_after(int64_t nanoseconds);

/*
 * Returns the calling task; NULL outside a task. Borrowed: not to be joined or detached by way of
 * this pointer.
 */
struct weft_task *weft_self(void);

/* Returns a number that no other task of this process ever has, from 1; 0 for NULL. */
uint64_t weft_task_id(const struct weft_task *task);

/*
 * Names the calling task for dumps, traces and debuggers: the first 31 bytes are copied; NULL or ""
 * takes the name away. Returns 0, or -EINVAL outside a task.
 */
int weft_set_name(const char *name);

/*
 * Task-local storage. Makes a key for the life of the process; each task has its own value under
 * it, NULL at first. When a task ends, `destructor` (may be NULL) is called with each value that is
 * not NULL, in that task, again while destructors set new values, up to four rounds. Keys are made
 * by tasks, or while no runtime runs. Returns 0. Errors: -EAGAIN no key left (1,024); -EINVAL `key`
 * is NULL, or the caller is a thread that is not the runtime's while that runs; -ENOTSUP in a
 * forked child.
 */
WEFT_MUST_CHECK int weft_key_create(unsigned *key, void (*destructor)(void *value));
/*
 * Sets the calling task's value. Returns 0. Errors: -EINVAL outside a task or for a key never made;
 * -ENOMEM.
 */
WEFT_MUST_CHECK int weft_key_set(unsigned key, void *value);
/*
 * Returns the calling task's value; NULL when none was set, outside a task, or for a key never
 * made.
 */
void *weft_key_get(unsigned key);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
