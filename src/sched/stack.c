/* SPDX-License-Identifier: MIT */
/* stack.c: see stack.h. */
#include "sched/stack.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/sys.h"
#include "sched/sched.h"
#include "sched/stackcheck.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13, include/uapi/asm-generic/mman-common.h */
#endif

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14 */
#endif

#ifndef PIDFD_SELF
#define PIDFD_SELF (-10000) /* Linux 6.14, include/uapi/linux/pidfd.h */
#endif

enum { GUARD = 64 * 1024, GAP = 256, SMALLEST_PAGE = 4096 };
enum { WARM_KEEP = 64 }; /* warm slots that are never trimmed */
enum { ADVISE_MANY = 64 };

_Static_assert(GAP % CACHE_LINE == 0, "heads keep to cache lines");
_Static_assert(GAP + STACK_COLOURS * STACK_COLOUR_STEP + sizeof(struct stack) < SMALLEST_PAGE,
	       "all that is not stack fits the one page that a slot has for it");

struct stack_class weft__stack_classes[STACK_CLASSES];
#define classes weft__stack_classes

static uint32_t closed_guards; /* MADV_GUARD_INSTALL is not to be had */
static uint32_t advise_singly; /* nor process_madvise */

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

size_t weft__stack_guard_size(void)
{
	return max_of((size_t)GUARD, page_size());
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
		list_init(&c->free);
		c->usable = round_up((size_t)1 << (n + STACK_MIN_SHIFT), page_size());
		c->size = weft__stack_guard_size() + c->usable + page_size();
	}
	lock_drop(&c->lock, RANK_STACK);
	return c;
}

static char *slot_base(const struct stack_class *c, uint32_t slot)
{
	unsigned region = stack_region(slot);
	return c->regions[region] + (size_t)(slot - stack_region_first(region)) * c->size;
}

static char *slot_guard(const struct stack_class *c, uint32_t slot)
{
	return slot_base(c, slot) + GAP;
}

static char *slot_stack(const struct stack_class *c, uint32_t slot)
{
	return slot_guard(c, slot) + weft__stack_guard_size();
}

/* From there to the end of the page with the head. */
static size_t slot_memory(const struct stack_class *c)
{
	return c->size - weft__stack_guard_size();
}

/* Is process_madvise itself refused: by an older kernel (ENOSYS, EBADF for PIDFD_SELF, EINVAL for
 * the advice) or by a filter? Its errno does not tell, as locked memory is EINVAL, too, and a lack
 * of memory passes. For no memory at all nothing but the call can be at fault. */
static bool advise_many_refused(int advice)
{
	return sys_process_madvise(PIDFD_SELF, NULL, 0, advice) < 0;
}

/* One madvise for the same part of each of `count` slots: half the price of as many calls, and one
 * interrupt of the other CPUs instead of one a slot. Returns for how many of them, from the first
 * on, it was done. */
static unsigned advise_many(const struct iovec *parts, unsigned count, int advice)
{
	if (load_relaxed(&advise_singly))
		return 0;
	ssize_t done = sys_process_madvise(PIDFD_SELF, parts, count, advice);
	if (done < 0 && advise_many_refused(advice))
		store_relaxed(&advise_singly, 1);
	return done < 0 ? 0 : (unsigned)((size_t)done / parts[0].iov_len);
}

struct stack *weft__stack_at(const struct stack_class *c, uint32_t slot)
{
	char *top = slot_base(c, slot) + c->size - (slot % STACK_COLOURS) * STACK_COLOUR_STEP;
	return (struct stack *)((uintptr_t)(top - sizeof(struct stack)) &
				~(uintptr_t)(CACHE_LINE - 1));
}

char *weft__stack_bottom(const struct stack *stack)
{
	return slot_stack(stack->class, stack->slot);
}

/* By way of one page: mlockall(MCL_FUTURE) locks each new mapping, and counts it against a limit,
 * but not what an unlocked one grows by. Unseen by ThreadSanitizer, to which libc's mmap is a
 * write: it does not know mremap, and would blame whoever gets the page next. */
