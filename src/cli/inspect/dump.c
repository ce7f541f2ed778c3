/* SPDX-License-Identifier: MIT */
/*
 * dump.c: `weft dump`: every task of a running program with its call stack, as SIGQUIT would print
 * them.
 */
#include <stdlib.h>

#include "cli/inspect/target.h"
#include "cli/proc/symbols.h"
#include "cli/shell/cli.h"

static const char about[] =
	"Prints every task of a program that runs on libweft with its call stack: of the process "
	"PID,\n"
	"which goes on, or of the core file CORE. A thread that runs a task is stopped for less "
	"than a\n"
	"millisecond; SIGQUIT prints the same from inside, and ends the process.";
static const char notes[] = "Reading another process's memory needs the right to trace it. Exit "
			    "status: 0, or 2 when it\n"
			    "cannot be read or no weft runs in it.";

enum { FRAMES = 64 };

static void print_frame(const struct target *t, uint64_t pc, bool innermost)
{
	char name[256];
	uint64_t inside = pc - !innermost; /* the call before a return address counts */
	uint64_t start = weft__symbolizer_start(t->symbols, inside);
	weft__symbolizer_name(t->symbols, inside, name, sizeof(name));
	char *clean = cli_clean(name);
	if (start)
		printf("\t%s+0x%llx\n", clean, (unsigned long long)(pc - start));
	else
		printf("\t0x%llx %s\n", (unsigned long long)pc, clean);
	free(clean);
}

static void print_task(const struct target_task *task, void *arg)
{
	const struct target *t = arg;
	uint64_t pcs[FRAMES];
	char state[192];
	char *name = cli_clean(task->name);
	target_describe(t, task, state, sizeof(state));
	char *clean = cli_clean(state);
	printf("task %llu%s%s%s [%s]:\n", (unsigned long long)task->id, *name ? " '" : "", name,
	       *name ? "'" : "", clean);
	unsigned n = target_frames(t, task, pcs, FRAMES);
	for (unsigned i = 0; i < n; i++)
		print_frame(t, pcs[i], i == 0);
	putchar('\n');
	free(clean);
	free(name);
}

int cli_dump(int argc, char **argv)
{
	const struct cli_option options[] = {{0}};
	const struct cli_usage usage = {
		.name = "dump",
		.synopsis = "PID|CORE",
		.about = about,
		.options = options,
		.notes = notes,
		.min_operands = 1,
		.max_operands = 1,
	};
	struct target target;
	cli_parse(&usage, argc, argv);
	target_open(&target, argv[1]);
	target_each(&target, print_task, &target);
	target_close(&target);
	return CLI_CLEAN;
}
