/* SPDX-License-Identifier: MIT */
/* timerq.c: see timerq.h. */
#include "sched/timerq.h"

#include <errno.h>
#include <string.h>

#include "base/sys.h"
#include "sched/sched.h"

enum { ARITY = 4, FIRST_ROOM = 256 };

/* A place in the wheel: the chunk's number, then the slot's in the chunk. */
#define WHEEL (UINT32_C(1) << 31)
enum { CHUNK_PLACES = TIMER_CHUNK + 1 };

static int64_t tick_of(int64_t when)
{
	return when >> TIMER_TICK_SHIFT;
}

/* ---- the heap ---- */

static void place(struct timer_queue *q, uint32_t i, struct timer_slot slot)
{
	q->heap[i] = slot;
	q->entries[slot.entry].place = i;
}

static void sift_up(struct timer_queue *q, uint32_t i, struct timer_slot slot)
{
	while (i > 0) {
		uint32_t parent = (i - 1) / ARITY;
		if (q->heap[parent].when <= slot.when)
			break;
		place(q, i, q->heap[parent]);
		i = parent;
	}
	place(q, i, slot);
}

static uint32_t earliest_child(const struct timer_queue *q, uint32_t i)
{
	uint32_t first = i * ARITY + 1;
	uint32_t end = min_of(first + ARITY, q->heaped);
	uint32_t best = first;
	for (uint32_t c = first + 1; c < end; c++)
		if (q->heap[c].when < q->heap[best].when)
			best = c;
	return best;
}

static void sift_down(struct timer_queue *q, uint32_t i, struct timer_slot slot)
{
	while (i * ARITY + 1 < q->heaped) {
		uint32_t child = earliest_child(q, i);
		if (q->heap[child].when >= slot.when)
			break;
		place(q, i, q->heap[child]);
		i = child;
	}
	place(q, i, slot);
}

static void heap_remove(struct timer_queue *q, uint32_t i)
{
	struct timer_slot last = q->heap[--q->heaped];
	if (i == q->heaped)
		return;
	if (i > 0 && last.when < q->heap[(i - 1) / ARITY].when)
		sift_up(q, i, last);
	else
		sift_down(q, i, last);
}

/* ---- the wheel ---- */

/* There is always one: see chunk_room. */
static uint32_t chunk_take(struct timer_queue *q)
{
	uint32_t chunk = q->free_chunk;
	if (!chunk)
		return q->chunks_used++;
	q->free_chunk = q->chunks[chunk - 1].next;
	return chunk - 1;
}

static void chunk_give(struct timer_queue *q, uint32_t chunk)
{
	q->chunks[chunk].next = q->free_chunk;
	q->free_chunk = chunk + 1;
}

/* For a tick above the horizon: the highest digit in which the two differ, and the tick's value of
 * it. */
static unsigned bucket_of(const struct timer_queue *q, int64_t tick)
{
	unsigned level =
		(63 - (unsigned)__builtin_clzll((uint64_t)(tick ^ q->horizon))) / TIMER_DIGIT;
	return level * TIMER_BUCKETS + (tick >> (level * TIMER_DIGIT)) % TIMER_BUCKETS;
}

static void set_occupied(struct timer_queue *q, unsigned bucket, bool occupied)
{
	uint64_t bit = UINT64_C(1) << bucket % TIMER_BUCKETS;
	if (occupied)
		q->occupied[bucket / TIMER_BUCKETS] |= bit;
	else
		q->occupied[bucket / TIMER_BUCKETS] &= ~bit;
}

/* Puts another chunk in front. */
static void bucket_grow(struct timer_queue *q, unsigned bucket)
{
	struct timer_bucket *b = &q->buckets[bucket];
	uint32_t chunk = chunk_take(q);
	struct timer_chunk *c = &q->chunks[chunk];
	if (!b->first) {
		b->earliest = INT64_MAX;
		set_occupied(q, bucket, true);
	}
	c->next = b->first;
	c->bucket = (uint16_t)bucket;
	c->count = 0;
	b->first = chunk + 1;
}

static void wheel_add(struct timer_queue *q, struct timer_slot slot)
{
	unsigned bucket = bucket_of(q, tick_of(slot.when));
	struct timer_bucket *b = &q->buckets[bucket];
	if (!b->first || q->chunks[b->first - 1].count == TIMER_CHUNK)
		bucket_grow(q, bucket);
	struct timer_chunk *c = &q->chunks[b->first - 1];
	b->earliest = min_of(b->earliest, slot.when);
	q->entries[slot.entry].place = WHEEL + (b->first - 1) * CHUNK_PLACES + c->count;
	c->slots[c->count++] = slot;
}