void *weft__stack_reserve(size_t size)
{
	char *page = sys_mmap(page_size(), PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1);
	if (sys_map_error(page))
		return NULL;
	munlock(page, page_size());
	char *all = sys_mremap(page, page_size(), size);
	if (sys_map_error(all)) {
		sys_munmap(page, page_size());
		return NULL;
	}
	/* A huge page would make every parked task cost all of it. */
	madvise(all, size, MADV_NOHUGEPAGE);
	return all;
}

int weft__stack_open(void *base, size_t size)
{
	int code = sched.needs.executable_stacks ? PROT_EXEC : 0;
	return mprotect(base, size, PROT_READ | PROT_WRITE | code) < 0 ? -errno : 0;
}

void *weft__stack_table(size_t size)
{
	void *table = weft__stack_reserve(round_up(size, page_size()));
	if (table && mprotect(table, size, PROT_READ | PROT_WRITE) < 0) {
		munmap(table, size);
		return NULL;
	}
	return table;
}

/* Unmaps what there is of a region. */
static void region_drop(struct stack_class *c, unsigned region)
{
	size_t slots = (size_t)STACK_FIRST << region;
	if (c->regions[region])
		munmap(c->regions[region] + GAP, slots * c->size);
	if (c->records[region]) {
		lsan_forget(c->records[region], slots * sizeof(struct task));
		munmap(c->records[region], slots * sizeof(struct task));
	}
	if (c->cold_next[region])
		munmap(c->cold_next[region], slots * sizeof(uint32_t));
	c->regions[region] = NULL;
	c->records[region] = NULL;
	c->cold_next[region] = NULL;
}

static int region_add(struct stack_class *c, unsigned region)
{
	size_t slots = (size_t)STACK_FIRST << region;
	if (region >= STACK_REGIONS || slots > SIZE_MAX / c->size)
		return -ENOMEM;
	char *base = weft__stack_reserve(slots * c->size);
	c->regions[region] = base ? base - GAP : NULL;
	c->records[region] = weft__stack_table(slots * sizeof(struct task));
	c->cold_next[region] = weft__stack_table(slots * sizeof(uint32_t));
	if (c->records[region])
		lsan_look_into(c->records[region], slots * sizeof(struct task));
	if (base && c->records[region] && c->cold_next[region])
		return 0;
	region_drop(c, region);
	return -ENOMEM;
}

/* Locked memory takes no such guards, and is filled when it is opened. */
static bool is_locked(char *address)
{
	return madvise(address, page_size(), MADV_DONTNEED) < 0;
}

/* An emulator (qemu-user) may say yes to any advice, and do nothing. */
static bool guard_holds(const struct iovec *guard)
{
	return madvise(guard->iov_base, guard->iov_len, MADV_POPULATE_READ) < 0;
}

/* Does this kernel know guards that take no mapping? Tried on a slot that is open. */
static bool guard_works(const struct stack_class *c, uint32_t slot)
{
	struct iovec guard = {slot_guard(c, slot), weft__stack_guard_size()};
	return madvise(guard.iov_base, guard.iov_len, MADV_GUARD_INSTALL) == 0 &&
	       guard_holds(&guard);
}

/* Opens `count` slots from `slot` on, guards and all, in one go. Returns false: they stay closed.
 * Opened before there are guards: closed memory with guards in it is dearer to open, as all CPUs
 * must forget it. */
static bool open_many(const struct stack_class *c, uint32_t slot, unsigned count)
{
	char *base = slot_guard(c, slot);
	if (load_relaxed(&closed_guards) || is_locked(base) ||
	    weft__stack_open(base, count * c->size) < 0)
		return false;
	if (slot > 0 || guard_works(c, slot))
		return true;
	store_relaxed(&closed_guards, 1); /* an older kernel */
	mprotect(base, count * c->size, PROT_NONE);
	return false;
}

