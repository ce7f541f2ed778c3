/* SPDX-License-Identifier: MIT */
/*
 * target.h: the tasks of another process, or of a core file, read from its memory without its help.
 *
 * The table of debug/layout.h in that memory says where things are. Everything read is taken for
 * hostile: sizes are capped, no address is followed without a read that may fail, and a process
 * that goes on running meanwhile is a photograph of something that moves. Nothing is written, and
 * nothing is stopped, except where a function says so.
 */
#ifndef WEFT_CLI_INSPECT_TARGET_H
#define WEFT_CLI_INSPECT_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/core/core.h"
#include "debug/layout.h"

struct symbolizer;

struct target {
	pid_t pid; /* 0: a core file */
	struct view view;
	struct core core;
	struct weft_debug_layout layout;
	struct symbolizer *symbols;
	int64_t now; /* CLOCK_MONOTONIC; 0 for a core file */
};

/* As the runtime counts them (enum task_state): a layout that is read, not chosen. */
enum target_state { TARGET_FREE, TARGET_READY, TARGET_RUNNING, TARGET_WAITING, TARGET_ENDED };

struct target_task {
	uint64_t id, sp, low,
		high; /* its stack pointer while it does not run, and the bounds of its stack */
	uint32_t state;
	uint32_t thread, tid, locked; /* numbers; 0: none */
	uint64_t fn;		      /* what it will run; 0: it has begun to */
	int64_t since;
	char name[64], why[64];
};

/*
 * `what` is a process id or a core file. Ends the command when it cannot be read, or holds no weft.
 */
void target_open(struct target *t, const char *what);
void target_close(struct target *t);
bool target_read(const struct target *t, uint64_t address, void *buf, size_t size);
/* A number of the runtime's record: layout.runtime_NAME. */
uint32_t target_number(const struct target *t, uint32_t offset);
/* A string of at most size - 1 bytes; "" when it cannot be read. */
void target_text(const struct target *t, uint64_t address, char *text, size_t size);
/* Calls `each` for every task. */
void target_each(const struct target *t, void (*each)(const struct target_task *task, void *arg),
		 void *arg);
/* "chan recv, 3 minutes, locked to thread 5" */
void target_describe(const struct target *t, const struct target_task *task, char *text,
		     size_t size);
/*
 * The return addresses on its stack, innermost first. A running thread is stopped for that, for
 * less than a millisecond.
 */
unsigned target_frames(const struct target *t, const struct target_task *task, uint64_t *pcs,
		       unsigned room);

#endif
