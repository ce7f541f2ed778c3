/* SPDX-License-Identifier: MIT */
/*
 * pool.c: the free list of random states.
 *
 * A dying thread gives its state back at the worst moment: signals are blocked, its processor is
 * about to go, and it may not be able to allocate. Go 1.24.0 kept its free states in a slice,
 * giving one back could grow the slice, and the growth allocated: that was the crash. Here a state
 * and the record that links it (its slot) are allocated in the same step, so giving back is three
 * stores and a compare-and-swap, in whatever order a thread ends.
 *
 * A page of states holds as many as the kernel's state size allows (21 of 4096 bytes on x86-64);
 * with each comes a block of slots. Neither is ever unmapped or moved: a slot that was read once
 * may be read for ever.
 *
 *   word        meaning                              who moves it
 *   free_list   the first free slot, and the epoch   give links a slot, any thread, any time
 *               in the six low bits                  (release); take unlinks one, only as the taker
 *                                                    (acquire); abandon: epoch + 1
 *   taker       the thread that may unlink, or NULL  NULL -> self: take (acquire)
 *                                                    self -> NULL: take, abandon (release)
 *   *owner      who owns the slot; NULL: free        NULL -> self: take; self -> NULL: give,
 *                                                    before linking; sweep, as the dead owner
 *   blocks      all blocks                           grow links one (release); readers walk them
 *                                                    (acquire)
 *   spare       a block that has no states yet       grow swaps it out, and in again when mmap
 *                                                    refuses
 *
 * Why one taker at a time: with two, the first could read A and A's next B, be delayed while the
 * second takes A and B and gives A back, and then install B, which is owned. Giving only ever puts
 * slots in front, so one taker is safe.
 *
 * Why a thread tries to become the taker and never waits: in a child of a raw clone the taker may
 * be a thread that does not exist, and in a signal handler it may be the interrupted thread itself.
 * A thread that fails draws by system call.
 *
 * Why an epoch: a taker may vanish (siglongjmp, cancellation). Its own thread reports that with
 * abandon, which opens the pool again; but in a signal handler that interrupted the take this is a
 * guess. Should the take continue after all, it finds another epoch than the one it began with and
 * unlinks nothing. The epoch does not wrap: after 63 abandoned takes the pool stays closed, and new
 * threads draw by system call.
 *
 * Why an owner by address: a thread may die without giving back (state.c says how). Two threads
 * that live at the same time have different addresses, so whatever a thread finds as its own before
 * its first take was left by a dead one. What is lost meanwhile is bounded by the number of such
 * addresses, and libc uses the memory of dead threads again. A sweep reads one word per slot: it
 * adds two nanoseconds for each living thread to a thread's first draw, where keying its state
 * takes 1,500.
 *
 * Rejected: linking free states through their own memory (the kernel may drop the page and the list
 * with it); a lock for giving back (a thread that cannot get it would hang while it ends); a tag
 * against ABA instead of the single taker (22 bits of a pointer wrap in minutes under a storm of
 * threads, two words need a library on some processors); robust mutexes as owners, which the kernel
 * marks when their thread dies (a signal handler that takes one while its thread does breaks libc's
 * list of them); asking the kernel which threads live (one more kind of system call on a draw, for
 * which a sandbox may kill the process).
 */
#include "random/pool.h"

#include <sys/mman.h>

#include "base/atomic.h"
#include "base/fatal.h"
#include "base/sys.h"
#include "random/faults.h"
#include "random/vdso.h"
#include "random/wipe.h"

struct block {
	struct block *older;
	const void **owners; /* of its slots, in a row: a sweep reads them all */
	struct slot slots[];
};

#define EPOCH_MAX ((uintptr_t)CACHE_LINE - 1)

static cache_aligned uintptr_t free_list;
static const void *taker;
static struct block *blocks;
static struct block *spare;

static struct slot *first_of(uintptr_t word)
{
	return (struct slot *)(word & ~EPOCH_MAX);
}

static uintptr_t epoch_of(uintptr_t word)
{
	return word & EPOCH_MAX;
}

/* Links a chain of slots that nobody else can see. */
static no_tsan void link_free(struct slot *first, struct slot *last)
{
	uintptr_t seen = load_relaxed(&free_list);
	do
		store_relaxed(&last->next, first_of(seen));
	while (!cas_release(&free_list, &seen,
			    (uintptr_t)first | epoch_of(seen))); /* pairs with unlink_free */
}

enum unlinked { GOT, EMPTY, LOST };

/* Called by the taker that began in `epoch`. LOST: the pool was opened to others meanwhile. */
static no_tsan enum unlinked unlink_free(uintptr_t epoch, struct slot **slot)
{
	if (faulty_list_take(slot))
		return *slot ? GOT : EMPTY;
	uintptr_t seen = load_acquire(&free_list); /* pairs with link_free */
	for (;;) {
		*slot = first_of(seen);
		if (epoch_of(seen) != epoch)
			return LOST;
		if (!*slot)
			return EMPTY;
		uintptr_t next = (uintptr_t)load_relaxed(&(*slot)->next);
		if (cas_acquire(&free_list, &seen, next | epoch)) /* pairs with link_free */
			return GOT;
	}
}

static void *map(size_t size, int prot, int flags, int *error)
{
	void *addr = sys_mmap(size, prot, flags, -1);
	*error = sys_map_error(addr);
	return *error ? NULL : addr;
}

