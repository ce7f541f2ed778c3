/* SPDX-License-Identifier: MIT */
/*
 * command.c: `weft patch`: reads the request, finds the state of the file, changes it, and tells
 * the operator what follows.
 */
#include "cli/patch/patch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/shell/cli.h"

struct request {
	bool dry_run, revert, hard_links, force, json;
	const char *output;
};

static const char about[] =
	"Makes a Go binary with the crash of Go 1.24.0 to 1.24.2 safe by changing one byte on "
	"disk: the\n"
	"name by which its runtime looks for the vDSO's getrandom. It then uses the system call, "
	"which\n"
	"costs about half a microsecond a draw; everything else stays in the vDSO.\n\n"
	"The file is replaced as a whole or not at all; owner, mode and extended attributes stay.";

static const char notes[] =
	"What changes beside the byte: the file's hash and its modification time. Package "
	"verification\n"
	"(rpm -V, debsums), signatures and image digests will differ, and a package update "
	"replaces the\n"
	"file. Processes that run keep the old code until they are restarted.\n\n"
	"Exit status: 0 done, or nothing to do; 1 --dry-run would change it; 2 refused or failed.";

static void report_json(const struct patch_file *f, const struct patch_plan *plan,
			const char *result)
{
	json_t *root = cli_json_report("patch");

	cli_json_set(root, "path", cli_json_text(f->path));
	cli_json_set(root, "result", json_string(result));
	if (plan->reason[0])
		cli_json_set(root, "reason", cli_json_text(plan->reason));
	if (plan->state <= PATCH_DONE) {
		cli_json_set(root, "symbol", json_string(plan->symbol));
		cli_json_set(root, "offset", json_integer((json_int_t)plan->offset));
		cli_json_set(root, "compiled", json_integer(plan->old));
		cli_json_set(root, "patched", json_integer(plan->new));
	}
	cli_json_print(root, stdout);
}

static void report_text(const struct patch_file *f, const struct patch_plan *plan,
			const char *result)
{
	cli_line(stdout, "%s: %s%s%s", f->path, result, plan->reason[0] ? ": " : "", plan->reason);
	if (plan->state <= PATCH_DONE)
		printf("  byte %#llx, the last of the name \"%s\": '%c' as compiled, '%c' as "
		       "patched\n",
		       (unsigned long long)plan->offset, plan->symbol, plan->old, plan->new);
}

static void report(const struct request *r, const struct patch_file *f,
		   const struct patch_plan *plan, const char *result)
{
	(r->json ? report_json : report_text)(f, plan, result);
}

static void advise(const struct patch_file *f)
{
	printf("Restart what runs it. Package verification, signatures and image digests differ "
	       "from now on;\n");
	cli_line(stdout,
		 "an update of its package replaces it. `weft patch --revert %s` takes it back.",
		 f->path);
}

static _Noreturn void refuse(const struct patch_file *f, const char *doing, int error)
{
	if (error == -EROFS)
		cli_die("%s is left as it is: its file system is read-only; `weft shield` needs no "
			"change on disk",
			f->path);
	if (error == -EBUSY)
		cli_die("%s is left as it is: another patch of it is at work and holds %s", f->path,
			f->copy);
	if (!doing)
		cli_die("%s is left as it is: cannot make the copy %s beside it: %s", f->path,
			f->copy, strerror(-error));
	cli_die("%s is left as it is: cannot %s: %s", f->path, doing, strerror(-error));
}

/* All or nothing: where the file cannot be replaced, a record made for it goes too. */
static void replace(const struct request *r, const struct patch_file *f,
		    const struct patch_change *change, bool recorded)
{
	const char *doing;
	int error = weft__patch_write(f, r->output, change, &doing);

	if (error && recorded)
		weft__undo_remove(f);
	if (error)
		refuse(f, doing, error);
}

static void check_obstacles(const struct request *r, const struct patch_file *f)
{
	const char *obstacle = r->output ? NULL : weft__patch_obstacle(f, r->hard_links);

	if (obstacle)
		cli_die("%s is left as it is: %s", f->path, obstacle);
}

