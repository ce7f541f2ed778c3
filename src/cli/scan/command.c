/* SPDX-License-Identifier: MIT */
/*
 * command.c: `weft scan`: reads the command line, feeds the scanner (scan.h), prints one of its
 * reports (scan/report/report.h).
 *
 * The exit status is the same in every form: 0 clean, 1 findings, 2 usage or something could not be
 * looked at. A finding wins over a failure.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/scan/report/report.h"
#include "cli/shield/shield.h"

#define DEFAULT_TIME_LIMIT 60 /* seconds that one file may take */

static struct {
	struct cli_list exclude, images;
	bool processes, one_file_system, strict;
	bool json, sarif, openvex, prometheus;
	uint64_t jobs, time_limit;
} options = {.time_limit = DEFAULT_TIME_LIMIT};

static const struct cli_option option_table[] = {
	{"processes", 'p', CLI_FLAG, &options.processes, NULL,
	 "look at every running process and its libraries", 0, 0},
	{"image", 'i', CLI_LIST, &options.images, "FILE",
	 "look at a container image: OCI layout (directory or tar), `docker save` or export", 0, 0},
	{"exclude", 'x', CLI_LIST, &options.exclude, "PATTERN",
	 "leave out paths or names that match PATTERN", 0, 0},
	{"one-file-system", 0, CLI_FLAG, &options.one_file_system, NULL,
	 "stay on the file systems of the operands", 0, 0},
	{"strict", 0, CLI_FLAG, &options.strict, NULL,
	 "status 1 for affected-dormant and unknown too, 2 for a PATH that is no program", 0, 0},
	{"json", 0, CLI_FLAG, &options.json, NULL, "report as JSON", 0, 0},
	{"sarif", 0, CLI_FLAG, &options.sarif, NULL, "report as SARIF 2.1.0", 0, 0},
	{"openvex", 0, CLI_FLAG, &options.openvex, NULL, "report as an OpenVEX document", 0, 0},
	{"prometheus", 0, CLI_FLAG, &options.prometheus, NULL,
	 "report for node_exporter's textfile collector", 0, 0},
	{"jobs", 'j', CLI_NUMBER, &options.jobs, "N",
	 "files looked at side by side (default: two per CPU, 4 at least)", 1, 64},
	{"timeout", 0, CLI_NUMBER, &options.time_limit, "SECONDS",
	 "give up on a file after so long (default 60; 0: never)", 0, 86400},
	{0},
};

static const struct cli_usage usage = {
	.name = "scan",
	.synopsis = "[options] PATH...",
	.about = "Finds Go programs and libraries that crash when a locked thread ends "
		 "(golang/go#73141).\n"
		 "PATH is a file or a directory; `-` reads paths from standard input, one a line.",
	.options = option_table,
	.notes = "Verdicts: affected, affected-dormant (the bug is there, nothing can bring it "
		 "about), mitigated,\n"
		 "unknown, not-affected.\n"
		 "Exit status: 0 nothing affected, 1 affected (--strict: dormant and unknown too), "
		 "2 wrong usage, or\n"
		 "something could not be looked at.",
	.max_operands = UINT32_MAX,
};

static void add_list(struct scan *scan, FILE *in)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t length;
	while ((length = getline(&line, &room, in)) > 0) {
		if (line[length - 1] == '\n')
			line[--length] = '\0';
		if (length)
			weft__scan_add_path(scan, line, false);
	}
	if (ferror(in))
		cli_die("cannot read the list on standard input");
	free(line);
}

static void add_operands(struct scan *scan, char **operands, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (strcmp(operands[i], "-") == 0)
			add_list(scan, stdin);
		else
			weft__scan_add_path(scan, operands[i], options.strict);
	}
	for (unsigned i = 0; i < options.images.count; i++)
		weft__scan_add_image(scan, options.images.items[i]);
	if (options.processes)
		weft__scan_add_processes(scan);
}

static void report(const struct scan *scan)
{
	if (options.json)
		weft__output_json(scan, stdout);
	else if (options.sarif)
		weft__output_sarif(scan, stdout);
	else if (options.openvex)
		weft__output_openvex(scan, stdout);
	else if (options.prometheus)
		weft__output_prometheus(scan, stdout);
	else
		weft__output_table(scan, stdout);
	for (size_t i = 0; i < scan->error_count; i++)
		cli_error("%s: %s", scan->errors[i].path, scan->errors[i].message);
	if (scan->counts.errors > scan->error_count)
		cli_error("and %llu more errors",
			  (unsigned long long)(scan->counts.errors - scan->error_count));
}

int cli_scan(int argc, char **argv)
{
	unsigned count = cli_parse(&usage, argc, argv);
	if (options.json + options.sarif + options.openvex + options.prometheus > 1)
		cli_die("only one of --json, --sarif, --openvex and --prometheus can be had at a "
			"time");
	if (!count && !options.processes && !options.images.count)
		cli_die("nothing to scan: give a path, --processes or --image");
	struct scan_options how = {
		.one_file_system = options.one_file_system,
		.progress = isatty(STDERR_FILENO),
		.exclude = options.exclude,
		.jobs = (unsigned)options.jobs,
		.time_limit = (unsigned)options.time_limit,
		.is_made_safe = weft__shield_is_live,
	};
	struct scan *scan = weft__scan_new(&how);
	add_operands(scan, argv + 1, count);
	weft__scan_run(scan);
	report(scan);
	int status = weft__scan_status(scan, options.strict);
	weft__scan_free(scan);
	return status;
}
