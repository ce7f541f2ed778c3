/* SPDX-License-Identifier: MIT */
/*
 * prometheus.c: the report for node_exporter's textfile collector.
 *
 * Counts for alerts, one series per binary that is not clean, one per process for the gauge. Write
 * it to a temporary file and rename: the collector must not read half of it.
 */
#include <stdlib.h>
#include <time.h>

#include "cli/scan/report/report.h"

/* Prints name="value", with the three escapes that the format knows. */
static void print_label(FILE *out, const char *name, const char *value)
{
	char *clean = cli_clean(value);
	fprintf(out, "%s=\"", name);
	for (const char *p = clean; *p; p++) {
		if (*p == '\\' || *p == '"')
			fputc('\\', out);
		fputc(*p, out);
	}
	fputc('"', out);
	free(clean);
}

static void print_head(FILE *out, const char *metric, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s gauge\n", metric, help, metric);
}

static void print_counts(const struct scan *scan, FILE *out)
{
	print_head(out, "weft_scan_binaries", "Go binaries found, by rule and verdict.");
	for (unsigned i = 0; i < go_rule_count; i++) {
		size_t count[GO_VERDICTS] = {0};
		for (size_t k = 0; k < scan->result_count; k++)
			if (scan->results[k]->judgement.rule == &go_rules[i])
				count[scan->results[k]->judgement.verdict]++;
		for (int v = 0; v < GO_VERDICTS; v++)
			fprintf(out, "weft_scan_binaries{rule=\"%s\",verdict=\"%s\"} %zu\n",
				go_rules[i].id, weft__go_verdict_name((enum go_verdict)v),
				count[v]);
	}
}

static void print_binaries(const struct scan *scan, FILE *out)
{
	print_head(out, "weft_scan_binary",
		   "A Go binary that is not clean; the value is always 1.");
	for (size_t i = 0; i < scan->result_count; i++) {
		const struct scan_result *r = scan->results[i];
		if (r->judgement.verdict == GO_NOT_AFFECTED)
			continue;
		fprintf(out, "weft_scan_binary{");
		print_label(out, "path", r->path);
		fputc(',', out);
		print_label(out, "image", r->image ? r->image : "");
		fputc(',', out);
		print_label(out, "layer", r->layer ? r->layer : "");
		fputc(',', out);
		print_label(out, "go_version", r->version);
		fprintf(out, ",arch=\"%s\",rule=\"%s\",verdict=\"%s\"} 1\n", r->arch,
			r->judgement.rule->id, weft__go_verdict_name(r->judgement.verdict));
	}
}

/* One series of `metric` per process that was looked at. */
static void print_processes(const struct scan *scan, FILE *out, const char *metric,
			    const char *help, unsigned (*value)(const struct scan_process *p))
{
	print_head(out, metric, help);
	for (size_t i = 0; i < scan->result_count; i++) {
		for (const struct scan_process *p = scan->results[i]->processes; p; p = p->next) {
			if (!p->page_limit)
				continue;
			fprintf(out, "%s{pid=\"%d\",", metric, (int)p->pid);
			print_label(out, "name", p->name);
			fputc(',', out);
			print_label(out, "path", scan->results[i]->path);
			fprintf(out, ",verdict=\"%s\"} %u\n", weft__go_verdict_name(p->verdict),
				value(p));
		}
	}
}

static unsigned pages_of(const struct scan_process *p)
{
	return p->pages;
}

static unsigned limit_of(const struct scan_process *p)
{
	return p->page_limit;
}

void weft__output_prometheus(const struct scan *scan, FILE *out)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	print_counts(scan, out);
	print_binaries(scan, out);
	print_processes(scan, out, "weft_scan_process_state_pages",
			"Pages of random states that the process holds.", pages_of);
	print_processes(scan, out, "weft_scan_process_state_page_limit",
			"Pages of its first batch; with more than that it is primed to crash.",
			limit_of);
	print_head(out, "weft_scan_host_vdso_getrandom",
		   "1 if this host's vDSO exports getrandom.");
	fprintf(out, "weft_scan_host_vdso_getrandom %d\n", scan->host.vdso == SCAN_YES);
	print_head(out, "weft_scan_files", "Files looked at.");
	fprintf(out, "weft_scan_files %llu\n", (unsigned long long)scan->counts.files);
	print_head(out, "weft_scan_errors", "Things that could not be looked at.");
	fprintf(out, "weft_scan_errors %llu\n", (unsigned long long)scan->counts.errors);
	print_head(out, "weft_scan_timestamp_seconds", "When the scan ended.");
	fprintf(out, "weft_scan_timestamp_seconds %lld\n",
		epoch ? strtoll(epoch, NULL, 10) : (long long)time(NULL));
}
