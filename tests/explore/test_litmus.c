/* SPDX-License-Identifier: MIT */
/*
 * test_litmus.c: the explorer itself, on the small programs whose outcomes under TSO are known
 * (Owens, Sarkar and Sewell, "A better x86 memory model: x86-TSO", 2009): what may happen is found,
 * what may not is never.
 */
#include "base/atomic.h"
#include "base/attr.h"
#include "explore.h"

static int a, b, r[EXPLORE_THREADS_MAX];
static uint32_t counter;

static void setup(void)
{
	a = b = 0;
	counter = 0;
	for (unsigned i = 0; i < array_len(r); i++)
		r[i] = -1;
}

/* Store buffering: each stores one and loads the other. */
static void store_then_load(unsigned n)
{
	store_relaxed(n ? &b : &a, 1);
	r[n] = load_relaxed(n ? &a : &b);
}

static void store_fence_load(unsigned n)
{
	store_relaxed(n ? &b : &a, 1);
	fence_seq_cst();
	r[n] = load_relaxed(n ? &a : &b);
}

static void store_seq_cst_load(unsigned n)
{
	store_seq_cst(n ? &b : &a, 1);
	r[n] = load_relaxed(n ? &a : &b);
}

static void one_is_seen(void)
{
	explore_check(r[0] == 1 || r[1] == 1);
}

/* Message passing: data, then flag. */
static void message(unsigned n)
{
	if (n == 0) {
		store_relaxed(&a, 1);
		store_release(&b, 1);
	} else if (load_acquire(&b)) {
		r[1] = load_relaxed(&a);
	}
}

static void message_is_whole(void)
{
	explore_check(r[1] != 0);
}

/* Two writers of both words, in opposite order: the first stores cannot both be the last to arrive.
 */
static void cross_writes(unsigned n)
{
	store_relaxed(n ? &b : &a, 1);
	store_relaxed(n ? &a : &b, 2);
}

static void not_both_first(void)
{
	explore_check(!(a == 1 && b == 1));
}

static void second_of_thread_0_arrives_last(void)
{
	explore_check(!(a == 2 && b == 2));
}

/* Two writers, and two readers that must agree on which came first. */
static void readers_agree(unsigned n)
{
	static int first[2], second[2];
	if (n < 2) {
		store_relaxed(n ? &b : &a, 1);
		return;
	}
	first[n - 2] = load_relaxed(n == 2 ? &a : &b);
	second[n - 2] = load_relaxed(n == 2 ? &b : &a);
	r[n] = first[n - 2] == 1 && second[n - 2] == 0;
}

static void they_agreed(void)
{
	explore_check(!(r[2] == 1 && r[3] == 1));
}

/* A thread reads its own store while others do not. */
static void own_store(unsigned n)
{
	store_relaxed(n ? &b : &a, 1);
	explore_check(load_relaxed(n ? &b : &a) == 1);
	r[n] = load_relaxed(n ? &a : &b);
}

static void count(unsigned n)
{
	add_relaxed(&counter, 1);
	add_relaxed(&counter, 1);
}

static void all_counted(void)
{
	explore_check(counter == 4);
}

/* Waits by cpu_relax for a store that only the buffer of an ended thread holds. */
static void wait_for_flag(unsigned n)
{
	if (n == 0)
		store_relaxed(&a, 1);
	else
		while (!load_relaxed(&a))
			cpu_relax();
}

static void wait_in_vain(unsigned n)
{
	while (n == 1 && !load_relaxed(&a))
		cpu_relax();
}

/* The one that could wake the other has ended. */
static void left_behind(unsigned n)
{
	store_relaxed(n ? &b : &a, (int)n);
	while (n == 1 ? !load_relaxed(&a) : !load_relaxed(&b))
		cpu_relax();
}

/* Publishes by membarrier on one side and a compiler barrier on the other. */
static void one_sided(unsigned n)
{
	store_relaxed(n ? &b : &a, 1);
	if (n == 0)
		explore_membarrier();
	else
		compiler_barrier();
	r[n] = load_relaxed(n ? &a : &b);
}

SCENARIO("being left behind is noticed", .threads = 2, .preemptions = 0,
	 .fails = "nobody can go on", .setup = setup, .thread = left_behind);

SCENARIO("store buffering happens", .threads = 2, .preemptions = 2, .fails = "r[0] == 1",
	 .setup = setup, .thread = store_then_load, .finish = one_is_seen);

SCENARIO("store buffering needs buffers", .threads = 2, .preemptions = 4,
	 .faults = EXPLORE_NO_BUFFERS, .setup = setup, .thread = store_then_load,
	 .finish = one_is_seen);

SCENARIO("a fence on both sides stops it", .threads = 2, .preemptions = 4, .setup = setup,
	 .thread = store_fence_load, .finish = one_is_seen);

SCENARIO("a fence that does nothing does not", .threads = 2, .preemptions = 2, .fails = "r[0] == 1",
	 .faults = EXPLORE_NO_FENCE, .setup = setup, .thread = store_fence_load,
	 .finish = one_is_seen);

SCENARIO("seq_cst stores stop it", .threads = 2, .preemptions = 4, .setup = setup,
	 .thread = store_seq_cst_load, .finish = one_is_seen);

SCENARIO("a membarrier on one side stops it", .threads = 2, .preemptions = 4, .setup = setup,
	 .thread = one_sided, .finish = one_is_seen);

SCENARIO("a membarrier that does nothing does not", .threads = 2, .preemptions = 2,
	 .fails = "r[0] == 1", .faults = EXPLORE_NO_BARRIER, .setup = setup, .thread = one_sided,
	 .finish = one_is_seen);

SCENARIO("messages arrive in order", .threads = 2, .preemptions = 4, .setup = setup,
	 .thread = message, .finish = message_is_whole);

SCENARIO("stores arrive in order", .threads = 2, .preemptions = 4, .setup = setup,
	 .thread = cross_writes, .finish = not_both_first);

SCENARIO("either thread's stores may arrive last", .threads = 2, .preemptions = 4,
	 .fails = "a == 2", .setup = setup, .thread = cross_writes,
	 .finish = second_of_thread_0_arrives_last);

SCENARIO("readers agree on the order of stores", .threads = 4, .preemptions = 4, .setup = setup,
	 .thread = readers_agree, .finish = they_agreed);

SCENARIO("own stores are seen at once", .threads = 2, .preemptions = 4, .fails = "r[0] == 1",
	 .setup = setup, .thread = own_store, .finish = one_is_seen);

SCENARIO("additions are not lost", .threads = 2, .preemptions = 4, .setup = setup, .thread = count,
	 .finish = all_counted);

SCENARIO("split additions are", .threads = 2, .preemptions = 2, .fails = "counter == 4",
	 .faults = EXPLORE_SPLIT, .setup = setup, .thread = count, .finish = all_counted);

SCENARIO("a store arrives some day", .threads = 2, .preemptions = 2, .setup = setup,
	 .thread = wait_for_flag);

SCENARIO("waiting in vain is noticed", .threads = 2, .preemptions = 2, .fails = "nobody can go on",
	 .setup = setup, .thread = wait_in_vain);
