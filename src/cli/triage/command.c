/* SPDX-License-Identifier: MIT */
/* command.c: `weft triage`: what a dead process says of itself, in the words of an operator. */
#include "cli/triage/triage.h"

#include <fnmatch.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/shell/cli.h"

static const char about[] =
	"Reads a core file and says whether the process died of the crash of Go 1.24.0 to 1.24.2 "
	"at the\n"
	"end of a locked thread. BINARY is the program's file, where the path in the core does not "
	"lead\n"
	"to it. Without arguments: what the absence of a traceback means, and how to get a core.";

static const char notes[] =
	"Exit status: 1 it is this crash; 0 it is another; 2 it cannot be told.";

static const char *signal_name(int sig)
{
	const char *name = sig > 0 && sig < NSIG ? sigabbrev_np(sig) : NULL;

	return name ? name : "?";
}

static const char *const own_end[] = {"runtime.raise*", "runtime.dieFromSignal*", "runtime.crash*",
				      "runtime.fatalthrow*", "runtime.fatalpanic*"};

/* Did Go's runtime end the process itself, after its traceback? */
static bool ended_itself(const struct dead *d)
{
	for (unsigned i = 0; i < d->frame_count; i++) {
		for (unsigned k = 0; k < array_len(own_end); k++) {
			if (!fnmatch(own_end[k], d->frames[i].name, 0))
				return true;
		}
	}
	return false;
}

static const char *explain(const struct dead *d, enum crash crash, const struct go_rule *rule)
{
	if (rule)
		return rule->title;
	switch (crash) {
	case CRASH_REPLAY:
		return "weft's own demonstration of the crash (weft storm)";
	case CRASH_UNKNOWN:
		return "it cannot be told: the call chain has no names";
	default:
		return ended_itself(d) ? "another end: Go's runtime ended it itself, and printed a "
					 "traceback before"
				       : "another crash";
	}
}

static const char *verdict_name(enum crash crash)
{
	static const char *const names[] = {"other", "unknown", "affected", "replay"};

	return names[crash];
}

static void print_head(const struct dead *d, const char *path)
{
	char *clean = cli_clean(path), *command = cli_clean(d->core.arguments);

	printf("%s: %s, %u thread%s\n", clean, command, d->core.threads,
	       d->core.threads == 1 ? "" : "s");
	if (d->core.signal)
		printf("  died of SIG%s in thread %u", signal_name(d->core.signal), d->core.thread);
	else
		printf("  did not die: a debugger made this core");
	if (d->core.has_address && (d->core.signal == SIGSEGV || d->core.signal == SIGBUS))
		printf(" at address %#llx", (unsigned long long)d->core.address);
	printf("\n");
	free(clean);
	free(command);
}

static void print_library(const struct dead *d)
{
	char *clean = cli_clean(d->library);
	char *version =
		cli_clean(d->library_version[0] ? d->library_version : "Go of unknown version");

	printf("  died in library %s, %s\n", clean, version);
	free(clean);
	free(version);
}

static void print_binary(const struct dead *d)
{
	char *clean = cli_clean(d->binary[0] ? d->binary : "(unknown)");
	char *version = cli_clean(d->go_version[0] ? d->go_version : "Go of unknown version");

	printf("  binary %s", clean);
	if (!d->has_binary)
		printf(": not used: %s\n", d->no_binary);
	else
		printf("%s%s\n", d->is_go ? ", " : "", d->is_go ? version : "");
	free(clean);
	free(version);
	if (d->library[0])
		print_library(d);
}

static void print_frames(const struct dead *d)
{
	for (unsigned i = 0; i < d->frame_count; i++) {
		char *name = cli_clean(d->frames[i].name);
		printf("  #%-2u %#18llx %s\n", i, (unsigned long long)d->frames[i].pc, name);
		free(name);
	}
}

static void report_text(const struct dead *d, const char *path, enum crash crash,
			const struct go_rule *rule)
{
	print_head(d, path);
	print_binary(d);
	print_frames(d);
	printf("%s%s%s\n", rule ? rule->id : "", rule ? ": " : "", explain(d, crash, rule));
	for (unsigned i = 0; rule && rule->advice[i]; i++)
		printf("  %u. %s\n", i + 1, rule->advice[i]);
	if (crash == CRASH_UNKNOWN && !d->has_binary)
		printf("  Give the program's own file as the second argument.\n");
}

static json_t *frames_json(const struct dead *d)
{
	json_t *frames = json_array();

	for (unsigned i = 0; i < d->frame_count; i++) {
		json_t *frame = json_object();
		char pc[32];
		snprintf(pc, sizeof(pc), "%#llx", (unsigned long long)d->frames[i].pc);
		cli_json_set(frame, "pc", json_string(pc));
		cli_json_set(frame, "function", cli_json_text(d->frames[i].name));
		cli_json_add(frames, frame);
	}
	return frames;
}

static void report_json(const struct dead *d, const char *path, enum crash crash,
			const struct go_rule *rule)
{
	json_t *root = cli_json_report("triage");

	cli_json_set(root, "core", cli_json_text(path));
	cli_json_set(root, "process", cli_json_text(d->core.arguments));
	cli_json_set(root, "threads", json_integer(d->core.threads));
	cli_json_set(root, "signal", json_integer(d->core.signal));
	if (d->core.has_address)
		cli_json_set(root, "fault_address", json_integer((json_int_t)d->core.address));
	cli_json_set(root, "binary", cli_json_text(d->binary));
	if (!d->has_binary)
		cli_json_set(root, "binary_not_used", cli_json_text(d->no_binary));
	if (d->is_go)
		cli_json_set(root, "go_version", cli_json_text(d->go_version));
	if (d->library[0]) {
		cli_json_set(root, "library", cli_json_text(d->library));
		cli_json_set(root, "library_go_version", cli_json_text(d->library_version));
	}
	cli_json_set(root, "frames", frames_json(d));
	cli_json_set(root, "verdict", json_string(verdict_name(crash)));
	cli_json_set(root, "explanation", json_string(explain(d, crash, rule)));
	if (rule)
		cli_json_set(root, "rule", json_string(rule->id));
	cli_json_print(root, stdout);
}

int cli_triage(int argc, char **argv)
{
	bool json = false;
	const struct cli_option table[] = {
		{"json", 0, CLI_FLAG, &json, NULL, "report as JSON", 0, 0},
		{0},
	};
	const struct cli_usage usage = {
		.name = "triage",
		.synopsis = "[--json] [CORE [BINARY]]",
		.about = about,
		.options = table,
		.notes = notes,
		.max_operands = 2,
	};
	static struct dead d;
	const struct go_rule *rule;
	unsigned operands = cli_parse(&usage, argc, argv);

	if (!operands) {
		weft__triage_without_core();
		return CLI_CLEAN;
	}
	weft__dead_read(&d, argv[1], operands > 1 ? argv[2] : NULL);
	enum crash crash = weft__dead_judge(&d, &rule);
	(json ? report_json : report_text)(&d, argv[1], crash, rule);
	return crash == CRASH_UNKNOWN ? CLI_FAILURE
	       : crash == CRASH_OTHER ? CLI_CLEAN
				      : CLI_FINDINGS;
}
