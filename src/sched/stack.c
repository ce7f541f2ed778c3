/* SPDX-License-Identifier: MIT */
/* stack.c: see stack.h. */
#include "sched/stack.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/sys.h"
#include "sched/sched.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13, include/uapi/asm-generic/mman-common.h */
#endif

#ifndef PIDFD_SELF
#define PIDFD_SELF (-10000) /* Linux 6.14, include/uapi/linux/pidfd.h */
#endif

enum { WARM_KEEP = 64 }; /* warm slots that are never trimmed */
enum { ADVISE_MANY = 64 };

struct stack_class weft__stack_classes[STACK_CLASSES];
#define classes weft__stack_classes

static uint32_t mprotect_guards; /* MADV_GUARD_INSTALL is not to be had */
static uint32_t advise_singly;	 /* nor process_madvise */

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

struct stack_class *weft__stack_class(size_t size)
{
	unsigned n = 0;
	while (n < STACK_CLASSES && ((size_t)1 << (n + STACK_MIN_SHIFT)) < size)
		n++;
	if (n == STACK_CLASSES)
		return NULL;
	struct stack_class *c = &classes[n];
	lock_take(&c->lock, RANK_STACK);
	if (!c->size) {
		list_init(&c->warm);
		c->size = (size_t)1 << (n + STACK_MIN_SHIFT);
	}
	lock_drop(&c->lock, RANK_STACK);
	return c;
}

/* Region k starts at slot STACK_FIRST * (2^k - 1). */
static unsigned slot_region(uint32_t slot)
{
	return 31 - (unsigned)__builtin_clz(slot / STACK_FIRST + 1);
}

static uint32_t region_first(unsigned region)
{
	return STACK_FIRST * ((1u << region) - 1);
}

static char *slot_base(const struct stack_class *c, uint32_t slot)
{
	unsigned region = slot_region(slot);
	return c->regions[region] + (size_t)(slot - region_first(region)) * c->size;
}

static uint32_t *slot_cold_next(const struct stack_class *c, uint32_t slot)
{
	unsigned region = slot_region(slot);
	return &c->cold_next[region][slot - region_first(region)];
}

/* One madvise for the same part of each of `count` slots: half the price of as many calls, and one interrupt of
 * the other CPUs instead of one a slot. Gives how many of them, from the first on, it was done for. */
static unsigned advise_many(const struct iovec *parts, unsigned count, int advice)
{
	if (load_relaxed(&advise_singly))
		return 0;
	ssize_t done = sys_process_madvise(PIDFD_SELF, parts, count, advice);
	if (done < 0)
		store_relaxed(&advise_singly, 1); /* an older kernel, or a filter */
	return done < 0 ? 0 : (unsigned)((size_t)done / parts[0].iov_len);
}

struct task *weft__stack_task(const struct stack_class *c, uint32_t slot)
{
	char *top = slot_base(c, slot) + c->size - (slot % STACK_COLOURS) * STACK_COLOUR_STEP;
	return (struct task *)((uintptr_t)(top - sizeof(struct task)) &
			       ~(uintptr_t)(CACHE_LINE - 1));
}

void *weft__stack_bottom(const struct task *task)
{
	return slot_base(task->class, task->slot) + page_size();
}

void *weft__stack_reserve(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	madvise(p, size,
		MADV_NOHUGEPAGE); /* a huge page would make every parked task cost all of it */
	return p;
}

static int region_add(struct stack_class *c, unsigned region)
{
	size_t slots = (size_t)STACK_FIRST << region;
	if (region >= STACK_REGIONS || slots > SIZE_MAX / c->size)
		return -ENOMEM;
	char *base = weft__stack_reserve(slots * c->size);
	uint32_t *links = weft__stack_reserve(slots * sizeof(*links));
	if (!base || !links) {
		if (base)
			munmap(base, slots * c->size);
		if (links)
			munmap(links, slots * sizeof(*links));
		return -ENOMEM;
	}
	c->cold_next[region] = links;
	c->regions[region] = base;
	return 0;
}

