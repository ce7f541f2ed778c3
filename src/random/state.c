/* SPDX-License-Identifier: MIT */
/*
 * state.c: see state.h. From a thread's first draw to its end, with everything that can come in
 * between.
 *
 * Taking. The pthread key that gives the state back at the thread's end is armed first, then a slot
 * is taken. glibc keeps the values of the first 32 keys in the thread's descriptor and allocates
 * memory for others; a draw must not allocate, so with a later key only weft_random_prepare takes a
 * state. The key is made in a constructor, before the program's own.
 *
 * Interrupted draws. A draw sets `ready` to NULL while it runs, so that a signal handler on the
 * same thread draws by system call. When siglongjmp or asynchronous cancellation leaves a draw,
 * NULL stays. A handler cannot tell the two cases apart, so after STUCK_AFTER missed draws the
 * thread takes another slot and keeps the old one: if it was a handler after all, the interrupted
 * draw continues with a state that nobody else has. That much waste is bounded by SLOTS_MAX; from
 * there on such draws stay with the system call.
 *
 * The end. Giving back first hides the slots from the thread itself, then gives them back one by
 * one. Destructors of other keys may draw after ours: the state they take arms our key again for
 * the next round. glibc makes four rounds, so after ENDINGS_MAX no more is taken.
 *
 * Threads that end without giving back. After its last destructor a thread still runs signal
 * handlers, which may draw; a first draw in the last round of destructors arms the key in vain; a
 * bare exit system call runs no destructors; a thread that is cancelled between the pool and its
 * own record loses a slot. Nobody gives these slots back, and the thread cannot know that it is so
 * late. So each thread begins with a sweep of what a dead one left at the address of its `here`
 * (pool.c). `swept` is set before: a handler that interrupts the sweep, or the take after it, must
 * not mistake its own thread for a dead one.
 *
 * fork. The child's only thread keeps what it owned (zeroed by the kernel, which means fresh);
 * pool.c frees the rest. A raw clone without CLONE_VM runs no fork handler: there the others' slots
 * stay owned, which costs memory and nothing else.
 */
#include "random/state.h"

#include <errno.h>
#include <pthread.h>

#include "base/atomic.h"
#include "base/fatal.h"
#include "base/sys.h"
#include "base/time.h"
#include "random/faults.h"
#include "random/pool.h"
#include "random/vdso.h"

enum {
	KEYS_WITHOUT_CALLOC = 32,
	STUCK_AFTER = 64,
	SLOTS_MAX = 16,
	ENDINGS_MAX = 3,
	BACKOFF_MIN = 64,
	BACKOFF_MAX = 1 << 16,
};

#define WAIT_LIMIT SECONDS(10)

__thread struct thread_state weft__thread_state __attribute__((tls_model("initial-exec")));
#define here weft__thread_state

static pthread_key_t key;
static bool key_made;

/* The destructor of `key`: the thread ends. */
static no_tsan void thread_ends(void *unused)
{
	here.armed = false;
	here.endings++;
	weft__state_put();
}

/* fork in a signal handler that interrupted a take or give: what is half done stays as it is. */
static no_tsan void child_after_fork(void)
{
	if (!here.inside)
		weft__pool_after_fork(here.mine);
}

__attribute__((constructor(101))) static void set_up(void)
{
	weft__vdso_probe(&weft__vdso);
	key_made = pthread_key_create(&key, thread_ends) == 0;
	pthread_atfork(NULL, NULL, child_after_fork);
}

/* Once per thread, so that later takes need not do it. */
static no_tsan cold void sweep(void)
{
	here.swept = true;
	compiler_barrier(); /* a handler that takes meanwhile does not sweep */
	weft__pool_sweep(&here, &here.mine);
}

static no_tsan int arm(void)
{
	if (here.armed)
		return 0;
	if (!key_made)
		return -EAGAIN;
	int error = pthread_setspecific(key, &here);
	here.armed = error == 0;
	return -error;
}

