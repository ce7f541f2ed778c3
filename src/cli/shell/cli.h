/* SPDX-License-Identifier: MIT */
/*
 * cli.h: what the subcommands of `weft` share: options, errors, tables, colour, progress, JSON.
 *
 * A subcommand is one function `int cli_NAME(int argc, char **argv)` in a folder of its own (a
 * small one in a file of `inspect`) and one line in commands.def. It returns its exit status:
 *
 *   CLI_CLEAN 0     nothing found, everything as predicted
 *   CLI_FINDINGS 1  something was found
 *   CLI_FAILURE 2   wrong usage, or it could not do its work
 *
 * Reports go to stdout; errors and progress to stderr. Text that came from elsewhere (names of
 * files and processes, what files contain) is printed by way of cli_line, cli_table_cell,
 * cli_json_text or cli_clean, which make control characters visible: a file's name must not be able
 * to write to the terminal.
 *
 * Memory: cli_alloc and its like never return NULL, they end the command with status 2. That is for
 * sizes of our own choosing; a size that a hostile file chose is capped first.
 */
#ifndef WEFT_CLI_SHELL_CLI_H
#define WEFT_CLI_SHELL_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/attr.h"

#define COMMAND(name, function, summary) int function(int argc, char **argv);
#include "cli/commands.def"
#undef COMMAND

enum { CLI_CLEAN = 0, CLI_FINDINGS = 1, CLI_FAILURE = 2 };

/* Options (options.c) */

enum cli_kind {
	CLI_FLAG,   /* into: bool *, set to true */
	CLI_TEXT,   /* into: const char ** */
	CLI_NUMBER, /* into: uint64_t *, decimal, between min and max */
	CLI_LIST,   /* into: struct cli_list *; may be given several times */
};

struct cli_list {
	const char **items; /* borrowed from argv */
	unsigned count;
};

struct cli_option {
	const char *name; /* without the dashes; NULL ends the table */
	char letter;	  /* short form, or 0 */
	enum cli_kind kind;
	void *into;
	const char *value; /* the value's name in the help; unused for flags */
	const char *help;  /* one line */
	uint64_t min, max; /* CLI_NUMBER; max 0 means no limit */
};

struct cli_usage {
	const char *name;     /* "scan" */
	const char *synopsis; /* what follows the name: "[options] PATH..." */
	const char *about;    /* a paragraph, lines broken by hand */
	const struct cli_option *options;
	const char *notes; /* after the options: examples, exit status; or NULL */
	unsigned min_operands, max_operands;
	/* What follows the first operand is never an option: it is a command line. */
	bool stop_at_operand;
};

/*
 * Reads the options into their variables and moves the operands to argv[1..count], with NULL after
 * them; returns the count. Ends the program for --help (status 0) and for any mistake (one line,
 * status 2): called before anything is opened.
 */
unsigned cli_parse(const struct cli_usage *usage, int argc, char **argv);

/* Errors and memory (terminal.c) */

/* "weft scan: message" on stderr. */
void cli_error(const char *format, ...) printf_like(1, 2);
/* The same, then exit with CLI_FAILURE. */
_Noreturn void cli_die(const char *format, ...) printf_like(1, 2);
/* Names the subcommand for these messages. */
void cli_set_name(const char *name);

void *cli_alloc(size_t size); /* zeroed */
void *cli_realloc(void *old, size_t size);
char *cli_strdup(const char *text);
char *cli_format(const char *format, ...) printf_like(1, 2); /* the caller frees */

/* Text of unknown origin (text.c) */

/*
 * A copy fit for a terminal; the caller frees. Controls, invisible characters and what is no UTF-8
 * appear as \xNN, a byte each; so does the backslash of a text that itself reads "\xNN". Replacing
 * every \xNN by its byte restores the text.
 */
char *cli_clean(const char *text);
/* Is it UTF-8 that JSON can carry as it is, without "\xNN" in it? */
bool cli_is_exact(const char *text);
/* Prints one line; whatever was formatted into it is cleaned. */
void cli_line(FILE *out, const char *format, ...) printf_like(2, 3);

/* Terminal (terminal.c) */

enum cli_tone { CLI_PLAIN, CLI_BOLD, CLI_DIM, CLI_GOOD, CLI_WARN, CLI_BAD };

/* The escape sequences around a tone: only on a terminal, without NO_COLOR and TERM=dumb. */
const char *cli_tone_on(FILE *out, enum cli_tone tone);
const char *cli_tone_off(FILE *out, enum cli_tone tone);

/*
 * One changing line on stderr, at most ten times a second, only on a terminal. One thread calls it.
 */
void cli_progress(const char *format, ...) printf_like(1, 2);
/* Clears that line. Call it before other output. */
void cli_progress_end(void);

/* New files (newfile.c) */

/*
 * Creates the file `name` in `directory`; what a killed command left under that name is removed.
 * Returns a descriptor for reading and writing, which keeps other commands off the name until it is
 * closed. -EBUSY: such a command is at work; -EEXIST: something other than a file is in the way.
 */
int cli_new_file(int directory, const char *name, mode_t mode);

/* Tables (tables.c) */

struct cli_table;

/*
 * `headings`: the column titles, ended by NULL; an empty title for every column prints no heading.
 */
struct cli_table *cli_table_new(const char *const *headings);
/* The next cell, row by row from left to right. The text is cleaned. */
void cli_table_cell(struct cli_table *t, enum cli_tone tone, const char *format, ...)
	printf_like(3, 4);
void cli_table_print(const struct cli_table *t, FILE *out);
void cli_table_free(struct cli_table *t);

/* JSON (json.c) */

/* {"schema": 1, "command": command, "version": "0.2.0"}: where every report begins. */
json_t *cli_json_report(const char *command);
/* A JSON string from bytes of any kind: exact, or by cli_clean where that is not possible. */
json_t *cli_json_text(const char *text);
/* object[key] = value, which is taken over. */
void cli_json_set(json_t *object, const char *key, json_t *value);
/* array[] = value, which is taken over. */
void cli_json_add(json_t *array, json_t *value);
/* Prints and frees; ends the command with CLI_FAILURE when it cannot be written. */
void cli_json_print(json_t *root, FILE *out);

#endif
