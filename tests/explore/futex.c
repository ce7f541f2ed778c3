/* SPDX-License-Identifier: MIT */
/*
 * futex.c: the kernel's half of every futex protocol, for explored code: comparing and falling
 * asleep is one step, a system call empties the store buffer, and a limit may pass at any moment.
 */
#include <errno.h>

#include "base/atomic.h"
#include "base/sys.h"
#include "explore.h"

static const uint32_t *asleep[EXPLORE_THREADS_MAX]; /* on which word */
static uint32_t system_calls;

int weft__futex_wait(const uint32_t *word, uint32_t expected, int64_t deadline)
{
	unsigned self = explore_self();
	add_seq_cst(&system_calls, 1);
	if (load_relaxed(word) != expected)
		return -EAGAIN;
	if (deadline != INT64_MAX && explore_maybe())
		return -ETIMEDOUT;
	asleep[self] = word;
	while (asleep[self])
		cpu_relax();
	return 0;
}

/* Stands still: limits pass by choice. */
int64_t weft__clock(void)
{
	return 0;
}

int weft__futex_wake(const uint32_t *word, int count)
{
	int woken = 0;
	for (unsigned i = 0; i < EXPLORE_THREADS_MAX && woken < count; i++)
		if (asleep[i] == word) {
			asleep[i] = NULL;
			woken++;
		}
	add_seq_cst(&system_calls, 1);
	return woken;
}

void explore_futex_reset(void)
{
	for (unsigned i = 0; i < EXPLORE_THREADS_MAX; i++)
		asleep[i] = NULL;
}
