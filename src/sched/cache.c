/* SPDX-License-Identifier: MIT */
/* cache.c: see cache.h. */
#include "sched/cache.h"

#include <sys/mman.h>

#include "sched/check.h"
#include "sched/exit.h"
#include "sched/proc.h"
#include "sched/record.h"
#include "sched/stack.h"

enum { BATCH = 16, BIN_MAX = 64, CHUNK = 64 * 1024 };
enum { REFILL = 256, MAGAZINE = 512, QUARANTINE = 64 };

struct chunk {
	struct chunk *next;
	size_t used;
};

static struct {
	struct lock lock; /* rank STACK */
	struct cache_bin bins[CACHE_BINS];
	struct chunk *chunks;
} central;

/* Wall three: exit.c. */
static void check_held(const struct thread *t)
{
#ifdef WEFT_FAULTS
	if (t->exit_step)
		weft__faults.exit_allocations++;
	if (weft__faults.no_check)
		return;
#endif
	weft__proc_check(t, "cache access");
}

static unsigned bin_of(size_t size)
{
	check(size && size <= (size_t)CACHE_MIN << (CACHE_BINS - 1));
	return size <= CACHE_MIN
		       ? 0
		       : 58 - (unsigned)__builtin_clzl(size - 1); /* 64 - log2(CACHE_MIN) */
}

static void bin_push(struct cache_bin *bin, void *record)
{
	*(void **)record = bin->free;
	bin->free = record;
	bin->count++;
}

static void *bin_pop(struct cache_bin *bin)
{
	void *record = bin->free;
	if (record) {
		bin->free = *(void **)record;
		bin->count--;
	}
	return record;
}

/* A bin counts its records. Not for the central list's bins, which may be long. */
static void bin_check(const struct cache_bin *bin)
{
	unsigned count = 0;
	for (void *record = bin->free; record && count <= bin->count; record = *(void **)record)
		count++;
	require(count == bin->count, "a bin of %u free records has %u, or more", bin->count, count);
}

/* The lock is held. To ThreadSanitizer, which does not see it here, mmap is a write by the
 * caller. */
static void *chunk_carve(size_t size)
{
	struct chunk *c = central.chunks;
	tsan_acquire(&central);
	if (!c || c->used + size > CHUNK) {
		c = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (c == MAP_FAILED)
			return NULL;
		c->next = central.chunks;
		c->used = CACHE_LINE;
		central.chunks = c;
	}
	void *record = (char *)c + c->used;
	c->used += size;
	tsan_release(&central);
	tsan_release(record);
	return record;
}

/* Fills `bin` with up to `want` records; what the central list lacks is carved. */
static void central_refill(struct cache_bin *bin, unsigned number, unsigned want)
{
	debug_run(bin_check(bin));
	lock_take(&central.lock, RANK_STACK);
	for (unsigned i = 0; i < want; i++) {
		void *record = bin_pop(&central.bins[number]);
		if (!record)
			record = chunk_carve((size_t)CACHE_MIN << number);
		if (!record)
			break;
		bin_push(bin, record);
	}
	lock_drop(&central.lock, RANK_STACK);
}

static void central_spill(struct cache_bin *bin, unsigned number, unsigned count)
{
	debug_run(bin_check(bin));
	lock_take(&central.lock, RANK_STACK);
	for (unsigned i = 0; i < count && bin->count; i++)
		bin_push(&central.bins[number], bin_pop(bin));
	lock_drop(&central.lock, RANK_STACK);
}

/* The caller's own bin, or `lone` for a thread that has none. */
static struct cache_bin *bin_for(struct thread *t, unsigned number, struct cache_bin *lone)
{
	if (!t)
		return lone;
	check_held(t);
	return &t->processor->cache->bins[number];
}

storm_frame void *weft__cache_alloc(struct thread *t, size_t size)
{
	unsigned number = bin_of(size);
	struct cache_bin lone = {0};
	struct cache_bin *bin = bin_for(t, number, &lone);
	if (!bin->free)
		central_refill(bin, number, t ? BATCH : 1);
	void *record = bin_pop(bin);
	if (record)
		tsan_acquire(record); /* pairs with weft__cache_free, as malloc does with free */
	return record;
}

void weft__cache_free(struct thread *t, void *record, size_t size)
{
	unsigned number = bin_of(size);
	struct cache_bin lone = {0};
	struct cache_bin *bin = bin_for(t, number, &lone);
	tsan_release(record);
	bin_push(bin, record);
	if (!t || bin->count > BIN_MAX)
		central_spill(bin, number, BATCH);
}

/* ---- magazines ---- */

void weft__cache_init(struct cache *cache)
{
	list_init(&cache->records.list);
	list_init(&cache->records.spare);
	list_init(&cache->stacks.list);
	list_init(&cache->stacks.spare);
}

static void magazine_check(const struct list *list, unsigned count)
{
	unsigned found = 0;
	list_each (l, list)
		found++;
	require(found == count, "a magazine of %u has %u", count, found);
}

/* Both count what they hold. */
static void magazines_check(const struct magazines *m)
{
	magazine_check(&m->list, m->count);
	magazine_check(&m->spare, m->spare_count);
}

/* The first of the spare magazine, which takes the empty one's place; NULL: both are empty. */
static noinline struct list *magazine_load(struct magazines *m)
{
	debug_run(magazines_check(m));
	if (!m->spare_count)
		return NULL;
	list_move_all(&m->list, &m->spare);
	m->count = m->spare_count - 1;
	m->spare_count = 0;
	return list_pop_head(&m->list);
}