/* The last slot of the bucket's first chunk fills the gap. */
static void wheel_remove(struct timer_queue *q, uint32_t at)
{
	struct timer_chunk *c = &q->chunks[at / CHUNK_PLACES];
	struct timer_bucket *b = &q->buckets[c->bucket];
	uint32_t chunk = b->first - 1;
	struct timer_chunk *first = &q->chunks[chunk];
	struct timer_slot last = first->slots[--first->count];
	c->slots[at % CHUNK_PLACES] = last; /* it may be the same slot */
	q->entries[last.entry].place = WHEEL + at;
	if (first->count)
		return;
	b->first = first->next;
	if (!b->first)
		set_occupied(q, first->bucket, false);
	chunk_give(q, chunk);
}

static void queue_slot(struct timer_queue *q, struct timer_slot slot)
{
	if (tick_of(slot.when) <= q->horizon)
		sift_up(q, q->heaped++, slot);
	else
		wheel_add(q, slot);
}

/* The number of the first bucket, and the tick at which it begins; -1: the wheel is empty. */
static int first_bucket(const struct timer_queue *q, int64_t *begin)
{
	for (unsigned level = 0; level < TIMER_LEVELS; level++) {
		if (!q->occupied[level])
			continue;
		unsigned shift = level * TIMER_DIGIT;
		unsigned digit = (unsigned)__builtin_ctzll(q->occupied[level]);
		int64_t above = q->horizon >> shift >> TIMER_DIGIT << TIMER_DIGIT << shift;
		*begin = above + ((int64_t)digit << shift);
		return (int)(level * TIMER_BUCKETS + digit);
	}
	return -1;
}

/* Prefetches what will be needed next, while the chunk before it is handled. */
static void fetch_chunk(const struct timer_queue *q, uint32_t chunk)
{
	const char *c = (const char *)&q->chunks[chunk - 1];
	if (!chunk)
		return;
	for (unsigned i = 0; i < sizeof(struct timer_chunk); i += CACHE_LINE)
		__builtin_prefetch(c + i);
}

/* The time is the tick `now`: opens the first bucket if it has begun. */
static bool open_first(struct timer_queue *q, int64_t now)
{
	int64_t begin;
	int bucket = first_bucket(q, &begin);
	if (bucket < 0 || begin > now) {
		q->horizon = max_of(q->horizon, now);
		return false;
	}
	uint32_t chunk = q->buckets[bucket].first, next;
	q->horizon = begin;
	q->buckets[bucket].first = 0;
	set_occupied(q, (unsigned)bucket, false);
	for (; chunk; chunk = next) {
		const struct timer_chunk *c = &q->chunks[chunk - 1];
		next = c->next;
		fetch_chunk(q, next);
		for (unsigned i = 0; i < c->count; i++)
			queue_slot(q, c->slots[i]);
		chunk_give(q, chunk - 1);
	}
	return true;
}

static int64_t earliest_in_wheel(const struct timer_queue *q)
{
	int64_t begin;
	int bucket = first_bucket(q, &begin);
	return bucket < 0 ? INT64_MAX : q->buckets[bucket].earliest;
}

/* ---- what must hold, in debug builds ---- */

/* Each slot's entry knows its place; no timer is due before its parent, and all are due at the
 * horizon or before. */
static void heap_check(const struct timer_queue *q)
{
	for (uint32_t i = 0; i < q->heaped; i++) {
		const struct timer_slot *s = &q->heap[i];
		require(q->entries[s->entry].place == i,
			"a timer's entry is wrong about its place "
			"%u in the heap",
			i);
		require(q->heap[i ? (i - 1) / ARITY : 0].when <= s->when,
			"the timer at place %u of the heap is due before its parent", i);
		require(tick_of(s->when) <= q->horizon,
			"a timer beyond the horizon is in the heap");
	}
}

/* Each slot's entry knows its place; its time is the bucket's, and not before its earliest. */
static void chunk_check(const struct timer_queue *q, uint32_t chunk, unsigned bucket)
{
	const struct timer_chunk *c = &q->chunks[chunk];
	require(c->bucket == bucket, "a chunk of bucket %u says %u", bucket, c->bucket);
	for (uint32_t i = 0; i < c->count; i++) {
		const struct timer_slot *s = &c->slots[i];
		require(q->entries[s->entry].place == WHEEL + chunk * CHUNK_PLACES + i,
			"a timer's entry is wrong about its place in the wheel");
		require(tick_of(s->when) > q->horizon && bucket_of(q, tick_of(s->when)) == bucket,
			"a timer of another time is in bucket %u", bucket);
		require(s->when >= q->buckets[bucket].earliest,
			"a timer is due before its bucket's earliest time");
	}
}

/* All chunks but the first are full, and none is empty. Returns the number of timers. */
static uint32_t bucket_check(const struct timer_queue *q, unsigned bucket)
{
	uint32_t first = q->buckets[bucket].first, count = 0;
	bool occupied = q->occupied[bucket / TIMER_BUCKETS] >> bucket % TIMER_BUCKETS & 1;
	require(occupied == (first != 0), "bucket %u is wrong about whether it is empty", bucket);
	for (uint32_t chunk = first; chunk; chunk = q->chunks[chunk - 1].next) {
		uint32_t slots = q->chunks[chunk - 1].count;
		require(slots && slots <= TIMER_CHUNK && (slots == TIMER_CHUNK || chunk == first),
			"a chunk of bucket %u has %u timers", bucket, slots);
		chunk_check(q, chunk - 1, bucket);
		count += slots;
	}
	return count;
}

