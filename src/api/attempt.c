/* SPDX-License-Identifier: MIT */
/* attempt.c: see attempt.h. */
#include "api/attempt.h"

#include <errno.h>
#include <poll.h>

#include "api/call.h"
#include "base/sys.h"
#include "base/time.h"
#include "weft/task.h"

/* So many tries may fail although the poller said otherwise; then there are pauses between them. */
enum { FRUITLESS = 4 };
#define FRUITLESS_PAUSE MS(1)

char weft__io_kernel;

int weft__io_ready(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};
	struct timespec now = {0};
	int n = sys_ppoll(&p, 1, &now);
	if (n < 0)
		return n == -EINTR ? 0 : n;
	return p.revents & POLLNVAL ? -EBADF : p.revents;
}

/*
 * Some sockets are writable as far as poll(2) knows and yet refuse (a datagram to a peer whose
 * queue is full): they are tried once per millisecond.
 */
static int pause_until(const struct io *io, int64_t deadline)
{
	int64_t end = weft_after(FRUITLESS_PAUSE);
	int err = weft__wait_alone(io->why, min_of(end, deadline), true);
	return err == -ETIMEDOUT && end < deadline ? 0 : err;
}

static int wait_for_token(struct io *io, bool fruitless, int64_t deadline)
{
	int err = fruitless ? pause_until(io, deadline) : 0;
	return err ? err : weft__descriptor_wait(io->fd, io->d, io->token, io->why, deadline, true);
}

/* One try, with or without a token: the poller may not know yet what has just become ready. */
static ssize_t last_try(struct io *io, bool tried, int err)
{
	ssize_t n = tried || err == -EBADF ? -EAGAIN : io_try(io, io->attempt);
	return n == -EAGAIN ? err : n;
}

ssize_t weft__io_go_on(struct io *io, bool tried, int err, int64_t deadline)
{
	bool borrowed = !io->outlived && !descriptor_is(io->d, DESCRIPTOR_OWN);
	for (unsigned fruitless = 0; !io->outlived; fruitless++) {
		if (deadline == 0)
			err = weft__would_wait();
		else if (!err)
			err = wait_for_token(io, borrowed && fruitless > FRUITLESS, deadline);
		if (err == -EPERM)
			io->unpollable = true;
		else if (err)
			return last_try(io, tried, err);
		ssize_t n = io_try(io, io->attempt);
		if (n != -EAGAIN)
			return n;
		tried = true;
		err = 0;
	}
	return -ESHUTDOWN;
}

/* False: the run has ended, and another has begun perhaps. */
static bool same_run(const struct io *io)
{
	if (weft__thread_self())
		return true;
	if (weft__foreign_enter() < 0)
		return false;
	if (io->run == sched.run)
		return true;
	weft__foreign_leave();
	return false;
}

void weft__io_hold(struct io *io)
{
	io->outlived = !same_run(io);
	if (!io->outlived) /* pairs with descriptor.c:weft__descriptor_close */
		add_acq_rel(&io->d->word, DESCRIPTOR_USER);
}

ssize_t weft__io_run_foreign(struct io *io, ssize_t (*try)(struct io *io), int64_t deadline)
{
	int err = weft__foreign_enter();
	if (err)
		return err;
	io->run = sched.run;
	io->outlived = false; /* a part of the same call before this one may have */
	ssize_t n = io_run_inside(io, try, deadline);
	if (!io->outlived)
		weft__foreign_leave();
	return n;
}

ssize_t weft__io_run(struct io *io, int64_t deadline)
{
	return io_run(io, io->attempt, deadline);
}