static int patch(const struct request *r, const struct patch_file *f, const struct patch_plan *plan)
{
	if (plan->state == PATCH_DONE) {
		report(r, f, plan, "patched already");
		return CLI_CLEAN;
	}
	check_obstacles(r, f);
	if (r->dry_run) {
		report(r, f, plan, "would be patched");
		return CLI_FINDINGS;
	}
	int error = r->output ? 0 : weft__undo_write(f, plan);
	if (error)
		refuse(f, "write the undo record", error);
	replace(r, f, &(struct patch_change){plan->offset, plan->new, NULL}, !r->output);
	report(r, f, plan, r->output ? "a patched copy was written" : "patched");
	if (!r->output && !r->json)
		advise(f);
	return CLI_CLEAN;
}

static int revert(const struct request *r, const struct patch_file *f,
		  const struct patch_plan *plan)
{
	struct timespec mtime;

	if (plan->state == PATCH_NEEDED) {
		if (!r->dry_run && !r->output)
			weft__undo_remove(f); /* of a patch that was killed before it was done */
		report(r, f, plan, "not patched");
		return CLI_CLEAN;
	}
	int error = weft__undo_read(f, plan, &mtime);
	if (error && error != -ENOENT)
		cli_die("%s is left as it is: its undo record is not about this file (%s)", f->path,
			strerror(-error));
	check_obstacles(r, f);
	if (r->dry_run) {
		report(r, f, plan, "would be reverted");
		return CLI_FINDINGS;
	}
	replace(r, f, &(struct patch_change){plan->offset, plan->old, error ? NULL : &mtime},
		false);
	if (!r->output && weft__undo_remove(f))
		cli_error("the undo record of %s could not be removed", f->path);
	report(r, f, plan, r->output ? "a copy as compiled was written" : "as compiled again");
	return CLI_CLEAN;
}

static int work(const struct request *r, const struct patch_file *f)
{
	struct patch_plan plan;

	weft__patch_plan(f->fd, (uint64_t)f->st.st_size, r->force, &plan);
	if (plan.state == PATCH_REFUSED)
		cli_die("%s is left as it is: %s", f->path, plan.reason);
	if (plan.state == PATCH_NOT_NEEDED) {
		report(r, f, &plan, "nothing to do");
		return CLI_CLEAN;
	}
	return r->revert ? revert(r, f, &plan) : patch(r, f, &plan);
}

int cli_patch(int argc, char **argv)
{
	struct request r = {.output = NULL};
	struct patch_file f;
	const struct cli_option table[] = {
		{"dry-run", 'n', CLI_FLAG, &r.dry_run, NULL, "only say what would be done", 0, 0},
		{"output", 'o', CLI_TEXT, &r.output, "FILE",
		 "write a new file, leave BINARY as it is", 0, 0},
		{"revert", 'r', CLI_FLAG, &r.revert, NULL, "put the compiler's byte back", 0, 0},
		{"hard-links", 0, CLI_FLAG, &r.hard_links, NULL,
		 "accept that other names keep the old content", 0, 0},
		{"force", 0, CLI_FLAG, &r.force, NULL,
		 "accept a file that cannot be judged but has the key", 0, 0},
		{"json", 0, CLI_FLAG, &r.json, NULL, "report as JSON", 0, 0},
		{0},
	};
	const struct cli_usage usage = {
		.name = "patch",
		.synopsis = "[options] BINARY",
		.about = about,
		.options = table,
		.notes = notes,
		.min_operands = 1,
		.max_operands = 1,
	};

	cli_parse(&usage, argc, argv);
	int error = weft__patch_open(&f, argv[1]);
	if (error)
		cli_die("%s: %s", argv[1],
			error == -EINVAL ? "not a regular file" : strerror(-error));
	int status = work(&r, &f);
	weft__patch_close(&f);
	return status;
}
