/* SPDX-License-Identifier: MIT */
/*
 * weft/io.h: reading, writing, sockets, signals and child processes that stop the task, not its
 * thread.
 *
 * weft never sets O_NONBLOCK on a descriptor that the program can see. Descriptors that weft opened
 * (listen, dial, accept) are closed with weft_close. Others may be closed by anybody; who closes
 * one that a task waits on with a plain close() leaves that task to its deadline.
 *
 * For tasks only: elsewhere each call gives -EINVAL. All are cancellable. Deadlines as in
 * weft/task.h. Common errors: -EAGAIN, -ETIMEDOUT, -ECANCELED nothing happened; -EBADF no such
 * descriptor, or closed by weft_close meanwhile; everything that the system call of the same name
 * gives, negative. A write to a broken pipe or connection gives -EPIPE, never SIGPIPE.
 *
 * Regular files and other devices that poll(2) calls always ready are read and written by plain
 * calls, which take as long as they take: neither a deadline nor weft_cancel ends those.
 */
#ifndef WEFT_IO_H
#define WEFT_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct weft_chan;

/* Reads what there is, at least one byte; 0 at the end. Since 0.1. */
ssize_t weft_read(int fd, void *buf, size_t len, int64_t deadline);
/* Writes all of it; fewer only when an error or the deadline came after that much. Since 0.1. */
ssize_t weft_write(int fd, const void *buf, size_t len, int64_t deadline);
/* The same with up to IOV_MAX pieces; `v` is not changed. Since 0.1. */
ssize_t weft_readv(int fd, const struct iovec *v, int n, int64_t deadline);
ssize_t weft_writev(int fd, const struct iovec *v, int n, int64_t deadline);

/* recv(2) and its kin, with their flags; a send may send less than all, as there. MSG_DONTWAIT is
 * deadline 0; MSG_WAITALL waits in weft_recv and weft_recvfrom. Since 0.1. */
ssize_t weft_recv(int fd, void *buf, size_t len, int flags, int64_t deadline);
ssize_t weft_send(int fd, const void *buf, size_t len, int flags, int64_t deadline);
ssize_t weft_recvfrom(int fd, void *buf, size_t len, int flags, struct sockaddr *a, socklen_t *al,
		      int64_t deadline);
ssize_t weft_sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *a,
		    socklen_t al, int64_t deadline);
ssize_t weft_recvmsg(int fd, struct msghdr *m, int flags, int64_t deadline);
ssize_t weft_sendmsg(int fd, const struct msghdr *m, int flags, int64_t deadline);

/* accept4(2) with SOCK_CLOEXEC: the new descriptor, which the caller owns. `a` and `al` may be
 * NULL. Since 0.1. */
int weft_accept(int fd, struct sockaddr *a, socklen_t *al, int64_t deadline);
/* connect(2), waiting for the answer. After an error or a deadline the socket is of no more use.
 * Since 0.1. */
int weft_connect(int fd, const struct sockaddr *a, socklen_t al, int64_t deadline);

/* Waits for any of `events` (POLLIN, POLLOUT, ... of <poll.h>); gives those that are ready, as
 * poll(2) would, POLLERR and POLLHUP included. Since 0.1. */
int weft_wait_fd(int fd, short events, int64_t deadline);

/*
 * Closes a descriptor: whoever waits on it gets -EBADF, and the number is given back to the system
 * last, so that nobody meets a stranger under it: when this returns 0 it is closed. Since 0.1.
 */
int weft_close(int fd);

/*
 * A socket that listens on host (NULL: every address) and service (name or number), close-on-exec,
 * with SO_REUSEADDR and TCP_NODELAY, which accepted connections inherit; a backlog <= 0 is the
 * system's largest. The descriptor, owned by the caller. Errors also: -ENOENT the name does not
 * resolve. Since 0.1.
 */
int weft_tcp_listen(const char *host, const char *service, int backlog);
/*
 * A connection to the first address of host and service that answers; the deadline holds for the
 * resolution of the name too, and each address of several gets a share of it. The descriptor, with
 * TCP_NODELAY, owned by the caller. Errors also: -ENOENT the name does not resolve. Since 0.1.
 */
int weft_tcp_dial(const char *host, const char *service, int64_t deadline);
/* The same for a path; one that starts with '@' is in the abstract name space. -ENAMETOOLONG. Since
 * 0.1. */
int weft_unix_listen(const char *path, int backlog);
int weft_unix_dial(const char *path, int64_t deadline);

/*
 * Sends each arrival of the signal to a channel of int items (a full channel loses it) until the
 * runtime stops; a signal has one channel, the last that was named. The channel is referenced. NULL
 * as the channel gives the signal its former action back. 0; -EINVAL a signal that cannot be caught,
 * or another item size. Since 0.1.
 */
int weft_signal_notify(struct weft_chan *ints, int signo);

/* Waits for the end of one child process and reaps it; its status, as waitpid(2) gives it, in
 * *status (may be NULL). 0; -ECHILD no such child; -EINVAL pid <= 0. Since 0.1. */
int weft_wait_pid(pid_t pid, int *status, int64_t deadline);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
