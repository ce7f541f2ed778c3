/* SPDX-License-Identifier: MIT */
/* test_helpers.c: what the subcommands share: options, cleaning of text, tables, JSON. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "../kit.h"
#include "cli/shell/cli.h"

static struct {
	bool flag;
	const char *text;
	uint64_t number;
	struct cli_list list;
} got;

static const struct cli_option options[] = {
	{.name = "flag", .letter = 'f', .kind = CLI_FLAG, .into = &got.flag, .help = "a flag"},
	{.name = "text",
	 .letter = 't',
	 .kind = CLI_TEXT,
	 .into = &got.text,
	 .value = "TEXT",
	 .help = "text"},
	{.name = "number",
	 .letter = 'n',
	 .kind = CLI_NUMBER,
	 .into = &got.number,
	 .value = "N",
	 .help = "number",
	 .min = 2,
	 .max = 100},
	{.name = "item", .kind = CLI_LIST, .into = &got.list, .value = "ITEM", .help = "items"},
	{0},
};

static unsigned parse(bool stop, char **argv)
{
	struct cli_usage usage = {
		.name = "test",
		.synopsis = "[options] X...",
		.about = "About.",
		.options = options,
		.max_operands = 3,
		.stop_at_operand = stop,
	};
	int argc = 0;
	while (argv[argc])
		argc++;
	memset(&got, 0, sizeof(got));
	return cli_parse(&usage, argc, argv);
}

#define PARSE(stop, ...) parse(stop, (char *[]){"test", __VA_ARGS__, NULL})

TEST("options in every form")
{
	expect_eq(PARSE(false, "--flag", "--text=a=b", "--number", "7"), 0);
	expect(got.flag);
	expect_eq(got.text, "a=b");
	expect_eq(got.number, 7);
	PARSE(false, "-fn7", "-t", "x");
	expect(got.flag);
	expect_eq(got.number, 7);
	expect_eq(got.text, "x");
	PARSE(false, "--item=1", "--item", "--2");
	expect_eq(got.list.count, 2);
	expect_eq(got.list.items[1], "--2");
}

TEST("operands between options")
{
	char *argv[] = {"test", "a", "--flag", "-", "--", "--text", NULL};
	expect_eq(parse(false, argv), 3);
	expect(got.flag);
	expect_eq(argv[1], "a");
	expect_eq(argv[2], "-");
	expect_eq(argv[3], "--text");
	expect_eq(argv[4], NULL);
}

TEST("a command line after the first operand")
{
	char *argv[] = {"test", "-f", "sleep", "--text", "1", NULL};
	expect_eq(parse(true, argv), 3);
	expect(got.flag);
	expect_eq(argv[1], "sleep");
	expect_eq(argv[2], "--text");
}

static char *mistakes[][4] = {
	{"test", "--nothing", NULL},
	{"test", "--fla", NULL},
	{"test", "--flag=1", NULL},
	{"test", "-x", NULL},
	{"test", "--text", NULL},
	{"test", "-t", NULL},
	{"test", "--number=1", NULL},
	{"test", "--number=101", NULL},
	{"test", "--number=", NULL},
	{"test", "--number=-5", NULL},
	{"test", "--number=7x", NULL},
	{"test", "--number= 7", NULL},
	{"test", "--number=99999999999999999999", NULL},
};

TEST("mistakes end with status 2", .ends = EXITS(CLI_FAILURE), .times = (int)array_len(mistakes))
{
	parse(false, mistakes[nth]);
}

TEST("too many operands end with status 2", .ends = EXITS(CLI_FAILURE))
{
	PARSE(false, "1", "2", "3", "4");
}

TEST("help ends with status 0", .ends = EXITS(CLI_CLEAN))
{
	PARSE(false, "--help", "--nothing");
}

/* bytes, as shown */
static const char *const shown[][2] = {
	{"plain", "plain"},
	{"\033[31m\n\x7f", "\\x1b[31m\\x0a\\x7f"},
	{"Stra\xc3\x9f"
	 "e \xe7\xbb\x87 \xf0\x9f\xa7\xb5",
	 "Stra\xc3\x9f"
	 "e \xe7\xbb\x87 \xf0\x9f\xa7\xb5"},
	{"\xc2\x9b"
	 "2J",
	 "\\xc2\\x9b2J"}, /* C1: some terminals obey it */
	{"\xc0\xaf \xff \xe7\xbb", "\\xc0\\xaf \\xff \\xe7\\xbb"},
	{"\xed\xa0\x80 \xf4\x90\x80\x80", "\\xed\\xa0\\x80 \\xf4\\x90\\x80\\x80"},
};

TEST("text is cleaned", .times = (int)array_len(shown))
{
	char *clean = cli_clean(shown[nth][0]);
	expect_eq(clean, shown[nth][1]);
	free(clean);
}

TEST("tables align characters not bytes")
{
	static const char *const headings[] = {"NAME", "N", NULL};
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	struct cli_table *t = cli_table_new(headings);
	cli_table_cell(t, CLI_BAD, "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\xc3\xa9");
	cli_table_cell(t, CLI_PLAIN, "%d", 1);
	cli_table_cell(t, CLI_PLAIN, "a");
	cli_table_cell(t, CLI_PLAIN, "%d", 22);
	cli_table_print(t, out);
	cli_table_free(t);
	fclose(out);
	expect_eq(text, "NAME   N\n\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\xc3\xa9  1\na      22\n");
	free(text);
}

/* What replaces every \xNN by its byte. */
static char *restored(const char *clean)
{
	char *text = cli_alloc(strlen(clean) + 1), *out = text;
	unsigned byte;
	while (*clean) {
		bool escape = clean[0] == '\\' && clean[1] == 'x' &&
			      isxdigit((unsigned char)clean[2]) &&
			      isxdigit((unsigned char)clean[3]);
		if (escape)
			sscanf(clean + 2, "%2x", &byte);
		*out++ = escape ? (char)byte : *clean;
		clean += escape ? 4 : 1;
	}
	return text;
}

static void check_restored(const char *text)
{
	char *clean = cli_clean(text), *again = restored(clean);
	json_t *json = cli_json_text(text);
	expect_eq(again, text);
	free(again);
	again = cli_is_exact(text) ? cli_strdup(json_string_value(json))
				   : restored(json_string_value(json));
	expect_eq(again, text);
	free(again);
	free(clean);
	json_decref(json);
}

/* Every text of up to five of these parts: escapes, halves of escapes, bytes that are no UTF-8. */
TEST("no two names look alike")
{
	static const char *const parts[] = {"\\",   "x",     "\xff", "\xe2\x80",
					    "\xae", "\\x1b", "f",    "1"};
	unsigned count = array_len(parts), texts = 1;
	for (unsigned length = 0; length <= 5; length++, texts *= count) {
		for (unsigned i = 0; i < texts; i++) {
			char text[64] = "";
			for (unsigned k = 0, rest = i; k < length; k++, rest /= count)
				strcat(text, parts[rest % count]);
			check_restored(text);
		}
	}
	json_t *byte = cli_json_text("a\xff"), *letters = cli_json_text("a\\xff");
	expect_eq(json_string_value(byte), "a\\xff");
	expect_eq(json_string_value(letters), "a\\x5cxff");
	json_decref(byte);
	json_decref(letters);
}
