/* SPDX-License-Identifier: MIT */
/*
 * options.c: reads options from a table. See cli.h.
 *
 * Rejected: getopt_long. It accepts abbreviations, which makes every prefix of an option part of
 * the interface, and its messages differ between C libraries.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/shell/cli.h"

struct parse {
	const struct cli_usage *usage;
	int argc, next; /* argv[next] is read next */
	char **argv;
	unsigned operands; /* argv[1..operands] are operands */
};

static bool takes_value(const struct cli_option *o)
{
	return o->kind != CLI_FLAG;
}

static void print_option(const struct cli_option *o)
{
	char left[64];
	char letter[8] = "    ";
	if (o->letter)
		snprintf(letter, sizeof(letter), "-%c, ", o->letter);
	snprintf(left, sizeof(left), "%s--%s%s%s", letter, o->name, takes_value(o) ? "=" : "",
		 takes_value(o) ? o->value : "");
	printf("  %-26s %s\n", left, o->help);
}

_Noreturn static void print_help(const struct cli_usage *u)
{
	printf("Usage: weft %s %s\n\n%s\n\nOptions:\n", u->name, u->synopsis, u->about);
	for (const struct cli_option *o = u->options; o->name; o++)
		print_option(o);
	printf("  %-26s %s\n", "    --help", "this text");
	if (u->notes)
		printf("\n%s\n", u->notes);
	exit(fflush(stdout) || ferror(stdout) ? CLI_FAILURE : CLI_CLEAN);
}

static uint64_t number(const struct cli_option *o, const char *text)
{
	char *end;
	uint64_t max = o->max ? o->max : UINT64_MAX;
	errno = 0;
	unsigned long long n = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end)
		cli_die("--%s needs a number, not '%s'", o->name, text);
	if (errno || n < o->min || n > max)
		cli_die("--%s must be between %llu and %llu, not %s", o->name,
			(unsigned long long)o->min, (unsigned long long)max, text);
	return n;
}

static void store(const struct cli_option *o, const char *value)
{
	struct cli_list *list;
	switch (o->kind) {
	case CLI_FLAG:
		*(bool *)o->into = true;
		break;
	case CLI_TEXT:
		*(const char **)o->into = value;
		break;
	case CLI_NUMBER:
		*(uint64_t *)o->into = number(o, value);
		break;
	case CLI_LIST:
		list = o->into;
		list->items = cli_realloc(list->items, (list->count + 1) * sizeof(*list->items));
		list->items[list->count++] = value;
		break;
	}
}

/* The value of an option that stands alone: the next argument. */
static const char *next_value(struct parse *p, const struct cli_option *o)
{
	if (p->next >= p->argc)
		cli_die("--%s needs a value (%s)", o->name, o->value);
	return p->argv[p->next++];
}

static void long_option(struct parse *p, const char *arg)
{
	const char *equals = strchr(arg, '=');
	size_t len = equals ? (size_t)(equals - arg) : strlen(arg);
	if (len == 4 && !memcmp(arg, "help", 4))
		print_help(p->usage);
	for (const struct cli_option *o = p->usage->options; o->name; o++) {
		if (strlen(o->name) != len || memcmp(o->name, arg, len))
			continue;
		if (!takes_value(o) && equals)
			cli_die("--%s takes no value", o->name);
		store(o, !takes_value(o) ? NULL : equals ? equals + 1 : next_value(p, o));
		return;
	}
	cli_die("unknown option '--%.*s'; `weft %s --help` lists the options", (int)len, arg,
		p->usage->name);
}

/* "-abVALUE": flags, the last of which may take the rest or the next argument as its value. */
static void short_options(struct parse *p, const char *letters)
{
	for (const char *c = letters; *c; c++) {
		const struct cli_option *o = p->usage->options;
		while (o->name && o->letter != *c)
			o++;
		if (*c == 'h' && !o->name)
			print_help(p->usage);
		if (!o->name)
			cli_die("unknown option '-%c'; `weft %s --help` lists the options", *c,
				p->usage->name);
		if (takes_value(o)) {
			store(o, c[1] ? c + 1 : next_value(p, o));
			return;
		}
		store(o, NULL);
	}
}

static void take_rest(struct parse *p)
{
	while (p->next < p->argc)
		p->argv[++p->operands] = p->argv[p->next++];
}

static void check_operands(const struct parse *p)
{
	const struct cli_usage *u = p->usage;
	if (p->operands < u->min_operands)
		cli_die("something is missing: weft %s %s", u->name, u->synopsis);
	if (p->operands > u->max_operands)
		cli_die("unexpected argument '%s'; usage: weft %s %s", p->argv[u->max_operands + 1],
			u->name, u->synopsis);
}

unsigned cli_parse(const struct cli_usage *usage, int argc, char **argv)
{
	struct parse p = {.usage = usage, .argc = argc, .argv = argv, .next = 1};
	while (p.next < argc) {
		char *arg = argv[p.next++];
		if (!strcmp(arg, "--")) {
			take_rest(&p);
		} else if (arg[0] == '-' && arg[1] == '-') {
			long_option(&p, arg + 2);
		} else if (arg[0] == '-' && arg[1]) {
			short_options(&p, arg + 1);
		} else {
			argv[++p.operands] = arg;
			if (usage->stop_at_operand)
				take_rest(&p);
		}
	}
	argv[p.operands + 1] = NULL;
	check_operands(&p);
	return p.operands;
}
