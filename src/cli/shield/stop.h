/* SPDX-License-Identifier: MIT */
/*
 * stop.h: all threads of another process, stopped at once.
 */
#ifndef WEFT_CLI_SHIELD_STOP_H
#define WEFT_CLI_SHIELD_STOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct stopped {
	size_t count;
	pid_t *ids;
	int *signals; /* delivered when the thread continues */
};

/*
 * Stops every thread of `pid`, those that are being started included. 0 or -errno; the caller calls
 * weft__resume_all in both cases. When this process dies, the kernel resumes them.
 */
int weft__stop_all(pid_t pid, struct stopped *threads);
void weft__resume_all(struct stopped *threads);

/* Does a thread stand behind the first byte of [address, address + length)? */
bool weft__stopped_inside(const struct stopped *threads, uint64_t address, size_t length);

#endif
