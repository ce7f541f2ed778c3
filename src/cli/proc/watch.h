/* SPDX-License-Identifier: MIT */
/*
 * watch.h: run a function in a child process and, when it dies of a signal, say where.
 *
 * The child is a fork of this process, so its frames carry the names of this executable. The
 * watcher is its ptrace tracer; where tracing is denied (seccomp, Yama, a debugger that is there
 * already) the child runs all the same and the report says why it has no frames.
 */
#ifndef WEFT_CLI_PROC_WATCH_H
#define WEFT_CLI_PROC_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { WATCH_FRAMES = 32, WATCH_NAME = 64 };

struct watch_frame {
	uint64_t pc; /* the innermost frame: the faulting instruction; others: the return address */
	char name[WATCH_NAME]; /* function, else the file that is mapped there, else "?" */
};

struct watch_report {
	int status;   /* as of waitpid: WIFEXITED, WIFSIGNALED, ... */
	bool faulted; /* the four fields below are known */
	int signal;
	int code; /* si_code */
	pid_t thread;
	uint64_t address;     /* what the faulting instruction touched: SIGSEGV, SIGBUS */
	unsigned frame_count; /* 0: `why_no_frames` tells */
	struct watch_frame frames[WATCH_FRAMES];
	char why_no_frames[96];
};

/*
 * Forks a child that runs fn(arg) and exits with its result, waits for the child's end and fills
 * the report. The child is alone in its process group, and dies with the calling thread. The caller
 * flushes its stdio first. Returns 0, or -errno when no child could be made or waited for.
 */
int weft__watch_spawn(int (*fn)(void *arg), void *arg, struct watch_report *report);

/*
 * "cache_alloc < list_grow < state_put", innermost first, at most `frames` of them; snprintf's
 * result.
 */
int weft__watch_chain(const struct watch_report *report, unsigned frames, char *text, size_t size);

#endif
