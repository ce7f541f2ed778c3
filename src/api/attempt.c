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
	int err = weft__wait_alone(io->why, min_of(end, deadline));
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
	bool borrowed = !descriptor_is(io->d, DESCRIPTOR_OWN);
	for (unsigned fruitless = 0;; fruitless++) {
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
}

ssize_t weft__io_run(struct io *io, int64_t deadline)
{
	return io_run(io, io->attempt, deadline);
}
