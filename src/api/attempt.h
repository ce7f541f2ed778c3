/* SPDX-License-Identifier: MIT */
/*
 * attempt.h: one call on a descriptor, from its beginning to its end: try, wait, try again.
 *
 *   result of a try   means
 *   -EAGAIN           not now: wait for a token, try again (unless `deadline` says otherwise)
 *   anything else     the result; the token is passed on, unless the try has set `exhausted`
 *
 * Tries never block and run outside of the runtime, in the task's own time. What can only block
 * (regular files, terminals) is done there as well, by plain calls, during which the monitor may
 * take the processor (the lease).
 *
 * A thread that is not the runtime's makes the same calls and waits in the kernel. It is inside the
 * runtime meanwhile, but for its plain calls, which may outlive it: `d` has gone with it then; what
 * the plain call brought is delivered, and what a signal interrupts is repeated in it.
 */
#ifndef WEFT_API_ATTEMPT_H
#define WEFT_API_ATTEMPT_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "api/call.h"
#include "sched/context.h"
#include "sched/descriptor.h"
#include "sched/sched.h"

struct io {
	ssize_t (*attempt)(struct io *io);
	const char *why; /* what dumps print while it waits */
	uint32_t token;	 /* what it waits for: POLLIN, ... */
	int fd;
	int flags;	 /* of recv, send and similar calls */
	bool exhausted;	 /* out: the try took all there was */
	bool unpollable; /* in: the poller calls it always ready: only a plain call is left */
	bool outlived;	 /* the run that `d` belongs to has ended during a plain call */
	uint32_t run;	 /* that run, for a thread that is not the runtime's */
	struct descriptor *d;
	struct iovec one;      /* the buffer of calls that have one */
	const struct iovec *v; /* that, or several pieces */
	int count;
	struct msghdr *message;	  /* recvmsg, sendmsg */
	struct sockaddr *address; /* recvfrom, sendto, accept */
	socklen_t *address_length;
	socklen_t address_given;
};

/* Does the call: the result of its last try, or the reason why there was none. */
ssize_t weft__io_run(struct io *io, int64_t deadline);

/* The same inlined, for the calls that a server makes most; `try` is io->attempt. */
static always_inline ssize_t io_run(struct io *io, ssize_t (*try)(struct io *io), int64_t deadline);

/* The same for a thread that is not the runtime's. */
ssize_t weft__io_run_foreign(struct io *io, ssize_t (*try)(struct io *io), int64_t deadline);

/* Around a plain call that may block: neither a close nor the end of the runtime waits for it. */
static inline void io_unhold(struct io *io)
{
	descriptor_leave(io->d, 0);
	call_unhold();
}

/* Afterwards io->outlived says whether there is a runtime any more. */
void weft__io_hold(struct io *io);

/* poll(2) at once: what of `events` is ready, 0, or -EBADF. */
int weft__io_ready(int fd, short events);

/* What a wait for these events of poll(2) waits for. */
uint32_t weft__io_tokens(short events);

/* What io_run does after a failed try (`tried`), or a failed wait (err). */
ssize_t weft__io_go_on(struct io *io, bool tried, int err, int64_t deadline);

/* Stands for what the kernel orders, which ThreadSanitizer does not see. */
extern char weft__io_kernel;

static always_inline ssize_t io_try(struct io *io, ssize_t (*try)(struct io *io))
{
	ssize_t n;
	io->exhausted = false;
	tsan_release(&weft__io_kernel);
	do
		n = try(io);
	while (unlikely(n == -EINTR));
	tsan_acquire(&weft__io_kernel);
	return n;
}

/* For any caller, who is inside. */
static always_inline ssize_t io_run_inside(struct io *io, ssize_t (*try)(struct io *io),
					   int64_t deadline)
{
	uint32_t tokens;
	int err = 0;
	struct descriptor *d = io->d = weft__descriptor(io->fd);
	if (unlikely(!d))
		return weft__descriptor_missing(io->fd);
	if (unlikely(!descriptor_enter(d, io->token, &tokens)))
		return -EBADF;
	bool may = tokens || !descriptor_is(d, DESCRIPTOR_OWN);
	if (!may && deadline) {
		err = weft__descriptor_wait(io->fd, d, io->token, io->why, deadline, false);
		may = !err;
	}
	ssize_t n = likely(may) ? io_try(io, try) : -EAGAIN;
	if (unlikely(n == -EAGAIN))
		n = weft__io_go_on(io, may, err, deadline);
	if (likely(!io->outlived))
		descriptor_leave(d, io->exhausted ? 0 : io->token);
	return n;
}

static always_inline ssize_t io_run(struct io *io, ssize_t (*try)(struct io *io), int64_t deadline)
{
	if (unlikely(!weft__thread_self()))
		return weft__io_run_foreign(io, try, deadline);
	return io_run_inside(io, try, deadline);
}

#endif
