/* SPDX-License-Identifier: MIT */
/*
 * sarif.c: the report as SARIF 2.1.0 (OASIS), for code scanning dashboards.
 *
 * A result's `kind` says what the verdict means (fail, review, informational); SARIF wants `level`
 * to be "none" for all kinds but fail. Binaries that are not affected are left out.
 */
#include <stdlib.h>

#include "cli/scan/report/report.h"
#include "weft/version.h"

static json_t *text_object(json_t *text)
{
	json_t *o = json_object();
	cli_json_set(o, "text", text);
	return o;
}

static json_t *rule_json(const struct go_rule *rule)
{
	json_t *o = json_object(), *level = json_object();
	char *help = cli_strdup("");
	for (unsigned i = 0; rule->advice[i]; i++) {
		char *more = cli_format("%s%s%u. %s", help, i ? "\n" : "", i + 1, rule->advice[i]);
		free(help);
		help = more;
	}
	cli_json_set(o, "id", json_string(rule->id));
	cli_json_set(o, "name", json_string(rule->slug));
	cli_json_set(o, "shortDescription", text_object(json_string(rule->title)));
	cli_json_set(o, "fullDescription", text_object(json_string(rule->summary)));
	cli_json_set(o, "helpUri", json_string(rule->url));
	cli_json_set(o, "help", text_object(json_string(help)));
	cli_json_set(level, "level", json_string("error"));
	cli_json_set(o, "defaultConfiguration", level);
	free(help);
	return o;
}

static json_t *driver_json(void)
{
	json_t *o = json_object(), *rules = json_array();
	cli_json_set(o, "name", json_string("weft"));
	cli_json_set(o, "version",
		     json_sprintf("%d.%d.%d", WEFT_VERSION_MAJOR, WEFT_VERSION_MINOR,
				  WEFT_VERSION_PATCH));
	for (unsigned i = 0; i < go_rule_count; i++)
		cli_json_add(rules, rule_json(&go_rules[i]));
	cli_json_set(o, "rules", rules);
	return o;
}

static json_t *locations_json(const char *path)
{
	json_t *list = json_array(), *location = json_object(), *physical = json_object(),
	       *artifact = json_object();
	char *uri = weft__output_uri(path);
	cli_json_set(artifact, "uri", json_string(uri));
	cli_json_set(physical, "artifactLocation", artifact);
	cli_json_set(location, "physicalLocation", physical);
	cli_json_add(list, location);
	free(uri);
	return list;
}

static json_t *properties_json(const struct scan_result *r)
{
	json_t *o = json_object(), *evidence = json_array();
	for (unsigned i = 0; i < r->judgement.evidence_count; i++)
		cli_json_add(evidence, cli_json_text(r->judgement.evidence[i]));
	cli_json_set(o, "verdict", json_string(weft__go_verdict_name(r->judgement.verdict)));
	cli_json_set(o, "goVersion", cli_json_text(r->version));
	cli_json_set(o, "arch", cli_json_text(r->arch));
	cli_json_set(o, "evidence", evidence);
	if (r->image) {
		cli_json_set(o, "image", cli_json_text(r->image));
		cli_json_set(o, "layer", r->layer ? cli_json_text(r->layer) : json_null());
	}
	return o;
}

static json_t *result_json(const struct scan_result *r)
{
	static const struct {
		const char *kind, *level;
	} words[GO_VERDICTS] = {
		[GO_MITIGATED] = {"informational", "none"},
		[GO_UNKNOWN] = {"review", "none"},
		[GO_DORMANT] = {"fail", "warning"},
		[GO_AFFECTED] = {"fail", "error"},
	};
	const struct go_judgement *j = &r->judgement;
	json_t *o = json_object();
	char *message = cli_format("%s: %s", weft__go_verdict_name(j->verdict), j->reason);
	cli_json_set(o, "ruleId", json_string(j->rule->id));
	cli_json_set(o, "ruleIndex", json_integer(j->rule - go_rules));
	cli_json_set(o, "kind", json_string(words[j->verdict].kind));
	cli_json_set(o, "level", json_string(words[j->verdict].level));
	cli_json_set(o, "message", text_object(cli_json_text(message)));
	cli_json_set(o, "locations", locations_json(r->path));
	cli_json_set(o, "properties", properties_json(r));
	free(message);
	return o;
}

/* Failures are notifications of the one invocation. */
static json_t *invocations_json(const struct scan *scan)
{
	json_t *list = json_array(), *o = json_object(), *notes = json_array();
	for (size_t i = 0; i < scan->error_count; i++) {
		json_t *note = json_object();
		cli_json_set(note, "level", json_string("error"));
		cli_json_set(note, "message", text_object(cli_json_text(scan->errors[i].message)));
		cli_json_set(note, "locations", locations_json(scan->errors[i].path));
		cli_json_add(notes, note);
	}
	cli_json_set(o, "executionSuccessful", json_boolean(!scan->counts.errors));
	cli_json_set(o, "toolExecutionNotifications", notes);
	cli_json_add(list, o);
	return list;
}

void weft__output_sarif(const struct scan *scan, FILE *out)
{
	json_t *root = json_object(), *runs = json_array(), *run = json_object(),
	       *tool = json_object();
	json_t *results = json_array();
	cli_json_set(root, "$schema", json_string("https://json.schemastore.org/sarif-2.1.0.json"));
	cli_json_set(root, "version", json_string("2.1.0"));
	cli_json_set(tool, "driver", driver_json());
	cli_json_set(run, "tool", tool);
	cli_json_set(run, "invocations", invocations_json(scan));
	for (size_t i = 0; i < scan->result_count; i++)
		if (scan->results[i]->judgement.verdict != GO_NOT_AFFECTED)
			cli_json_add(results, result_json(scan->results[i]));
	cli_json_set(run, "results", results);
	cli_json_add(runs, run);
	cli_json_set(root, "runs", runs);
	cli_json_print(root, out);
}
