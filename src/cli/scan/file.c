/* SPDX-License-Identifier: MIT */
/*
 * file.c: one open file: is it ELF, was it seen, is it Go, and what do the rules say?
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/scan/engine.h"

#define OPEN_FILES_PER_WORKER 4 /* handed on before a worker judges a file itself */

static struct scan_result *result_new(struct scan_worker *w, const struct scan_origin *origin)
{
	struct scan_result *r = cli_alloc(sizeof(*r));
	char room[16];
	r->file = origin->file;
	if (!r->file)
		weft__name_add(&r->own_names, origin->path);
	r->image = origin->image ? cli_strdup(origin->image) : NULL;
	r->layer = origin->layer ? cli_strdup(origin->layer) : NULL;
	snprintf(r->arch, sizeof(r->arch), "%s", weft__elf_arch(&w->elf, room));
	return r;
}

static void deliver(struct scan_worker *w, const struct scan_origin *origin, struct scan_result *r)
{
	if (!origin->held) {
		weft__scan_report(w, r);
		return;
	}
	r->next = *origin->held;
	*origin->held = r;
}

/* A result without facts: whether the rule holds is not known. */
static void report_unknown(struct scan_worker *w, const struct scan_origin *origin,
			   const char *reason, bool packed)
{
	for (unsigned i = 0; i < go_rule_count; i++) {
		struct scan_result *r = result_new(w, origin);
		r->packed = packed;
		r->judgement.rule = &go_rules[i];
		r->judgement.verdict = GO_UNKNOWN;
		snprintf(r->judgement.reason, sizeof(r->judgement.reason), "%s", reason);
		deliver(w, origin, r);
	}
}

static void report_rules(struct scan_worker *w, const struct scan_origin *origin)
{
	for (unsigned i = 0; i < go_rule_count; i++) {
		struct scan_result *r = result_new(w, origin);
		snprintf(r->version, sizeof(r->version), "%s", w->go.version);
		int err = weft__go_judge(&w->go, &go_rules[i], &r->judgement);
		if (err) {
			weft__scan_error(w->scan, origin->path, "cannot be read: %s",
					 strerror(-err));
			r->judgement.verdict = GO_UNKNOWN;
			snprintf(r->judgement.reason, sizeof(r->judgement.reason),
				 "it could not be read whole");
		}
		if (r->judgement.runtime_elsewhere)
			weft__scan_find_runtime(w, origin, r);
		deliver(w, origin, r);
	}
}

static void judge_go(struct scan_worker *w, const struct scan_origin *origin)
{
	int err = weft__go_open(&w->go, &w->elf);
	if ((err == -ENOENT || (!err && !w->go.has_table)) && weft__elf_packed(&w->view))
		report_unknown(w, origin,
			       "packed by UPX: what it unpacks to cannot be seen on disk", true);
	else if (err == -EFBIG)
		report_unknown(w, origin,
			       "more loadable bytes than the scanner is willing to search", false);
	else if (err == -E2BIG)
		report_unknown(w, origin, "too many things that look like a function table", false);
	else if (err && err != -ENOENT)
		weft__scan_error(w->scan, origin->path, "cannot be read: %s", strerror(-err));
	else if (!err)
		report_rules(w, origin);
}

/* Why an ELF file is not the program that its user takes it for, or NULL. `err` of opening it. */
static const char *misfit_of(const struct elf_image *elf, int err)
{
	if (err)
		return err == -ENOEXEC ? "is a broken ELF file: there is nothing to judge" : NULL;
	if (elf->type == ET_CORE)
		return "is a core file: `weft triage` reads it";
	return elf->cut_off ? "is cut off: what it loads reaches beyond its end" : NULL;
}

void weft__scan_judge(struct scan_worker *w, int fd, const struct stat *status,
		      const struct scan_origin *origin)
{
	weft__scan_begin(w, origin->path);
	weft__view_file(&w->view, fd, 0, (uint64_t)status->st_size);
	w->view.sparse = (uint64_t)status->st_blocks * 512 < (uint64_t)status->st_size;
	int err = weft__elf_open(&w->elf, &w->view);
	const char *misfit = misfit_of(&w->elf, err);
	if (origin->insist && misfit)
		weft__scan_error(w->scan, origin->path, "%s", misfit);
	/* A core file holds the memory of a program, function table included; it is none. */
	if (!err && w->elf.type != ET_CORE)
		judge_go(w, origin);
	else if (err == -E2BIG)
		report_unknown(w, origin, "more program headers than the scanner reads", false);
	else if (err && err != -ENOEXEC)
		weft__scan_error(w->scan, origin->path, "cannot be read: %s", strerror(-err));
}

static void run_open_file(struct scan_worker *w, struct scan_work *item)
{
	struct stat status;
	if (fstat(item->fd, &status) == 0)
		weft__scan_judge(w, item->fd, &status, &item->origin);
	close(item->fd);
	pthread_mutex_lock(&w->scan->lock);
	w->scan->open_files--;
	pthread_mutex_unlock(&w->scan->lock);
	free(item->path);
	free(item);
}

/*
 * Passes the file on to a free worker, so that one directory full of large programs keeps all
 * workers busy.
 */
static bool hand_on(struct scan_worker *w, int fd, const struct scan_origin *origin)
{
	struct scan *scan = w->scan;
	pthread_mutex_lock(&scan->lock);
	bool room = scan->open_files < scan->options.jobs * OPEN_FILES_PER_WORKER;
	scan->open_files += room;
	pthread_mutex_unlock(&scan->lock);
	if (!room)
		return false;
	struct scan_work *item = weft__scan_item(run_open_file);
	item->fd = fd;
	item->path = cli_strdup(origin->path);
	item->origin = *origin;
	item->origin.path = item->path;
	weft__scan_push(scan, item);
	return true;
}

/*
 * Is it an ELF file? Its first bytes and its status decide; -1: it cannot be read, which was
 * reported.
 */
static int begins_elf(struct scan *scan, int fd, const char *path, struct stat *status)
{
	unsigned char head[SELFMAG];
	ssize_t got = pread(fd, head, sizeof(head), 0);
	if (got < 0 && errno != EAGAIN && errno != EISDIR)
		weft__scan_error(scan, path, "cannot be read: %s", strerror(errno));
	if (got < 0 || fstat(fd, status) || !S_ISREG(status->st_mode))
		return -1;
	return weft__elf_magic(head, (size_t)got);
}

/* Returns true for the first caller that meets the file, which has to judge it. */
static bool is_first(struct scan *scan, const struct stat *status, struct scan_origin *origin)
{
	bool is_new;
	pthread_mutex_lock(&scan->lock);
	origin->file = weft__seen_file(scan->seen, status->st_dev, status->st_ino, &is_new);
	bool first = !origin->file->judged;
	origin->file->judged = true;
	origin->file->named = true;
	weft__name_add(&origin->file->names, origin->path);
	scan->counts.elf += first;
	pthread_mutex_unlock(&scan->lock);
	return first;
}

bool weft__scan_open_file(struct scan_worker *w, int fd, const char *path, bool insist)
{
	struct scan_origin origin = {.path = path, .insist = insist};
	struct stat status;
	int elf = begins_elf(w->scan, fd, path, &status);
	if (elf == 0 && insist)
		weft__scan_error(w->scan, path, "is no ELF file: there is nothing to judge");
	if (elf == 1 && is_first(w->scan, &status, &origin)) {
		if (hand_on(w, fd, &origin))
			return true;
		weft__scan_judge(w, fd, &status, &origin);
	}
	close(fd);
	return elf != 0;
}
