/* SPDX-License-Identifier: MIT */
/*
 * weft/sync.h: mutex, rwmutex, condition, semaphore, once, wait group: for tasks and for threads,
 * between each other. Since 0.1, but for what says 0.2.
 *
 * All-zero is the initial value (static storage, calloc, or the initialisers below); there is no
 * destroy and nothing is ever allocated. An object must not be moved or freed while it is in use,
 * and is not shared between processes. The members are private; spare words leave room to grow
 * without a new ABI. A pointer to an object must not be NULL.
 *
 * Threads that the runtime does not own may use all of them while it runs, and before; they block
 * in the kernel where a task would wait.
 */
#ifndef WEFT_SYNC_H
#define WEFT_SYNC_H

#include <stdint.h>

#include "weft/attr.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/*
 * Mutual exclusion. Belongs to the task, not to its thread: a task may move while it holds one. Not
 * recursive.
 */
struct weft_mutex {
	uint64_t weft_private[4];
};

/* Many readers or one writer. A waiting writer keeps new readers out. Not recursive. */
struct weft_rwmutex {
	uint64_t weft_private[8];
};

/* A condition, used with a weft_mutex. */
struct weft_cond {
	uint64_t weft_private[4];
};

/* A counter of units to take and to give back; first come, first served. */
struct weft_sem {
	uint64_t weft_private[4]; /* the low 32 bits of the first word are the units at the start */
};

/* Something that is done once. */
struct weft_once {
	uint64_t weft_private[2];
};

/* Waits for a number of things to be done. */
struct weft_waitgroup {
	uint64_t weft_private[4];
};

/* clang-format off */
#define WEFT_MUTEX_INIT {{0}}
#define WEFT_RWMUTEX_INIT {{0}}
#define WEFT_COND_INIT {{0}}
#define WEFT_SEM_INIT(n) {{0u + (n)}} /* n units, up to UINT32_MAX / 2 */
#define WEFT_ONCE_INIT {{0}}
#define WEFT_WAITGROUP_INIT {{0}}
/* clang-format on */

/*
 * Locks; waits as long as it takes, cancelled or not. Fair: a caller that has waited for 1 ms is
 * next. Locking a mutex that the caller holds is a deadlock.
 */
WEFT_NONNULL(1) void weft_mutex_lock(struct weft_mutex *mutex);
/* Returns 0 when it has locked the mutex, -EAGAIN when somebody holds it. */
WEFT_NONNULL(1) WEFT_MUST_CHECK int weft_mutex_trylock(struct weft_mutex *mutex);
/* Locks, or returns -EAGAIN (deadline 0) or -ETIMEDOUT. Not cancellable. */
WEFT_NONNULL(1)
WEFT_MUST_CHECK int weft_mutex_lock_until(struct weft_mutex *mutex, int64_t deadline);
/*
 * Unlocks what the caller holds. Unlocking a mutex that the caller does not hold is misuse: a
 * message and abort.
 */
WEFT_NONNULL(1) void weft_mutex_unlock(struct weft_mutex *mutex);

/* Locks for reading or for writing; waits as long as it takes, cancelled or not. */
WEFT_NONNULL(1) void weft_rwmutex_rdlock(struct weft_rwmutex *rwmutex);
WEFT_NONNULL(1) void weft_rwmutex_wrlock(struct weft_rwmutex *rwmutex);
/* Returns 0 when it has locked, -EAGAIN when it would have had to wait. */
WEFT_NONNULL(1) WEFT_MUST_CHECK int weft_rwmutex_tryrdlock(struct weft_rwmutex *rwmutex);
WEFT_NONNULL(1) WEFT_MUST_CHECK int weft_rwmutex_trywrlock(struct weft_rwmutex *rwmutex);
/* Locks, or returns -EAGAIN (deadline 0) or -ETIMEDOUT. Not cancellable. Since 0.2. */
WEFT_NONNULL(1)
WEFT_MUST_CHECK int weft_rwmutex_rdlock_until(struct weft_rwmutex *rwmutex, int64_t deadline);
WEFT_NONNULL(1)
WEFT_MUST_CHECK int weft_rwmutex_wrlock_until(struct weft_rwmutex *rwmutex, int64_t deadline);
/* Unlocks what the caller holds in that way. Anything else is misuse: a message and abort. */
WEFT_NONNULL(1) void weft_rwmutex_rdunlock(struct weft_rwmutex *rwmutex);
WEFT_NONNULL(1) void weft_rwmutex_wrunlock(struct weft_rwmutex *rwmutex);

/*
 * Unlocks `mutex`, waits for a signal or broadcast, locks `mutex` again, in every case. Returns 0
 * when woken, never without a signal or broadcast; but what the caller waits for may be gone again:
 * loop. Errors, the mutex is held again: -EAGAIN, -ETIMEDOUT, -ECANCELED; a signal that came first
 * is delivered, not lost. Waiting without holding the mutex is misuse: a message and abort.
 */
WEFT_NONNULL(1, 2)
WEFT_MUST_CHECK int weft_cond_wait(struct weft_cond *cond, struct weft_mutex *mutex,
				   int64_t deadline);
/* Wakes the caller that has waited longest, if there is one. The mutex may be held or not. */
WEFT_NONNULL(1) void weft_cond_signal(struct weft_cond *cond);
/* Wakes all callers that wait now. */
WEFT_NONNULL(1) void weft_cond_broadcast(struct weft_cond *cond);

/*
 * Takes `count` units at once, waiting until there are as many; callers that came first are served
 * first. Returns 0 when taken. Errors, nothing taken: -EAGAIN, -ETIMEDOUT, -ECANCELED.
 */
WEFT_NONNULL(1)
WEFT_MUST_CHECK int weft_sem_acquire(struct weft_sem *sem, unsigned count, int64_t deadline);
/*
 * Gives `count` units back, or new ones. More than UINT32_MAX / 2 in all is misuse: a message and
 * abort.
 */
WEFT_NONNULL(1) void weft_sem_release(struct weft_sem *sem, unsigned count);

/*
 * Calls fn(arg) if no call for `once` ever has; returns when that one call has ended, whichever
 * caller made it. A call that ends by weft_exit has ended, too. fn must not come back to the same
 * `once`. Not cancellable.
 */
WEFT_NONNULL(1, 2) void weft_once(struct weft_once *once, void (*fn)(void *arg), void *arg);

/* Adds `delta`, which may be negative. Below zero is misuse: a message and abort. */
WEFT_NONNULL(1) void weft_waitgroup_add(struct weft_waitgroup *waitgroup, int delta);
/* The same as adding -1. */
WEFT_NONNULL(1) void weft_waitgroup_done(struct weft_waitgroup *waitgroup);
/*
 * Waits until the count is 0. Returns 0 when it was, else -EAGAIN, -ETIMEDOUT, -ECANCELED. May be
 * used again afterwards.
 */
WEFT_NONNULL(1)
WEFT_MUST_CHECK int weft_waitgroup_wait(struct weft_waitgroup *waitgroup, int64_t deadline);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
