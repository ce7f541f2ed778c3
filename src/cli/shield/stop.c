/* SPDX-License-Identifier: MIT */
/*
 * stop.c: see stop.h.
 *
 * All threads are asked before the first is waited for: they come to a stop side by side, and the
 * whole takes as long as the slowest. The list of threads is read again until it holds no new one:
 * a thread that is still running may start another, a stopped one may not.
 */
#include "cli/shield/stop.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "cli/proc/tracee.h"
#include "cli/proc/unwind.h"

enum { PASSES_MAX = 1000 };

static bool is_known(const struct stopped *threads, pid_t id)
{
	for (size_t i = 0; i < threads->count; i++) {
		if (threads->ids[i] == id)
			return true;
	}
	return false;
}

static int remember(struct stopped *threads, pid_t id)
{
	pid_t *ids = reallocarray(threads->ids, threads->count + 1, sizeof(*ids));
	if (ids)
		threads->ids = ids;
	int *signals = reallocarray(threads->signals, threads->count + 1, sizeof(*signals));
	if (signals)
		threads->signals = signals;
	if (!ids || !signals)
		return -ENOMEM;
	threads->ids[threads->count++] = id;
	return 0;
}

/* A dead thread that has not been waited for yet cannot be traced, and need not be. */
static bool is_dead(pid_t id)
{
	char path[64], text[512] = "";

	snprintf(path, sizeof(path), "/proc/%d/stat", id);
	FILE *f = fopen(path, "re");
	if (!f)
		return true;
	size_t n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	const char *state = n ? strrchr(text, ')') : NULL;
	return !state || strchr("ZX", state[2]);
}

/* Asks a thread to stop. 1: it will; 0: it has ended; or -errno. */
static int ask_to_stop(pid_t id, struct stopped *threads)
{
	if (ptrace(PTRACE_SEIZE, id, NULL, NULL))
		return errno == ESRCH || is_dead(id) ? 0 : -errno;
	if (ptrace(PTRACE_INTERRUPT, id, NULL, NULL))
		return errno == ESRCH ? 0 : -errno;
	int error = remember(threads, id);
	return error ? error : 1;
}

/* Asks those that are not known yet: how many there were, or -errno. */
static int ask_new(pid_t pid, struct stopped *threads)
{
	char path[64];
	int asked = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *tasks = opendir(path);
	if (!tasks)
		return -errno;
	for (struct dirent *d; asked >= 0 && (d = readdir(tasks));) {
		pid_t id = atoi(d->d_name);
		int result = id > 0 && !is_known(threads, id) ? ask_to_stop(id, threads) : 0;
		asked = result < 0 ? result : asked + result;
	}
	closedir(tasks);
	return asked;
}

/* True when the thread stands still, with the signal that it was about to take in *sig. */
static bool wait_for_stop(pid_t id, int *sig)
{
	int status;

	while (waitpid(id, &status, __WALL) < 0) {
		if (errno != EINTR)
			return false;
	}
	*sig = WIFSTOPPED(status) && !(status >> 16) ? WSTOPSIG(status) : 0;
	return WIFSTOPPED(status);
}

/* Waits for those that were asked, from the one at `at` on; forgets those that ended instead. */
static void wait_for_asked(struct stopped *threads, size_t at)
{
	size_t end = threads->count;

	threads->count = at;
	for (; at < end; at++) {
		int sig;
		if (!wait_for_stop(threads->ids[at], &sig))
			continue;
		threads->ids[threads->count] = threads->ids[at];
		threads->signals[threads->count++] = sig;
	}
}

int weft__stop_all(pid_t pid, struct stopped *threads)
{
	*threads = (struct stopped){0};
	for (unsigned pass = 0; pass < PASSES_MAX; pass++) {
		size_t known = threads->count;
		int asked = ask_new(pid, threads);
		wait_for_asked(threads, known);
		if (asked < 0)
			return asked;
		if (!asked)
			return threads->count ? 0 : -ESRCH;
	}
	return -EBUSY;
}

void weft__resume_all(struct stopped *threads)
{
	for (size_t i = 0; i < threads->count; i++)
		ptrace(PTRACE_DETACH, threads->ids[i], NULL, (void *)(intptr_t)threads->signals[i]);
	free(threads->ids);
	free(threads->signals);
	*threads = (struct stopped){0};
}

bool weft__stopped_inside(const struct stopped *threads, uint64_t address, size_t length)
{
	for (size_t i = 0; i < threads->count; i++) {
		struct unwind_start at;
		if (weft__tracee_registers(threads->ids[i], &at) ||
		    (at.pc > address && at.pc < address + length))
			return true;
	}
	return false;
}
