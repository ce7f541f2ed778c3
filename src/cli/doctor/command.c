/* SPDX-License-Identifier: MIT */
/*
 * command.c: `weft doctor`: examines the host, prints facts, findings and a verdict. See doctor.h.
 */
#include "cli/doctor/doctor.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct doctor {
	struct cli_table *table;
	json_t *report, *findings;
	const char *last_group; /* the table names a group once */
};

static char *format(const char *text, va_list args)
{
	char *out;
	if (vasprintf(&out, text, args) < 0)
		cli_die("out of memory");
	return out;
}

void doctor_fact(struct doctor *d, const char *group, const char *key, json_t *value,
		 enum cli_tone tone, const char *text, ...)
{
	json_t *object = json_object_get(d->report, group);
	if (!object) {
		object = json_object();
		cli_json_set(d->report, group, object);
	}
	cli_json_set(object, key, value);

	va_list args;
	va_start(args, text);
	char *shown = format(text, args), *title = cli_strdup(key);
	va_end(args);
	for (char *p = title; *p; p++)
		*p = *p == '_' ? ' ' : *p;
	bool first = !d->last_group || strcmp(d->last_group, group);
	d->last_group = group;
	cli_table_cell(d->table, CLI_BOLD, "%s", first ? group : "");
	cli_table_cell(d->table, CLI_PLAIN, "%s", title);
	cli_table_cell(d->table, tone, "%s", shown);
	free(title);
	free(shown);
}

void doctor_finding(struct doctor *d, const char *id, const char *advice, ...)
{
	va_list args;
	va_start(args, advice);
	char *text = format(advice, args);
	va_end(args);
	json_t *finding = json_object();
	cli_json_set(finding, "id", cli_json_text(id));
	cli_json_set(finding, "advice", cli_json_text(text));
	cli_json_add(d->findings, finding);
	free(text);
}

int64_t doctor_sysctl(const char *path)
{
	long long n = -1;
	FILE *f = fopen(path, "re");
	if (f && fscanf(f, "%lld", &n) != 1)
		n = -1;
	if (f)
		fclose(f);
	return n;
}

static void print_findings(const struct doctor *d)
{
	size_t i;
	json_t *finding;
	if (!json_array_size(d->findings)) {
		printf("\n%sOK%s  nothing stands in the way\n", cli_tone_on(stdout, CLI_GOOD),
		       cli_tone_off(stdout, CLI_GOOD));
		return;
	}
	printf("\n%s%zu finding%s%s\n", cli_tone_on(stdout, CLI_WARN), json_array_size(d->findings),
	       json_array_size(d->findings) > 1 ? "s" : "", cli_tone_off(stdout, CLI_WARN));
	json_array_foreach(d->findings, i, finding)
		cli_line(stdout, "- %s", json_string_value(json_object_get(finding, "advice")));
}

/* Findings come before failures, as in `weft scan`. */
static int status_of(const struct doctor *d, bool whole)
{
	if (json_array_size(d->findings))
		return CLI_FINDINGS;
	return whole ? CLI_CLEAN : CLI_FAILURE;
}

static void print(struct doctor *d, bool json)
{
	if (json) {
		cli_json_set(d->report, "findings", d->findings);
		cli_json_print(d->report, stdout);
	} else {
		cli_table_print(d->table, stdout);
		print_findings(d);
		json_decref(d->findings);
		json_decref(d->report);
	}
	cli_table_free(d->table);
}

static int examine(bool json, bool host_only, char **places, unsigned count)
{
	static const char *const headings[] = {"", "", "", NULL};
	struct doctor d = {
		.table = cli_table_new(headings),
		.report = cli_json_report("doctor"),
		.findings = json_array(),
	};
	doctor_kernel(&d);
	doctor_calls(&d);
	doctor_random(&d);
	doctor_limits(&d);
	bool whole = host_only || doctor_go(&d, places, count);
	int status = status_of(&d, whole);
	print(&d, json);
	return status;
}

int cli_doctor(int argc, char **argv)
{
	bool json = false, host_only = false;
	const struct cli_option options[] = {
		{.name = "json",
		 .kind = CLI_FLAG,
		 .into = &json,
		 .help = "print JSON instead of the table"},
		{.name = "host-only",
		 .kind = CLI_FLAG,
		 .into = &host_only,
		 .help = "leave processes and files alone"},
		{0},
	};
	const struct cli_usage usage = {
		.name = "doctor",
		.synopsis = "[--json] [--host-only | PATH...]",
		.about = "Examines this host: kernel, vDSO getrandom, C library, limits and "
			 "features that\n"
			 "matter to weft and to Go programs with the crash of Go 1.24.0-1.24.2.\n"
			 "Programs are looked for below each PATH instead of the usual places.",
		.options = options,
		.notes = "Exit status: 0 nothing stands in the way, 1 findings, 2 failure: a PATH "
			 "that could not be\n"
			 "looked at.",
		.max_operands = UINT32_MAX,
	};
	unsigned places = cli_parse(&usage, argc, argv);
	if (host_only && places)
		cli_die("--host-only looks at no files, and '%s' was given", argv[1]);
	return examine(json, host_only, argv + 1, places);
}
