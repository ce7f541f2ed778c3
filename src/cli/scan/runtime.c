/* SPDX-License-Identifier: MIT */
/*
 * runtime.c: programs whose Go runtime is a shared library (-linkshared): finds it and judges it.
 *
 * The library is looked for where the loader would: RPATH and RUNPATH, then the system's folders. A
 * program may stand in a file tree that is not this machine's own (an unpacked image, another
 * disk): an absolute folder is tried below each folder above the program first, the nearest first,
 * so that no other machine's library speaks for it. What is found nowhere stays `unknown`.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/proc/symbols.h"
#include "cli/scan/engine.h"

enum { PATHS_MAX = 4096 };

static const char system_folders[] = "/lib:/usr/lib:/lib64:/usr/lib64";

/* A library that is being looked into. */
struct lender {
	int fd;
	struct view view;
	struct elf_image elf;
	struct go_image go;
	struct go_judgement judgement;
};

struct search {
	struct scan_result *result;
	const char *program; /* its path */
	uint16_t machine;
	char library[256]; /* the name that is looked for */
	struct lender *lender;
};

static void lender_close(struct lender *l)
{
	weft__go_judgement_free(&l->judgement);
	weft__view_close(&l->view);
	if (l->fd >= 0)
		close(l->fd);
}

static bool lender_open(struct lender *l, const char *path, uint16_t machine)
{
	struct stat status;
	l->fd = weft__open_regular(path, &status);
	if (l->fd < 0 || weft__view_init(&l->view))
		return false;
	weft__view_file(&l->view, l->fd, 0, (uint64_t)status.st_size);
	return weft__elf_open(&l->elf, &l->view) == 0 && l->elf.machine == machine;
}

/* The library has that name; true when it has a runtime too, and the result its verdict. */
static bool borrow_from(struct lender *l, struct scan_result *r, const char *path)
{
	if (weft__go_open(&l->go, &l->elf) ||
	    weft__go_judge(&l->go, r->judgement.rule, &l->judgement) || !l->go.has_table ||
	    l->judgement.runtime_elsewhere)
		return false;
	weft__go_take_runtime(&r->judgement, &l->judgement, path);
	return true;
}

/* True when the search is over: the name was found, whatever it is. */
static bool try_path(struct search *s, const char *path)
{
	memset(s->lender, 0, sizeof(*s->lender));
	bool found = lender_open(s->lender, path, s->machine);
	if (found)
		borrow_from(s->lender, s->result, path);
	lender_close(s->lender);
	return found;
}

/* `folder` as seen from each folder above the program, then as it stands. */
static bool try_absolute(struct search *s, const char *folder)
{
	char *prefix = cli_strdup(s->program), *slash;
	bool found = false;
	while (!found && (slash = strrchr(prefix, '/'))) {
		*slash = '\0';
		char *path = cli_format("%s%s/%s", prefix, folder, s->library);
		found = try_path(s, path);
		free(path);
	}
	if (!found && *prefix) { /* a relative name has no slash in front */
		char *path = cli_format("%s/%s", folder, s->library);
		found = try_path(s, path);
		free(path);
	}
	free(prefix);
	return found;
}

static bool try_origin(struct search *s, const char *below)
{
	const char *slash = strrchr(s->program, '/');
	char *path = cli_format("%.*s%s/%s", slash ? (int)(slash - s->program) : 1,
				slash ? s->program : ".", below, s->library);
	bool found = try_path(s, path);
	free(path);
	return found;
}

/* The folders of `list`, divided by colons. */
static bool try_folders(struct search *s, const char *list)
{
	char *copy = cli_strdup(list), *rest = copy, *folder;
	bool found = false;
	while (!found && (folder = strsep(&rest, ":"))) {
		if (strncmp(folder, "$ORIGIN", 7) == 0)
			found = try_origin(s, folder + 7);
		else if (strncmp(folder, "${ORIGIN}", 9) == 0)
			found = try_origin(s, folder + 9);
		else if (folder[0] == '/')
			found = try_absolute(s, folder);
	}
	free(copy);
	return found;
}

static void find_library(struct scan_worker *w, struct search *s)
{
	char folders[PATHS_MAX];
	if (weft__elf_dynamic_text(&w->elf, DT_RPATH, 0, folders, sizeof(folders)) &&
	    try_folders(s, folders))
		return;
	if (weft__elf_dynamic_text(&w->elf, DT_RUNPATH, 0, folders, sizeof(folders)) &&
	    try_folders(s, folders))
		return;
	try_folders(s, system_folders);
}

/* The program's path in the file tree of a process that runs it, or NULL. The caller frees. */
static char *seen_by_process(struct scan *scan, const struct scan_origin *origin)
{
	pid_t pid = 0;
	pthread_mutex_lock(&scan->lock);
	if (origin->file && origin->file->processes)
		pid = origin->file->processes->pid;
	pthread_mutex_unlock(&scan->lock);
	return pid ? cli_format("/proc/%d/root%s", (int)pid, origin->path) : NULL;
}

void weft__scan_find_runtime(struct scan_worker *w, const struct scan_origin *origin,
			     struct scan_result *r)
{
	struct search s = {.result = r, .machine = w->elf.machine};
	if (origin->image) /* its files are not unpacked */
		return;
	char *seen = seen_by_process(w->scan, origin);
	s.program = seen ? seen : origin->path;
	s.lender = cli_alloc(sizeof(*s.lender));
	for (unsigned i = 0;
	     r->judgement.verdict == GO_UNKNOWN &&
	     weft__elf_dynamic_text(&w->elf, DT_NEEDED, i, s.library, sizeof(s.library));
	     i++) {
		weft__scan_tick(w);
		find_library(w, &s);
	}
	free(s.lender);
	free(seen);
}
