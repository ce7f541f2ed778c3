/* SPDX-License-Identifier: MIT */
/*
 * unit.c: `weft shield --install UNIT`: a drop-in that puts the seccomp shield in front of a
 * service's command.
 *
 * The unit's effective ExecStart is read as systemd composes it: the unit file of the first
 * directory that has it, then the drop-ins of all directories by name, an empty assignment clearing
 * what came before. The drop-in clears it once more and sets the same lines with `weft shield
 * --method=seccomp --` in front. Only /etc is written; nothing is restarted: when a container
 * daemon restarts is its operator's business.
 *
 * Rejected: asking systemctl. It is not there in an image that is being built, and it gives the
 * commands in a form that cannot be written back.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/shell/cli.h"
#include "cli/shield/shield.h"

#define DROP_IN "50-weft-shield.conf"
enum { UNIT_FILE_MAX = 1 << 20, DROP_INS_MAX = 256 };

static const char *const directories[] = {"/etc/systemd/system", "/run/systemd/system",
					  "/usr/local/lib/systemd/system",
					  "/usr/lib/systemd/system", "/lib/systemd/system"};

struct unit {
	const char *root, *name;
	struct {
		char **lines;
		unsigned count;
	} start; /* the values of ExecStart= */
};

static void clear_start(struct unit *u)
{
	while (u->start.count)
		free(u->start.lines[--u->start.count]);
}

/* One logical line; "" clears. */
static void take_line(struct unit *u, char *line, bool *in_service)
{
	line += strspn(line, " \t");
	if (*line == '[')
		*in_service = !strncmp(line, "[Service]", 9);
	if (!*in_service || strncmp(line, "ExecStart", 9))
		return;
	char *value = line + 9 + strspn(line + 9, " \t");
	if (*value != '=')
		return; /* ExecStartPre and others */
	value += 1 + strspn(value + 1, " \t");
	if (!*value) {
		clear_start(u);
		return;
	}
	u->start.lines =
		cli_realloc(u->start.lines, (u->start.count + 1) * sizeof(*u->start.lines));
	u->start.lines[u->start.count++] = cli_strdup(value);
}

/* Does the line continue in the next one? Then its backslash is gone afterwards. */
static bool join_next(char *line)
{
	size_t length = strlen(line);

	if (!length || line[length - 1] != '\\')
		return false;
	line[length - 1] = ' ';
	return true;
}

static bool is_comment(const char *line)
{
	line += strspn(line, " \t");
	return *line == '#' || *line == ';';
}

static void take_text(struct unit *u, char *text)
{
	bool in_service = false, joined = false;
	char *logical = cli_strdup("");

	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (is_comment(line))
			continue;
		bool more = join_next(line);
		char *longer = cli_format("%s%s", joined ? logical : "", line);
		free(logical);
		logical = longer;
		joined = more;
		if (!more)
			take_line(u, logical, &in_service);
	}
	free(logical);
}

static bool take_file(struct unit *u, const char *path)
{
	FILE *f = fopen(path, "re");

	if (!f)
		return false;
	char *text = cli_alloc(UNIT_FILE_MAX + 1);
	size_t length = fread(text, 1, UNIT_FILE_MAX, f);
	if (ferror(f) || length == UNIT_FILE_MAX)
		cli_die("%s cannot be read as a unit file", path);
	fclose(f);
	take_text(u, text);
	free(text);
	return true;
}

/* "name@instance.service" is made from "name@.service". The caller frees; NULL: not an instance. */
static char *template_of(const char *name)
{
	const char *at = strchr(name, '@'), *dot = strrchr(name, '.');

	return at && dot && dot > at + 1 ? cli_format("%.*s%s", (int)(at + 1 - name), name, dot)
					 : NULL;
}

static bool take_unit_file(struct unit *u, const char *name)
{
	for (unsigned i = 0; name && i < array_len(directories); i++) {
		char *path = cli_format("%s%s/%s", u->root, directories[i], name);
		bool taken = take_file(u, path);
		free(path);
		if (taken)
			return true;
	}
	return false;
}

struct drop_ins {
	char *names[DROP_INS_MAX];
	char *paths[DROP_INS_MAX];
	unsigned count;
};

static bool has_drop_in(const struct drop_ins *d, const char *name)
{
	for (unsigned i = 0; i < d->count; i++) {
		if (!strcmp(d->names[i], name))
			return true;
	}
	return false;
}

/* Sorted by name; of two with one name the first found counts. */
static void add_drop_in(struct drop_ins *d, const char *directory, const char *name)
{
	size_t length = strlen(name);
	unsigned at = d->count;

	if (length < 6 || strcmp(name + length - 5, ".conf") || !strcmp(name, DROP_IN) ||
	    has_drop_in(d, name))
		return;
	if (d->count == DROP_INS_MAX)
		cli_die("%s: too many drop-ins", directory);
	for (; at > 0 && strcmp(d->names[at - 1], name) > 0; at--) {
		d->names[at] = d->names[at - 1];
		d->paths[at] = d->paths[at - 1];
	}
	d->names[at] = cli_strdup(name);
	d->paths[at] = cli_format("%s/%s", directory, name);
	d->count++;
}

