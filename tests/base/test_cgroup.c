/* SPDX-License-Identifier: MIT */
/* test_cgroup.c: the limits of control groups, read from made-up /proc and /sys trees. */
#include <check.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cgroup.h"

static char root[] = "/tmp/weft-cgroup-XXXXXX";

static void make_root(void)
{
	ck_assert_ptr_nonnull(mkdtemp(root));
}

static void remove_root(void)
{
	char command[64];
	snprintf(command, sizeof(command), "rm -r %s", root);
	ck_assert_int_eq(system(command), 0);
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
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static struct cgroup_limits limits(void)
{
	struct cgroup_limits l;
	weft__cgroup_limits(root, &l);
	return l;
}

START_TEST(nothing_to_read_is_no_limit)
{
	struct cgroup_limits l = limits();
	ck_assert_int_eq(l.cpu_millis, INT64_MAX);
	ck_assert_int_eq(l.tasks, INT64_MAX);
	ck_assert_int_eq(l.memory, INT64_MAX);
}
END_TEST

START_TEST(version_2_takes_the_strictest_on_the_way_up)
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
	ck_assert_int_eq(l.cpu_millis, 1500);
	ck_assert_int_eq(l.tasks, 100);
	ck_assert_int_eq(l.memory, 2048);
}
END_TEST

START_TEST(a_container_sees_its_own_group_as_the_top)
{
	put("/proc/self/cgroup", "0::/pod/box/app\n");
	put("/proc/self/mountinfo", "30 1 0:26 /pod/box /cg ro - cgroup2 none rw\n");
	put("/cg/app/pids.max", "max\n");
	put("/cg/pids.max", "50\n");
	put("/pids.max", "7\n"); /* above the mount: not a group */
	ck_assert_int_eq(limits().tasks, 50);
}
END_TEST

START_TEST(a_group_with_a_longer_name_is_not_below)
{
	put("/proc/self/cgroup", "0::/boxes\n");
	put("/proc/self/mountinfo", "30 1 0:26 /box /cg ro - cgroup2 none rw\n");
	put("/cg/pids.max", "50\n");
	put("/cges/pids.max", "7\n");
	ck_assert_int_eq(limits().tasks, 50);
}
END_TEST

START_TEST(version_1_and_mixed_mounts)
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
	ck_assert_int_eq(l.cpu_millis, 500);
	ck_assert_int_eq(l.tasks, 33);
	ck_assert_int_eq(l.memory, INT64_MAX);
}
END_TEST

START_TEST(damaged_files_are_no_limit)
{
	put("/proc/self/cgroup", "rubbish\n1\n:::x\n0::/a\n");
	put("/proc/self/mountinfo",
	    "30 1\n\n - cgroup2\n30 1 0:26 / /cg rw - cgroup2 cgroup2 rw\n");
	put("/cg/a/cpu.max", "100 0\n");
	put("/cg/a/pids.max", "many\n");
	put("/cg/a/memory.max", "");
	struct cgroup_limits l = limits();
	ck_assert_int_eq(l.cpu_millis, INT64_MAX);
	ck_assert_int_eq(l.tasks, INT64_MAX);
	ck_assert_int_eq(l.memory, INT64_MAX);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cgroup limits");
	TCase *tc = tcase_create("read");
	tcase_add_checked_fixture(tc, make_root, remove_root);
	tcase_add_test(tc, nothing_to_read_is_no_limit);
	tcase_add_test(tc, version_2_takes_the_strictest_on_the_way_up);
	tcase_add_test(tc, a_container_sees_its_own_group_as_the_top);
	tcase_add_test(tc, a_group_with_a_longer_name_is_not_below);
	tcase_add_test(tc, version_1_and_mixed_mounts);
	tcase_add_test(tc, damaged_files_are_no_limit);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
