/* SPDX-License-Identifier: MIT */
/*
 * tid.c: see tid.h.
 *
 * The state letter costs a descriptor for a moment. A program may have used up all of them, and its
 * blocking calls would then stall the others for a tenth of a second each. So one descriptor is
 * kept: the file that was read first. When no other can be had, it is closed, and its number serves
 * for the next file, which is kept in turn. A thread of the program's that opens something at that
 * very instant gets the number; then the letter is not told until the program closes something.
 *
 * The program may have closed the kept one, as daemons close all that they do not know, and may use
 * the number for a file of its own: so it is closed only when it still is the file that was kept.
 *
 * Rejected: a file kept open for each thread (a descriptor for each of up to 10,000), a thread with
 * a table of descriptors of its own (the copy keeps the program's pipes open until they are closed
 * there, and sandboxes refuse unshare), a child with such a table (a process for each look),
 * RLIMIT_NOFILE raised for a moment (the program may set it meanwhile), the CPU clock alone (a
 * thread that waits for a CPU uses none either).
 */
#include "sched/tid.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/sys.h"
#include "base/time.h"

static struct {
	int fd; /* -1: none */
	dev_t device;
	ino_t inode;
} kept = {.fd = -1}; /* [monitor; before and after it weft_run] */

int64_t weft__tid_cpu(pid_t tid)
{
	/* CPUCLOCK_PERTHREAD | CPUCLOCK_SCHED of the kernel's posix-timers.h */
	clockid_t clock = (clockid_t)(~(unsigned)tid << 3 | 6);
	struct timespec ts;
	if (sys_clock_gettime(clock, &ts) < 0)
		return -1;
	return nanoseconds_of(ts);
}

/* Keeps fd, or closes it when one is kept already. */
static void put(int fd)
{
	struct stat file;
	if (kept.fd >= 0 || sys_fstat(fd, &file) < 0) {
		sys_close(fd);
		return;
	}
	kept.fd = fd;
	kept.device = file.st_dev;
	kept.inode = file.st_ino;
}

/* Frees the kept descriptor. Returns false when there was none. */
static bool give_back(void)
{
	struct stat file;
	int fd = kept.fd;
	kept.fd = -1;
	if (fd < 0 || sys_fstat(fd, &file) < 0 || file.st_dev != kept.device ||
	    file.st_ino != kept.inode)
		return false;
	return sys_close(fd) == 0;
}

static int open_stat(pid_t tid)
{
	char path[48];
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	int fd = sys_openat(AT_FDCWD, path, O_RDONLY);
	if ((fd == -EMFILE || fd == -ENFILE) && give_back())
		fd = sys_openat(AT_FDCWD, path, O_RDONLY);
	return fd;
}

char weft__tid_letter(pid_t tid)
{
	char text[128];
	int fd = open_stat(tid);
	if (fd < 0)
		return 0;
	ssize_t n = sys_read(fd, text, sizeof(text) - 1);
	put(fd);
	text[n < 0 ? 0 : n] = 0;
	char *end = strrchr(text, ')'); /* the name before it may hold anything */
	return end && end[1] == ' ' ? end[2] : 0;
}

bool weft__tid_asleep(pid_t tid)
{
	char letter = weft__tid_letter(tid);
	return letter && letter != 'R';
}

void weft__tid_begin(void)
{
	weft__tid_letter(sys_gettid());
}

void weft__tid_end(void)
{
	give_back();
}
