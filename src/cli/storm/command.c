/* SPDX-License-Identifier: MIT */
/*
 * command.c: `weft storm`: the crash of Go 1.24 on demand, its published fix, and weft's own
 * arrangement.
 *
 * Five arrangements of three walls, each run with as many owners of a random state as the free list
 * has room for from its first batch, and with one more; then a storm of locked tasks; then the
 * price of a draw. Exit status 0 only when every row behaved as predicted.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/sys.h"
#include "cli/shell/cli.h"
#include "cli/storm/storm.h"
#include "weft/weft.h"

enum {
	CRASH_RUNS = 20,
	OTHER_RUNS = 5,
	DEFAULT_TASKS = 100000,
	DEFAULT_ALIVE = 64,
	DRAWS = 200000
};
enum { ALIVE_MAX = 5000 };

static struct storm_row rows[] = {
	{.name = "Go 1.24.0-.2",
	 .walls = {.processor_first = true, .grows = true, .no_check = true},
	 .prediction = STORM_CRASHES},
	{.name = "Go 1.24.3's fix", .walls = {.grows = true}, .prediction = STORM_LIVES_ALLOCATING},
	{.name = "old order, check",
	 .walls = {.processor_first = true, .grows = true},
	 .prediction = STORM_CAUGHT},
	{.name = "structure alone",
	 .walls = {.processor_first = true, .no_check = true},
	 .prediction = STORM_LIVES},
	{.name = "weft", .prediction = STORM_LIVES},
};

/* ---- predictions ---- */

static bool has_frames(const struct watch_report *w)
{
	static const char *const chain[] = {"cache_alloc", "list_grow", "state_put", "thread_exit"};
	unsigned found = 0;
	for (unsigned i = 0; i < w->frame_count && found < array_len(chain); i++)
		found += strstr(w->frames[i].name, chain[found]) != NULL;
	return found == array_len(chain) || !w->frame_count;
}

/* What cannot be seen is not held against anybody; the report says that it was not seen. */
static bool left_threads(const struct storm_result *s)
{
	return s->threads_left > 0;
}

static bool as_predicted(const struct storm_row *row, unsigned which, const struct storm_outcome *o)
{
	int status = o->watch.status;
	if (which == STORM_CAPACITY)
		return storm_lived(o) && !left_threads(&o->result) && !o->result.exit_allocations;
	switch (row->prediction) {
	case STORM_CRASHES:
		return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV &&
		       o->watch.address < 4096 && has_frames(&o->watch);
	case STORM_CAUGHT:
		return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT &&
		       strstr(o->last_line, "cache access without a processor");
	case STORM_LIVES_ALLOCATING:
		return storm_lived(o) && o->result.exit_allocations;
	default:
		return storm_lived(o) && !o->result.exit_allocations && !left_threads(&o->result);
	}
}

/* A child that could not do its work says why, and this command ends as one that failed. */
static void must_run(const struct storm_job *job, struct storm_outcome *out)
{
	int err = storm_run(job, out), status = out->watch.status;
	if (err)
		cli_die("no child process could be watched: %s", weft_error_text(err));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != CLI_FAILURE)
		return;
	const char *words = strstr(out->last_line, ": "); /* after the child's "weft storm" */
	cli_die("%s", words ? words + 2 : out->last_line);
}

static void run_row(const struct storm_report *r, struct storm_row *row, unsigned processors)
{
	for (unsigned which = 0; which < STORM_SIZES; which++) {
		unsigned owners = r->per_page + which;
		struct storm_job job = {.walls = row->walls,
					.tasks = owners,
					.alive = owners,
					.processors = processors,
					.barrier = true};
		unsigned runs = row->prediction == STORM_CRASHES ? CRASH_RUNS : OTHER_RUNS;
		while (row->runs[which] < runs) {
			struct storm_outcome out;
			must_run(&job, &out);
			bool good = as_predicted(row, which, &out);
			row->runs[which]++;
			row->as_predicted[which] += good;
			if (!good || row->as_predicted[which] == row->runs[which])
				row->last[which] =
					out; /* a run that went wrong is the one to show */
		}
	}
}

static bool row_good(const struct storm_row *row)
{
	for (unsigned i = 0; i < STORM_SIZES; i++)
		if (row->as_predicted[i] != row->runs[i])
			return false;
	return true;
}

/* States come in whole pages, and no more than the peak needs. A list that grows allocates as
 * threads end, as soon as there are more owners than it has room for. */
static bool storm_good(const struct storm_report *r)
{
	const struct storm_result *s = &r->storm.result;
	uint64_t pages = (s->peak_owners + r->per_page - 1) / r->per_page;
	bool allocates = s->exit_allocations && !r->storm_job.walls.grows;
	return storm_lived(&r->storm) && !left_threads(s) && !allocates &&
	       s->states_mapped <= pages * r->per_page;
}

/* ---- the price of a draw ---- */

static double per_draw(bool by_syscall)
{
	uint32_t word;
	int64_t start = weft__clock();
	for (int i = 0; i < DRAWS; i++) {
		if (by_syscall)
			sys_getrandom(&word, sizeof(word), 0);
		else
			weft_getrandom(&word, sizeof(word), 0);
	}
	return (double)(weft__clock() - start) / DRAWS;
}

static void measure_draws(struct storm_draws *d)
{
	per_draw(false);
	d->vdso_ns = per_draw(false);
	d->syscall_ns = per_draw(true);
}

/* ---- the command ---- */

struct storm_options {
	uint64_t tasks, alive, processors, hold_us, seconds;
	const char *order, *list, *trace;
	bool no_check, barrier, json, published;
};

