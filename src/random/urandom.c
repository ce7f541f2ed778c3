/* SPDX-License-Identifier: MIT */
/*
 * urandom.c: the last resort. Unlike the system call, /dev/urandom answers before the kernel has
 * gathered any randomness; /dev/random becomes readable when it has, so it is polled first.
 *
 * The device is opened anew for each call: a descriptor kept open could be closed by the program
 * and its number reused for something that is not random.
 */
#include "random/urandom.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "base/fatal.h"
#include "base/sys.h"

static int open_device(const char *path)
{
	int fd;
	do
		fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_NOCTTY);
	while (fd == -EINTR);
	return fd;
}

static void wait_until_ready(void)
{
	int fd = open_device("/dev/random");
	struct pollfd p = {.fd = fd, .events = POLLIN};
	if (fd < 0)
		return; /* some sandboxes offer /dev/urandom alone */
	while (sys_ppoll(&p, 1, NULL) == -EINTR)
		;
	sys_close(fd);
}

void weft__urandom(void *buf, size_t len)
{
	char *at = buf;
	wait_until_ready();
	int fd = open_device("/dev/urandom");
	while (fd >= 0 && len > 0) {
		ssize_t got = sys_read(fd, at, len);
		if (got <= 0 && got != -EINTR)
			break;
		at += max_of(got, 0);
		len -= (size_t)max_of(got, 0);
	}
	if (fd < 0 || len > 0)
		weft__fatal("no random bytes to be had: getrandom is refused and /dev/urandom "
			    "cannot be read");
	sys_close(fd);
}
