/* SPDX-License-Identifier: MIT */
/* tid.c: see tid.h. */
#include "sched/tid.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/sys.h"
#include "base/time.h"

int64_t weft__tid_cpu(pid_t tid)
{
	/* CPUCLOCK_PERTHREAD | CPUCLOCK_SCHED of the kernel's posix-timers.h */
	clockid_t clock = (clockid_t)(~(unsigned)tid << 3 | 6);
	struct timespec ts;
	if (sys_clock_gettime(clock, &ts) < 0)
		return -1;
	return nanoseconds_of(ts);
}

char weft__tid_letter(pid_t tid)
{
	char path[48], text[128];
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	sys_read_file(path, text, sizeof(text));
	char *end = strrchr(text, ')'); /* the name before it may hold anything */
	return end && end[1] == ' ' ? end[2] : 0;
}

bool weft__tid_asleep(pid_t tid)
{
	char letter = weft__tid_letter(tid);
	return letter && letter != 'R';
}
