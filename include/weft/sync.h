/* SPDX-License-Identifier: MIT */
/*
 * weft/sync.h: mutex, rwmutex, condition, semaphore, once, wait group: for tasks and for threads,
 * between each other.
 *
 * All-zero is the initial value (static storage, calloc, or the initialisers below); there is no
 * destroy and nothing is ever allocated. An object must not be moved or freed while somebody uses
 * it, and is not shared between processes. The members are private; spare words leave room to grow
 * without a new ABI.
 *
 * Threads that the runtime does not own may use all of them while it runs, and before; they block
 * in the kernel where a task would wait.
 */
#ifndef WEFT_SYNC_H
#define WEFT_SYNC_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Mutual exclusion. Belongs to the task, not to its thread: a task may move while it holds one. Not
 * recursive. */
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
 * Locks; waits as long as it takes, cancelled or not. Fair: who has waited for 1 ms is next.
 * Locking what one holds is a deadlock. Since 0.1.
 */
void weft_mutex_lock(struct weft_mutex *m);
/* 0: locked; -EAGAIN: somebody holds it. Since 0.1. */
int weft_mutex_trylock(struct weft_mutex *m);
/* Locks, or gives -EAGAIN (deadline 0) or -ETIMEDOUT. Not cancellable. Since 0.1. */
int weft_mutex_lock_until(struct weft_mutex *m, int64_t deadline);
/* Unlocks what the caller holds. Unlocking what nobody holds is misuse: a message and abort. Since
 * 0.1. */
void weft_mutex_unlock(struct weft_mutex *m);

/* Locks for reading or for writing; waits as long as it takes, cancelled or not. Since 0.1. */
void weft_rwmutex_rdlock(struct weft_rwmutex *m);
void weft_rwmutex_wrlock(struct weft_rwmutex *m);
/* 0: locked; -EAGAIN: it would have had to wait. Since 0.1. */
int weft_rwmutex_tryrdlock(struct weft_rwmutex *m);
int weft_rwmutex_trywrlock(struct weft_rwmutex *m);
/* Unlocks what the caller holds in that way. Anything else is misuse: a message and abort. Since
 * 0.1. */
void weft_rwmutex_rdunlock(struct weft_rwmutex *m);
void weft_rwmutex_wrunlock(struct weft_rwmutex *m);

/*
 * Unlocks `m`, waits for a signal or broadcast, locks `m` again, in every case. 0: woken, never
 * without a reason of weft's, but what was waited for may have gone again: loop. Errors, the mutex
 * is held again: -EAGAIN, -ETIMEDOUT, -ECANCELED; a signal that came first is delivered, not lost.
 * Since 0.1.
 */
int weft_cond_wait(struct weft_cond *c, struct weft_mutex *m, int64_t deadline);
/* Wakes who has waited longest, if anybody. The mutex may be held or not. Since 0.1. */
void weft_cond_signal(struct weft_cond *c);
/* Wakes all who wait now. Since 0.1. */
void weft_cond_broadcast(struct weft_cond *c);

/*
 * Takes n units at once, waiting until there are as many; those who came first are served first. 0:
 * taken. Errors, nothing taken: -EAGAIN, -ETIMEDOUT, -ECANCELED. Since 0.1.
 */
int weft_sem_acquire(struct weft_sem *s, unsigned n, int64_t deadline);
/* Gives n units back, or new ones. More than UINT32_MAX / 2 in all is misuse: a message and abort.
 * Since 0.1. */
void weft_sem_release(struct weft_sem *s, unsigned n);

/*
 * Calls fn(arg) if no call for `o` ever has; returns when that one call has returned, whoever makes
 * it. fn must not come back to the same `o`. Not cancellable. Since 0.1.
 */
void weft_once(struct weft_once *o, void (*fn)(void *arg), void *arg);

/* Adds n, which may be negative. Below zero is misuse: a message and abort. Since 0.1. */
void weft_waitgroup_add(struct weft_waitgroup *w, int n);
/* The same as adding -1. Since 0.1. */
void weft_waitgroup_done(struct weft_waitgroup *w);
/* Waits until the count is 0. 0: it was; -EAGAIN, -ETIMEDOUT, -ECANCELED. May be used again
 * afterwards. Since 0.1. */
int weft_waitgroup_wait(struct weft_waitgroup *w, int64_t deadline);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
