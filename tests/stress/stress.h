/* SPDX-License-Identifier: MIT */
/*
 * stress.h: what the stress programs share.
 *
 *   stress_NAME SECONDS [SEED [ROUND]]
 *
 * A program runs rounds, each a weft_run of its own, until the seconds are over. What a round does
 * is drawn from the seed and the round's number, so a round that failed can be run again: not its
 * schedule, which is the machine's (include/weft/sim.h replays those), but its tasks, channels and
 * times.
 *
 * The rounds run in a child, and the parent looks after it: whatever ends the child (a requirement,
 * a deadlock report, a sanitizer, a crash, a leak) is told with seed and round, and a round that
 * does not end is made to dump its tasks. The child has no threads but the runtime's, so a lost
 * wake-up is a deadlock that the runtime itself reports.
 */
#ifndef TESTS_STRESS_H
#define TESTS_STRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "weft/weft.h"

enum { US = 1000, MS = 1000 * US };

/* ---- what is drawn ---- */

struct draw {
	uint64_t state;
};

uint64_t draw(struct draw *d);
/* 0 .. bound-1. */
unsigned draw_below(struct draw *d, unsigned bound);
bool draw_one_in(struct draw *d, unsigned n);
/* A generator of its own for another task. */
struct draw draw_fork(struct draw *d);
/* A deadline: 0, one that has passed, one in up to 200 us. */
int64_t draw_deadline(struct draw *d);

/* ---- a round ---- */

struct round {
	struct draw draw;
	unsigned processors;
	unsigned may_lock; /* so many tasks, beside a locked main task, may be locked at once */
	bool stops;	   /* weft_stop is called in the middle of it */
};

struct stress {
	const char *name;
	int (*main_task)(void *round); /* returns 0 */
	bool few_threads;   /* some rounds have the threads that they need, or one or two more */
	bool deterministic; /* each round is a weft_sim_run, with a seed of its own */
};

/* Runs rounds by the command line. Returns main's status. */
int stress_main(const struct stress *stress, int argc, char **argv);

/* Counts what the last line tells. */
enum counter { COUNT_STEPS, COUNT_DELIVERED, COUNT_CANCELED, COUNT_TIMEOUTS, COUNTERS };
void stress_count(enum counter c, uint64_t n);
/*
 * The same by a result: 0, -ETIMEDOUT, -EAGAIN or -ECANCELED, others are failures. A cancel is
 * cleared, and a limit that has passed is lifted: so a wait for what must come may be begun anew.
 */
void stress_result(int result);

#define require(condition) \
	do { \
		if (!(condition)) \
			stress_fail(__FILE__, __LINE__, #condition); \
	} while (0)
__attribute__((__noreturn__)) void stress_fail(const char *file, int line, const char *what);

/* ---- the tasks of a round ---- */

enum { TEAM_MAX = 48 };

struct team {
	struct weft_task *tasks[TEAM_MAX];
	unsigned count;
};

/* Starts a task of the team. False: weft_stop came first. */
bool team_start(struct team *team, int (*fn)(void *arg), void *arg);
/* Cancels members at random for a while, and stops all when the round says so. */
void team_disturb(struct team *team, struct round *r);
/* Joins all, each of which must return 0. */
void team_join(struct team *team);
/* Joins one task that the caller owns, however often the caller is cancelled. */
int join_always(struct weft_task *task);

/* ---- code that is not weft's ---- */

/*
 * Spins, sleeps, waits or yields for a moment near one of the times by which the monitor decides.
 */
void pause_somehow(struct draw *d);

#endif
