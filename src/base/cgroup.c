/* SPDX-License-Identifier: MIT */
/*
 * cgroup.c: see cgroup.h.
 *
 * /proc/self/cgroup names the groups of this process, /proc/self/mountinfo says where their
 * hierarchies are mounted and which group is the topmost that can be seen there (in a container
 * often the process's own). A limit of an outer group applies as well, so each is read on the way
 * up.
 *
 * Rejected: looking below /sys/fs/cgroup only. It is a habit, not a rule, and mixed mounts of both
 * versions differ between distributions.
 */
#include "base/cgroup.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"

/* Is `word` an item of the comma-separated list? */
static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);
	for (const char *p = list; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
		if (!strncmp(p, word, len) && (p[len] == ',' || !p[len]))
			return true;
	return false;
}

/* The group's path in the hierarchy of a controller; NULL as the controller means version 2. */
static bool group_of(const char *root, const char *controller, char path[PATH_MAX])
{
	char file[PATH_MAX], line[PATH_MAX + 256];
	bool found = false;
	snprintf(file, sizeof(file), "%s/proc/self/cgroup", root);
	FILE *f = fopen(file, "re");
	while (f && !found && fgets(line, sizeof(line), f)) {
		char *list = strchr(line, ':'), *where = list ? strchr(list + 1, ':') : NULL;
		if (!where)
			continue;
		*where++ = 0;
		where[strcspn(where, "\n")] = 0;
		found = controller ? has_word(list + 1, controller) : !list[1];
		if (found)
			snprintf(path, PATH_MAX, "%s", where);
	}
	if (f)
		fclose(f);
	return found;
}

/* mountinfo: id parent device ROOT POINT options... - TYPE source SUPEROPTIONS */
static bool parse_mount(char *line, const char *controller, const char **top, const char **point)
{
	char *field[5], *rest = strstr(line, " - "), *save;
	if (!rest)
		return false;
	*rest = 0;
	for (int i = 0; i < 5; i++)
		if (!(field[i] = strtok_r(i ? NULL : line, " ", &save)))
			return false;
	char *type = strtok_r(rest + 3, " ", &save), *source = strtok_r(NULL, " ", &save);
	char *options = strtok_r(NULL, " \n", &save);
	*top = field[3];
	*point = field[4];
	if (!type || !source || !options)
		return false;
	return controller ? !strcmp(type, "cgroup") && has_word(options, controller)
			  : !strcmp(type, "cgroup2");
}

/* Where the hierarchy is mounted, and which group is at its top. */
static bool mount_of(const char *root, const char *controller, char point[PATH_MAX],
		     char top[PATH_MAX])
{
	char file[PATH_MAX], *line = NULL;
	size_t room = 0;
	bool found = false;
	snprintf(file, sizeof(file), "%s/proc/self/mountinfo", root);
	FILE *f = fopen(file, "re");
	while (f && !found && getline(&line, &room, f) > 0) {
		const char *seen_top, *seen_point;
		found = parse_mount(line, controller, &seen_top, &seen_point);
		if (found) {
			snprintf(point, PATH_MAX, "%s%s", root, seen_point);
			snprintf(top, PATH_MAX, "%s", strcmp(seen_top, "/") ? seen_top : "");
		}
	}
	free(line);
	if (f)
		fclose(f);
	return found;
}

/* Reads the first one or two numbers of a file; "max" and anything else that is no number is
 * INT64_MAX. */
static bool read_numbers(const char *dir, const char *name, int64_t number[2])
{
	char file[PATH_MAX + 32], text[64] = "";
	snprintf(file, sizeof(file), "%s/%s", dir, name);
	FILE *f = fopen(file, "re");
	bool read = f && fgets(text, sizeof(text), f);
	if (f)
		fclose(f);
	char *p = text, *end;
	for (int i = 0; i < 2; i++) {
		long long n = strtoll(p, &end, 10);
		number[i] = end == p || n < 0 ? INT64_MAX : n;
		p = strchr(p, ' ') ? strchr(p, ' ') : p + strlen(p);
	}
	return read;
}

static void lower(int64_t *limit, int64_t to)
{
	*limit = min_of(*limit, to);
}

static void lower_cpu(int64_t *limit, int64_t quota, int64_t period)
{
	if (quota != INT64_MAX && quota <= INT64_MAX / 1000 && period > 0 && period != INT64_MAX)
		lower(limit, quota * 1000 / period);
}

static void read_v2(const char *dir, struct cgroup_limits *l)
{
	int64_t n[2];
	if (read_numbers(dir, "cpu.max", n))
		lower_cpu(&l->cpu_millis, n[0], n[1]);
	if (read_numbers(dir, "pids.max", n))
		lower(&l->tasks, n[0]);
	if (read_numbers(dir, "memory.max", n))
		lower(&l->memory, n[0]);
}

static void read_v1(const char *dir, struct cgroup_limits *l)
{
	int64_t n[2], period[2];
	if (read_numbers(dir, "cpu.cfs_quota_us", n) &&
	    read_numbers(dir, "cpu.cfs_period_us", period))
		lower_cpu(&l->cpu_millis, n[0], period[0]);
	if (read_numbers(dir, "pids.max", n))
		lower(&l->tasks, n[0]);
	/* Without a limit version 1 shows the largest number of pages that fits. */
	if (read_numbers(dir, "memory.limit_in_bytes", n) && n[0] < INT64_MAX - (1 << 20))
		lower(&l->memory, n[0]);
}

static void walk_up(const char *root, const char *controller, struct cgroup_limits *l,
		    void (*read_group)(const char *dir, struct cgroup_limits *l))
{
	char group[PATH_MAX], point[PATH_MAX], top[PATH_MAX], dir[2 * PATH_MAX];
	if (!group_of(root, controller, group) || !mount_of(root, controller, point, top))
		return;
	size_t above = strlen(top);
	bool inside = !strncmp(group, top, above) && (group[above] == '/' || !group[above]);
	/* For a group outside of what is mounted only the mount itself can be read. */
	const char *below = inside && strcmp(group + above, "/") ? group + above : "";
	snprintf(dir, sizeof(dir), "%s%s", point, below);
	for (char *end = dir + strlen(dir);; *end = 0) {
		read_group(dir, l);
		while (end > dir && *end != '/')
			end--;
		if (end < dir + strlen(point))
			return;
	}
}

void weft__cgroup_limits(const char *root, struct cgroup_limits *limits)
{
	static const char *const v1[] = {"cpu", "pids", "memory"};
	*limits = (struct cgroup_limits){INT64_MAX, INT64_MAX, INT64_MAX};
	walk_up(root, NULL, limits, read_v2);
	for (unsigned i = 0; i < array_len(v1); i++)
		walk_up(root, v1[i], limits, read_v1);
}
