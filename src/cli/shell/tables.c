/* SPDX-License-Identifier: MIT */
/* tables.c: columns as wide as their widest cell. See cli.h. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/shell/cli.h"

struct cell {
	char *text;
	unsigned width; /* in characters, not bytes */
	enum cli_tone tone;
};

struct cli_table {
	unsigned columns, count, room; /* cells: count in use of room, row after row */
	unsigned *widths;
	const char *const *headings;
	struct cell *cells;
};

/* Characters of clean UTF-8: every byte that does not continue another. */
static unsigned width_of(const char *text)
{
	unsigned n = 0;
	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

struct cli_table *cli_table_new(const char *const *headings)
{
	struct cli_table *t = cli_alloc(sizeof(*t));
	t->headings = headings;
	while (headings[t->columns])
		t->columns++;
	if (!t->columns)
		cli_die("internal: a table without columns");
	t->widths = cli_alloc(t->columns * sizeof(*t->widths));
	for (unsigned i = 0; i < t->columns; i++)
		t->widths[i] = width_of(headings[i]);
	return t;
}

void cli_table_cell(struct cli_table *t, enum cli_tone tone, const char *format, ...)
{
	char *raw;
	va_list args;
	va_start(args, format);
	if (vasprintf(&raw, format, args) < 0)
		cli_die("out of memory");
	va_end(args);
	if (t->count == t->room) {
		t->room = t->room ? 2 * t->room : 64;
		t->cells = cli_realloc(t->cells, t->room * sizeof(*t->cells));
	}
	char *text = cli_clean(raw);
	unsigned width = width_of(text), column = t->count % t->columns;
	t->cells[t->count++] = (struct cell){.text = text, .width = width, .tone = tone};
	t->widths[column] = max_of(t->widths[column], width);
	free(raw);
}

/* The last column is not padded: no blanks at the ends of lines. */
static void print_cell(const struct cli_table *t, FILE *out, unsigned column, const struct cell *c)
{
	bool last = column + 1 == t->columns;
	fprintf(out, "%s%s%s%*s", cli_tone_on(out, c->tone), c->text, cli_tone_off(out, c->tone),
		last ? 0 : (int)(t->widths[column] - c->width + 2), "");
	if (last)
		fputc('\n', out);
}

static bool has_headings(const struct cli_table *t)
{
	for (unsigned i = 0; i < t->columns; i++)
		if (*t->headings[i])
			return true;
	return false;
}

void cli_table_print(const struct cli_table *t, FILE *out)
{
	if (!t->columns)
		return;
	for (unsigned i = 0; has_headings(t) && i < t->columns; i++) {
		struct cell c = {(char *)t->headings[i], width_of(t->headings[i]), CLI_BOLD};
		print_cell(t, out, i, &c);
	}
	for (unsigned i = 0; i < t->count; i++)
		print_cell(t, out, i % t->columns, &t->cells[i]);
}

void cli_table_free(struct cli_table *t)
{
	for (unsigned i = 0; t && i < t->count; i++)
		free(t->cells[i].text);
	if (t) {
		free(t->cells);
		free(t->widths);
	}
	free(t);
}