/* Is it to be said why there is no stack? Not again before there is one: who needs it tries on. */
static bool tell(struct stack_class *c)
{
	bool told = c->told;
	c->told = true;
	return !told;
}

/* Opens one slot but for its guard. */
static int open_one(struct stack_class *c, uint32_t slot, bool needed)
{
	int err = weft__stack_open(slot_stack(c, slot), slot_memory(c));
	if (err && needed && tell(c))
		weft__warn(
			"cannot open one more stack: %s; without MADV_GUARD_INSTALL (Linux 6.13, "
			"memory that is not locked) each takes two mappings: raise "
			"vm.max_map_count, or the limit of memory",
			strerror(-err));
	return err;
}

/* How many slots from `slot` on are made ready in one go: as many as were before, to a limit. */
static unsigned batch_from(uint32_t slot)
{
	uint32_t end = stack_region_first(stack_region(slot) + 1);
	return min_of(min_of(max_of(slot, 1u), (uint32_t)ADVISE_MANY), end - slot);
}

int weft__stack_promise(struct stack_class *c, uint32_t slot, bool needed)
{
	unsigned region = stack_region(slot), count = batch_from(slot);
	if (slot < c->open)
		return 0;
	if (region >= STACK_REGIONS || (!c->regions[region] && region_add(c, region) < 0)) {
		if (needed && tell(c))
			weft__warn("cannot reserve address space for more stacks of %zu KiB "
				   "(RLIMIT_AS, or vm.overcommit_memory=2?)",
				   c->usable / 1024);
		return -ENOMEM;
	}
	if (!open_many(c, slot, count)) {
		count = 1;
		if (open_one(c, slot, needed) < 0)
			return -ENOMEM;
	}
	c->open = slot + count;
	return 0;
}

/* Guards that take no mapping, in open memory. Returns for how many slots from `slot` on. */
static unsigned guard_many(const struct stack_class *c, uint32_t slot, unsigned count)
{
	struct iovec guards[ADVISE_MANY];
	for (unsigned i = 0; i < count; i++)
		guards[i] = (struct iovec){slot_guard(c, slot + i), weft__stack_guard_size()};
	unsigned done = count > 1 ? advise_many(guards, count, MADV_GUARD_INSTALL) : 0;
	while (done < count &&
	       madvise(guards[done].iov_base, guards[done].iov_len, MADV_GUARD_INSTALL) == 0)
		done++;
	return done;
}

/* A guard that is closed memory, where it may be closed already. */
static int guard_close(struct stack_class *c, uint32_t slot)
{
	int err = mprotect(slot_guard(c, slot), weft__stack_guard_size(), PROT_NONE) ? -errno : 0;
	if (err && tell(c))
		weft__warn("cannot guard one more stack: %s (vm.max_map_count?)", strerror(-err));
	return err;
}

/* Sees to it that slot c->taken, which is open, has its guard. */
static int guard_next(struct stack_class *c)
{
	uint32_t slot = c->taken;
	unsigned done = 0;
	if (slot < c->guarded)
		return 0;
	if (!load_relaxed(&closed_guards))
		done = guard_many(c, slot, min_of(batch_from(slot), c->open - slot));
	if (done == 0 && guard_close(c, slot) < 0)
		return -ENOMEM;
	c->guarded = slot + max_of(done, 1u);
	return 0;
}

/* The head of a slot whose memory may be fresh. */
static struct stack *head_of(struct stack_class *c, uint32_t slot)
{
	struct stack *stack = weft__stack_at(c, slot);
	stack->class = c;
	stack->slot = slot;
	return stack;
}

/* A slot that was never used. There is an open one for each record; a further one is opened while
 * free stacks lie in the caches of others. */
static struct stack *slot_new(struct stack_class *c)
{
	if (weft__stack_promise(c, c->taken, true) < 0 || guard_next(c) < 0)
		return NULL;
	return head_of(c, c->taken++);
}

