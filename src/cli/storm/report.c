/* SPDX-License-Identifier: MIT */
/*
 * report.c: what `weft storm` shows: rows as they come, then the whole as JSON when asked
 * for.
 */
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "cli/shell/cli.h"
#include "cli/storm/storm.h"

enum { FRAMES_SHOWN = 4 };

static const char *order(const struct storm_walls *w)
{
	return w->processor_first ? "P, then state" : "state, then P";
}

static const char *list(const struct storm_walls *w)
{
	return w->grows ? "grows" : "intrusive";
}

/* What became of a child, in a few words. */
static void words(const struct storm_outcome *o, char *text, size_t size)
{
	const struct watch_report *w = &o->watch;
	if (storm_lived(o))
		snprintf(text, size, "lives");
	else if (WIFSIGNALED(w->status) && WTERMSIG(w->status) == SIGABRT && o->last_line[0])
		snprintf(text, size, "caught: %s",
			 o->last_line + (strncmp(o->last_line, "weft: ", 6) ? 0 : 6));
	else if (WIFSIGNALED(w->status) && w->faulted &&
		 (w->signal == SIGSEGV || w->signal == SIGBUS))
		snprintf(text, size, "SIG%s at %#" PRIx64, sigabbrev_np(w->signal), w->address);
	else if (WIFSIGNALED(w->status))
		snprintf(text, size, "SIG%s", sigabbrev_np(WTERMSIG(w->status)));
	else
		snprintf(text, size, "exit %d: %s", WEXITSTATUS(w->status), o->last_line);
}

static void row_words(const struct storm_row *row, unsigned which, char *text, size_t size)
{
	const struct storm_outcome *o = &row->last[which];
	char what[192];
	words(o, what, sizeof(what));
	if (which == STORM_ABOVE && storm_lived(o) && o->result.exit_allocations)
		snprintf(text, size, "%s, but still allocates (%" PRIu64 ")", what,
			 o->result.exit_allocations);
	else if (which == STORM_ABOVE && storm_lived(o) && row->prediction == STORM_LIVES &&
		 !row->walls.processor_first)
		snprintf(text, size, "%s, 0 allocations in thread_exit", what);
	else
		snprintf(text, size, "%s", what);
}

void storm_print_host(const struct storm_report *r)
{
	struct utsname u;
	uname(&u);
	printf("host  Linux %s, vDSO getrandom %s, %u states/page%s\n", u.release,
	       r->vdso ? "yes" : "no", r->per_page,
	       r->vdso ? ""
		       : " (stand-in states in ordinary memory: the exit order is real, the draws "
			 "are system calls)");
	printf("%s%-17s %-14s %-10s n=%-6u n=%-u%s\n", cli_tone_on(stdout, CLI_BOLD), "arrangement",
	       "exit order", "free list", r->per_page, r->per_page + 1,
	       cli_tone_off(stdout, CLI_BOLD));
}

static void print_frames(const struct watch_report *w)
{
	if (!w->faulted || (w->signal != SIGSEGV && w->signal != SIGBUS))
		return;
	if (!w->frame_count) {
		printf("   no frames: %s\n", w->why_no_frames);
		return;
	}
	for (unsigned i = 0; i < min_of(w->frame_count, FRAMES_SHOWN); i++) {
		const char *name = w->frames[i].name;
		printf("%s%s", i ? " < " : "   ", name + (strncmp(name, "weft__", 6) ? 0 : 6));
	}
	printf("\n   (Go: mallocgc < growslice < vgetrandomPutState < mexit)\n");
}

void storm_print_row(const struct storm_report *r, const struct storm_row *row)
{
	char small[256], large[256];
	unsigned runs = row->runs[STORM_ABOVE], good = row->as_predicted[STORM_ABOVE];
	bool all = good == runs && row->as_predicted[STORM_CAPACITY] == row->runs[STORM_CAPACITY];
	row_words(row, STORM_CAPACITY, small, sizeof(small));
	row_words(row, STORM_ABOVE, large, sizeof(large));
	printf("%-17s %-14s %-10s %-8s %s%s  %u/%u%s%s\n", row->name, order(&row->walls),
	       list(&row->walls), small, cli_tone_on(stdout, all ? CLI_GOOD : CLI_BAD), large, good,
	       runs, all ? "" : " as predicted", cli_tone_off(stdout, CLI_GOOD));
	print_frames(&row->last[STORM_ABOVE].watch);
	fflush(stdout);
}

static double rate(const struct storm_result *s)
{
	return s->nanoseconds ? (double)s->ended * 1e9 / (double)s->nanoseconds : 0;
}

