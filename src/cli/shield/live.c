/* SPDX-License-Identifier: MIT */
/*
 * live.c: `weft shield --pid`: change two branches in a running process, or change them back.
 *
 * A process may have several Go runtimes: its program's, and one of each Go library that a C
 * program has mapped. All are changed, or none.
 *
 * Nothing is remembered between the two: the files that are mapped (which open even when they were
 * deleted) say where the branches are and how they were, the memory says how they are. Each branch
 * must be exactly the one or the other; in any other case nothing at all is written.
 *
 * All threads stand still while the bytes change, and none may stand inside of a branch. A stop is
 * a signal's: a system call that cannot be restarted fails with EINTR, which every Go program has
 * to expect anyway.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/sys.h"
#include "cli/proc/tracee.h"
#include "cli/shell/cli.h"
#include "cli/shield/shield.h"
#include "cli/shield/sites.h"
#include "cli/shield/stop.h"

enum state { UNCHANGED, CHANGED, FOREIGN };
enum { ATTEMPTS = 100 };

struct target {
	pid_t pid;
	char name[64]; /* of the process */
	struct shield_places places;
	enum state *states; /* of each place */
	int64_t stopped;    /* nanoseconds */
};

static int open_target(struct target *t)
{
	int error = weft__shield_find(t->pid, &t->places);

	if (!error)
		t->states = calloc(t->places.count, sizeof(*t->states));
	return error || t->states ? error : -ENOMEM;
}

static void close_target(struct target *t)
{
	weft__shield_places_free(&t->places);
	free(t->states);
}

static void read_name(struct target *t)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/comm", t->pid);
	FILE *f = fopen(path, "re");
	if (!f || !fgets(t->name, sizeof(t->name), f))
		snprintf(t->name, sizeof(t->name), "?");
	t->name[strcspn(t->name, "\n")] = '\0';
	if (f)
		fclose(f);
}

static int read_states(struct target *t)
{
	for (unsigned i = 0; i < t->places.count; i++) {
		const struct shield_site *s = &t->places.list[i].site;
		unsigned char bytes[SHIELD_SITE_MAX];
		int error = weft__tracee_read(t->pid, s->address, bytes, s->length);
		if (error)
			return error;
		t->states[i] = !memcmp(bytes, s->old, s->length)   ? UNCHANGED
			       : !memcmp(bytes, s->new, s->length) ? CHANGED
								   : FOREIGN;
	}
	return 0;
}

static bool all_are(const struct target *t, enum state state)
{
	for (unsigned i = 0; i < t->places.count; i++) {
		if (t->states[i] != state)
			return false;
	}
	return true;
}

static bool any_foreign(const struct target *t)
{
	for (unsigned i = 0; i < t->places.count; i++) {
		if (t->states[i] == FOREIGN)
			return true;
	}
	return false;
}

/* With every thread stopped; the branch that hands out new states first. */
static int write_sites(struct target *t, const struct stopped *threads, bool undo)
{
	int error = read_states(t);

	if (!error && any_foreign(t))
		error = -EINVAL;
	for (unsigned i = 0; !error && i < t->places.count; i++) {
		const struct shield_site *s = &t->places.list[i].site;
		if (weft__stopped_inside(threads, s->address, s->length))
			error = -EAGAIN;
	}
	for (unsigned i = t->places.count; !error && i-- > 0;) {
		const struct shield_site *s = &t->places.list[i].site;
		error = weft__tracee_write(threads->ids[0], s->address, undo ? s->old : s->new,
					   s->length);
	}
	return error ? error : read_states(t);
}

static int change_once(struct target *t, bool undo)
{
	struct stopped threads;
	int64_t before = weft__clock();
	int error = weft__stop_all(t->pid, &threads);

	if (!error)
		error = write_sites(t, &threads, undo);
	weft__resume_all(&threads);
	t->stopped = weft__clock() - before;
	if (!error && !all_are(t, undo ? UNCHANGED : CHANGED))
		error = -EIO;
	return error;
}

/* A thread that stands inside of a branch has left it a moment later. */
static int change(struct target *t, bool undo)
{
	int error = -EAGAIN;

	for (unsigned i = 0; i < ATTEMPTS && error == -EAGAIN; i++)
		error = change_once(t, undo);
	return error;
}

/* The file of a place, once for those that follow each other. */
static void print_file(const struct target *t, unsigned i)
{
	const char *file = t->places.list[i].file;

	if (i && !strcmp(file, t->places.list[i - 1].file))
		return;
	char *clean = cli_clean(file);
	printf("  %s\n", clean);
	free(clean);
}