static bool pick(const char *value, const char *option, const char *off, const char *on)
{
	if (!value || !strcmp(value, off))
		return false;
	if (strcmp(value, on))
		cli_die("--%s is %s or %s, not '%s'", option, off, on, value);
	return true;
}

static void storm_job(struct storm_job *job, const struct storm_options *o)
{
	job->walls.processor_first = pick(o->order, "order", "state-first", "processor-first");
	job->walls.grows = pick(o->list, "list", "intrusive", "grows");
	job->walls.no_check = o->no_check;
	job->processors = (unsigned)o->processors;
	job->barrier = o->barrier;
	job->hold_us = o->hold_us;
	job->seconds = o->seconds;
	job->trace = o->trace;
	job->tasks = o->tasks	    ? o->tasks
		     : o->published ? 1000
		     : o->barrier   ? DEFAULT_ALIVE
				    : DEFAULT_TASKS;
	job->alive = (unsigned)(o->alive       ? o->alive
				: o->published ? 100
				: o->barrier   ? job->tasks
					       : DEFAULT_ALIVE);
	if (o->barrier && (job->alive != job->tasks || o->seconds))
		cli_die("with --barrier all tasks are alive at once: --alive and --seconds do not "
			"go with it");
	if (job->alive > ALIVE_MAX)
		cli_die("at most %d tasks can be alive at once, not %u: each holds a thread",
			ALIVE_MAX, job->alive);
}

/* One arrangement that the user chose, instead of the five. */
static bool one_arrangement(const struct storm_options *o)
{
	return o->order || o->list || o->no_check || o->barrier || o->published;
}

static void run_all(struct storm_report *r, bool show, unsigned processors)
{
	for (unsigned i = 0; i < r->row_count; i++) {
		cli_progress("%s: %u runs of %u and %u owners", r->rows[i].name, OTHER_RUNS,
			     r->per_page, r->per_page + 1);
		run_row(r, &r->rows[i], processors);
		r->rows_good += row_good(&r->rows[i]);
		cli_progress_end();
		if (show)
			storm_print_row(r, &r->rows[i]);
	}
}

static int storm(const struct storm_options *o)
{
	struct weft_random_info info = {.size = sizeof(info)};
	struct storm_report r = {.rows = rows,
				 .row_count = one_arrangement(o) ? 0 : array_len(rows)};
	weft_random_info(&info);
	r.vdso = info.vdso;
	r.per_page = r.vdso ? storm_states_per_page() : 21;
	storm_job(&r.storm_job, o);
	if (!o->json)
		storm_print_host(&r);
	run_all(&r, !o->json, (unsigned)o->processors);
	cli_progress("storm: %llu locked tasks", (unsigned long long)r.storm_job.tasks);
	must_run(&r.storm_job, &r.storm);
	cli_progress_end();
	r.storm_good = storm_good(&r);
	if (!o->json)
		storm_print_storm(&r);
	if (r.vdso)
		measure_draws(&r.draws);
	if (o->json)
		storm_print_json(&r);
	else
		storm_print_end(&r);
	return r.rows_good == r.row_count && r.storm_good ? CLI_CLEAN : CLI_FINDINGS;
}

int cli_storm(int argc, char **argv)
{
	struct storm_options o = {.hold_us = 50};
	const struct cli_option options[] = {
		{"tasks", 0, CLI_NUMBER, &o.tasks, "N", "locked tasks in the storm (100000)", 1,
		 1000000000},
		{"alive", 0, CLI_NUMBER, &o.alive, "N", "of them alive at once (64)", 1, ALIVE_MAX},
		{"processors", 0, CLI_NUMBER, &o.processors, "N",
		 "processors of the runtime (the CPUs)", 1, 1024},
		{"hold", 0, CLI_NUMBER, &o.hold_us, "US",
		 "microseconds that each task keeps its state (50)", 0, 60000000},
		{"seconds", 0, CLI_NUMBER, &o.seconds, "N",
		 "run for N seconds instead of counting tasks", 1, 86400},
		{"order", 0, CLI_TEXT, &o.order, "WHICH",
		 "wall 1: state-first, or processor-first (Go 1.24.0-1.24.2)", 0, 0},
		{"list", 0, CLI_TEXT, &o.list, "WHICH", "wall 2: intrusive, or grows (Go)", 0, 0},
		{"no-check", 0, CLI_FLAG, &o.no_check, NULL,
		 "wall 3: the cache does not check its user", 0, 0},
		{"barrier", 0, CLI_FLAG, &o.barrier, NULL,
		 "all tasks own a state before the first ends", 0, 0},
		{"no-barrier", 0, CLI_FLAG, &o.published, NULL,
		 "the published reproducer: 1000 tasks, at most 100 alive", 0, 0},
		{"trace", 0, CLI_TEXT, &o.trace, "FILE", "write every step of every thread's exit",
		 0, 0},
		{"json", 0, CLI_FLAG, &o.json, NULL, "report as JSON", 0, 0},
		{NULL, 0, CLI_FLAG, NULL, NULL, NULL, 0, 0},
	};
	const struct cli_usage usage = {
		.name = "storm",
		.synopsis = "[options]",
		.about =
			"The thread-exit crash of Go 1.24.0 to 1.24.2 on demand, its published "
			"fix, and weft's arrangement,\n"
			"side by side, each in a child process; then a storm of locked tasks. With "
			"an option for a wall,\n"
			"or with --barrier or --no-barrier, only the storm, in that arrangement.\n",
		.options = options,
		.notes = "Exit status: 0 everything behaved as predicted, 1 something did not, 2 "
			 "wrong usage or failure.\n",
	};
	cli_parse(&usage, argc, argv);
	return storm(&o);
}