static void find_drop_ins(const struct unit *u, const char *name, struct drop_ins *d)
{
	for (unsigned i = 0; name && i < array_len(directories); i++) {
		char *directory = cli_format("%s%s/%s.d", u->root, directories[i], name);
		DIR *dir = opendir(directory);
		for (struct dirent *e; dir && (e = readdir(dir));)
			add_drop_in(d, directory, e->d_name);
		if (dir)
			closedir(dir);
		free(directory);
	}
}

static void read_unit(struct unit *u)
{
	char *template = template_of(u->name);
	struct drop_ins d = {.count = 0};

	if (!take_unit_file(u, u->name) && !take_unit_file(u, template))
		cli_die("no unit file %s in %s/etc/systemd/system, /run, /usr/lib or /lib", u->name,
			u->root);
	find_drop_ins(u, u->name, &d);
	find_drop_ins(u, template, &d);
	for (unsigned i = 0; i < d.count; i++) {
		take_file(u, d.paths[i]);
		free(d.paths[i]);
		free(d.names[i]);
	}
	free(template);
}

/* The path by which the unit will call us. */
static char *own_path(void)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n <= 0)
		cli_die("its own path is not in /proc/self/exe");
	path[n] = '\0';
	if (strpbrk(path, " \t\"'\\%$") || strstr(path, " (deleted)"))
		cli_die("its own path '%s' cannot stand in a unit file", path);
	return cli_strdup(path);
}

/* "-/usr/bin/d -x" becomes "-/usr/bin/weft shield --method=seccomp -- /usr/bin/d -x". */
static void add_command(char **text, const char *self, const char *line)
{
	size_t prefix = strspn(line, "@-:+!|");

	if (memchr(line, '@', prefix))
		cli_die("ExecStart=%s gives the command another name ('@'), lost behind a prefix",
			line);
	if (strstr(line, " shield "))
		cli_die("ExecStart=%s is shielded already", line);
	char *longer = cli_format("%sExecStart=%.*s%s shield --method=seccomp -- %s\n", *text,
				  (int)prefix, line, self, line + prefix);
	free(*text);
	*text = longer;
}

static char *compose(struct unit *u)
{
	char *self = own_path();
	char *text = cli_format(
		"# Written by `weft shield --install %s`; `weft shield --undo %s` removes it.\n"
		"# Keeps Go 1.24.0 to 1.24.2 from crashing at the end of locked threads.\n"
		"[Service]\nExecStart=\n",
		u->name, u->name);

	if (!u->start.count)
		cli_die("%s has no ExecStart", u->name);
	for (unsigned i = 0; i < u->start.count; i++)
		add_command(&text, self, u->start.lines[i]);
	free(self);
	return text;
}

static void write_drop_in(const char *directory, const char *path, const char *text)
{
	char *temporary = cli_format("%s.new", path);

	if (mkdir(directory, 0755) && errno != EEXIST)
		cli_die("%s: %s", directory, strerror(errno));
	int fd = cli_new_file(AT_FDCWD, temporary, 0644);
	if (fd < 0)
		cli_die("%s: %s", temporary, strerror(-fd));
	size_t length = strlen(text);
	bool written = write(fd, text, length) == (ssize_t)length && !fsync(fd);
	if (!written || rename(temporary, path)) {
		int error = errno;
		unlink(temporary);
		cli_die("%s: %s", path, strerror(error));
	}
	close(fd);
	free(temporary);
}

static void remove_drop_in(const char *directory, const char *path)
{
	if (unlink(path))
		cli_die("%s: %s", path, errno == ENOENT ? "it is not installed" : strerror(errno));
	if (rmdir(directory) && errno != ENOTEMPTY && errno != EEXIST)
		cli_error("%s: %s", directory, strerror(errno));
	cli_line(stdout, "removed %s", path);
}

static void print_next(const char *root, const char *unit)
{
	if (!*root)
		cli_line(stdout,
			 "It holds from the next start on: systemctl daemon-reload && systemctl "
			 "restart %s",
			 unit);
}

int weft__shield_unit(const struct shield_options *options, const char *name, bool undo)
{
	char *unit = strchr(name, '.') ? cli_strdup(name) : cli_format("%s.service", name);

	if (strchr(unit, '/') || strlen(unit) < 9 || strcmp(unit + strlen(unit) - 8, ".service"))
		cli_die("'%s' is not the name of a service", name);
	char *directory = cli_format("%s%s/%s.d", options->root, directories[0], unit);
	char *path = cli_format("%s/" DROP_IN, directory);
	if (undo) {
		remove_drop_in(directory, path);
		print_next(options->root, unit);
	} else {
		struct unit u = {.root = options->root, .name = unit};
		read_unit(&u);
		char *text = compose(&u);
		clear_start(&u);
		free(u.start.lines);
		if (options->dry_run) {
			cli_line(stdout, "# %s", path);
			for (char *rest = text, *line; (line = strsep(&rest, "\n")) && rest;)
				cli_line(stdout, "%s", line);
		} else {
			write_drop_in(directory, path, text);
			cli_line(stdout, "wrote %s", path);
			print_next(options->root, unit);
		}
		free(text);
	}
	free(path);
	free(directory);
	free(unit);
	return CLI_CLEAN;
}
