/* SPDX-License-Identifier: MIT */
/*
 * reopen.c: a way to try a terminal or a named pipe without blocking.
 *
 * Neither has a flag for that, and O_NONBLOCK belongs to the open file description, which a program
 * shares with its parent, its children and whoever else has the terminal: their calls would fail.
 * But opening it again through /proc/self/fd makes a description of the same terminal or pipe that
 * is the caller's own.
 *
 * Only for files that a second opening does not change: not for the master of a pseudo-terminal (it
 * would be a new one), nor for devices in general. Where it fails (no /proc, another user's
 * terminal, one that is opened exclusively), the caller has to do without.
 *
 * Rejected: O_NONBLOCK during the call (others see it), a signal that interrupts the blocked call
 * (handlers belong to the program), a thread that writes in the background (after -ETIMEDOUT it
 * would still write).
 */
#include "api/reopen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/sys.h"

static bool is_terminal(int fd)
{
	struct winsize size;
	unsigned number; /* a master has a number */
	return sys_ioctl(fd, TIOCGWINSZ, &size) == 0 && sys_ioctl(fd, TIOCGPTN, &number) < 0;
}

static bool same_when_opened_again(int fd)
{
	struct stat st;
	if (sys_fstat(fd, &st) < 0)
		return false;
	return S_ISFIFO(st.st_mode) || (S_ISCHR(st.st_mode) && is_terminal(fd));
}

int weft__reopen(int fd, int access)
{
	char path[32];
	if (!same_when_opened_again(fd))
		return -EOPNOTSUPP;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return sys_openat(AT_FDCWD, path, access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}
