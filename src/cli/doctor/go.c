/* SPDX-License-Identifier: MIT */
/*
 * go.c: Go programs with the crash on this host: those that run, and those that lie in the usual
 * places, each with one line of advice.
 *
 * A process whose program was made safe (shield, patch) is none of them. What is dormant or unknown
 * is counted, not advised on: `weft scan` tells more.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/doctor/doctor.h"
#include "cli/scan/scan.h"
#include "cli/shield/shield.h"

enum {
	FILE_SECONDS = 10, /* a file that takes longer lies on a broken disk or network */
	SHOWN = 5,	   /* pieces of advice of one kind; JSON has all */
};

static const char *const usual_places[] = {"/usr", "/opt", "/snap", "/var/lib/rancher"};

/* The systemd unit that a process belongs to, from its control group; "" when it has none. */
static void unit_of(pid_t pid, char unit[NAME_MAX + 1])
{
	char path[64], line[PATH_MAX];
	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	unit[0] = 0;
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		const char *last = strrchr(line, '/'), *dot = strrchr(line, '.');
		if (last && dot > last && !strcmp(dot, ".service"))
			snprintf(unit, NAME_MAX + 1, "%s", last + 1);
	}
	if (f)
		fclose(f);
}

static json_t *process_json(const struct scan_result *r, const struct scan_process *p, bool primed)
{
	json_t *o = json_object();
	cli_json_set(o, "pid", json_integer(p->pid));
	cli_json_set(o, "name", cli_json_text(p->name));
	cli_json_set(o, "path", cli_json_text(r->path));
	cli_json_set(o, "primed", json_boolean(primed));
	return o;
}

static void advise_process(struct doctor *d, const struct scan_result *r,
			   const struct scan_process *p, bool primed)
{
	char unit[NAME_MAX + 1];
	unit_of(p->pid, unit);
	doctor_finding(
		d, "affected-process",
		"%s (process %d, %s) %s: upgrade it to a build with Go 1.24.3 or newer; until "
		"then `weft shield --pid=%d` makes it safe as it runs%s%s%s",
		p->name, (int)p->pid, r->path,
		primed ? "may crash at any moment" : "can crash when a locked thread ends",
		(int)p->pid, unit[0] ? ", `weft shield --install " : "", unit,
		unit[0] ? "` from its next start" : "");
}

static unsigned processes(struct doctor *d, const struct scan *scan, json_t *list)
{
	unsigned found = 0;
	for (size_t i = 0; i < scan->result_count; i++) {
		const struct scan_result *r = scan->results[i];
		for (const struct scan_process *p = r->processes; p; p = p->next) {
			bool primed = p->page_limit && p->pages > p->page_limit;
			if (p->verdict != GO_AFFECTED)
				continue;
			cli_json_add(list, process_json(r, p, primed));
			if (found++ < SHOWN)
				advise_process(d, r, p, primed);
		}
	}
	return found;
}

static unsigned binaries(struct doctor *d, const struct scan *scan, json_t *list)
{
	unsigned found = 0;
	for (size_t i = 0; i < scan->result_count; i++) {
		const struct scan_result *r = scan->results[i];
		if (!r->named || r->judgement.verdict != GO_AFFECTED)
			continue;
		cli_json_add(list, cli_json_text(r->path));
		if (found++ < SHOWN)
			doctor_finding(
				d, "affected-binary",
				"%s has the thread exit crash%s: upgrade it to a build with Go "
				"1.24.3 or newer; until then run it by `weft shield`, or `weft "
				"patch` it where files may change",
				r->path,
				scan->host.vdso == SCAN_NO
					? " (not on this kernel, but on Linux 6.11 "
					  "and newer)"
					: "");
	}
	return found;
}

static unsigned with_verdict(const struct scan *scan, enum go_verdict verdict)
{
	unsigned n = 0;
	for (size_t i = 0; i < scan->result_count; i++)
		n += scan->results[i]->judgement.verdict == verdict;
	return n;
}

static void count(struct doctor *d, const char *key, unsigned n, enum cli_tone tone)
{
	doctor_fact(d, "go", key, json_integer(n), n ? tone : CLI_PLAIN, "%u", n);
}

static void report(struct doctor *d, const struct scan *scan)
{
	json_t *running = json_array(), *lying = json_array();
	unsigned affected = processes(d, scan, running), files = binaries(d, scan, lying);
	doctor_fact(d, "go", "affected_processes", running, affected ? CLI_BAD : CLI_GOOD,
		    "%u of %llu", affected, (unsigned long long)scan->counts.processes);
	doctor_fact(d, "go", "affected_binaries", lying, files ? CLI_BAD : CLI_GOOD, "%u of %llu",
		    files, (unsigned long long)scan->counts.go);
	count(d, "dormant", with_verdict(scan, GO_DORMANT), CLI_PLAIN);
	count(d, "unknown", with_verdict(scan, GO_UNKNOWN), CLI_WARN);
	count(d, "mitigated", with_verdict(scan, GO_MITIGATED), CLI_PLAIN);
	doctor_fact(d, "go", "not_examined",
		    json_integer((json_int_t)scan->counts.errors + (json_int_t)scan->counts.denied),
		    CLI_PLAIN, "%llu files, %llu processes",
		    (unsigned long long)scan->counts.errors,
		    (unsigned long long)scan->counts.denied);
	if (affected > SHOWN || files > SHOWN)
		doctor_finding(d, "more-affected",
			       "and more: `weft scan --processes /usr /opt` names them all");
}

/* Of the places that were asked for, those that are not there or cannot be opened. */
static bool tell_failures(const struct scan *scan, char **places, unsigned place_count)
{
	bool failed = false;
	for (size_t i = 0; i < scan->error_count; i++) {
		for (unsigned k = 0; k < place_count; k++) {
			if (strcmp(scan->errors[i].path, places[k]))
				continue;
			cli_error("%s: %s", places[k], scan->errors[i].message);
			failed = true;
			break;
		}
	}
	return failed;
}

bool doctor_go(struct doctor *d, char **places, unsigned place_count)
{
	struct scan_options how = {
		.one_file_system = true,
		.progress = isatty(STDERR_FILENO),
		.time_limit = FILE_SECONDS,
		.is_made_safe = weft__shield_is_live,
	};
	struct scan *scan = weft__scan_new(&how);
	for (unsigned i = 0; i < place_count; i++)
		weft__scan_add_path(scan, places[i], false);
	for (unsigned i = 0; !place_count && i < array_len(usual_places); i++)
		if (!access(usual_places[i], F_OK))
			weft__scan_add_path(scan, usual_places[i], false);
	weft__scan_add_processes(scan);
	weft__scan_run(scan);
	report(d, scan);
	bool failed = tell_failures(scan, places, place_count);
	weft__scan_free(scan);
	return !failed;
}
