/* SPDX-License-Identifier: MIT */
/*
 * calls.c: the system calls that weft can do without, tried, and what it costs where one is
 * refused: by a sandbox, or by a kernel that is older. What is done instead: base/refuse.h.
 *
 * Each is made with a descriptor that is none, or so that nothing changes: any answer but a refusal
 * tells that the call is there.
 */
#include <sys/epoll.h>
#include <unistd.h>

#include "base/refuse.h"
#include "base/sys.h"
#include "cli/doctor/doctor.h"

static long try_epoll_pwait2(void)
{
	struct epoll_event event;
	return sys_epoll_pwait2(-1, &event, 1, NULL);
}

static long try_preadv2(void)
{
	return sys_preadv2(-1, NULL, 0, 0);
}

static long try_pwritev2(void)
{
	return sys_pwritev2(-1, NULL, 0, 0);
}

static long try_pidfd_open(void)
{
	int fd = sys_pidfd_open(getpid());
	if (fd >= 0)
		close(fd);
	return fd;
}

static long try_process_madvise(void)
{
	return sys_process_madvise(-1, NULL, 0, 0);
}

static const struct {
	const char *name;
	long (*attempt)(void);
	const char *cost;
} calls[] = {
	{"epoll_pwait2", try_epoll_pwait2, "sleeps end up to a millisecond late"},
	{"preadv2", try_preadv2, "each read of a file that may block asks poll first"},
	{"pwritev2", try_pwritev2, "each write to a file that may block asks poll first"},
	{"pidfd_open", try_pidfd_open, "a wait for a process looks once a millisecond"},
	{"process_madvise", try_process_madvise, "stacks are given back one by one"},
};

void doctor_calls(struct doctor *d)
{
	for (unsigned i = 0; i < array_len(calls); i++) {
		long error = calls[i].attempt();
		bool refused = call_refused(error);
		const char *why = error == -ENOSYS
					  ? "no: not in this kernel, or hidden by a sandbox; "
					  : "no: refused by a sandbox; ";
		doctor_fact(d, "calls", calls[i].name, json_boolean(!refused),
			    refused ? CLI_WARN : CLI_GOOD, "%s%s", refused ? why : "yes",
			    refused ? calls[i].cost : "");
	}
}