static void print_text(const struct target *t, const char *done, bool wrote)
{
	cli_line(stdout, "process %d (%s): %s", t->pid, t->name, done);
	for (unsigned i = 0; i < t->places.count; i++) {
		const struct shield_site *s = &t->places.list[i].site;
		print_file(t, i);
		printf("  %-20s at %#llx: ", s->function, (unsigned long long)s->address);
		for (unsigned k = 0; k < s->length; k++)
			printf("%02x ", t->states[i] == CHANGED ? s->new[k] : s->old[k]);
		printf("(%s)\n", t->states[i] == CHANGED ? "safe" : "as compiled");
	}
	if (wrote)
		printf("It stood still for %.2f ms.\n", (double)t->stopped / 1e6);
	if (wrote && all_are(t, CHANGED))
		printf("This lasts until it ends or executes another program. To take it back:\n"
		       "weft shield --pid=%d --undo\n",
		       t->pid);
}

static void print_json(const struct target *t, const char *done)
{
	json_t *root = cli_json_report("shield"), *sites = json_array();

	cli_json_set(root, "pid", json_integer(t->pid));
	cli_json_set(root, "process", cli_json_text(t->name));
	cli_json_set(root, "result", json_string(done));
	cli_json_set(root, "stopped_ns", json_integer(t->stopped));
	for (unsigned i = 0; i < t->places.count; i++) {
		json_t *site = json_object();
		const struct shield_place *place = &t->places.list[i];
		cli_json_set(site, "file", cli_json_text(place->file));
		cli_json_set(site, "function", json_string(place->site.function));
		cli_json_set(site, "address", json_integer((json_int_t)place->site.address));
		cli_json_set(site, "safe", json_boolean(t->states[i] == CHANGED));
		cli_json_add(sites, site);
	}
	cli_json_set(root, "sites", sites);
	cli_json_print(root, stdout);
}

/* The system's journal keeps which user changed a running daemon, and when. */
static void write_journal(const struct target *t, bool undo)
{
	openlog("weft", LOG_PID, LOG_DAEMON);
	syslog(LOG_NOTICE, "process %d (%s): vDSO random states %s in memory by uid %d", t->pid,
	       t->name, undo ? "switched on again" : "switched off", (int)getuid());
	closelog();
}

static _Noreturn void refuse(const struct target *t, int error)
{
	const char *why = t->places.why, *file = t->places.file;
	pid_t pid = t->pid;

	if (file[0])
		cli_die("process %d was not touched: %s: %s (%s)", pid, file, why,
			strerror(-error));
	if (error == -EPERM || error == -EACCES)
		why = "it may not be traced: another user's, traced already, Yama, or seccomp";
	else if (error == -EINVAL)
		why = "its code in memory is neither the compiled nor the changed one";
	else if (error == -EAGAIN)
		why = "a thread stands on the very instruction, time and again";
	if (why)
		cli_die("process %d was not touched: %s (%s)", pid, why, strerror(-error));
	cli_die("process %d: %s", pid, strerror(-error));
}

bool weft__shield_is_live(pid_t pid)
{
	struct target t = {.pid = pid};
	bool live = !open_target(&t) && !read_states(&t) && all_are(&t, CHANGED);

	close_target(&t);
	return live;
}

int weft__shield_live(const struct shield_options *options, pid_t pid, bool undo)
{
	struct target t = {.pid = pid};
	int error = open_target(&t);

	if (error == -ENOENT && t.places.why && !t.places.file[0]) {
		printf("process %d: nothing to do: %s\n", pid, t.places.why);
		return CLI_CLEAN;
	}
	if (!error)
		error = read_states(&t);
	if (!error && any_foreign(&t))
		error = -EINVAL;
	if (error)
		refuse(&t, error);
	read_name(&t);
	bool done = all_are(&t, undo ? UNCHANGED : CHANGED);
	if (!done && !options->dry_run) {
		error = change(&t, undo);
		if (error)
			refuse(&t, error);
		write_journal(&t, undo);
	}
	const char *text =
		done		   ? "nothing to do: it is so already"
		: options->dry_run ? "would be changed"
		: undo		   ? "is again as it was compiled"
		       : "is safe now: it gives no random state back and takes no new one";
	if (options->json)
		print_json(&t, text);
	else
		print_text(&t, text, !done && !options->dry_run);
	close_target(&t);
	return options->dry_run && !done ? CLI_FINDINGS : CLI_CLEAN;
}
