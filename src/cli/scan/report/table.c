/* SPDX-License-Identifier: MIT */
/*
 * table.c: the report for a reader: one line per binary, details of what is wrong, advice, a
 * summary.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "cli/scan/report/report.h"

static enum cli_tone tone_of(enum go_verdict verdict)
{
	static const enum cli_tone tones[GO_VERDICTS] = {
		[GO_NOT_AFFECTED] = CLI_PLAIN, [GO_MITIGATED] = CLI_GOOD, [GO_UNKNOWN] = CLI_WARN,
		[GO_DORMANT] = CLI_WARN,       [GO_AFFECTED] = CLI_BAD,
	};
	return tones[verdict];
}

static void print_rows(const struct scan *scan, FILE *out)
{
	static const char *const headings[] = {"VERDICT", "GO", "ARCH", "PATH", NULL};
	struct cli_table *t = cli_table_new(headings);
	for (size_t i = 0; i < scan->result_count; i++) {
		const struct scan_result *r = scan->results[i];
		enum go_verdict verdict = r->judgement.verdict;
		cli_table_cell(t, tone_of(verdict), "%s", weft__go_verdict_name(verdict));
		cli_table_cell(t, CLI_PLAIN, "%s", r->version[0] ? r->version : "-");
		cli_table_cell(t, CLI_PLAIN, "%s", r->arch);
		if (r->image)
			cli_table_cell(t, CLI_PLAIN, "%s (%s%s%s)", r->path, r->image,
				       r->layer ? ", " : "", r->layer ? r->layer : "");
		else
			cli_table_cell(t, CLI_PLAIN, "%s", r->path);
	}
	if (scan->result_count)
		cli_table_print(t, out);
	cli_table_free(t);
}

static void print_callers(const struct go_judgement *j, FILE *out)
{
	for (const struct go_caller *c = j->callers; c; c = c->next)
		cli_line(out, "  %s is called by %s%s%s%s", j->rule->trigger, c->name,
			 c->harmless ? " (harmless: " : "", c->harmless ? c->harmless : "",
			 c->harmless ? ")" : "");
	if (j->callers_left_out)
		cli_line(out, "  and by %u more", j->callers_left_out);
}

static void print_process(const struct scan_process *p, FILE *out)
{
	char *gauge = p->page_limit
			      ? cli_format(", %u of %u state pages%s", p->pages, p->page_limit,
					   p->pages > p->page_limit ? ": primed" : "")
			      : cli_strdup("");
	cli_line(out, "  process %d (%s)%s%s: %s, sees the vDSO symbol: %s%s%s", (int)p->pid,
		 p->name, p->library ? ", as a library" : "", p->deleted ? ", file deleted" : "",
		 weft__go_verdict_name(p->verdict), weft__answer_name(p->vdso), gauge,
		 p->seccomp ? ", under a seccomp filter" : "");
	free(gauge);
}

/* Everything that is known of the binaries that deserve it. */
static void print_details(const struct scan *scan, FILE *out)
{
	for (size_t i = 0; i < scan->result_count; i++) {
		const struct scan_result *r = scan->results[i];
		const struct go_judgement *j = &r->judgement;
		if (j->verdict == GO_NOT_AFFECTED)
			continue;
		char *path = cli_clean(r->path);
		fprintf(out, "\n%s%s%s: %s\n", cli_tone_on(out, CLI_BOLD), path,
			cli_tone_off(out, CLI_BOLD), weft__go_verdict_name(j->verdict));
		free(path);
		cli_line(out, "  %s", j->reason);
		for (unsigned e = 0; e < j->evidence_count; e++)
			cli_line(out, "  %s", j->evidence[e]);
		print_callers(j, out);
		for (const struct scan_process *p = r->processes; p; p = p->next)
			print_process(p, out);
	}
}

static void print_advice(const struct scan *scan, FILE *out)
{
	for (unsigned i = 0; i < go_rule_count; i++) {
		const struct go_rule *rule = &go_rules[i];
		bool holds = false;
		for (size_t k = 0; k < scan->result_count; k++)
			holds = holds || (scan->results[k]->judgement.rule == rule &&
					  scan->results[k]->judgement.verdict == GO_AFFECTED);
		if (!holds)
			continue;
		fprintf(out, "\n%s%s%s\n%s\n", cli_tone_on(out, CLI_BOLD), rule->title,
			cli_tone_off(out, CLI_BOLD), rule->url);
		for (unsigned a = 0; rule->advice[a]; a++)
			fprintf(out, "  %u. %s\n", a + 1, rule->advice[a]);
		if (rule->needs_vdso && scan->host.vdso == SCAN_NO)
			fprintf(out,
				"  This host's vDSO has no such symbol: here it cannot happen.\n");
	}
}

static void print_summary(const struct scan *scan, FILE *out)
{
	unsigned count[GO_VERDICTS] = {0};
	for (size_t i = 0; i < scan->result_count; i++)
		count[scan->results[i]->judgement.verdict]++;
	fprintf(out, "%s%" PRIu64 " files, %zu Go:", scan->result_count ? "\n" : "",
		scan->counts.files, scan->result_count);
	for (int v = GO_VERDICTS - 1; v >= 0; v--)
		fprintf(out, " %u %s%s", count[v], weft__go_verdict_name((enum go_verdict)v),
			v ? "," : "");
	if (scan->counts.not_elf)
		fprintf(out, "; %" PRIu64 " named files are no ELF files", scan->counts.not_elf);
	if (scan->counts.processes)
		fprintf(out, "; %" PRIu64 " processes", scan->counts.processes);
	if (scan->counts.denied)
		fprintf(out, " (%" PRIu64 " more may not be looked at)", scan->counts.denied);
	fprintf(out, "; %" PRIu64 " errors\n", scan->counts.errors);
}

void weft__output_table(const struct scan *scan, FILE *out)
{
	print_rows(scan, out);
	print_details(scan, out);
	print_advice(scan, out);
	print_summary(scan, out);
}
