/* SPDX-License-Identifier: MIT */
/*
 * shield_stop.c: see shield_stop.h.
 *
 * The list of threads is read again until it holds nobody new: a thread that is still running may
 * start another, a stopped one may not.
 */
#include "cli/shield_stop.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "cli/tracee.h"
#include "cli/watch_unwind.h"

enum { PASSES_MAX = 1000 };

static bool is_known(const struct stopped *threads, pid_t id)
{
	for (size_t i = 0; i < threads->count; i++) {
		if (threads->ids[i] == id)
			return true;
	}
	return false;
}

static int remember(struct stopped *threads, pid_t id, int sig)
{
	pid_t *ids = reallocarray(threads->ids, threads->count + 1, sizeof(*ids));
	if (ids)
		threads->ids = ids;
	int *signals = reallocarray(threads->signals, threads->count + 1, sizeof(*signals));
	if (signals)
		threads->signals = signals;
	if (!ids || !signals)
		return -ENOMEM;
	threads->ids[threads->count] = id;
	threads->signals[threads->count++] = sig;
	return 0;
}

/* A dead thread that nobody has waited for yet cannot be traced, and need not be. */
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

/* 1: it is stopped now; 0: it ended meanwhile. */
static int stop_thread(pid_t id, struct stopped *threads)
{
	int status;

	if (ptrace(PTRACE_SEIZE, id, NULL, NULL))
		return errno == ESRCH || is_dead(id) ? 0 : -errno;
	if (ptrace(PTRACE_INTERRUPT, id, NULL, NULL))
		return errno == ESRCH ? 0 : -errno;
	while (waitpid(id, &status, __WALL) < 0) {
		if (errno != EINTR)
			return errno == ECHILD ? 0 : -errno;
	}
	if (!WIFSTOPPED(status))
		return 0;
	int error = remember(threads, id, status >> 16 ? 0 : WSTOPSIG(status));
	return error ? error : 1;
}

/* How many were stopped that were not before, or -errno. */
static int stop_new(pid_t pid, struct stopped *threads)
{
	char path[64];
	int stopped = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *tasks = opendir(path);
	if (!tasks)
		return -errno;
	for (struct dirent *d; stopped >= 0 && (d = readdir(tasks));) {
		pid_t id = atoi(d->d_name);
		int result = id > 0 && !is_known(threads, id) ? stop_thread(id, threads) : 0;
		stopped = result < 0 ? result : stopped + result;
	}
	closedir(tasks);
	return stopped;
}

int weft__stop_all(pid_t pid, struct stopped *threads)
{
	*threads = (struct stopped){0};
	for (unsigned pass = 0; pass < PASSES_MAX; pass++) {
		int stopped = stop_new(pid, threads);
		if (stopped < 0)
			return stopped;
		if (!stopped)
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