static size_t block_size(void)
{
	size_t size = sizeof(struct block) +
		      weft__vdso_per_page() * (sizeof(struct slot) + sizeof(void *));
	return round_up(size, weft__vdso.page_size);
}

static no_tsan void publish(struct block *b, char *states)
{
	unsigned count = weft__vdso_per_page();
	b->owners = (const void **)&b->slots[count];
	for (unsigned i = 0; i < count; i++) {
		b->slots[i].owner = &b->owners[i];
		b->slots[i].state = states + i * weft__vdso.stride;
		store_relaxed(&b->slots[i].next, i + 1 < count ? &b->slots[i + 1] : NULL);
	}
	struct block *seen = load_relaxed(&blocks);
	do
		b->older = seen;
	while (!cas_release(&blocks, &seen, b)); /* pairs with weft__pool_count, weft__pool_sweep */
	if (!faulty_list_add(&b->slots[0]))
		link_free(&b->slots[0], &b->slots[count - 1]);
}

/* Adds a page of states and the slots for them; slots without states are kept for next time. */
static no_tsan int grow(void)
{
	int error = 0;
	struct block *b = swap_acq_rel(&spare, NULL); /* pairs with grow: another thread's */
	if (!b)
		b = map(block_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, &error);
	if (!b)
		return error;
	char *states = map(weft__vdso.page_size, weft__vdso.map_prot, weft__vdso.map_flags, &error);
	if (!states) {
		store_release(&spare, b); /* pairs with grow: the swap above */
		return error;
	}
	publish(b, states);
	return 0;
}

static no_tsan struct slot *take_as_taker(uintptr_t epoch, int *error)
{
	struct slot *slot = NULL;
	enum unlinked result;
	*error = 0;
	while ((result = unlink_free(epoch, &slot)) == EMPTY && *error == 0)
		*error = grow();
	if (result == LOST)
		*error = POOL_BUSY;
	return result == GOT ? slot : NULL;
}

no_tsan struct slot *weft__pool_take(const void *self, int *error)
{
	uintptr_t epoch =
		epoch_of(load_relaxed(&free_list)); /* before becoming the taker: see the head */
	const void *nobody = NULL;
	*error = POOL_BUSY;
	/* pairs with weft__pool_take, weft__pool_abandon */
	if (!cas_acquire(&taker, &nobody, self))
		return NULL;
	struct slot *slot = take_as_taker(epoch, error);
	const void *me = self;
	/*
	 * Fails when the take was abandoned: then this thread is no longer the taker; pairs with
	 * weft__pool_take.
	 */
	cas_release(&taker, &me, NULL);
	if (!slot)
		return NULL;
	check(load_relaxed(slot->owner) == NULL);
	store_relaxed(slot->owner, self);
	return slot;
}

no_tsan void weft__pool_give(struct slot *slot)
{
	check(load_relaxed(slot->owner) != NULL);
	wipe(slot->state,
	     weft__vdso.stride); /* all zero is a fresh state, and clears a stuck in-use mark */
	store_relaxed(slot->owner, NULL);
	link_free(slot, slot);
}

no_tsan void weft__pool_abandon(const void *self)
{
	if (load_relaxed(&taker) != self)
		return;
	uintptr_t seen = load_relaxed(&free_list);
	do
		if (epoch_of(seen) == EPOCH_MAX)
			return;
	while (!cas_relaxed(&free_list, &seen, seen + 1));
	store_release(&taker, NULL); /* pairs with weft__pool_take */
}

static no_tsan bool is_among(const struct slot *slot, const struct slot *list)
{
	for (; list; list = load_relaxed(&list->next))
		if (list == slot)
			return true;
	return false;
}

no_tsan void weft__pool_sweep(const void *self, struct slot *const *mine)
{
	weft__pool_abandon(self);
	for (struct block *b = load_acquire(&blocks); b; b = b->older) /* pairs with publish */
		for (unsigned i = 0; i < weft__vdso_per_page(); i++)
			if (load_relaxed(&b->owners[i]) == self &&
			    !is_among(&b->slots[i], load_relaxed(mine)))
				weft__pool_give(&b->slots[i]);
}

/*
 * The free list is intact in the child, as it is one word at any moment. What the parent's other
 * threads owned is free here, and the kernel has zeroed it; a slot that one of them was moving
 * between the list and its owner is lost.
 */
no_tsan void weft__pool_after_fork(const struct slot *mine)
{
	store_relaxed(&taker, NULL);
	for (struct block *b = load_relaxed(&blocks); b; b = b->older)
		for (unsigned i = 0; i < weft__vdso_per_page(); i++) {
			struct slot *slot = &b->slots[i];
			if (!load_relaxed(slot->owner) || is_among(slot, mine))
				continue;
			store_relaxed(slot->owner, NULL);
			link_free(slot, slot);
		}
}

no_tsan struct pool_count weft__pool_count(void)
{
	struct pool_count count = {0};
	/* pairs with publish */
	for (const struct block *b = load_acquire(&blocks); b; b = b->older) {
		count.pages++;
		for (unsigned i = 0; i < weft__vdso_per_page(); i++, count.mapped++)
			count.free += load_relaxed(&b->owners[i]) == NULL;
	}
	return count;
}
