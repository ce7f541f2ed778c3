/* SPDX-License-Identifier: MIT */
/*
 * file.c: files by name and by place: the calls that only a disk holds up.
 *
 * A file is always ready as far as the kernel tells, so these are plain calls, made outside of the
 * runtime, from any thread: the lease gives the processor to others while they last, and each holds
 * one thread. So there is nothing to cancel and no moment at which a deadline could end them: what
 * is ready is delivered, here as everywhere. The deadline is a parameter because a call that the
 * kernel can be asked to stop has the same prototype.
 *
 * Rejected: RWF_NOWAIT first, and -EAGAIN where the page is not in memory. Few file systems write
 * so, and a caller with deadline 0 would never get beyond it.
 */
#include <errno.h>

#include "base/attr.h"
#include "base/sys.h"
#include "weft/io.h"

ssize_t weft_pread(int fd, void *buf, size_t len, off_t at, int64_t deadline)
{
	ssize_t n;
	do
		n = sys_pread(fd, buf, len, at);
	while (n == -EINTR);
	return n;
}

ssize_t weft_pwrite(int fd, const void *buf, size_t len, off_t at, int64_t deadline)
{
	size_t done = 0;
	do {
		ssize_t n = sys_pwrite(fd, (const char *)buf + done, len - done, at + (off_t)done);
		if (n == -EINTR)
			continue;
		if (n <= 0)
			return done ? (ssize_t)done : n;
		done += (size_t)n;
	} while (done < len);
	return (ssize_t)done;
}

int weft_fsync(int fd, int64_t deadline)
{
	int err;
	do
		err = sys_fsync(fd);
	while (err == -EINTR);
	return err;
}

int weft_open(const char *path, int flags, mode_t mode, int64_t deadline)
{
	int fd;
	if (!path)
		return -EINVAL;
	do
		fd = sys_openat_mode(AT_FDCWD, path, flags, mode);
	while (fd == -EINTR);
	return fd;
}
