/* SPDX-License-Identifier: MIT */
/*
 * io.c: reading and writing anything, and the calls on sockets that have a flag for not blocking.
 *
 *   descriptor            how it is tried without blocking
 *   socket                MSG_DONTWAIT
 *   pipe, eventfd, ...    RWF_NOWAIT
 *   terminal, named pipe  the file opened anew for the call, with O_NONBLOCK, which belongs to that
 *                         opening alone (api/reopen.c)
 *   other streams, and    poll(2) first, then a plain call: it blocks when somebody else was
 *   where that fails      faster, so a write is cut to what surely fits
 *   regular file, device  a plain call: it is always ready, and may wait for the disk
 *
 * Plain calls rely on the lease: the monitor gives the processor to others while they block.
 *
 * A write to a pipe without reader raises SIGPIPE. Linux 6.18 has a flag against that
 * (RWF_NOSIGNAL); on older kernels the thread blocks the signal around the write and takes it when
 * the write caused it.
 */
#include "weft/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "api/attempt.h"
#include "api/reopen.h"
#include "base/refuse.h"
#include "base/sys.h"

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x8
#endif
#ifndef RWF_NOSIGNAL
#define RWF_NOSIGNAL 0x100
#endif

enum { PIECES = 16 }; /* of an io vector: how many are written at a time */
/*
 * What a stream accepts that poll(2) calls writable: a terminal's smallest buffer is 256 bytes, and
 * one byte may become eight.
 */
enum { SURELY_FITS = 32 };

/* ---- sockets ---- */

/* A TCP stream that returned less than was asked for has no more, except for urgent data and the
 * end. */
static always_inline void note_short(struct io *io, ssize_t n)
{
	if (n > 0 && (size_t)n < io->one.iov_len && descriptor_is(io->d, DESCRIPTOR_TCP) &&
	    !descriptor_is(io->d, DESCRIPTOR_UNSURE))
		io->exhausted = true;
}

static always_inline ssize_t receive(struct io *io)
{
	ssize_t n = sys_recvfrom(io->fd, io->one.iov_base, io->one.iov_len,
				 io->flags | MSG_DONTWAIT, io->address, io->address_length);
	if (!io->flags)
		note_short(io, n);
	return n;
}

static always_inline ssize_t transmit(struct io *io)
{
	return sys_sendto(io->fd, io->one.iov_base, io->one.iov_len,
			  io->flags | MSG_DONTWAIT | MSG_NOSIGNAL, io->address, io->address_given);
}

static ssize_t receive_message(struct io *io)
{
	return sys_recvmsg(io->fd, io->message, io->flags | MSG_DONTWAIT);
}