/* All of a queue, once in as many operations as an eighth of its timers: so each operation looks at
 * a few timers, be there ten or a million. */
static void timerq_check(struct timer_queue *q)
{
	uint32_t found = q->heaped;
	if (++q->unchecked < q->count / 8)
		return;
	q->unchecked = 0;
	heap_check(q);
	for (unsigned i = 0; i < TIMER_LEVELS * TIMER_BUCKETS; i++)
		found += bucket_check(q, i);
	require(found == q->count && found <= q->room, "a queue of %u timers has %u", q->count,
		found);
	require(q->earliest <= (q->heaped ? q->heap[0].when : earliest_in_wheel(q)),
		"a queue's earliest time is too late");
}

/* ---- the queue ---- */

/* Each chunk that is not the first of its bucket is full. While a bucket is opened, the slots of
 * one chunk exist twice. */
static size_t chunk_room(uint32_t room)
{
	return room / TIMER_CHUNK + TIMER_LEVELS * TIMER_BUCKETS + 2;
}

static size_t memory_size(uint32_t room)
{
	return room ? chunk_room(room) * sizeof(struct timer_chunk) +
			       room * (sizeof(struct timer_slot) + sizeof(struct timer_entry))
		    : 0;
}

/* To ThreadSanitizer, which sees memcpy, but neither the lock of a queue nor that its memory was
 * unmapped before another queue got it: one copy comes after the other. */
static char copies;

static int grow(struct timer_queue *q)
{
	struct timer_queue old = *q;
	uint32_t room = q->room ? 2 * q->room : FIRST_ROOM;
	struct timer_chunk *memory = weft__remap(NULL, 0, memory_size(room));
	if (!memory)
		return -ENOMEM;
	q->chunks = memory;
	q->heap = (struct timer_slot *)(memory + chunk_room(room));
	q->entries = (struct timer_entry *)(q->heap + room);
	if (old.room) {
		tsan_acquire(&copies);
		memcpy(q->chunks, old.chunks, old.chunks_used * sizeof(*q->chunks));
		memcpy(q->heap, old.heap, old.heaped * sizeof(*q->heap));
		memcpy(q->entries, old.entries, old.room * sizeof(*q->entries));
		tsan_release(&copies);
		weft__unmap(old.chunks, memory_size(old.room));
	}
	for (uint32_t i = old.room; i < room; i++)
		q->entries[i].place = i + 1;
	q->free_entry = old.room; /* it was full */
	q->room = room;
	return 0;
}

int weft__timerq_add(struct timer_queue *q, struct timer *timer)
{
	if (unlikely(q->count == q->room) && grow(q) < 0)
		return -ENOMEM;
	struct timer_slot slot = {timer->when, q->free_entry};
	struct timer_entry *e = &q->entries[slot.entry];
	q->free_entry = e->place;
	q->count++;
	e->timer = timer;
	timer->index = slot.entry + 1;
	queue_slot(q, slot);
	if (slot.when < q->earliest)
		store_relaxed(&q->earliest, slot.when);
	debug_run(timerq_check(q));
	return 0;
}

static void forget(struct timer_queue *q, uint32_t entry)
{
	q->entries[entry].place = q->free_entry;
	q->free_entry = entry;
	if (--q->count == 0)
		store_relaxed(&q->earliest, INT64_MAX);
}

void weft__timerq_remove(struct timer_queue *q, struct timer *timer)
{
	uint32_t entry = timer->index - 1;
	debug_check(entry < q->room && q->entries[entry].timer == timer);
	uint32_t at = q->entries[entry].place;
	if (at & WHEEL)
		wheel_remove(q, at - WHEEL);
	else
		heap_remove(q, at);
	timer->index = 0;
	forget(q, entry);
	debug_run(timerq_check(q));
}

unsigned weft__timerq_take(struct timer_queue *q, int64_t now, struct timer **due, unsigned room)
{
	unsigned n = 0;
	while (n < room) {
		if (!q->heaped) {
			if (!open_first(q, tick_of(now)))
				break;
			continue;
		}
		struct timer_slot first = q->heap[0];
		if (first.when > now)
			break;
		due[n++] = q->entries[first.entry].timer;
		heap_remove(q, 0);
		forget(q, first.entry);
	}
	store_relaxed(&q->earliest, q->heaped ? q->heap[0].when : earliest_in_wheel(q));
	debug_run(timerq_check(q));
	return n;
}

void weft__timerq_free(struct timer_queue *q)
{
	weft__unmap(q->chunks, memory_size(q->room));
}
