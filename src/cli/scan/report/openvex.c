/* SPDX-License-Identifier: MIT */
/*
 * openvex.c: the report as an OpenVEX 0.2.0 document, which other scanners take as an answer about
 * a product.
 *
 * `affected-dormant` is not_affected there (the code is present and not in the execute path),
 * `mitigated` has inline mitigations, `unknown` is under investigation.
 */
#include <stdlib.h>

#include "cli/scan/report/report.h"
#include "weft/random.h"

static const struct {
	const char *status, *justification;
} statuses[GO_VERDICTS] = {
	[GO_NOT_AFFECTED] = {"not_affected", "vulnerable_code_not_present"},
	[GO_MITIGATED] = {"not_affected", "inline_mitigations_already_exist"},
	[GO_UNKNOWN] = {"under_investigation", NULL},
	[GO_DORMANT] = {"not_affected", "vulnerable_code_not_in_execute_path"},
	[GO_AFFECTED] = {"affected", NULL},
};

static json_t *vulnerability_json(const struct go_rule *rule)
{
	json_t *o = json_object(), *aliases = json_array();
	cli_json_set(o, "@id", json_string(rule->url));
	cli_json_set(o, "name", json_string(rule->id));
	cli_json_set(o, "description", json_string(rule->title));
	for (unsigned i = 0; rule->aliases[i]; i++)
		cli_json_add(aliases, json_string(rule->aliases[i]));
	cli_json_set(o, "aliases", aliases);
	return o;
}

static json_t *component_json(const char *path)
{
	json_t *o = json_object();
	char *uri = weft__output_uri(path);
	cli_json_set(o, "@id", json_string(uri));
	free(uri);
	return o;
}

/* The product is the file; of an image it is the image, and the file a part of it. */
static json_t *products_json(const struct scan_result *r)
{
	json_t *list = json_array(), *product = component_json(r->image ? r->image : r->path);
	if (r->image) {
		json_t *parts = json_array();
		cli_json_add(parts, component_json(r->path));
		cli_json_set(product, "subcomponents", parts);
	}
	cli_json_add(list, product);
	return list;
}

static json_t *statement_json(const struct scan_result *r)
{
	const struct go_judgement *j = &r->judgement;
	json_t *o = json_object();
	cli_json_set(o, "vulnerability", vulnerability_json(j->rule));
	cli_json_set(o, "products", products_json(r));
	cli_json_set(o, "status", json_string(statuses[j->verdict].status));
	if (statuses[j->verdict].justification) {
		cli_json_set(o, "justification", json_string(statuses[j->verdict].justification));
		cli_json_set(o, "impact_statement", cli_json_text(j->reason));
	} else {
		cli_json_set(o, "status_notes", cli_json_text(j->reason));
	}
	if (j->verdict == GO_AFFECTED)
		cli_json_set(o, "action_statement", json_string(j->rule->advice[0]));
	return o;
}

/* A random (version 4) UUID: each run makes a document of its own. */
static char *document_id(void)
{
	unsigned char u[16];
	weft_random_bytes(u, sizeof(u));
	u[6] = (unsigned char)((u[6] & 0x0f) | 0x40);
	u[8] = (unsigned char)((u[8] & 0x3f) | 0x80);
	return cli_format(
		"urn:uuid:%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12],
		u[13], u[14], u[15]);
}

void weft__output_openvex(const struct scan *scan, FILE *out)
{
	json_t *root = json_object(), *statements = json_array();
	char time[32], *id = document_id();
	cli_json_set(root, "@context", json_string("https://openvex.dev/ns/v0.2.0"));
	cli_json_set(root, "@id", json_string(id));
	cli_json_set(root, "author", json_string("weft scan"));
	cli_json_set(root, "timestamp", json_string(weft__output_time(time)));
	cli_json_set(root, "version", json_integer(1));
	for (size_t i = 0; i < scan->result_count; i++)
		cli_json_add(statements, statement_json(scan->results[i]));
	cli_json_set(root, "statements", statements);
	free(id);
	cli_json_print(root, out);
}
