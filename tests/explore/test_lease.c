/* SPDX-License-Identifier: MIT */
/*
 * test_lease.c: the compiled lease (src/sched/lease.h) in every schedule, with the store buffers of
 * TSO machines.
 *
 * Thread 0 owns the lease and goes back and forth between user code and the runtime; thread 1 is
 * the monitor. `has` says whether the owner has a processor, `inside` that it works on it.
 * models/lease.pml holds the same protocol and more around it.
 */
#include "explore.h"
#include "sched/lease.h"

static struct lease lease;
static bool has, inside;

static void setup(void)
{
	lease = (struct lease){.in_runtime = 1, .word = LEASE_HELD};
	has = inside = true;
}

static void setup_fenced(void)
{
	setup();
	lease.order = LEASE_FENCED;
}

static int failing_barrier(void)
{
	return -1;
}

static void owner(void)
{
	for (int i = 0; i < 2; i++) {
		inside = false;
		lease_leave(&lease);
		if (!lease_enter(&lease) && !lease_answer(&lease)) {
			explore_check(!has);
			has = true; /* was given another processor */
			store_release(&lease.word, LEASE_HELD);
		}
		explore_check(has);
		inside = true;
	}
}

static void monitor(int (*barrier)(void))
{
	for (int i = 0; i < 2; i++)
		if (lease_take(&lease, barrier)) {
			explore_check(has && !inside);
			has = false;
		}
}

static void with_membarrier(unsigned n)
{
	if (n == 0)
		owner();
	else
		monitor(explore_membarrier);
}

static void without_membarrier(unsigned n)
{
	if (n == 0)
		owner();
	else
		monitor(failing_barrier);
}

/* A sandbox was closed in mid-run: the monitor asks the owner to pay. */
static void membarrier_fails(unsigned n)
{
	if (n == 0) {
		owner();
		return;
	}
	explore_check(!lease_take(&lease, failing_barrier));
	lease_ask(&lease);
	monitor(failing_barrier);
}

static void takes_at_once(unsigned n)
{
	if (n == 0) {
		owner();
		return;
	}
	lease_ask(&lease);
	lease_settle(&lease); /* though the owner has not left its CPU */
	monitor(failing_barrier);
}

static void asked_never_taken(unsigned n)
{
	membarrier_fails(n);
	explore_check(lease.word != LEASE_TAKEN);
}

static void has_is_held(void)
{
	explore_check(has && lease.in_runtime == 1 && lease.word == LEASE_HELD);
}

/* The planted case that shows that processors are taken at all. */
static void never_taken(unsigned n)
{
	with_membarrier(n);
	explore_check(lease.word != LEASE_TAKEN);
}

SCENARIO("with membarrier", .threads = 2, .preemptions = 5, .setup = setup,
	 .thread = with_membarrier, .finish = has_is_held);

SCENARIO("fenced", .threads = 2, .preemptions = 5, .setup = setup_fenced,
	 .thread = without_membarrier, .finish = has_is_held);

SCENARIO("membarrier fails", .threads = 2, .preemptions = 5, .setup = setup,
	 .thread = membarrier_fails, .finish = has_is_held);

SCENARIO("processors are taken once the owner knows", .threads = 2, .preemptions = 5,
	 .fails = "LEASE_TAKEN", .setup = setup, .thread = asked_never_taken);

SCENARIO("planted: the monitor does not wait until the owner knows", .threads = 2, .preemptions = 5,
	 .fails = "has", .setup = setup, .thread = takes_at_once);

SCENARIO("processors are taken", .threads = 2, .preemptions = 5, .fails = "LEASE_TAKEN",
	 .setup = setup, .thread = never_taken);

SCENARIO("planted: a membarrier that does nothing", .threads = 2, .preemptions = 5, .fails = "has",
	 .faults = EXPLORE_NO_BARRIER, .setup = setup, .thread = with_membarrier);

SCENARIO("planted: a membarrier that does nothing is not seen without store buffers", .threads = 2,
	 .preemptions = 5, .faults = EXPLORE_NO_BARRIER | EXPLORE_NO_BUFFERS, .setup = setup,
	 .thread = with_membarrier);

SCENARIO("planted: a fence that does nothing", .threads = 2, .preemptions = 5, .fails = "has",
	 .faults = EXPLORE_NO_FENCE, .setup = setup_fenced, .thread = without_membarrier);

SCENARIO("planted: compare, then swap", .threads = 2, .preemptions = 5, .fails = "has",
	 .faults = EXPLORE_SPLIT, .setup = setup, .thread = with_membarrier);