static struct stack *slot_take(struct stack_class *c)
{
	struct list *warm = list_pop_head(&c->warm);
	if (warm) {
		struct stack *stack = container_of(warm, struct stack, link);
		debug_run(stack_check(c, stack));
		c->warm_count--;
		c->warm_low = min_of(c->warm_low, c->warm_count);
		return stack;
	}
	if (!c->cold_first)
		return slot_new(c);
	uint32_t slot = c->cold_first - 1;
	c->cold_first = *stack_cold_next(c, slot);
	return head_of(c, slot);
}

int weft__stack_take(struct stack_class *c, struct stack **out, unsigned room)
{
	unsigned n = 0;
	lock_take(&c->lock, RANK_STACK);
	while (n < room &&
	       (n == 0 ||
		c->warm_count)) { /* touch new memory only for the one that is needed now */
		struct stack *stack = slot_take(c);
		if (!stack)
			break;
		out[n++] = stack;
	}
	c->told &= n == 0;
	lock_drop(&c->lock, RANK_STACK);
	return n ? (int)n : -ENOMEM;
}

void weft__stack_give(struct stack_class *c, struct list *stacks, unsigned count)
{
	lock_take(&c->lock, RANK_STACK);
	list_move_all_head(&c->warm, stacks); /* the newest in front */
	c->warm_count += count;
	lock_drop(&c->lock, RANK_STACK);
}

/* How many slots are given back now: half of those that nobody needed since the last time. */
static uint32_t trim_share(struct stack_class *c)
{
	lock_take(&c->lock, RANK_STACK);
	debug_run(stack_class_check(c));
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
		struct stack *stack = container_of(c->warm.prev, struct stack, link);
		list_remove(&stack->link);
		c->warm_count--;
		slots[n++] = stack->slot;
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
		stacks[i] = (struct iovec){slot_stack(c, slots[i]), slot_memory(c)};
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
			*stack_cold_next(c, slots[i]) = c->cold_first;
			c->cold_first = slots[i] + 1;
		}
		lock_drop(&c->lock, RANK_STACK);
	}
}

bool weft__stack_trim(void)
{
	bool more = false;
	for (unsigned i = 0; i < STACK_CLASSES; i++) {
		struct stack_class *c = &classes[i];
		if (!load_acquire(&c->used)) /* pairs with record.c:record_new */
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
		for (uint32_t slot = 0; slot < c->taken; slot++)
			context_forget(slot_stack(c, slot), slot_memory(c));
		for (unsigned k = 0; k < STACK_REGIONS; k++)
			region_drop(c, k);
		*c = (struct stack_class){0};
	}
}

/* A byte of a slot. */
struct place {
	const struct stack_class *class; /* NULL: not in a slot */
	uint32_t slot;
	size_t offset; /* from the guard's first byte on */
};

static struct place place_in_class(const struct stack_class *c, const char *address)
{
	for (unsigned k = 0; k < STACK_REGIONS && c->regions[k]; k++) {
		size_t offset = (size_t)(address - (c->regions[k] + GAP));
		if (offset < ((size_t)STACK_FIRST << k) * c->size)
			return (struct place){c,
					      stack_region_first(k) + (uint32_t)(offset / c->size),
					      offset % c->size};
	}
	return (struct place){0};
}

static struct place place_of(const void *address)
{
	struct place at = {0};
	for (unsigned i = 0; i < STACK_CLASSES && !at.class; i++)
		at = place_in_class(&classes[i], address);
	return at;
}

struct stack *weft__stack_guarded(const void *address)
{
	struct place at = place_of(address);
	return at.class && at.offset < weft__stack_guard_size() ? weft__stack_at(at.class, at.slot)
								: NULL;
}

char *weft__stack_bottom_of(const struct stack *stack)
{
	struct place at = place_of(stack);
	return at.class ? slot_stack(at.class, at.slot) : NULL;
}
