/* SPDX-License-Identifier: MIT */
/* io_run.c: see io.h. */
#include "api/io.h"

#include <errno.h>
#include <poll.h>
#include <sys/syscall.h>
#include <time.h>

#include "api/call.h"
#include "base/sys.h"
#include "weft/task.h"

/* Tries in vain although the poller said otherwise, before they are spaced out; and how far. */
enum { FRUITLESS = 4, PAUSE = 1000 * 1000 };

/* A stand-in for what the kernel orders: ThreadSanitizer does not see it. */
static char kernel;

int weft__io_outside(void)
{
	return sched.forked ? -ENOTSUP : -EINVAL;
}

int weft__io_ready(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};
	struct timespec now = {0};
	long n = weft__syscall(SYS_ppoll, (long)&p, 1, (long)&now, 0, 0, 0);
	if (n < 0)
		return n == -EINTR ? 0 : (int)n;
	return p.revents & POLLNVAL ? -EBADF : p.revents;
}

static ssize_t attempt(struct io *io)
{
	ssize_t n;
	io->exhausted = false;
	tsan_release(&kernel);
	do
		n = io->attempt(io);
	while (n == -EINTR);
	tsan_acquire(&kernel);
	return n;
}

/*
 * Some sockets are writable as far as poll(2) knows and yet refuse (a datagram to a peer whose
 * queue is full): they are tried once a millisecond.
 */
static int pause_until(const struct io *io, int64_t deadline)
{
	int64_t end = weft_after(PAUSE);
	int err = weft__wait_alone(io->why, min_of(end, deadline));
	return err == -ETIMEDOUT && end < deadline ? 0 : err;
}

static int wait_for_token(struct io *io, bool fruitless, int64_t deadline)
{
	int err = fruitless ? pause_until(io, deadline) : 0;
	return err ? err : weft__descriptor_wait(io->fd, io->d, io->token, io->why, deadline);
}

/* Token or not, the first try: what has become ready lately may not be known yet. */
static ssize_t last_try(struct io *io, bool tried, int err)
{
	ssize_t n = tried || err == -EBADF ? -EAGAIN : attempt(io);
	return n == -EAGAIN ? err : n;
}

static ssize_t try_and_wait(struct io *io, int64_t deadline)
{
	bool borrowed = !descriptor_is(io->d, DESCRIPTOR_OWN);
	bool token = descriptor_take(io->d, io->token);
	bool tried = false;
	for (unsigned fruitless = 0;; fruitless++) {
		if (token || borrowed) {
			ssize_t n = attempt(io);
			if (n != -EAGAIN)
				return n;
			tried = true;
		}
		if (deadline == 0)
			return last_try(io, tried, weft__would_wait());
		int err = wait_for_token(io, borrowed && fruitless > FRUITLESS, deadline);
		if (err == -EPERM)
			io->unpollable = true;
		else if (err)
			return last_try(io, tried, err);
		token = true;
	}
}

ssize_t weft__io_run(struct io *io, int64_t deadline)
{
	const struct thread *t = weft__thread_self();
	if (unlikely(!t || !t->task))
		return weft__io_outside();
	io->d = weft__descriptor(io->fd);
	if (unlikely(!io->d))
		return io->fd < 0 ? -EBADF : -ENOMEM;
	if (unlikely(!descriptor_enter(io->d)))
		return -EBADF;
	ssize_t n = try_and_wait(io, deadline);
	if (!io->exhausted)
		weft__descriptor_give(io->d, io->token);
	descriptor_leave(io->d);
	return n;
}
