/* SPDX-License-Identifier: MIT */
/* command.c: the options of `weft shield`, and which of its four works they ask for. */
#include "cli/shield/shield.h"

#include <limits.h>
#include <string.h>

#include "cli/shell/cli.h"

static const char about[] =
	"Runs COMMAND so that the crash of Go 1.24.0 to 1.24.2 at the end of locked threads "
	"cannot\n"
	"happen: its random numbers come from the system call instead of the vDSO. Nothing changes "
	"on\n"
	"disk; process id, signals, terminal and exit status are the command's own.\n\n"
	"With --pid a running process is made safe, with --install a systemd unit from its next "
	"start on.";

static const char notes[] =
	"Methods:\n"
	"  ptrace   a helper hides one symbol from COMMAND at its start and is gone; children are "
	"not\n"
	"           covered unless --follow, which keeps the helper as the tracer of all of them\n"
	"  seccomp  a filter that every child inherits, containers included; costs one refused "
	"mmap a\n"
	"           draw; without CAP_SYS_ADMIN it sets no_new_privs, so that sudo stops working "
	"inside\n\n"
	"Exit status: the command's; 127 not found, 126 not executable, 2 not shielded and not "
	"run.";

static void choose_method(const char *name, struct shield_options *options)
{
	if (!strcmp(name, "seccomp"))
		options->seccomp = true;
	else if (strcmp(name, "ptrace"))
		cli_die("--method is ptrace or seccomp, not '%s'", name);
	if (options->seccomp && options->follow)
		cli_die("--follow belongs to --method=ptrace; children inherit a seccomp filter "
			"anyway");
}

int cli_shield(int argc, char **argv)
{
	struct shield_options options = {.root = ""};
	const char *method = "ptrace";
	bool install = false, undo = false;
	uint64_t pid = 0;
	const struct cli_option table[] = {
		{"method", 'm', CLI_TEXT, &method, "METHOD", "ptrace (the default) or seccomp", 0,
		 0},
		{"follow", 'f', CLI_FLAG, &options.follow, NULL,
		 "cover every child as well (ptrace)", 0, 0},
		{"fail-open", 0, CLI_FLAG, &options.fail_open, NULL,
		 "run COMMAND even if it cannot be shielded", 0, 0},
		{"pid", 'p', CLI_NUMBER, &pid, "PID", "make a running process safe", 1, INT_MAX},
		{"dry-run", 'n', CLI_FLAG, &options.dry_run, NULL,
		 "say what --pid or --install would do", 0, 0},
		{"install", 0, CLI_FLAG, &install, NULL,
		 "write a drop-in for the systemd unit UNIT", 0, 0},
		{"undo", 0, CLI_FLAG, &undo, NULL, "take back --pid PID, or --install UNIT", 0, 0},
		{"root", 0, CLI_TEXT, &options.root, "DIR",
		 "with --install and --undo: the system below DIR", 0, 0},
		{"json", 0, CLI_FLAG, &options.json, NULL, "with --pid: report as JSON", 0, 0},
		{0},
	};
	const struct cli_usage usage = {
		.name = "shield",
		.synopsis = "[options] [--] COMMAND [ARG...]\n"
			    "       weft shield --pid=PID [--dry-run | --undo]\n"
			    "       weft shield --install | --undo UNIT",
		.about = about,
		.options = table,
		.notes = notes,
		.max_operands = UINT_MAX,
		.stop_at_operand = true,
	};
	unsigned operands = cli_parse(&usage, argc, argv);

	choose_method(method, &options);
	if (pid && operands)
		cli_die("--pid takes no command");
	if (pid)
		return weft__shield_live(&options, (pid_t)pid, undo);
	if (!operands)
		cli_die("no command given; `weft shield --help` explains");
	if (!install && !undo)
		return weft__shield_run(&options, argv + 1);
	if (install && undo)
		cli_die("--install and --undo exclude each other");
	if (operands > 1)
		cli_die("one unit at a time: '%s' is one too many", argv[2]);
	return weft__shield_unit(&options, argv[1], undo);
}
