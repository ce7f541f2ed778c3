/* SPDX-License-Identifier: MIT */
/* terminal.c: messages, lines, memory, colour and progress of the command. See cli.h. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "base/time.h"
#include "cli/shell/cli.h"

static const char *command_name;
static bool progress_shown;

void cli_set_name(const char *name)
{
	command_name = name;
}

static void message(const char *format, va_list args)
{
	char *text, *clean;
	if (vasprintf(&text, format, args) < 0)
		return;
	clean = cli_clean(text);
	cli_progress_end();
	fprintf(stderr, "weft%s%s: %s\n", command_name ? " " : "", command_name ? command_name : "",
		clean);
	free(clean);
	free(text);
}

void cli_error(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	message(format, args);
	va_end(args);
}

void cli_die(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	message(format, args);
	va_end(args);
	exit(CLI_FAILURE);
}

/* The one place that cannot format a message any more. */
_Noreturn static void no_memory(void)
{
	fputs("weft: out of memory\n", stderr);
	exit(CLI_FAILURE);
}

void cli_line(FILE *out, const char *format, ...)
{
	char *text, *clean;
	va_list args;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		no_memory();
	va_end(args);
	clean = cli_clean(text);
	fprintf(out, "%s\n", clean);
	free(clean);
	free(text);
}

void *cli_alloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);
	if (!p)
		no_memory();
	return p;
}

void *cli_realloc(void *old, size_t size)
{
	void *p = realloc(old, size ? size : 1);
	if (!p)
		no_memory();
	return p;
}

char *cli_strdup(const char *text)
{
	char *p = strdup(text);
	if (!p)
		no_memory();
	return p;
}

char *cli_format(const char *format, ...)
{
	char *text;
	va_list args;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		no_memory();
	va_end(args);
	return text;
}

static bool colour(FILE *out)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
	return isatty(fileno(out)) && !(no_color && *no_color) && term && strcmp(term, "dumb");
}

const char *cli_tone_on(FILE *out, enum cli_tone tone)
{
	static const char *const code[] = {"",	       "\033[1m",  "\033[2m",
					   "\033[32m", "\033[33m", "\033[31m"};
	return colour(out) ? code[tone] : "";
}

const char *cli_tone_off(FILE *out, enum cli_tone tone)
{
	return tone != CLI_PLAIN && colour(out) ? "\033[0m" : "";
}

void cli_progress(const char *format, ...)
{
	static int64_t last;
	int64_t now = weft__clock();
	if (!isatty(STDERR_FILENO) || (last && now - last < MS(100)))
		return;
	last = now;
	va_list args;
	va_start(args, format);
	char *text, *clean;
	int n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0)
		return;
	clean = cli_clean(text);
	fprintf(stderr, "\r\033[K%.200s", clean);
	free(clean);
	free(text);
	progress_shown = true;
}

void cli_progress_end(void)
{
	if (progress_shown)
		fputs("\r\033[K", stderr);
	progress_shown = false;
}