/* Takes a slot without waiting: 0, POOL_BUSY or -errno. */
static no_tsan int take(void)
{
	int error = arm();
#ifdef WEFT_DEBUG
	pid_t pid = sys_getpid(), tid = sys_gettid();
#endif
	if (unlikely(!here.swept))
		sweep();
	struct slot *slot = error ? NULL : weft__pool_take(&here, &error);
	if (!slot)
		return error;
#ifdef WEFT_DEBUG
	slot->pid = pid;
	slot->tid = tid;
#endif
	/*
	 * From the pool to here.mine in few instructions: a thread that is cancelled or jumps out
	 * between loses the slot to the next one at its address.
	 */
	store_relaxed(&slot->next, here.mine);
	here.mine = slot;
	here.owned++;
	compiler_barrier(); /* a handler that sees it ready may draw, and must find it owned */
	here.ready = slot->state;
	return 0;
}

/* take(), protected from a handler that interrupts it. */
static no_tsan int take_alone(void)
{
	here.inside = true;
	compiler_barrier();
	int error = take();
	compiler_barrier();
	here.inside = false;
	here.missed = 0;
	return error;
}

/* A refused mmap is likely to be refused again, and costs as much as a state would have saved. */
static no_tsan void back_off(void)
{
	here.backoff = here.backoff ? min_of(here.backoff * 2, (uint32_t)BACKOFF_MAX) : BACKOFF_MIN;
	here.skip = here.backoff;
}

static no_tsan bool worth_a_try(void)
{
	if (!weft__vdso.draw || here.endings >= ENDINGS_MAX || here.owned >= SLOTS_MAX)
		return false;
	if (!here.armed && key >= KEYS_WITHOUT_CALLOC)
		return false;
	if (here.inside || here.mine) {
		if (++here.missed < STUCK_AFTER)
			return false;
		weft__pool_abandon(&here);
	}
	if (here.skip == 0)
		return true;
	here.skip--;
	return false;
}

no_tsan void *weft__state_want(void)
{
	if (!here.ready && worth_a_try()) {
		int error = take_alone();
		if (error < 0)
			back_off();
	}
	return here.ready;
}

/* The vDSO keys a state with its first draw, by system call. */
static no_tsan int key_state(void)
{
	uint64_t word;
	ssize_t got = weft__state_draw(&word, sizeof(word), 0, here.ready);
	return got < 0 ? (int)got : 0;
}

static no_tsan int take_waiting(void)
{
	int64_t give_up = weft__clock() + WAIT_LIMIT;
	int error;
	for (unsigned round = 0; (error = take_alone()) == POOL_BUSY; round++) {
		if (weft__clock() > give_up)
			return -ETIMEDOUT;
		weft__await_other(round);
	}
	return error;
}

no_tsan int weft__state_acquire(void)
{
	int error = 0;
	if (!weft__vdso.draw)
		return -ENOSYS;
	if (here.inside || here.owned >= SLOTS_MAX || here.endings >= ENDINGS_MAX)
		return -EBUSY; /* in a handler that interrupted a take, or at the very end */
	if (!here.ready)
		error = take_waiting();
	return error ? error : key_state();
}

storm_frame no_tsan void weft__state_put(void)
{
	here.inside = true;
	here.ready = NULL;
	struct slot *slot = here.mine;
	here.mine = NULL;
	here.owned = 0;
	compiler_barrier(); /* hidden from this thread before it is visible to others */
	while (slot) {
		struct slot *next = load_relaxed(&slot->next);
		if (!faulty_list_give(slot))
			weft__pool_give(slot);
		slot = next;
	}
	weft__pool_abandon(&here); /* a thread cancelled inside a take */
	compiler_barrier();
	here.inside = false;
	here.missed = 0;
}

/* For tests. */
no_tsan bool weft__state_owned(void)
{
	return here.mine != NULL;
}

unsigned weft__state_per_page(void)
{
	return weft__vdso_per_page();
}

#ifdef WEFT_DEBUG
no_tsan void weft__state_check_thread(void)
{
	const struct slot *slot = here.mine;
	if (!slot || slot->tid == sys_gettid() || slot->pid != sys_getpid())
		return;
	weft__fatal("threads %d and %d share one thread pointer (clone without CLONE_SETTLS) and "
		    "would draw the same bytes",
		    (int)slot->tid, (int)sys_gettid());
}
#endif
