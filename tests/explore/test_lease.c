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
	lease.fenced = 1;
}

static int no_barrier(void)
{
	return 0;
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
		monitor(no_barrier);
}

static void membarrier_fails(unsigned n)
{
	if (n == 0)
		owner();
	else
		monitor(failing_barrier);
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

static const struct explore_scenario scenarios[] = {
	{"with membarrier", NULL, 2, 5, 0, setup, with_membarrier, has_is_held},
	{"fenced", NULL, 2, 5, 0, setup_fenced, without_membarrier, has_is_held},
	{"membarrier fails", NULL, 2, 5, 0, setup, membarrier_fails, has_is_held},
	{"processors are taken", "LEASE_TAKEN", 2, 5, 0, setup, never_taken, NULL},
	{"planted: a membarrier that does nothing", "has", 2, 5, EXPLORE_NO_BARRIER, setup,
	 with_membarrier, NULL},
	{"... is not seen without store buffers", NULL, 2, 5,
	 EXPLORE_NO_BARRIER | EXPLORE_NO_BUFFERS, setup, with_membarrier, NULL},
	{"planted: a fence that does nothing", "has", 2, 5, EXPLORE_NO_FENCE, setup_fenced,
	 without_membarrier, NULL},
	{"planted: neither membarrier nor fence", "has", 2, 5, 0, setup, without_membarrier, NULL},
	{"planted: compare, then swap", "has", 2, 5, EXPLORE_SPLIT, setup, with_membarrier, NULL},
};

int main(int argc, char **argv)
{
	return explore_main(argc, argv, scenarios, array_len(scenarios));
}