int weft__stack_guard(void *base)
{
	if (!load_relaxed(&mprotect_guards)) {
		if (madvise(base, page_size(), MADV_GUARD_INSTALL) == 0)
			return 0;
		store_relaxed(&mprotect_guards, 1); /* an older kernel, or locked memory */
	}
	if (mprotect(base, page_size(), PROT_NONE) == 0)
		return 0;
	weft__warn("cannot guard one more stack: %s; this kernel needs two mappings a stack (raise "
		   "vm.max_map_count, "
		   "or use Linux 6.13 or later)",
		   errno == ENOMEM ? "vm.max_map_count is reached" : "mprotect failed");
	return -ENOMEM;
}

/* Sees to a guard for slot c->used: for as many in one call as were used already, to a limit. */
static int guard_next(struct stack_class *c)
{
	struct iovec pages[ADVISE_MANY];
	uint32_t slot = c->used;
	uint32_t end = region_first(slot_region(slot) + 1);
	unsigned count = min_of(min_of(slot, array_len(pages)), end - slot);
	if (slot < c->guarded)
		return 0;
	for (unsigned i = 0; i < count; i++)
		pages[i] = (struct iovec){slot_base(c, slot + i), page_size()};
	unsigned done = count > 1 ? advise_many(pages, count, MADV_GUARD_INSTALL) : 0;
	if (done == 0 && weft__stack_guard(slot_base(c, slot)) < 0)
		return -ENOMEM;
	c->guarded = slot + max_of(done, 1u);
	return 0;
}

/* The record of a slot whose memory may be fresh: with what stays as it is for all of its tasks. */
static struct task *record_of(struct stack_class *c, uint32_t slot)
{
	struct task *task = weft__stack_task(c, slot);
	task->class = c;
	task->slot = slot;
	task->waiter.task = task;
	return task;
}

/* A slot that was never used. */
static struct task *slot_new(struct stack_class *c)
{
	uint32_t slot = c->used;
	unsigned region = slot_region(slot);
	if (region >= STACK_REGIONS || (!c->regions[region] && region_add(c, region) < 0)) {
		weft__warn("cannot reserve address space for more stacks of %zu KiB (RLIMIT_AS, or "
			   "vm.overcommit_memory=2?)",
			   c->size / 1024);
		return NULL;
	}
	if (guard_next(c) < 0)
		return NULL;
	/* pairs with weft__stack_each, weft__stack_trim */
	store_release(&c->used, slot + 1);
	return record_of(c, slot);
}

static struct task *slot_take(struct stack_class *c)
{
	struct list *warm = list_pop_head(&c->warm);
	if (warm) {
		c->warm_count--;
		c->warm_low = min_of(c->warm_low, c->warm_count);
		return container_of(warm, struct task, link);
	}
	if (!c->cold_first)
		return slot_new(c);
	uint32_t slot = c->cold_first - 1;
	c->cold_first = *slot_cold_next(c, slot);
	c->cold_count--;
	return record_of(c, slot);
}

int weft__stack_take(struct stack_class *c, struct task **out, unsigned room)
{
	unsigned n = 0;
	lock_take(&c->lock, RANK_STACK);
	while (n < room &&
	       (n == 0 ||
		c->warm_count)) { /* touch new memory only for the one that is needed now */
		struct task *task = slot_take(c);
		if (!task)
			break;
		out[n++] = task;
	}
	lock_drop(&c->lock, RANK_STACK);
	return n ? (int)n : -ENOMEM;
}

void weft__stack_give(struct stack_class *c, struct list *tasks, unsigned count)
{
	lock_take(&c->lock, RANK_STACK);
	list_move_all(tasks, &c->warm); /* the newest in front */
	list_move_all(&c->warm, tasks);
	c->warm_count += count;
	lock_drop(&c->lock, RANK_STACK);
}

/* How many slots are given back now: half of those that nobody needed since the last time. */
static uint32_t trim_share(struct stack_class *c)
{
	lock_take(&c->lock, RANK_STACK);
	uint32_t spare = c->warm_count > WARM_KEEP ? c->warm_count - WARM_KEEP : 0;
	uint32_t share = min_of((c->warm_low + 1) / 2, spare);
	c->warm_low = c->warm_count;
	lock_drop(&c->lock, RANK_STACK);
	return share;
}

