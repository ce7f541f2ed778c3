/* SPDX-License-Identifier: MIT */
/*
 * trace.c: start the helper, and the helper's whole life. See trace.h.
 *
 *   caller                         middle             helper
 *   clone, no exit signal  ------> fork ------------> sends its number
 *   waits for the middle  <------- exit
 *   names the helper as its tracer (Yama), "go" ----> PTRACE_SEIZE(caller)
 *   reads the result  <------------------------------ sends the result
 *   exec -------------------------------------------> exec stop: change the vDSO, detach or follow
 *
 * The caller's death before its exec, or a failed exec, ends the helper: it has nothing to wait for
 * then. Should the helper be killed before the exec, the kernel kills the caller
 * (PTRACE_O_EXITKILL): it fails closed. Afterwards a helper that follows must not take a healthy
 * daemon along, so the option is dropped.
 */
#include "cli/shield/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "cli/shell/cli.h"
#include "cli/shield/vdso.h"

#define FOLLOW (PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE)

struct helper {
	const struct shield_trace *options;
	pid_t caller;
	int channel;
};

static bool send_int(int channel, int value)
{
	return send(channel, &value, sizeof(value), MSG_NOSIGNAL) == sizeof(value);
}

static bool receive_int(int channel, int *value)
{
	ssize_t n;

	do
		n = recv(channel, value, sizeof(*value), MSG_WAITALL);
	while (n < 0 && errno == EINTR);
	return n == sizeof(*value);
}

static void replace_file(int with, int fd)
{
	if (dup2(with, fd) < 0)
		close(fd);
}

/* Out of the caller's job, files and directory. Standard error stays until the command starts. */
static void leave_job(int channel)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	prctl(PR_SET_NAME, "weft-shield");
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	replace_file(null, STDIN_FILENO);
	replace_file(null, STDOUT_FILENO);
	close_range(STDERR_FILENO + 1, (unsigned)channel - 1, 0);
	close_range((unsigned)channel + 1, UINT_MAX, 0);
	if (chdir("/"))
		cli_error("the helper cannot leave the working directory: %s", strerror(errno));
}

/* The command runs: the helper's last ties to its caller's files. */
static void forget_files(struct helper *h)
{
	if (h->channel < 0)
		return;
	replace_file(STDOUT_FILENO, STDERR_FILENO);
	close(h->channel);
	h->channel = -1;
}

/* To standard error while the helper has it, and to the journal. */
static void shield_exec(struct helper *h, pid_t pid)
{
	int result = weft__shield_vdso_hide(pid);

	if (result >= 0)
		return;
	const char *then = h->options->fail_open ? "it runs unshielded"
						 : "it is killed (--fail-open would let it run)";
	char *text = cli_format("the vDSO of process %d cannot be changed (%s): %s", pid,
				strerror(-result), then);
	cli_error("%s", text);
	syslog(LOG_DAEMON | LOG_ERR, "weft shield: %s", text);
	free(text);
	if (!h->options->fail_open)
		kill(pid, SIGKILL);
}

/* True when the helper's work is done. */
static bool on_exec(struct helper *h, pid_t pid)
{
	shield_exec(h, pid);
	forget_files(h);
	if (!h->options->follow)
		return ptrace(PTRACE_DETACH, pid, NULL, NULL) == 0;
	ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)FOLLOW);
	ptrace(PTRACE_CONT, pid, NULL, NULL);
	return false;
}

static bool on_stop(struct helper *h, pid_t thread, int status)
{
	int sig = WSTOPSIG(status), event = status >> 16;

	if (event == PTRACE_EVENT_EXEC)
		return on_exec(h, thread);
	if (event == PTRACE_EVENT_STOP && sig != SIGTRAP) /* stopped by job control: stays so */
		ptrace(PTRACE_LISTEN, thread, NULL, NULL);
	else
		ptrace(PTRACE_CONT, thread, NULL, (void *)(intptr_t)(event ? 0 : sig));
	return false;
}

static void trace(struct helper *h)
{
	bool done = false;
	int status;

	while (!done) {
		pid_t thread = waitpid(-1, &status, __WALL);
		if (thread < 0 && errno != EINTR)
			return;
		if (thread > 0 && WIFSTOPPED(status))
			done = on_stop(h, thread, status);
	}
}

static _Noreturn void helper_main(struct helper *h)
{
	long options = PTRACE_O_EXITKILL | (h->options->follow ? FOLLOW : PTRACE_O_TRACEEXEC);
	int go, result = 0;

	leave_job(h->channel);
	if (!send_int(h->channel, getpid()) || !receive_int(h->channel, &go))
		_exit(1);
	if (ptrace(PTRACE_SEIZE, h->caller, NULL, (void *)options))
		result = -errno;
	if (!send_int(h->channel, result) || result)
		_exit(1);
	trace(h);
	_exit(0);
}

/* A child without exit signal: a blocked SIGCHLD would stay pending through the exec. */
static pid_t fork_silently(void)
{
	return (pid_t)syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);
}

static int start_middle(const struct shield_trace *options, const int channel[2])
{
	struct helper helper = {options, getpid(), channel[1]};
	pid_t middle = fork_silently();

	if (middle == 0) {
		close(channel[0]);
		if (fork() == 0)
			helper_main(&helper);
		_exit(0);
	}
	return middle;
}

static int handshake(int channel)
{
	int helper, result;

	if (!receive_int(channel, &helper))
		return -EAGAIN; /* it could not be forked */
	/* Fails with EINVAL where there is no Yama, and then no permission is needed. */
	prctl(PR_SET_PTRACER, helper);
	if (!send_int(channel, 0) || !receive_int(channel, &result))
		return -EPIPE;
	return result;
}

int weft__shield_trace_start(const struct shield_trace *options)
{
	int channel[2], result;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel))
		return -errno;
	pid_t middle = start_middle(options, channel);
	result = middle < 0 ? -errno : 0;
	close(channel[1]);
	if (!result) {
		while (waitpid(middle, NULL, __WALL) < 0 && errno == EINTR)
			continue;
		result = handshake(channel[0]);
	}
	close(channel[0]);
	return result;
}
