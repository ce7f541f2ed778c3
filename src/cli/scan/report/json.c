/* SPDX-License-Identifier: MIT */
/* json.c: the whole report as JSON; docs/scan.schema.json describes it. */
#include "cli/scan/report/report.h"

static json_t *answer(enum scan_answer value)
{
	return value == SCAN_NOT_KNOWN ? json_null() : json_boolean(value == SCAN_YES);
}

static json_t *host_json(const struct scan_host *host)
{
	json_t *o = json_object();
	cli_json_set(o, "kernel", cli_json_text(host->kernel));
	cli_json_set(o, "machine", cli_json_text(host->machine));
	cli_json_set(o, "vdso_getrandom", answer(host->vdso));
	cli_json_set(o, "cpus", json_integer(host->cpus));
	cli_json_set(o, "state_page_limit", json_integer(host->page_limit));
	return o;
}

static json_t *counts_json(const struct scan_counts *counts)
{
	json_t *o = json_object();
	cli_json_set(o, "files", json_integer((json_int_t)counts->files));
	cli_json_set(o, "operands_not_elf", json_integer((json_int_t)counts->not_elf));
	cli_json_set(o, "elf", json_integer((json_int_t)counts->elf));
	cli_json_set(o, "go", json_integer((json_int_t)counts->go));
	cli_json_set(o, "processes", json_integer((json_int_t)counts->processes));
	cli_json_set(o, "processes_denied", json_integer((json_int_t)counts->denied));
	cli_json_set(o, "errors", json_integer((json_int_t)counts->errors));
	return o;
}

static json_t *callers_json(const struct go_judgement *j)
{
	json_t *list = json_array();
	for (const struct go_caller *c = j->callers; c; c = c->next) {
		json_t *o = json_object();
		cli_json_set(o, "function", cli_json_text(c->name));
		cli_json_set(o, "calls", json_integer(c->calls));
		cli_json_set(o, "harmless", json_boolean(c->harmless));
		if (c->harmless)
			cli_json_set(o, "why", cli_json_text(c->harmless));
		cli_json_add(list, o);
	}
	return list;
}

static json_t *process_json(const struct scan_process *p)
{
	json_t *o = json_object();
	cli_json_set(o, "pid", json_integer(p->pid));
	cli_json_set(o, "name", cli_json_text(p->name));
	cli_json_set(o, "verdict", json_string(weft__go_verdict_name(p->verdict)));
	cli_json_set(o, "deleted", json_boolean(p->deleted));
	cli_json_set(o, "library", json_boolean(p->library));
	cli_json_set(o, "vdso_getrandom", answer(p->vdso));
	cli_json_set(o, "seccomp", json_boolean(p->seccomp));
	cli_json_set(o, "state_pages", p->page_limit ? json_integer(p->pages) : json_null());
	cli_json_set(o, "state_page_limit",
		     p->page_limit ? json_integer(p->page_limit) : json_null());
	cli_json_set(o, "primed",
		     p->page_limit ? json_boolean(p->pages > p->page_limit) : json_null());
	return o;
}

static json_t *result_json(const struct scan_result *r)
{
	const struct go_judgement *j = &r->judgement;
	json_t *o = json_object(), *evidence = json_array(), *names = json_array();
	cli_json_set(o, "path", cli_json_text(r->path));
	for (const struct scan_name *n = r->names; n; n = n->next)
		cli_json_add(names, cli_json_text(n->path));
	cli_json_set(o, "names", names);
	if (r->image) {
		cli_json_set(o, "image", cli_json_text(r->image));
		cli_json_set(o, "layer", r->layer ? cli_json_text(r->layer) : json_null());
	}
	cli_json_set(o, "verdict", json_string(weft__go_verdict_name(j->verdict)));
	cli_json_set(o, "rule", json_string(j->rule->id));
	cli_json_set(o, "reason", cli_json_text(j->reason));
	cli_json_set(o, "go_version", r->version[0] ? cli_json_text(r->version) : json_null());
	cli_json_set(o, "arch", cli_json_text(r->arch));
	cli_json_set(o, "packed", json_boolean(r->packed));
	for (unsigned i = 0; i < j->evidence_count; i++)
		cli_json_add(evidence, cli_json_text(j->evidence[i]));
	cli_json_set(o, "evidence", evidence);
	cli_json_set(o, "lock_os_thread_callers", callers_json(j));
	cli_json_set(o, "callers_left_out", json_integer(j->callers_left_out));
	if (r->processes) {
		json_t *processes = json_array();
		for (const struct scan_process *p = r->processes; p; p = p->next)
			cli_json_add(processes, process_json(p));
		cli_json_set(o, "processes", processes);
	}
	return o;
}

static json_t *errors_json(const struct scan *scan)
{
	json_t *list = json_array();
	for (size_t i = 0; i < scan->error_count; i++) {
		json_t *o = json_object();
		cli_json_set(o, "path", cli_json_text(scan->errors[i].path));
		cli_json_set(o, "message", cli_json_text(scan->errors[i].message));
		cli_json_add(list, o);
	}
	return list;
}

void weft__output_json(const struct scan *scan, FILE *out)
{
	json_t *root = cli_json_report("scan"), *results = json_array();
	cli_json_set(root, "host", host_json(&scan->host));
	cli_json_set(root, "counts", counts_json(&scan->counts));
	cli_json_set(root, "verdict", json_string(weft__go_verdict_name(weft__scan_worst(scan))));
	for (size_t i = 0; i < scan->result_count; i++)
		cli_json_add(results, result_json(scan->results[i]));
	cli_json_set(root, "results", results);
	cli_json_set(root, "errors", errors_json(scan));
	cli_json_print(root, out);
}
