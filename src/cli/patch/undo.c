/* SPDX-License-Identifier: MIT */
/*
 * undo.c: what is remembered of a patched file, beside it, in ".NAME.weft-undo".
 *
 * Which byte was changed can be read from the file itself; the record confirms it and keeps what
 * cannot: the time of the original. It stays with the directory, wherever that is mounted.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/patch/patch.h"
#include "cli/shell/cli.h"

enum { RECORD_MAX = 4096 };

static char *record_name(const struct patch_file *f)
{
	return cli_format(".%s.weft-undo", f->name);
}

static char *compose(const struct patch_file *f, const struct patch_plan *plan)
{
	json_t *root = cli_json_report("patch");

	cli_json_set(root, "file", cli_json_text(f->name));
	cli_json_set(root, "size", json_integer(f->st.st_size));
	cli_json_set(root, "offset", json_integer((json_int_t)plan->offset));
	cli_json_set(root, "old", json_integer(plan->old));
	cli_json_set(root, "new", json_integer(plan->new));
	cli_json_set(root, "mtime_seconds", json_integer(f->st.st_mtim.tv_sec));
	cli_json_set(root, "mtime_nanoseconds", json_integer(f->st.st_mtim.tv_nsec));
	char *text = json_dumps(root, JSON_INDENT(2));
	json_decref(root);
	return text;
}

int weft__undo_write(const struct patch_file *f, const struct patch_plan *plan)
{
	char *name = record_name(f), *text = compose(f, plan);
	int error = 0;

	/* A record that is left from an earlier life of the file says nothing about this one. */
	unlinkat(f->directory, name, 0);
	int fd = openat(f->directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (!text || fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fsync(fd))
		error = text ? -errno : -ENOMEM;
	if (fd >= 0)
		close(fd);
	free(text);
	free(name);
	return error;
}

static json_int_t number(const json_t *root, const char *key)
{
	return json_integer_value(json_object_get(root, key));
}

static int check(const json_t *root, const struct patch_file *f, const struct patch_plan *plan,
		 struct timespec *mtime)
{
	*mtime =
		(struct timespec){number(root, "mtime_seconds"), number(root, "mtime_nanoseconds")};
	if (number(root, "size") != f->st.st_size ||
	    number(root, "offset") != (json_int_t)plan->offset ||
	    number(root, "old") != plan->old || number(root, "new") != plan->new ||
	    mtime->tv_nsec < 0 || mtime->tv_nsec > 999999999)
		return -EINVAL;
	return 0;
}

int weft__undo_read(const struct patch_file *f, const struct patch_plan *plan,
		    struct timespec *mtime)
{
	char *name = record_name(f), text[RECORD_MAX];
	int fd = openat(f->directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	free(name);
	if (fd < 0)
		return -errno;
	ssize_t n = read(fd, text, sizeof(text));
	close(fd);
	json_t *root = n > 0 ? json_loadb(text, (size_t)n, 0, NULL) : NULL;
	int error = root ? check(root, f, plan, mtime) : -EINVAL;
	json_decref(root);
	return error;
}

int weft__undo_remove(const struct patch_file *f)
{
	char *name = record_name(f);
	int error = unlinkat(f->directory, name, 0) && errno != ENOENT ? -errno : 0;

	free(name);
	return error;
}
