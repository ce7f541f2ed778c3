/* SPDX-License-Identifier: MIT */
/*
 * watch.c: a tracer that waits for one thing, the signal that kills its child.
 *
 * Every thread of the child is traced, since any of them may fault: each costs two stops when it
 * starts and none afterwards. A fault is looked at when it is about to be delivered, the thread
 * still standing on the faulting instruction; then it is delivered, and what becomes of it is the
 * child's business. Faults may be handled, so the last one counts, and only if the child really
 * died of that signal.
 *
 * The child gets a process group of its own, so that waiting for its threads never takes the end of
 * another child of the caller. Between fork and the watcher's "go" the child waits in a read: it
 * cannot fault before it is traced.
 */
#include "cli/proc/watch.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/proc/symbols.h"
#include "cli/proc/tracee.h"
#include "cli/proc/unwind.h"

struct remote {
	struct memory memory;
	pid_t pid;
};

static bool remote_read(const struct memory *m, uint64_t address, void *buf, size_t len)
{
	const struct remote *remote = (const struct remote *)m;

	return weft__tracee_read(remote->pid, address, buf, len) == 0;
}

static void unwind_thread(pid_t thread, struct watch_report *report)
{
	struct remote remote = {{remote_read}, thread};
	uint64_t pcs[WATCH_FRAMES];
	struct unwind_start at;

	report->frame_count = 0;
	int error = weft__tracee_registers(thread, &at);
	if (error) {
		snprintf(report->why_no_frames, sizeof(report->why_no_frames),
			 "the registers cannot be read: %s", strerror(-error));
		return;
	}
	struct symbolizer *names = weft__symbolizer_of(thread);
	if (!names) {
		snprintf(report->why_no_frames, sizeof(report->why_no_frames),
			 "its mappings cannot be read in /proc");
		return;
	}
	at.function = weft__symbolizer_start(names, at.pc);
	unsigned n = weft__watch_unwind(&remote.memory, &at, pcs, WATCH_FRAMES);
	for (unsigned i = 0; i < n; i++) {
		struct watch_frame *frame = &report->frames[report->frame_count++];
		frame->pc = pcs[i];
		/* a return address may already be the next function's first byte */
		weft__symbolizer_name(names, pcs[i] - (i > 0), frame->name, sizeof(frame->name));
	}
	weft__symbolizer_free(names);
}

static bool is_fault(int sig)
{
	switch (sig) {
	case SIGSEGV:
	case SIGBUS:
	case SIGILL:
	case SIGFPE:
	case SIGTRAP:
	case SIGABRT:
	case SIGSYS:
		return true;
	default:
		return false;
	}
}

/* `sig` is about to be delivered to the stopped thread. */
static void look_at_signal(pid_t thread, int sig, struct watch_report *report)
{
	siginfo_t info;

	if (!is_fault(sig) || ptrace(PTRACE_GETSIGINFO, thread, NULL, &info))
		return;
	/* A handler that raises the signal again must not hide where it came from. */
	if (report->faulted && report->signal == sig && info.si_code <= 0)
		return;
	report->faulted = true;
	report->signal = sig;
	report->code = info.si_code;
	report->thread = thread;
	report->address = (uintptr_t)info.si_addr;
	unwind_thread(thread, report);
}

static void go_on(pid_t thread, int status, struct watch_report *report)
{
	int sig = WSTOPSIG(status), event = status >> 16;

	if (event == PTRACE_EVENT_STOP && sig != SIGTRAP) { /* SIGSTOP and friends: stay stopped */
		ptrace(PTRACE_LISTEN, thread, NULL, NULL);
		return;
	}
	if (event)
		sig = 0;
	else
		look_at_signal(thread, sig, report);
	ptrace(PTRACE_CONT, thread, NULL, (void *)(intptr_t)sig);
}

static int wait_for_end(pid_t child, struct watch_report *report)
{
	int status;

	for (;;) {
		pid_t thread = waitpid(-child, &status, __WALL);
		if (thread < 0 && errno != EINTR)
			return -errno;
		if (thread < 0)
			continue;
		if (WIFSTOPPED(status))
			go_on(thread, status, report);
		else if (thread == child)
			break;
	}
	report->status = status;
	return 0;
}

/* The report's fault must be what the child died of. */
static void settle(struct watch_report *report, int trace_error)
{
	bool died = WIFSIGNALED(report->status);
	const char *why = died ? "the signal came from outside" : "it did not die of a signal";

	if (died && report->faulted && report->signal == WTERMSIG(report->status))
		return;
	report->faulted = false;
	report->frame_count = 0;
	report->signal = died ? WTERMSIG(report->status) : 0;
	if (died && trace_error)
		snprintf(report->why_no_frames, sizeof(report->why_no_frames),
			 "it could not be traced: %s", strerror(trace_error));
	else
		snprintf(report->why_no_frames, sizeof(report->why_no_frames), "%s", why);
}

static _Noreturn void child_main(int go, pid_t watcher, int (*fn)(void *arg), void *arg)
{
	uint64_t word;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != watcher || read(go, &word, sizeof(word)) != sizeof(word))
		_exit(127);
	close(go);
	_exit(fn(arg));
}

int weft__watch_spawn(int (*fn)(void *arg), void *arg, struct watch_report *report)
{
	int go = eventfd(0, EFD_CLOEXEC), trace_error = 0, error;
	pid_t watcher = getpid();

	*report = (struct watch_report){0};
	if (go < 0)
		return -errno;
	pid_t child = fork();
	if (child == 0)
		child_main(go, watcher, fn, arg);
	error = child < 0 ? -errno : 0;
	if (!error) {
		setpgid(child, child); /* both sides, so that neither has to wait for the other */
		if (ptrace(PTRACE_SEIZE, child, NULL,
			   (void *)(PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL)))
			trace_error = errno;
		eventfd_write(go, 1);
		error = wait_for_end(child, report);
	}
	close(go);
	if (!error)
		settle(report, trace_error);
	return error;
}

/* For tests. */
int weft__watch_chain(const struct watch_report *report, unsigned frames, char *text, size_t size)
{
	int used = 0;

	if (size)
		text[0] = '\0';
	for (unsigned i = 0; i < report->frame_count && i < frames; i++) {
		size_t at = (size_t)used < size ? (size_t)used : size;
		used += snprintf(text + at, size - at, "%s%s", i ? " < " : "",
				 report->frames[i].name);
	}
	return used;
}