static always_inline struct list *magazine_pop(struct magazines *m)
{
	struct list *first = list_pop_head(&m->list);
	if (unlikely(!first))
		return magazine_load(m);
	m->count--;
	return first;
}

/* Returns true when there is room for no more. */
static always_inline bool magazine_push(struct magazines *m, struct list *link)
{
	list_push_head(&m->list, link);
	return ++m->count == MAGAZINE;
}

/* Makes room: what has been in the spare one until now is the coldest, and goes to `out`. None of
 * it is touched. Returns how many that are. */
static unsigned magazine_store(struct magazines *m, struct list *out)
{
	unsigned count = m->spare_count;
	debug_run(magazines_check(m));
	list_init(out);
	list_move_all(out, &m->spare);
	list_move_all(&m->spare, &m->list);
	m->spare_count = m->count;
	m->count = 0;
	return count;
}

/* Moves everything to `out`, and returns how many that are. */
static unsigned magazine_empty(struct magazines *m, struct list *out)
{
	unsigned count = m->count + m->spare_count;
	list_move_all(out, &m->list);
	list_move_all(out, &m->spare);
	m->count = m->spare_count = 0;
	return count;
}

static noinline struct task *record_refill(struct cache *cache)
{
	struct task *got[REFILL];
	int n = weft__record_take(sched.stack_class, got, cache ? REFILL : 1);
	for (int i = n - 1; i > 0; i--)
		magazine_push(&cache->records, &got[i]->link);
	return n < 0 ? NULL : got[0];
}

struct task *weft__cache_record_take(struct thread *t)
{
	if (!t)
		return record_refill(NULL);
	debug_check(proc_held(t));
	struct list *first = magazine_pop(&t->processor->cache->records);
	return likely(first) ? container_of(first, struct task, link)
			     : record_refill(t->processor->cache);
}

/* Free records are of no task, and have no stack. */
static void records_check(const struct list *records)
{
	list_each (l, records) {
		const struct task *task = container_of(l, struct task, link);
		task_check(task, TASK_FREE);
		require(!task->stack, "the free task %p has a stack", (const void *)task);
	}
}

static noinline void records_store(struct magazines *m)
{
	struct list out;
	debug_run(records_check(&m->list));
	magazine_store(m, &out);
	weft__record_give(sched.stack_class, &out);
}

void weft__cache_record_give(struct thread *t, struct task *task)
{
	struct magazines *m = &t->processor->cache->records;
	debug_check(proc_held(t));
	if (unlikely(magazine_push(m, &task->link)))
		records_store(m);
}

static struct stack *stack_refill(struct magazines *m)
{
	struct stack *got[REFILL];
	int n = weft__stack_take(sched.stack_class, got, REFILL);
	for (int i = n - 1; i > 0; i--)
		magazine_push(m, &got[i]->link);
	return n < 0 ? NULL : got[0];
}

#ifdef WEFT_TSAN
/* Who uses a stack again comes after who used it before: of two tasks of which one gets the
 * other's, ThreadSanitizer sees no race. So a stack rests for a while, and the oldest goes
 * first. */
static struct list *stack_pop(struct magazines *m)
{
	struct list *oldest = m->list.prev;
	if (m->count < QUARANTINE)
		return NULL;
	list_remove(oldest);
	m->count--;
	return oldest;
}
#else
#define stack_pop magazine_pop
#endif

struct stack *weft__cache_stack_pop(struct thread *t)
{
	debug_check(proc_held(t));
	struct list *first = stack_pop(&t->processor->cache->stacks);
	return first ? container_of(first, struct stack, link) : NULL;
}

struct stack *weft__cache_stack_take(struct thread *t)
{
	struct stack *stack = weft__cache_stack_pop(t);
	return stack ? stack : stack_refill(&t->processor->cache->stacks);
}

static noinline void stacks_store(struct magazines *m)
{
	struct list out;
	unsigned count = magazine_store(m, &out);
	weft__stack_give(sched.stack_class, &out, count);
}

void weft__cache_stack_give(struct thread *t, struct stack *stack)
{
	struct magazines *m = &t->processor->cache->stacks;
	debug_check(proc_held(t));
	if (unlikely(magazine_push(m, &stack->link)))
		stacks_store(m);
}

bool weft__cache_trim(void)
{
	struct list records, stacks;
	unsigned count = 0;
	list_init(&records);
	list_init(&stacks);
	lock_take(&sched.lock, RANK_SCHED); /* what keeps an idle processor idle */
	list_each (l, &sched.idle.processors) {
		struct cache *cache = container_of(l, struct processor, idle)->cache;
		magazine_empty(&cache->records, &records);
		count += magazine_empty(&cache->stacks, &stacks);
	}
	lock_drop(&sched.lock, RANK_SCHED);
	weft__record_give(sched.stack_class, &records);
	weft__stack_give(sched.stack_class, &stacks, count);
	return count;
}

void weft__cache_shutdown(void)
{
	while (central.chunks) {
		struct chunk *c = central.chunks;
		central.chunks = c->next;
		munmap(c, CHUNK);
	}
	for (unsigned i = 0; i < CACHE_BINS; i++)
		central.bins[i] = (struct cache_bin){0};
}
