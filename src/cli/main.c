/* SPDX-License-Identifier: MIT */
/* main.c: the table of subcommands (commands.def), --help, --version, and nothing else. */
#include <string.h>

#include "cli/shell/cli.h"
#include "weft/version.h"

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
};

static const struct command commands[] = {
#define COMMAND(name, function, summary) {#name, function, summary},
#include "cli/commands.def"
#undef COMMAND
	{NULL, NULL, NULL},
};

static void print_help(FILE *out)
{
	fprintf(out, "Usage: weft COMMAND [options]\n\nCommands:\n");
	for (const struct command *c = commands; c->name; c++)
		fprintf(out, "  %-10s %s\n", c->name, c->summary);
	fprintf(out, "\n`weft COMMAND --help` explains one. `weft --version` prints the version.\n"
		     "Exit status: 0 nothing found, 1 findings, 2 wrong usage or failure.\n");
}

static const struct command *find(const char *name)
{
	for (const struct command *c = commands; c->name; c++)
		if (!strcmp(c->name, name))
			return c;
	cli_die("unknown command '%s'; `weft --help` lists the commands", name);
}

/* Output that could not be written is a failure, whatever the command found. */
static int finish(int status)
{
	if (fflush(stdout) || ferror(stdout))
		cli_die("cannot write to standard output");
	return status;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		cli_die("no command given; `weft --help` lists the commands");
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		print_help(stdout);
		return finish(CLI_CLEAN);
	}
	if (!strcmp(argv[1], "--version")) {
		printf("weft %d.%d.%d\n", WEFT_VERSION_MAJOR, WEFT_VERSION_MINOR,
		       WEFT_VERSION_PATCH);
		return finish(CLI_CLEAN);
	}
	if (argv[1][0] == '-')
		cli_die("unknown option '%s'; `weft --help` lists the commands", argv[1]);
	const struct command *command = find(argv[1]);
	cli_set_name(command->name);
	return finish(command->run(argc - 1, argv + 1));
}
