/* SPDX-License-Identifier: MIT */
/*
 * storm.h: what the storm's rooms share.
 *
 *   command.c  options, the five arrangements, their predictions, the verdict
 *   run.c      one run: tasks that lock their thread, own a random state, and end
 *   report.c   the table and the JSON
 *
 * A run happens in a child process, because it may crash: that is the point. It writes what it
 * measured into memory shared with its parent.
 */
#ifndef WEFT_CLI_STORM_STORM_H
#define WEFT_CLI_STORM_STORM_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/proc/watch.h"

/* Which walls stand (sched/exit.h). All false: weft as it is shipped. */
struct storm_walls {
	bool processor_first; /* the processor goes before the state */
	bool grows;	      /* the free list is an array that grows */
	bool no_check;	      /* the cache does not check that its user holds a processor */
};

struct storm_job {
	struct storm_walls walls;
	uint64_t tasks;	     /* in all */
	unsigned alive;	     /* at most at a time */
	unsigned processors; /* 0: the default */
	bool barrier;	     /* all own a state before the first ends; alive == tasks */
	uint64_t hold_us;    /* how long each keeps its state */
	uint64_t seconds;    /* not 0: run for this time instead of counting tasks */
	const char *trace;   /* file for the steps of every thread's exit, or NULL */
};

enum { STORM_UNSEEN = -1 }; /* /proc does not say */

/* Written by the child. */
struct storm_result {
	uint64_t ended; /* tasks */
	uint64_t nanoseconds;
	uint64_t threads_started;
	int64_t threads_left;	   /* or STORM_UNSEEN */
	uint64_t exit_allocations; /* from the processor's cache, in thread_exit */
	uint64_t states_mapped, states_free, peak_owners;
	uint64_t rss_start, rss_end; /* bytes */
};

struct storm_outcome {
	struct watch_report watch;
	struct storm_result result;
	char last_line[160]; /* the child's last line on stderr */
};

/* Runs the job in a child. 0 or -errno when there could be no child. */
int storm_run(const struct storm_job *job, struct storm_outcome *out);
bool storm_lived(const struct storm_outcome *out);

/* How many states one growth of the pool adds, here. */
unsigned storm_states_per_page(void);

enum { STORM_CAPACITY, STORM_ABOVE, STORM_SIZES }; /* owners: what fits, and one more */

/* What must happen to an arrangement one above capacity. */
enum storm_prediction { STORM_CRASHES, STORM_CAUGHT, STORM_LIVES_ALLOCATING, STORM_LIVES };

struct storm_row {
	const char *name;
	struct storm_walls walls;
	enum storm_prediction prediction;
	unsigned runs[STORM_SIZES], as_predicted[STORM_SIZES];
	struct storm_outcome last[STORM_SIZES]; /* of the last run */
};

struct storm_draws {
	double vdso_ns, syscall_ns;
};

struct storm_report {
	bool vdso;
	unsigned per_page;
	struct storm_row *rows;
	unsigned row_count, rows_good;
	struct storm_job storm_job;
	struct storm_outcome storm;
	bool storm_good;
	struct storm_draws draws;
};

void storm_print_host(const struct storm_report *r);
void storm_print_row(const struct storm_report *r, const struct storm_row *row);
void storm_print_storm(const struct storm_report *r);
void storm_print_end(const struct storm_report *r);
void storm_print_json(const struct storm_report *r);

#endif