/* Moves up to `room` of the longest unused warm slots out of the list. */
static unsigned trim_take(struct stack_class *c, uint32_t *slots, unsigned room)
{
	unsigned n = 0;
	lock_take(&c->lock, RANK_STACK);
	while (n < room && c->warm_count > WARM_KEEP) {
		struct task *task = container_of(c->warm.prev, struct task, link);
		list_remove(&task->link);
		c->warm_count--;
		slots[n++] = task->slot;
	}
	c->warm_low = min_of(c->warm_low, c->warm_count);
	lock_drop(&c->lock, RANK_STACK);
	return n;
}

/* Gives the memory of `n` slots back. */
static void discard(const struct stack_class *c, const uint32_t *slots, unsigned n)
{
	struct iovec stacks[ADVISE_MANY];
	for (unsigned i = 0; i < n; i++)
		stacks[i] =
			(struct iovec){slot_base(c, slots[i]) + page_size(), c->size - page_size()};
	for (unsigned i = advise_many(stacks, n, MADV_DONTNEED); i < n; i++)
		madvise(stacks[i].iov_base, stacks[i].iov_len, MADV_DONTNEED);
}

static void trim_class(struct stack_class *c)
{
	uint32_t slots[ADVISE_MANY];
	uint32_t left = trim_share(c);
	unsigned n = 1;
	for (; left && n; left -= n) {
		n = trim_take(c, slots, min_of(left, array_len(slots)));
		discard(c, slots, n);
		lock_take(&c->lock, RANK_STACK);
		for (unsigned i = 0; i < n; i++) {
			*slot_cold_next(c, slots[i]) = c->cold_first;
			c->cold_first = slots[i] + 1;
		}
		c->cold_count += n;
		lock_drop(&c->lock, RANK_STACK);
	}
}

bool weft__stack_trim(void)
{
	bool more = false;
	for (unsigned i = 0; i < STACK_CLASSES; i++) {
		struct stack_class *c = &classes[i];
		if (!load_acquire(&c->used)) /* pairs with slot_new */
			continue;
		trim_class(c);
		more |= load_relaxed(&c->warm_count) > WARM_KEEP;
	}
	return more;
}

void weft__stack_shutdown(void)
{
	for (unsigned i = 0; i < STACK_CLASSES; i++) {
		struct stack_class *c = &classes[i];
		for (uint32_t slot = 0; slot < c->used; slot++)
			context_forget(slot_base(c, slot) + page_size(), c->size - page_size());
		for (unsigned k = 0; k < STACK_REGIONS; k++) {
			size_t slots = (size_t)STACK_FIRST << k;
			if (c->regions[k])
				munmap(c->regions[k], slots * c->size);
			if (c->cold_next[k])
				munmap(c->cold_next[k], slots * sizeof(uint32_t));
		}
		*c = (struct stack_class){0};
	}
}

struct task *weft__stack_guard_owner(const void *address)
{
	for (unsigned i = 0; i < STACK_CLASSES; i++) {
		struct stack_class *c = &classes[i];
		for (unsigned k = 0; k < STACK_REGIONS && c->regions[k]; k++) {
			size_t offset = (size_t)((const char *)address - c->regions[k]);
			if (offset < ((size_t)STACK_FIRST << k) * c->size &&
			    offset % c->size < page_size())
				return weft__stack_task(c, region_first(k) +
								   (uint32_t)(offset / c->size));
		}
	}
	return NULL;
}

void weft__stack_each(void (*fn)(struct task *task, void *arg), void *arg)
{
	for (unsigned i = 0; i < STACK_CLASSES; i++) {
		struct stack_class *c = &classes[i];
		uint32_t used = load_acquire(&c->used); /* pairs with slot_new */
		for (uint32_t slot = 0; slot < used; slot++)
			fn(weft__stack_task(c, slot), arg);
	}
}
