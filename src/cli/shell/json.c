/* SPDX-License-Identifier: MIT */
/* json.c: thin covers over jansson that never leave a half-built report unnoticed. See cli.h. */
#include <stdlib.h>

#include "cli/shell/cli.h"
#include "weft/version.h"

static json_t *must(json_t *value)
{
	if (!value)
		cli_die("out of memory while building the report");
	return value;
}

json_t *cli_json_report(const char *command)
{
	return must(json_pack("{s:i, s:s, s:o}", "schema", 1, "command", command, "version",
			      must(json_sprintf("%d.%d.%d", WEFT_VERSION_MAJOR, WEFT_VERSION_MINOR,
						WEFT_VERSION_PATCH))));
}

json_t *cli_json_text(const char *text)
{
	if (cli_is_exact(text))
		return must(json_string(text));
	char *clean = cli_clean(text);
	json_t *value = must(json_string(clean));
	free(clean);
	return value;
}

void cli_json_set(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, must(value)))
		cli_die("out of memory while building the report");
}

void cli_json_add(json_t *array, json_t *value)
{
	if (json_array_append_new(array, must(value)))
		cli_die("out of memory while building the report");
}

/* In ASCII: a report on a terminal is as harmless as one in a file. */
void cli_json_print(json_t *root, FILE *out)
{
	int failed =
		json_dumpf(root, out, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII);
	if (fputc('\n', out) == EOF || failed)
		cli_die("cannot write the report");
	json_decref(root);
}
