/* SPDX-License-Identifier: MIT */
/*
 * timerq.h: which timer is due next: a wheel of buckets for later timers, a small heap for the next
 * few.
 *
 *   time      in ticks of 8 us, counted from 0 on the runtime's clock
 *   horizon   a tick; the heap has the timers up to it, the wheel all later ones
 *   bucket    time is written in digits of six bits. A bucket of level l has the timers whose time
 *             agrees with the horizon in all digits above digit l, and whose digit l is the
 *             bucket's number, which is larger than the horizon's digit
 *
 * So the first bucket of the lowest level that has any is the next one: when time reaches it, the
 * horizon moves to its beginning, and its timers go to lower levels or to the heap. A timer is
 * moved once a level at most; those that sleep for 1 to 100 ms two or three times. The heap makes
 * the order exact.
 *
 * A bucket is a list of chunks of slots that hold the time, so moving reads memory in order, and
 * reads no timer: those of sleeping tasks are in no cache. A timer knows its entry and the entry
 * knows its slot, so stopping a timer removes it at once: no dead timers remain, and a timer may
 * live in the waiting task's record or on its stack.
 *
 * `earliest` is never too late. It is too early when the timer whose time it is was stopped: each
 * bucket remembers the earliest time that it ever had. Then somebody wakes up in vain, and opens
 * the bucket.
 *
 * Rejected: one four-ary heap for all (100,000 sleepers: 180 ns of each 0.8 us), a wheel of linked
 * buckets (following cold links takes as long), lazy deletion (a stopped timer would have to
 * outlive its owner, and nothing was gained), opening the next bucket early to know its first timer
 * (after one timer far ahead, all others would be in the heap), children of a slot chosen without
 * branches (a branch guessed wrong half of the time still fetches the next level early).
 */
#ifndef WEFT_SCHED_TIMERQ_H
#define WEFT_SCHED_TIMERQ_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct timer;

enum {
	TIMER_TICK_SHIFT = 13, /* ns */
	TIMER_DIGIT = 6,
	TIMER_BUCKETS = 1 << TIMER_DIGIT, /* of a level */
	TIMER_LEVELS = (63 - TIMER_TICK_SHIFT + TIMER_DIGIT - 1) / TIMER_DIGIT,
	TIMER_CHUNK = 15, /* slots: with the head of the chunk, four cache lines */
};

struct timer_slot {
	int64_t when;
	uint32_t entry;
};

struct timer_chunk {
	uint32_t next; /* the next chunk of the bucket, or free one, + 1; 0: none */
	uint16_t bucket;
	uint16_t count;
	struct timer_slot slots[TIMER_CHUNK];
} cache_aligned;

struct timer_entry {
	struct timer *timer;
	uint32_t place; /* in the heap, or WHEEL + in the chunks; free: the next free entry */
};

/* All zero but for `earliest`: empty. */
struct timer_queue {
	int64_t earliest; /* INT64_MAX when empty; read without the lock */
	int64_t horizon;
	uint32_t count, room;
	uint32_t heaped;     /* of the count, in the heap */
	uint32_t free_entry; /* there is one while count < room */
	uint32_t free_chunk; /* + 1; 0: only unused ones */
	uint32_t chunks_used;
	uint32_t unchecked;	     /* operations since timerq_check has looked; debug builds */
	struct timer_slot *heap;     /* `room` slots, */
	struct timer_entry *entries; /* as many, */
	struct timer_chunk *chunks;  /* and enough; all in one piece of memory, which begins here */
	uint64_t occupied[TIMER_LEVELS];
	struct timer_bucket {
		int64_t earliest;
		uint32_t first; /* chunk + 1: the only one that may have room; 0: empty */
	} buckets[TIMER_LEVELS * TIMER_BUCKETS];
};

/* Adds a timer that is in no queue. 0 or -ENOMEM. */
int weft__timerq_add(struct timer_queue *q, struct timer *timer);
/* Removes one that is in this queue. */
void weft__timerq_remove(struct timer_queue *q, struct timer *timer);
/* Takes up to `room` timers that are due at `now`, the earliest first. Returns how many. */
unsigned weft__timerq_take(struct timer_queue *q, int64_t now, struct timer **due, unsigned room);
void weft__timerq_free(struct timer_queue *q);

#endif
