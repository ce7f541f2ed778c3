/* SPDX-License-Identifier: MIT */
/*
 * triage.h: from a core file to a verdict.
 *
 *   dead.c     the core, the binary it belongs to, and the frames with their names
 *   module.c   the libraries that it had mapped
 *   known.c    which chains of frames are known
 *   absent.c   what to do without a core
 *   command.c  the command
 */
#ifndef WEFT_CLI_TRIAGE_TRIAGE_H
#define WEFT_CLI_TRIAGE_TRIAGE_H

#include "cli/core/core.h"
#include "cli/gobin/gobin.h"
#include "cli/gobin/rules.h"

enum { DEAD_FRAMES = 64, DEAD_NAME = 128 };

struct dead_frame {
	uint64_t pc;
	char name[DEAD_NAME]; /* "?" when unknown; else of a function, or of its file */
	bool told;	      /* what it is, or at least that it is no code of Go's */
};

struct dead {
	struct core core;
	char binary[4096];   /* its path; "" when unknown */
	bool has_binary;     /* it could be read and is the one that crashed */
	char no_binary[160]; /* why not */
	bool is_go;
	char go_version[96];
	char library[4096]; /* the Go library that it died in; "" when it was none */
	char library_version[96];
	unsigned frame_count;
	struct dead_frame frames[DEAD_FRAMES];
};

/*
 * Reads the core and its binary (NULL: the file that the core names). Ends the command when that is
 * no core file.
 */
void weft__dead_read(struct dead *d, const char *core_path, const char *binary_path);

enum crash { CRASH_OTHER, CRASH_UNKNOWN, CRASH_RULE, CRASH_REPLAY };

/*
 * What it died of. CRASH_RULE: of the bug that *rule describes. CRASH_REPLAY: of weft's own
 * demonstration of it.
 */
enum crash weft__dead_judge(const struct dead *d, const struct go_rule **rule);

/* Prints what a missing traceback and a missing core mean here, and how to get one. */
void weft__triage_without_core(void);

#endif
