/* SPDX-License-Identifier: MIT */
/*
 * urandom.c: the last resort. Unlike the system call, /dev/urandom answers before the kernel has
 * gathered anything; /dev/random becomes readable when it has, so that one is asked first.
 *
 * The device is opened anew for each call: a descriptor kept open could be closed by the program
 * and its number reused for something that is not random.
 */
#include "random/urandom.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>

#include "base/fatal.h"
#include "base/sys.h"

static int open_device(const char *path)
{
	long fd;
	do
		fd = weft__syscall(SYS_openat, AT_FDCWD, (long)path,
				   O_RDONLY | O_CLOEXEC | O_NOCTTY, 0, 0, 0);
	while (fd == -EINTR);
	return (int)fd;
}

static void close_device(int fd)
{
	weft__syscall(SYS_close, fd, 0, 0, 0, 0, 0);
}

static void wait_until_ready(void)
{
	int fd = open_device("/dev/random");
	struct pollfd p = {.fd = fd, .events = POLLIN};
	if (fd < 0)
		return; /* some sandboxes offer /dev/urandom alone */
	while (weft__syscall(SYS_ppoll, (long)&p, 1, 0, 0, 0, 0) == -EINTR)
		;
	close_device(fd);
}

void weft__urandom(void *buf, size_t len)
{
	char *at = buf;
	wait_until_ready();
	int fd = open_device("/dev/urandom");
	while (fd >= 0 && len > 0) {
		long got = weft__syscall(SYS_read, fd, (long)at, (long)len, 0, 0, 0);
		if (got <= 0 && got != -EINTR)
			break;
		at += max_of(got, 0);
		len -= (size_t)max_of(got, 0);
	}
	if (fd < 0 || len > 0)
		weft__fatal("no random bytes to be had: getrandom is refused and /dev/urandom "
			    "cannot be read");
	close_device(fd);
}
