/* SPDX-License-Identifier: MIT */
/*
 * process.c: children.
 *
 * A pidfd is readable when its process has ended (Linux 5.3): one more descriptor to wait on.
 * wait4(2) is asked first and last, so that only the waiting depends on the pidfd.
 */
#include <errno.h>
#include <poll.h>
#include <sys/wait.h>

#include "api/attempt.h"
#include "base/refuse.h"
#include "base/sys.h"
#include "base/time.h"
#include "sched/sched.h"
#include "weft/io.h"
#include "weft/task.h"

#define LOOK_EVERY MS(1) /* where there are no pidfds */

/* Returns true when the child has ended, with its status in *status, or when *err is -errno. */
static bool reap(pid_t pid, int *status, int *err)
{
	int seen = 0;
	pid_t n;
	do
		n = sys_wait4(pid, &seen, WNOHANG);
	while (n == -EINTR);
	if (n > 0 && status)
		*status = seen;
	*err = n < 0 ? n : 0;
	return n != 0;
}

static int await_end(int pidfd, int64_t deadline)
{
	if (pidfd >= 0) {
		int ready = weft_wait_fd(pidfd, POLLIN, deadline);
		return ready < 0 ? ready : 0;
	}
	int64_t next = weft_after(LOOK_EVERY);
	int err = weft_sleep_until(next < deadline ? next : deadline);
	if (err || next < deadline)
		return err;
	return deadline ? -ETIMEDOUT : -EAGAIN;
}

int weft_wait_pid(pid_t pid, int *status, int64_t deadline)
{
	int err = call_allowed();
	if (err)
		return err;
	if (pid <= 0)
		return -EINVAL;
	if (reap(pid, status, &err))
		return err;
	int pidfd = sys_pidfd_open(pid);
	if (pidfd < 0 && pidfd != -ESRCH && !call_refused(pidfd))
		return pidfd;
	do {
		int waited = await_end(pidfd, deadline);
		if (!reap(pid, status, &err))
			err = waited;
		else
			break;
	} while (!err);
	if (pidfd >= 0 && weft_close(pidfd) == -EINVAL) /* the runtime has ended */
		sys_close(pidfd);
	return err;
}