static const char *thread_words(const struct storm_result *s)
{
	if (s->threads_left == STORM_UNSEEN)
		return "threads left behind cannot be seen without /proc";
	return s->threads_left ? "THREADS LEFT BEHIND" : "every thread gone";
}

void storm_print_storm(const struct storm_report *r)
{
	const struct storm_result *s = &r->storm.result;
	char what[256];
	words(&r->storm, what, sizeof(what));
	printf("storm  %" PRIu64 " locked tasks, %u at a time: %s%s, %s, states mapped %" PRIu64
	       " for a peak of %" PRIu64 ", %.0f/s\n",
	       s->ended, r->storm_job.alive, storm_lived(&r->storm) ? "0 crashes" : "",
	       storm_lived(&r->storm) ? "" : what, thread_words(s), s->states_mapped,
	       s->peak_owners, rate(s));
}

void storm_print_end(const struct storm_report *r)
{
	bool good = r->rows_good == r->row_count && r->storm_good;
	if (r->draws.vdso_ns > 0)
		printf("draws  4 bytes: %.1f ns through the vDSO, %.0f ns by system call\n",
		       r->draws.vdso_ns, r->draws.syscall_ns);
	printf("%s%s%s", cli_tone_on(stdout, good ? CLI_GOOD : CLI_BAD), good ? "OK" : "NOT OK",
	       cli_tone_off(stdout, CLI_GOOD));
	if (r->row_count)
		printf(" %u of %u as predicted%s", r->rows_good, r->row_count,
		       r->storm_good ? "" : ", the storm was not");
	printf("\n");
}

/* ---- JSON ---- */

/* What /proc alone tells is null without it. */
static json_t *json_seen(bool seen, uint64_t value)
{
	return seen ? json_integer((json_int_t)value) : json_null();
}

static json_t *json_outcome(const struct storm_outcome *o)
{
	char what[256];
	json_t *frames = json_array();
	words(o, what, sizeof(what));
	for (unsigned i = 0; i < o->watch.frame_count; i++)
		cli_json_add(frames, cli_json_text(o->watch.frames[i].name));
	return json_pack("{s:o, s:b, s:o, s:I, s:I, s:o}", "outcome", cli_json_text(what), "lived",
			 storm_lived(o), "frames", frames, "exit_allocations",
			 (json_int_t)o->result.exit_allocations, "states_mapped",
			 (json_int_t)o->result.states_mapped, "threads_left",
			 json_seen(o->result.threads_left != STORM_UNSEEN,
				   (uint64_t)o->result.threads_left));
}

static json_t *json_row(const struct storm_report *r, const struct storm_row *row)
{
	json_t *sizes = json_array();
	for (unsigned i = 0; i < STORM_SIZES; i++) {
		json_t *size = json_outcome(&row->last[i]);
		cli_json_set(size, "owners", json_integer(r->per_page + i));
		cli_json_set(size, "runs", json_integer(row->runs[i]));
		cli_json_set(size, "as_predicted", json_integer(row->as_predicted[i]));
		cli_json_add(sizes, size);
	}
	return json_pack("{s:s, s:s, s:s, s:b, s:o}", "arrangement", row->name, "exit_order",
			 order(&row->walls), "free_list", list(&row->walls), "check",
			 !row->walls.no_check, "sizes", sizes);
}

void storm_print_json(const struct storm_report *r)
{
	json_t *root = cli_json_report("storm");
	json_t *rows = json_array();
	const struct storm_result *s = &r->storm.result;
	for (unsigned i = 0; i < r->row_count; i++)
		cli_json_add(rows, json_row(r, &r->rows[i]));
	cli_json_set(root, "vdso_getrandom", json_boolean(r->vdso));
	cli_json_set(root, "states_per_page", json_integer(r->per_page));
	cli_json_set(root, "arrangements", rows);
	json_t *storm = json_outcome(&r->storm);
	cli_json_set(storm, "tasks", json_integer((json_int_t)s->ended));
	cli_json_set(storm, "alive", json_integer(r->storm_job.alive));
	cli_json_set(storm, "tasks_per_second", json_real(rate(s)));
	cli_json_set(storm, "peak_owners", json_integer((json_int_t)s->peak_owners));
	cli_json_set(storm, "threads_started", json_integer((json_int_t)s->threads_started));
	cli_json_set(storm, "rss_start", json_seen(s->rss_start, s->rss_start));
	cli_json_set(storm, "rss_end", json_seen(s->rss_end, s->rss_end));
	cli_json_set(root, "storm", storm);
	cli_json_set(
		root, "draw_ns",
		json_pack("{s:f, s:f}", "vdso", r->draws.vdso_ns, "syscall", r->draws.syscall_ns));
	cli_json_set(root, "ok", json_boolean(r->rows_good == r->row_count && r->storm_good));
	cli_json_print(root, stdout);
}
