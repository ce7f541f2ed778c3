/* SPDX-License-Identifier: MIT */
/* cache.c: see cache.h. */
#include "sched/cache.h"

#include <sys/mman.h>

#include "sched/check.h"
#include "sched/exit.h"
#include "sched/proc.h"
#include "sched/stack.h"

enum { BATCH = 16, BIN_MAX = 64, CHUNK = 64 * 1024 };
enum { TASK_BATCH = 256, MAGAZINE = 512 };

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

/* A magazine counts its tasks, and all of them are free. */
static void magazine_check(const struct list *tasks, unsigned count)
{
	unsigned found = 0;
	list_each (l, tasks) {
		task_check(container_of(l, struct task, link), TASK_FREE);
		found++;
	}
	require(found == count, "a magazine of %u free tasks has %u", count, found);
}

/* The lock is held. To ThreadSanitizer, which does not see it here, mmap is a write by the caller. */
static void *chunk_carve(size_t size)
{
	struct chunk *c = central.chunks;
	tsan_acquire(&central);
	if (!c || c->used + size > CHUNK) {
		c = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (c == MAP_FAILED)
			return NULL;
		lsan_look_into(c, CHUNK);
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

static struct task *task_refill(struct cache *cache)
{
	struct task *got[TASK_BATCH];
	struct stack_class *class = sched.stack_class;
	int n = weft__stack_take(class, got, cache ? TASK_BATCH : 1);
	if (n < 0)
		return NULL;
	for (int i = n - 1; cache && i > 0; i--)
		list_push_head(&cache->tasks, &got[i]->link);
	if (cache)
		cache->task_count += (unsigned)n - 1;
	return got[0];
}

/* The first task of the spare magazine, which takes the empty one's place; of the central list, if both are empty. */
static noinline struct task *magazine_load(struct cache *cache)
{
	debug_run(magazine_check(&cache->tasks, cache->task_count));
	debug_run(magazine_check(&cache->spare, cache->spare_count));
	if (!cache->spare_count)
		return task_refill(cache);
	list_move_all(&cache->tasks, &cache->spare);
	cache->task_count = cache->spare_count - 1;
	cache->spare_count = 0;
	return container_of(list_pop_head(&cache->tasks), struct task, link);
}

/* Room for more: what has been in the spare one until now is the coldest. No task is touched. */
static noinline void magazine_store(struct cache *cache)
{
	debug_run(magazine_check(&cache->tasks, cache->task_count));
	debug_run(magazine_check(&cache->spare, cache->spare_count));
	if (cache->spare_count)
		weft__stack_give(sched.stack_class, &cache->spare, cache->spare_count);
	list_move_all(&cache->spare, &cache->tasks);
	cache->spare_count = cache->task_count;
	cache->task_count = 0;
}

struct task *weft__cache_task_take(struct thread *t)
{
	if (!t)
		return task_refill(NULL);
	debug_check(proc_held(t));
	struct cache *cache = t->processor->cache;
	struct list *first = list_pop_head(&cache->tasks);
	if (unlikely(!first))
		return magazine_load(cache);
	cache->task_count--;
	return container_of(first, struct task, link);
}

void weft__cache_task_give(struct thread *t, struct task *task)
{
	debug_check(proc_held(t));
	struct cache *cache = t->processor->cache;
	list_push_head(&cache->tasks, &task->link);
	if (unlikely(++cache->task_count == MAGAZINE))
		magazine_store(cache);
}

bool weft__cache_trim(void)
{
	struct list out;
	unsigned count = 0;
	list_init(&out);
	lock_take(&sched.lock, RANK_SCHED); /* what keeps an idle processor idle */
	list_each (l, &sched.idle.processors) {
		struct cache *cache = container_of(l, struct processor, idle)->cache;
		list_move_all(&out, &cache->tasks);
		list_move_all(&out, &cache->spare);
		count += cache->task_count + cache->spare_count;
		cache->task_count = cache->spare_count = 0;
	}
	lock_drop(&sched.lock, RANK_SCHED);
	if (count)
		weft__stack_give(sched.stack_class, &out, count);
	return count;
}

void weft__cache_shutdown(void)
{
	while (central.chunks) {
		struct chunk *c = central.chunks;
		central.chunks = c->next;
		lsan_forget(c, CHUNK);
		munmap(c, CHUNK);
	}
	for (unsigned i = 0; i < CACHE_BINS; i++)
		central.bins[i] = (struct cache_bin){0};
}
