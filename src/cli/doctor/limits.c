/* SPDX-License-Identifier: MIT */
/* limits.c: what binds this process: resource limits, control groups, sysctls. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/cgroup.h"
#include "cli/doctor/doctor.h"

enum {
	FEW_TASKS = 1000,     /* threads that a program with blocking code may come to need */
	FEW_FILES = 256,      /* below this even small servers fail */
	FEW_MAPPINGS = 65530, /* the kernel's default for max_map_count */
};

/* A limit; INT64_MAX is none, which is null in JSON. */
static void limit(struct doctor *d, const char *key, int64_t value, const char *unit)
{
	if (value == INT64_MAX)
		doctor_fact(d, "limits", key, json_null(), CLI_PLAIN, "no limit");
	else
		doctor_fact(d, "limits", key, json_integer(value), CLI_PLAIN, "%lld%s",
			    (long long)value, unit);
}

static int64_t resource(struct doctor *d, const char *key, int which, const char *unit)
{
	struct rlimit r;
	if (getrlimit((__rlimit_resource_t)which, &r))
		cli_die("getrlimit: %s", strerror(errno));
	int64_t value = r.rlim_cur > INT64_MAX ? INT64_MAX : (int64_t)r.rlim_cur;
	limit(d, key, value, unit);
	return value;
}

static void resources(struct doctor *d)
{
	resource(d, "processes", RLIMIT_NPROC, "");
	int64_t files = resource(d, "open_files", RLIMIT_NOFILE, "");
	int64_t space = resource(d, "address_space", RLIMIT_AS, " bytes");
	resource(d, "data", RLIMIT_DATA, " bytes");
	resource(d, "locked_memory", RLIMIT_MEMLOCK, " bytes");
	resource(d, "core_file", RLIMIT_CORE, " bytes");
	if (files < FEW_FILES)
		doctor_finding(d, "open-files",
			       "only %lld open files are allowed: raise `ulimit -n`",
			       (long long)files);
	if (space != INT64_MAX)
		doctor_finding(
			d, "address-space",
			"the address space is limited to %lld bytes, and each task reserves its "
			"stack in it: lift `ulimit -v`",
			(long long)space);
}

static void groups(struct doctor *d)
{
	struct cgroup_limits l;
	weft__cgroup_limits("", &l);
	limit(d, "cgroup_cpu_millis", l.cpu_millis, " thousandths of a CPU");
	limit(d, "cgroup_tasks", l.tasks, "");
	limit(d, "cgroup_memory", l.memory, " bytes");
	if (l.tasks < FEW_TASKS)
		doctor_finding(d, "cgroup-tasks",
			       "the control group allows %lld processes and threads: raise "
			       "pids.max (systemd: "
			       "TasksMax=, docker: --pids-limit)",
			       (long long)l.tasks);
}

/* A sysctl that may be unreadable, as in some containers. */
static int64_t sysctl(struct doctor *d, const char *key, const char *path)
{
	int64_t value = doctor_sysctl(path);
	if (value < 0)
		doctor_fact(d, "limits", key, json_null(), CLI_DIM, "cannot be read");
	else
		limit(d, key, value, "");
	return value;
}

static void core_pattern(struct doctor *d)
{
	char text[256] = "";
	FILE *f = fopen("/proc/sys/kernel/core_pattern", "re");
	if (f && !fgets(text, sizeof(text), f))
		text[0] = 0;
	if (f)
		fclose(f);
	text[strcspn(text, "\n")] = 0;
	doctor_fact(d, "limits", "core_pattern", cli_json_text(text), CLI_PLAIN, "%s", text);
}

void doctor_limits(struct doctor *d)
{
	int64_t mappings = sysctl(d, "max_map_count", "/proc/sys/vm/max_map_count");
	if (mappings >= 0 && mappings < FEW_MAPPINGS)
		doctor_finding(d, "max-map-count",
			       "vm.max_map_count is %lld, below the kernel's default of %d: "
			       "sysctl vm.max_map_count=%d",
			       (long long)mappings, FEW_MAPPINGS, FEW_MAPPINGS);
	sysctl(d, "pid_max", "/proc/sys/kernel/pid_max");
	sysctl(d, "threads_max", "/proc/sys/kernel/threads-max");
	sysctl(d, "overcommit_memory", "/proc/sys/vm/overcommit_memory");
	groups(d);
	resources(d);
	core_pattern(d);
}
