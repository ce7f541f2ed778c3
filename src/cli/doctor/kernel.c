/* SPDX-License-Identifier: MIT */
/* kernel.c: which kernel this is and what it offers, each feature tried, not looked up. */
#include <errno.h>
#include <linux/io_uring.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cpus.h"
#include "base/sys.h"
#include "cli/doctor/doctor.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13, include/uapi/asm-generic/mman-common.h */
#endif

static void release(struct doctor *d)
{
	struct utsname u;
	if (uname(&u))
		cli_die("uname: %s", strerror(errno));
	doctor_fact(d, "kernel", "release", cli_json_text(u.release), CLI_PLAIN, "%s %s", u.sysname,
		    u.release);
	doctor_fact(d, "kernel", "machine", cli_json_text(u.machine), CLI_PLAIN, "%s", u.machine);
}

static void processors(struct doctor *d)
{
	int allowed = weft__cpu_count(0);
	allowed = max_of(allowed, 1);
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	doctor_fact(d, "kernel", "processors", json_integer(allowed), CLI_PLAIN,
		    "%d allowed, %ld online", allowed, online);
	doctor_fact(d, "kernel", "page_size", json_integer(sysconf(_SC_PAGESIZE)), CLI_PLAIN, "%ld",
		    sysconf(_SC_PAGESIZE));
}

static void guard_pages(struct doctor *d)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool works = page != MAP_FAILED && !madvise(page, size, MADV_GUARD_INSTALL);
	if (page != MAP_FAILED)
		munmap(page, size);
	doctor_fact(d, "features", "madv_guard", json_boolean(works), works ? CLI_GOOD : CLI_PLAIN,
		    "%s",
		    works ? "yes: guarded stacks cost no mapping"
			  : "no (Linux 6.13): a guarded stack costs two mappings of max_map_count");
}

static void barrier(struct doctor *d)
{
	int commands = sys_membarrier(MEMBARRIER_CMD_QUERY);
	bool works = commands >= 0 && (commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED);
	doctor_fact(d, "features", "membarrier", json_boolean(works), works ? CLI_GOOD : CLI_WARN,
		    "%s", works ? "yes" : "no: each call into the runtime pays a fence instead");
}

static void rings(struct doctor *d)
{
	struct io_uring_params params = {0};
	int fd = sys_io_uring_setup(1, &params);
	if (fd >= 0)
		close(fd);
	doctor_fact(d, "features", "io_uring", json_boolean(fd >= 0), CLI_PLAIN, "%s",
		    fd >= 0	    ? "yes"
		    : fd == -ENOSYS ? "no: not in this kernel, or hidden by a sandbox"
				    : "no: refused");
}

static void tracing(struct doctor *d)
{
	static const char *const meaning[] = {"0: any process of the same user", "1: children only",
					      "2: with CAP_SYS_PTRACE only", "3: nobody"};
	int64_t scope = doctor_sysctl("/proc/sys/kernel/yama/ptrace_scope");
	bool known = scope >= 0 && scope < (int64_t)array_len(meaning);
	doctor_fact(d, "features", "ptrace_scope", scope < 0 ? json_null() : json_integer(scope),
		    scope > 1 ? CLI_WARN : CLI_PLAIN, "%s",
		    known ? meaning[scope] : "no Yama here");
	if (scope == 3)
		doctor_finding(d, "ptrace",
			       "ptrace is switched off until the next boot "
			       "(kernel.yama.ptrace_scope=3): shield and storm's frames need it");
}

/* Each namespace has a process 1: a /proc that does not show it is none, or hides processes. */
static void proc(struct doctor *d)
{
	bool works = !access("/proc/1/stat", F_OK);
	doctor_fact(d, "features", "proc", json_boolean(works), works ? CLI_GOOD : CLI_BAD, "%s",
		    works ? "yes" : "no: not mounted, or it hides processes (hidepid)");
	if (!works)
		doctor_finding(d, "proc",
			       "/proc is not mounted, or hides processes (hidepid): what runs here "
			       "and what the system allows cannot be seen, and `weft shield` has "
			       "one method only; mount -t proc proc /proc");
}

void doctor_kernel(struct doctor *d)
{
	release(d);
	processors(d);
	guard_pages(d);
	barrier(d);
	rings(d);
	tracing(d);
	proc(d);
}
