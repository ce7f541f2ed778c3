/* SPDX-License-Identifier: MIT */
/* test_cgroup.c: the limits of control groups, read from made-up /proc and /sys trees. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "../kit.h"
#include "base/cgroup.h"

static char root[] = "/tmp/weft-cgroup-XXXXXX";

static void in_a_root(const struct kit_test *test, int nth)
{
	char command[64];
	expect_ne(mkdtemp(root), NULL);
	test->body(nth);
	snprintf(command, sizeof(command), "rm -r %s", root);
	expect_eq(system(command), 0);
}

/* Writes a file below the root, folders included. */
static void put(const char *path, const char *text)
{
	char full[PATH_MAX];
	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *p = full + sizeof(root); *p; p++) {
		if (*p != '/')
			continue;
		*p = 0;
		mkdir(full, 0755);
		*p = '/';
	}
	FILE *f = fopen(full, "w");
	expect_ne(f, NULL);
	fputs(text, f);
	fclose(f);
}

static struct cgroup_limits limits(void)
{
	struct cgroup_limits l;
	weft__cgroup_limits(root, &l);
	return l;
}

TEST("nothing to read is no limit", .around = in_a_root)
{
	struct cgroup_limits l = limits();
	expect_eq(l.cpu_millis, INT64_MAX);
	expect_eq(l.tasks, INT64_MAX);
	expect_eq(l.memory, INT64_MAX);
}

TEST("version 2 takes the strictest on the way up", .around = in_a_root)
{
	put("/proc/self/cgroup", "0::/outer/inner\n");
	put("/proc/self/mountinfo", "30 1 0:26 / /cg rw,nosuid shared:4 - cgroup2 cgroup2 rw\n");
	put("/cg/outer/inner/cpu.max", "max 100000\n");
	put("/cg/outer/cpu.max", "150000 100000\n");
	put("/cg/outer/inner/pids.max", "100\n");
	put("/cg/outer/pids.max", "max\n");
	put("/cg/outer/inner/memory.max", "4096\n");
	put("/cg/outer/memory.max", "2048\n");
	struct cgroup_limits l = limits();
	expect_eq(l.cpu_millis, 1500);
	expect_eq(l.tasks, 100);
	expect_eq(l.memory, 2048);
}

TEST("a container sees its own group as the top", .around = in_a_root)
{
	put("/proc/self/cgroup", "0::/pod/box/app\n");
	put("/proc/self/mountinfo", "30 1 0:26 /pod/box /cg ro - cgroup2 none rw\n");
	put("/cg/app/pids.max", "max\n");
	put("/cg/pids.max", "50\n");
	put("/pids.max", "7\n"); /* above the mount: not a group */
	expect_eq(limits().tasks, 50);
}

TEST("a group with a longer name is not below", .around = in_a_root)
{
	put("/proc/self/cgroup", "0::/boxes\n");
	put("/proc/self/mountinfo", "30 1 0:26 /box /cg ro - cgroup2 none rw\n");
	put("/cg/pids.max", "50\n");
	put("/cges/pids.max", "7\n");
	expect_eq(limits().tasks, 50);
}

TEST("version 1 and mixed mounts", .around = in_a_root)
{
	put("/proc/self/cgroup", "5:pids:/a\n4:memory:/m\n2:cpu,cpuacct:/c\n0::/\n");
	put("/proc/self/mountinfo", "31 1 0:27 / /cg/unified rw - cgroup2 cgroup2 rw\n"
				    "32 1 0:28 / /cg/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
				    "33 1 0:29 / /cg/pids rw - cgroup cgroup rw,pids\n"
				    "34 1 0:30 / /cg/memory rw - cgroup cgroup rw,memory\n");
	put("/cg/cpu/c/cpu.cfs_quota_us", "50000\n");
	put("/cg/cpu/c/cpu.cfs_period_us", "100000\n");
	put("/cg/cpu/cpu.cfs_quota_us", "-1\n");
	put("/cg/cpu/cpu.cfs_period_us", "100000\n");
	put("/cg/pids/a/pids.max", "33\n");
	put("/cg/memory/m/memory.limit_in_bytes", "9223372036854771712\n");
	struct cgroup_limits l = limits();
	expect_eq(l.cpu_millis, 500);
	expect_eq(l.tasks, 33);
	expect_eq(l.memory, INT64_MAX);
}

TEST("damaged files are no limit", .around = in_a_root)
{
	put("/proc/self/cgroup", "rubbish\n1\n:::x\n0::/a\n");
	put("/proc/self/mountinfo",
	    "30 1\n\n - cgroup2\n30 1 0:26 / /cg rw - cgroup2 cgroup2 rw\n");
	put("/cg/a/cpu.max", "100 0\n");
	put("/cg/a/pids.max", "many\n");
	put("/cg/a/memory.max", "");
	struct cgroup_limits l = limits();
	expect_eq(l.cpu_millis, INT64_MAX);
	expect_eq(l.tasks, INT64_MAX);
	expect_eq(l.memory, INT64_MAX);
}
