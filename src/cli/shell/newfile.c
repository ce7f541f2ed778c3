/* SPDX-License-Identifier: MIT */
/*
 * newfile.c: a file under a fixed name that one command at a time makes, to be renamed later.
 *
 * The process that makes it holds a lock on it (flock), which ends with the process in whatever way
 * that ends. So a file without a lock is what a killed command left, and the next one removes it:
 *
 *   open what is there, lock it, see that the name still leads to it, remove the name
 *   create the file under the free name, lock it, see that the name still leads to it
 *
 * Only the holder of a file's lock removes its name, so the file of a living command stays. Of two
 * that start at once one may find its fresh file locked by the other; it then fails with -EBUSY.
 *
 * Rejected: a name of its own for every attempt (killed ones would pile up), and O_TMPFILE (not on
 * every file system, and linkat leaves the same window before the rename).
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/shell/cli.h"

static bool is_called(int fd, int directory, const char *name)
{
	struct stat open, named;
	return !fstat(fd, &open) && !fstatat(directory, name, &named, AT_SYMLINK_NOFOLLOW) &&
	       open.st_dev == named.st_dev && open.st_ino == named.st_ino;
}

static int lock(int fd)
{
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return 0;
	return errno == EWOULDBLOCK ? -EBUSY : -errno;
}

static int remove_leftover(int directory, const char *name)
{
	struct stat st;
	int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	int error = fstat(fd, &st) ? -errno : S_ISREG(st.st_mode) ? lock(fd) : -EEXIST;
	if (!error && is_called(fd, directory, name) && unlinkat(directory, name, 0))
		error = -errno;
	close(fd);
	return error;
}

int cli_new_file(int directory, const char *name, mode_t mode)
{
	int error = remove_leftover(directory, name);
	if (error)
		return error;
	int fd = openat(directory, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return errno == EEXIST ? -EBUSY : -errno;
	/*
	 * A file system without locks keeps no two commands apart; O_EXCL still does at the start.
	 */
	if (lock(fd) == -EBUSY || !is_called(fd, directory, name)) {
		close(fd);
		return -EBUSY;
	}
	return fd;
}
