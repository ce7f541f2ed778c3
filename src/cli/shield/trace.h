/* SPDX-License-Identifier: MIT */
/*
 * trace.h: the helper that shields the calling process at its next exec.
 *
 * A helper traces its parent, not the other way round: so the command keeps the process id, the
 * parent, the terminal and the exit status that it would have without weft. The helper is forked
 * twice, belongs to no job, holds none of the caller's files, and is gone once the exec is done
 * (with `follow`: once everything that came from it has ended).
 *
 * Where the caller is process 1 of its namespace, or a subreaper, the dead helper is left to it as
 * a child to reap.
 */
#ifndef WEFT_CLI_SHIELD_TRACE_H
#define WEFT_CLI_SHIELD_TRACE_H

#include <stdbool.h>

struct shield_trace {
	bool follow;	/* stay, and shield what the command starts */
	bool fail_open; /* a process whose vDSO cannot be changed is not killed */
};

/* 0: the caller's next exec will be shielded. Otherwise -errno, and nothing was changed. */
int weft__shield_trace_start(const struct shield_trace *options);

#endif
