/* SPDX-License-Identifier: MIT */
/*
 * shield.h: the four things that `weft shield` does, one file each. All end with an exit status of
 * shell/cli.h's.
 */
#ifndef WEFT_CLI_SHIELD_SHIELD_H
#define WEFT_CLI_SHIELD_SHIELD_H

#include <stdbool.h>
#include <sys/types.h>

struct shield_options {
	bool follow, fail_open, dry_run, json;
	bool seccomp;	  /* --method */
	const char *root; /* --root: a prefix for the places that --install reads and writes */
};

/* Runs the command in this process: returns only when it could not. */
int weft__shield_run(const struct shield_options *options, char **command);
/* A running process: change its code in memory, or change it back. */
int weft__shield_live(const struct shield_options *options, pid_t pid, bool undo);
/* Is it changed now? Reads only; false when that is not known. */
bool weft__shield_is_live(pid_t pid);
/* A drop-in for a systemd unit: write it, or remove it. */
int weft__shield_unit(const struct shield_options *options, const char *unit, bool undo);

#endif
