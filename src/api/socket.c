/* SPDX-License-Identifier: MIT */
/*
 * socket.c: waiting for descriptors, accepting, connecting, closing.
 *
 * accept(2) and connect(2) have no flag for not blocking, and O_NONBLOCK would affect all who share
 * the socket. So:
 *
 *   accept    poll(2) first, and one accept at a time per descriptor (`accept` in its record): then
 *             it can block only when another process took the connection in between, and the lease
 *             covers that
 *   connect   SO_SNDTIMEO bounds connect(2); set to the shortest time during the call, it makes
 *             connect return EINPROGRESS after one tick of the kernel's clock, often earlier
 *
 *   move of the record's `accept`   who
 *   FREE -> BUSY                    a task, before it accepts
 *   BUSY -> AWAITED                 a task that is turned away, and waits for a token
 *   BUSY, AWAITED -> FREE           the first task; after AWAITED it gives a token
 */
#include <errno.h>
#include <poll.h>
#include <sys/time.h>

#include "api/attempt.h"
#include "base/sys.h"
#include "weft/io.h"

/* ---- waiting ---- */

static ssize_t try_poll(struct io *io)
{
	int ready = weft__io_ready(io->fd, (short)io->flags);
	return ready ? ready : -EAGAIN;
}

uint32_t weft__io_tokens(short events)
{
	const short known = POLLIN | POLLOUT | POLLPRI | POLLRDHUP;
	if (events & (POLLRDNORM | POLLRDBAND))
		events |= POLLIN;
	if (events & (POLLWRNORM | POLLWRBAND))
		events |= POLLOUT;
	return (uint32_t)(events & known) | POLLERR | POLLHUP;
}

int weft_wait_fd(int fd, short events, int64_t deadline)
{
	struct io io = {.attempt = try_poll, .why = "poll", .fd = fd, .flags = events};
	io.token = weft__io_tokens(events);
	return (int)weft__io_run(&io, deadline);
}

/* ---- accepting ---- */

static bool accept_begin(struct descriptor *d)
{
	for (;;) {
		uint32_t seen = ACCEPT_FREE;
		if (cas_acquire(&d->accept, &seen, ACCEPT_BUSY)) /* pairs with accept_end */
			return true;
		if (seen == ACCEPT_AWAITED || cas_relaxed(&d->accept, &seen, ACCEPT_AWAITED))
			return false;
	}
}

static void accept_end(struct descriptor *d)
{
	/* pairs with accept_begin */
	if (swap_release(&d->accept, ACCEPT_FREE) == ACCEPT_AWAITED)
		weft__descriptor_give(d, POLLIN);
}

static ssize_t accept_one(struct io *io)
{
	ssize_t fd;
	io_unhold(io);
	do
		fd = sys_accept4(io->fd, io->address, io->address_length, 0);
	while (fd == -EINTR || fd == -ECONNABORTED);
	weft__io_hold(io);
	return fd;
}

/* A connection that was accepted becomes weft's own. */
static int adopt(const struct io *io, int fd)
{
	int err = -ESHUTDOWN;
	if (!io->outlived)
		err = weft__descriptor_adopt(fd, load_relaxed(&io->d->flags) & DESCRIPTOR_TCP);
	if (!err)
		return fd;
	sys_close(fd);
	return err;
}

static ssize_t try_accept(struct io *io)
{
	if (!accept_begin(io->d))
		return -EAGAIN;
	int ready = weft__io_ready(io->fd, POLLIN);
	ssize_t fd = ready > 0 ? accept_one(io) : ready ? ready : -EAGAIN;
	if (!io->outlived)
		accept_end(io->d);
	return fd < 0 ? fd : adopt(io, (int)fd);
}

int weft_accept(int fd, struct sockaddr *address, socklen_t *address_len, int64_t deadline)
{
	struct io io = {.attempt = try_accept, .why = "accept", .token = POLLIN, .fd = fd};
	io.address = address;
	io.address_length = address_len;
	return (int)weft__io_run(&io, deadline);
}

/* ---- connecting ---- */

/* The result of a connection that was under way; asking clears a socket's error. */
static ssize_t try_connected(struct io *io)
{
	int err = 0;
	socklen_t len = sizeof(err);
	int ready = weft__io_ready(io->fd, POLLOUT);
	if (ready <= 0)
		return ready ? ready : -EAGAIN;
	int n = sys_getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &err, &len);
	return n < 0 ? n : -err;
}

static ssize_t try_connect(struct io *io)
{
	const struct timeval tick = {.tv_usec = 1};
	struct timeval old = {0};
	socklen_t len = sizeof(old);
	int err = sys_getsockopt(io->fd, SOL_SOCKET, SO_SNDTIMEO, &old, &len);
	if (err < 0)
		return err;
	sys_setsockopt(io->fd, SOL_SOCKET, SO_SNDTIMEO, &tick, sizeof(tick));
	err = sys_connect(io->fd, io->address, io->address_given);
	sys_setsockopt(io->fd, SOL_SOCKET, SO_SNDTIMEO, &old, sizeof(old));
	if (err != -EINPROGRESS && err != -EALREADY && err != -EINTR)
		return err;
	io->attempt = try_connected;
	return try_connected(io);
}

int weft_connect(int fd, const struct sockaddr *address, socklen_t address_len, int64_t deadline)
{
	struct io io = {.attempt = try_connect, .why = "connect", .token = POLLOUT, .fd = fd};
	io.address = (struct sockaddr *)address;
	io.address_given = address_len;
	return (int)weft__io_run(&io, deadline);
}

/* ---- closing ---- */

int weft_close(int fd)
{
	int err = call_hold();
	if (err)
		return err;
	struct descriptor *d = weft__descriptor(fd);
	err = d ? weft__descriptor_close(fd, d) : weft__descriptor_missing(fd);
	call_unhold();
	return err;
}
