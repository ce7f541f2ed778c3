/* SPDX-License-Identifier: MIT */
/* ps.c: `weft ps`: the tasks of a running program, or of one that died and left a core file. */
#include "cli/inspect/target.h"
#include "cli/shell/cli.h"

static const char about[] = "Lists the tasks of a program that runs on libweft: of the process "
			    "PID, without stopping it, or of\n"
			    "the core file CORE.";
static const char notes[] = "Reading another process's memory needs the right to trace it. Exit "
			    "status: 0, or 2 when it\n"
			    "cannot be read or no weft runs in it.";

struct report {
	const struct target *target;
	struct cli_table *table; /* or */
	json_t *tasks;
};

static void add_row(const struct target_task *task, void *arg)
{
	const struct report *r = arg;
	char state[192];
	target_describe(r->target, task, state, sizeof(state));
	cli_table_cell(r->table, CLI_PLAIN, "%llu", (unsigned long long)task->id);
	cli_table_cell(r->table, CLI_PLAIN, "%s", task->name);
	cli_table_cell(r->table, CLI_PLAIN, "%s", state);
}

static void add_json(const struct target_task *task, void *arg)
{
	const struct report *r = arg;
	char state[192];
	json_t *o = json_object();
	target_describe(r->target, task, state, sizeof(state));
	cli_json_set(o, "id", json_integer((json_int_t)task->id));
	cli_json_set(o, "name", cli_json_text(task->name));
	cli_json_set(o, "state", cli_json_text(state));
	cli_json_set(o, "running", json_boolean(task->state == TARGET_RUNNING));
	cli_json_set(o, "tid",
		     task->state == TARGET_RUNNING ? json_integer(task->tid) : json_null());
	cli_json_add(r->tasks, o);
}

static void print_json(struct report *r)
{
	json_t *root = cli_json_report("ps");
	const struct target *t = r->target;
	r->tasks = json_array();
	target_each(t, add_json, r);
	cli_json_set(root, "processors",
		     json_integer(target_number(t, t->layout.runtime_processor_count)));
	cli_json_set(root, "threads",
		     json_integer(target_number(t, t->layout.runtime_thread_count)));
	cli_json_set(root, "tasks", r->tasks);
	cli_json_print(root, stdout);
}

static void print_table(struct report *r)
{
	static const char *const headings[] = {"TASK", "NAME", "STATE", NULL};
	r->table = cli_table_new(headings);
	target_each(r->target, add_row, r);
	cli_table_print(r->table, stdout);
	cli_table_free(r->table);
}

int cli_ps(int argc, char **argv)
{
	bool json = false;
	const struct cli_option options[] = {
		{.name = "json", .kind = CLI_FLAG, .into = &json, .help = "print JSON"},
		{0},
	};
	const struct cli_usage usage = {
		.name = "ps",
		.synopsis = "[--json] PID|CORE",
		.about = about,
		.options = options,
		.notes = notes,
		.min_operands = 1,
		.max_operands = 1,
	};
	struct target target;
	cli_parse(&usage, argc, argv);
	target_open(&target, argv[1]);
	struct report report = {.target = &target};
	if (json)
		print_json(&report);
	else
		print_table(&report);
	target_close(&target);
	return CLI_CLEAN;
}