static ssize_t transmit_message(struct io *io)
{
	return sys_sendmsg(io->fd, io->message, io->flags | MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* ---- SIGPIPE ---- */

static bool no_nosignal; /* the kernel does not know the flag */

struct sigpipe {
	sigset_t old;
	bool pending;
};

static void sigpipe_block(struct sigpipe *s)
{
	sigset_t pipe, pending;
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	sigpending(&pending);
	s->pending = sigismember(&pending, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, &s->old);
}

static void sigpipe_restore(const struct sigpipe *s, long result)
{
	if (result == -EPIPE && !s->pending) {
		struct timespec now = {0};
		sigset_t pipe;
		sigemptyset(&pipe);
		sigaddset(&pipe, SIGPIPE);
		sigtimedwait(&pipe, NULL, &now);
	}
	pthread_sigmask(SIG_SETMASK, &s->old, NULL);
}

/* -EOPNOTSUPP: the flags do not suit this file, or are not available. */
static ssize_t with_flags(long n)
{
	return unlikely(call_refused(n)) ? -EOPNOTSUPP : n;
}

/* pwritev2 at the file's own position; without flags the plain call. */
static ssize_t write_flags(int fd, int flags, const struct iovec *v, int count)
{
	if (!flags)
		return sys_writev(fd, v, count);
	return with_flags(sys_pwritev2(fd, v, count, flags));
}

static ssize_t write_silently(int fd, int flags, const struct iovec *v, int count)
{
	if (!load_relaxed(&no_nosignal)) {
		ssize_t n = write_flags(fd, flags | RWF_NOSIGNAL, v, count);
		if (n != -EOPNOTSUPP)
			return n;
	}
	struct sigpipe s;
	sigpipe_block(&s);
	ssize_t n = write_flags(fd, flags, v, count);
	sigpipe_restore(&s, n);
	if (flags && n != -EOPNOTSUPP)
		store_relaxed(&no_nosignal, true);
	return n;
}

/* ---- everything else ---- */

enum kind { KIND_SOCKET, KIND_STREAM, KIND_FILE };

static enum kind kind_of(int fd)
{
	struct stat st;
	if (sys_fstat(fd, &st) < 0)
		return KIND_STREAM; /* the call itself will say what is wrong */
	if (S_ISSOCK(st.st_mode))
		return KIND_SOCKET;
	return S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) || S_ISBLK(st.st_mode) ? KIND_FILE
										 : KIND_STREAM;
}

static void set_other(struct io *io, bool other)
{
	if (other)
		or_relaxed(&io->d->flags, DESCRIPTOR_OTHER);
	else
		and_relaxed(&io->d->flags, ~(uint32_t)DESCRIPTOR_OTHER);
}

static ssize_t socket_read(struct io *io)
{
	struct msghdr m = {.msg_iov = (struct iovec *)io->v, .msg_iovlen = (size_t)io->count};
	if (io->count == 1)
		return receive(io);
	io->message = &m;
	return receive_message(io);
}

static ssize_t socket_write(struct io *io)
{
	struct msghdr m = {.msg_iov = (struct iovec *)io->v, .msg_iovlen = (size_t)io->count};
	if (io->count == 1)
		return transmit(io);
	io->message = &m;
	return transmit_message(io);
}

static ssize_t read_flags(struct io *io, int fd, int flags)
{
	if (!flags)
		return sys_readv(fd, io->v, io->count);
	return with_flags(sys_preadv2(fd, io->v, io->count, flags));
}

/* A signal does not end them: afterwards there may be no record with which to try again. */
static ssize_t plain_read(struct io *io)
{
	ssize_t n;
	io_unhold(io);
	do
		n = read_flags(io, io->fd, 0);
	while (n == -EINTR);
	weft__io_hold(io);
	return n;
}

static ssize_t plain_write(struct io *io, const struct iovec *v, int count)
{
	ssize_t n;
	io_unhold(io);
	do
		n = write_silently(io->fd, 0, v, count);
	while (n == -EINTR);
	weft__io_hold(io);
	return n;
}

/* Through an open file description of the call's own, which cannot block. */
static ssize_t try_aside(struct io *io, int access)
{
	int own = weft__reopen(io->fd, access);
	if (own < 0)
		return -EOPNOTSUPP;
	ssize_t n = access == O_RDONLY ? read_flags(io, own, 0)
				       : write_silently(own, 0, io->v, io->count);
	sys_close(own);
	return n;
}

static ssize_t stream_read(struct io *io)
{
	ssize_t n = read_flags(io, io->fd, RWF_NOWAIT);
	if (n != -EOPNOTSUPP)
		return n;
	int ready = weft__io_ready(io->fd, POLLIN); /* first: a terminal may want several bytes */
	if (ready <= 0)
		return ready < 0 ? ready : -EAGAIN;
	n = try_aside(io, O_RDONLY);
	return n == -EOPNOTSUPP ? plain_read(io) : n;
}

static ssize_t stream_write(struct io *io)
{
	ssize_t n = write_silently(io->fd, RWF_NOWAIT, io->v, io->count);
	if (n == -EOPNOTSUPP)
		n = try_aside(io, O_WRONLY);
	if (n != -EOPNOTSUPP)
		return n;
	int ready = weft__io_ready(io->fd, POLLOUT);
	if (ready <= 0)
		return ready < 0 ? ready : -EAGAIN;
	struct iovec cut = {io->v->iov_base, min_of(io->v->iov_len, SURELY_FITS)};
	return plain_write(io, &cut, 1);
}

static ssize_t other_read(struct io *io)
{
	enum kind kind = kind_of(io->fd);
	if (kind == KIND_SOCKET) { /* the number now stands for something else */
		set_other(io, false);
		return socket_read(io);
	}
	set_other(io, true);
	return kind == KIND_FILE || io->unpollable ? plain_read(io) : stream_read(io);
}

static ssize_t other_write(struct io *io)
{
	enum kind kind = kind_of(io->fd);
	if (kind == KIND_SOCKET) {
		set_other(io, false);
		return socket_write(io);
	}
	set_other(io, true);
	return kind == KIND_FILE || io->unpollable ? plain_write(io, io->v, io->count)
						   : stream_write(io);
}

static ssize_t try_read(struct io *io)
{
	ssize_t n = descriptor_is(io->d, DESCRIPTOR_OTHER) ? -ENOTSOCK : socket_read(io);
	return n == -ENOTSOCK ? other_read(io) : n;
}

static ssize_t try_write(struct io *io)
{
	ssize_t n = descriptor_is(io->d, DESCRIPTOR_OTHER) ? -ENOTSOCK : socket_write(io);
	return n == -ENOTSOCK ? other_write(io) : n;
}

/* Reading nothing never waits. */
static ssize_t try_read_nothing(struct io *io)
{
	return read_flags(io, io->fd, 0);
}

/* ---- the calls ---- */

static ssize_t length_of(const struct iovec *v, unsigned n)
{
	size_t total = 0;
	if (n > IOV_MAX || (n && !v))
		return -EINVAL;
	for (unsigned i = 0; i < n; i++)
		if (__builtin_add_overflow(total, v[i].iov_len, &total) || total > SSIZE_MAX)
			return -EINVAL;
	return (ssize_t)total;
}

static struct io reading(int fd, void *buf, size_t len)
{
	return (struct io){.why = "read", .token = POLLIN, .fd = fd, .one = {buf, len}, .count = 1};
}

static struct io writing(int fd, const void *buf, size_t len)
{
	return (struct io){
		.why = "write", .token = POLLOUT, .fd = fd, .one = {(void *)buf, len}, .count = 1};
}

ssize_t weft_read(int fd, void *buf, size_t len, int64_t deadline)
{
	struct io io = reading(fd, buf, len);
	io.v = &io.one;
	io.attempt = len ? try_read : try_read_nothing;
	return weft__io_run(&io, deadline);
}

ssize_t weft_readv(int fd, const struct iovec *iov, unsigned count, int64_t deadline)
{
	ssize_t len = length_of(iov, count);
	if (len < 0)
		return len;
	struct io io = reading(fd, NULL, 0);
	if (count == 1)
		io.one = *iov;
	io.v = iov;
	io.count = (int)count;
	io.attempt = len ? try_read : try_read_nothing;
	return weft__io_run(&io, deadline);
}

/* Up to `room` pieces of what is left of `v` behind its first `skip` bytes. Returns how many. */
static int rest_of(const struct iovec *v, int n, size_t skip, struct iovec *out, int room)
{
	int filled = 0;
	for (int i = 0; i < n && filled < room; i++) {
		if (skip >= v[i].iov_len) {
			skip -= v[i].iov_len;
			continue;
		}
		out[filled++] = (struct iovec){(char *)v[i].iov_base + skip, v[i].iov_len - skip};
		skip = 0;
	}
	return filled;
}

static ssize_t write_all(int fd, const struct iovec *v, int n, size_t len, int64_t deadline)
{
	struct iovec rest[PIECES];
	struct io io = writing(fd, NULL, 0);
	size_t done = 0;
	io.attempt = try_write;
	io.v = v; /* the first time complete: a datagram must not be cut */
	io.count = n;
	do {
		if (io.count)
			io.one = *io.v;
		ssize_t wrote = weft__io_run(&io, deadline);
		if (wrote <= 0)
			return done ? (ssize_t)done : wrote;
		done += (size_t)wrote;
		io.v = rest;
		io.count = rest_of(v, n, done, rest, PIECES);
	} while (done < len);
	return (ssize_t)done;
}

ssize_t weft_write(int fd, const void *buf, size_t len, int64_t deadline)
{
	struct iovec one = {(void *)buf, len};
	return write_all(fd, &one, 1, len, deadline);
}

ssize_t weft_writev(int fd, const struct iovec *iov, unsigned count, int64_t deadline)
{
	ssize_t len = length_of(iov, count);
	return len < 0 ? len : write_all(fd, iov, (int)count, (size_t)len, deadline);
}

/* What recv's flags mean for the wait. */
static int64_t apply_flags(struct io *io, int flags, int64_t deadline)
{
	io->flags = flags;
	if (flags & MSG_ERRQUEUE)
		io->token = POLLERR;
	return flags & MSG_DONTWAIT ? 0 : deadline;
}

/* MSG_WAITALL: reads a stream until everything is there, or the stream ends or fails. */
static ssize_t receive_all(struct io *io, int64_t deadline)
{
	size_t done = 0;
	do {
		ssize_t n = weft__io_run(io, deadline);
		if (n <= 0)
			return done ? (ssize_t)done : n;
		done += (size_t)n;
		io->one.iov_base = (char *)io->one.iov_base + n;
		io->one.iov_len -= (size_t)n;
	} while (io->one.iov_len);
	return (ssize_t)done;
}

static bool is_stream(int fd)
{
	int type = 0;
	socklen_t len = sizeof(type);
	return sys_getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

static always_inline ssize_t receive_from(int fd, void *buf, size_t len, int flags,
					  struct sockaddr *a, socklen_t *al, int64_t deadline)
{
	struct io io = reading(fd, buf, len);
	io.attempt = receive;
	io.address = a;
	io.address_length = al;
	deadline = apply_flags(&io, flags, deadline);
	if ((flags & (MSG_WAITALL | MSG_PEEK | MSG_DONTWAIT)) == MSG_WAITALL && is_stream(fd))
		return receive_all(&io, deadline);
	return io_run(&io, receive, deadline);
}

static always_inline ssize_t send_to(int fd, const void *buf, size_t len, int flags,
				     const struct sockaddr *a, socklen_t al, int64_t deadline)
{
	struct io io = writing(fd, buf, len);
	io.attempt = transmit;
	io.flags = flags;
	io.address = (struct sockaddr *)a;
	io.address_given = al;
	return io_run(&io, transmit, flags & MSG_DONTWAIT ? 0 : deadline);
}

ssize_t weft_recv(int fd, void *buf, size_t len, int flags, int64_t deadline)
{
	return receive_from(fd, buf, len, flags, NULL, NULL, deadline);
}

ssize_t weft_recvfrom(int fd, void *buf, size_t len, int flags, struct sockaddr *address,
		      socklen_t *address_len, int64_t deadline)
{
	return receive_from(fd, buf, len, flags, address, address_len, deadline);
}

ssize_t weft_send(int fd, const void *buf, size_t len, int flags, int64_t deadline)
{
	return send_to(fd, buf, len, flags, NULL, 0, deadline);
}

ssize_t weft_sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *address,
		    socklen_t address_len, int64_t deadline)
{
	return send_to(fd, buf, len, flags, address, address_len, deadline);
}

ssize_t weft_recvmsg(int fd, struct msghdr *message, int flags, int64_t deadline)
{
	struct io io = reading(fd, NULL, 0);
	io.attempt = receive_message;
	io.message = message;
	return weft__io_run(&io, apply_flags(&io, flags, deadline));
}

ssize_t weft_sendmsg(int fd, const struct msghdr *message, int flags, int64_t deadline)
{
	struct io io = writing(fd, NULL, 0);
	io.attempt = transmit_message;
	io.message = (struct msghdr *)message;
	io.flags = flags;
	return weft__io_run(&io, flags & MSG_DONTWAIT ? 0 : deadline);
}
