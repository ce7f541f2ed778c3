/* SPDX-License-Identifier: MIT */
/*
 * weft/io.h: reading, writing, sockets, signals and child processes that stop the task, not its
 * thread. Since 0.1, but for what says 0.2.
 *
 * weft never sets O_NONBLOCK on a descriptor that the program can see. Descriptors that weft opened
 * (listen, dial, accept) are closed with weft_close. A plain close(2), fclose(3) or dup2(2) of any
 * descriptor, by whoever it may be, does no lasting harm either: a call that waits on it returns
 * -EBADF when weft learns of it, which is the next time that the number is used at the latest, else
 * -ETIMEDOUT at its deadline; and what the number stands for next works as any other. A call that
 * waits can meet that next file in two cases alone: the number was closed and used again within 100
 * ms after the wait began; or a copy (dup, a child) keeps the closed file open, and that one became
 * ready. And a call that is inside the kernel at that moment may meet it, as read(2) would. After
 * weft_close there is no such case.
 *
 * Any thread may make these calls while the runtime runs; they are cancellable in tasks. Deadlines
 * as in weft/task.h. Common errors: -EAGAIN, -ETIMEDOUT, -ECANCELED nothing happened; -ESHUTDOWN
 * the same, as the runtime has ended (in a thread that is not its own); -EBADF no such descriptor,
 * or closed meanwhile; -EINVAL no runtime runs; every error that the system call of the same name
 * has, negative. A write to a broken pipe or connection returns -EPIPE and never raises SIGPIPE.
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

#include "weft/attr.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct addrinfo;
struct weft_chan;

/* Reads what there is, at least one byte; returns how many, 0 at the end. */
WEFT_MUST_CHECK ssize_t weft_read(int fd, void *buf, size_t len, int64_t deadline);
/* Writes all of it; returns less only when an error or the deadline came after that much. */
WEFT_MUST_CHECK ssize_t weft_write(int fd, const void *buf, size_t len, int64_t deadline);
/* The same with up to IOV_MAX pieces; `iov` is not changed. -EINVAL: more, or a bad sum. */
WEFT_MUST_CHECK ssize_t weft_readv(int fd, const struct iovec *iov, unsigned count,
				   int64_t deadline);
WEFT_MUST_CHECK ssize_t weft_writev(int fd, const struct iovec *iov, unsigned count,
				    int64_t deadline);

/*
 * recv(2) and its kin, with their flags; a send may send less than all, as there. MSG_DONTWAIT is
 * deadline 0; MSG_WAITALL waits in weft_recv and weft_recvfrom. `address` and `address_len` of
 * weft_recvfrom may be NULL. Errors also: -ECONNRESET the peer reset the connection.
 */
WEFT_MUST_CHECK ssize_t weft_recv(int fd, void *buf, size_t len, int flags, int64_t deadline);
WEFT_MUST_CHECK ssize_t weft_send(int fd, const void *buf, size_t len, int flags, int64_t deadline);
WEFT_MUST_CHECK ssize_t weft_recvfrom(int fd, void *buf, size_t len, int flags,
				      struct sockaddr *address, socklen_t *address_len,
				      int64_t deadline);
WEFT_MUST_CHECK ssize_t weft_sendto(int fd, const void *buf, size_t len, int flags,
				    const struct sockaddr *address, socklen_t address_len,
				    int64_t deadline);
WEFT_MUST_CHECK ssize_t weft_recvmsg(int fd, struct msghdr *message, int flags, int64_t deadline);
WEFT_MUST_CHECK ssize_t weft_sendmsg(int fd, const struct msghdr *message, int flags,
				     int64_t deadline);

/*
 * accept4(2) with SOCK_CLOEXEC: returns the new descriptor, which the caller owns. `address` and
 * `address_len` may be NULL. Errors also: -EMFILE no descriptor is left; the connection waits on.
 */
WEFT_MUST_CHECK int weft_accept(int fd, struct sockaddr *address, socklen_t *address_len,
				int64_t deadline);
/*
 * connect(2), and waits for the answer. Returns 0 when connected. After an error or a deadline the
 * socket is of no more use. Errors also: -ECONNREFUSED nobody listens there.
 */
WEFT_MUST_CHECK int weft_connect(int fd, const struct sockaddr *address, socklen_t address_len,
				 int64_t deadline);

/*
 * Files by place and by name: pread(2), pwrite(2) until all is written, fsync(2), open(2) with
 * O_CLOEXEC. weft_pread returns 0 at the end; weft_pwrite returns less only when an error came
 * after that much; weft_open returns the descriptor, which the caller owns. -EINVAL also: `path` is
 * NULL. Any thread may call them. They are plain calls, each of which holds a thread while it
 * lasts, and other tasks run meanwhile; a file is always ready, so neither a deadline nor
 * weft_cancel ends them, a named pipe that waits for its other side included. Since 0.2.
 */
WEFT_MUST_CHECK ssize_t weft_pread(int fd, void *buf, size_t len, off_t at, int64_t deadline);
WEFT_MUST_CHECK ssize_t weft_pwrite(int fd, const void *buf, size_t len, off_t at,
				    int64_t deadline);
WEFT_MUST_CHECK int weft_fsync(int fd, int64_t deadline);
WEFT_MUST_CHECK int weft_open(const char *path, int flags, mode_t mode, int64_t deadline);

/*
 * Waits for any of `events` (POLLIN, POLLOUT, ... of <poll.h>) and returns those that are ready, as
 * poll(2) would, POLLERR and POLLHUP included.
 */
WEFT_MUST_CHECK int weft_wait_fd(int fd, short events, int64_t deadline);

/*
 * Closes a descriptor, one that weft did not open, too. Calls that wait on it return -EBADF, calls
 * under way end first, and the number is given back to the system last, so that none of them meets
 * another file under it. Plain blocking calls are not waited for. When this returns 0 it is closed.
 * Errors: -EBADF no such descriptor, or it is being closed already; -EINVAL no runtime runs, and
 * close(2) does it; errors of close(2), after which it is closed, too.
 */
int weft_close(int fd);

/*
 * getaddrinfo(3): the addresses of host and service (a name, or a number from 0 to 65535), which
 * freeaddrinfo frees; `hints` may be NULL. A name server that does not answer holds nobody up: the
 * deadline and weft_cancel end the wait, and weft_run does not wait for a resolver that was given
 * up. But a task that is locked to its thread asks on that thread, where neither ends the wait.
 * Returns 0. Errors also: -ENOENT the name does not resolve, or there is no such service or port;
 * -EHOSTDOWN no name server answers; -ENOMEM; -EINVAL `result` is NULL, host and service are both
 * NULL, or bad hints. Since 0.2.
 */
WEFT_MUST_CHECK int weft_resolve(const char *host, const char *service,
				 const struct addrinfo *hints, struct addrinfo **result,
				 int64_t deadline);

/*
 * Returns a socket that listens on host (NULL: every address) and service, close-on-exec, with
 * SO_REUSEADDR and TCP_NODELAY, which accepted connections inherit; a backlog <= 0 is the system's
 * largest. The caller owns the descriptor. It waits for the resolution of a name only; weft_cancel
 * ends that wait, and a deadline is not among its parameters. Errors: -EADDRINUSE somebody else
 * listens there; -ECANCELED; those of weft_resolve, and of socket(2), bind(2) and listen(2).
 */
WEFT_MUST_CHECK int weft_tcp_listen(const char *host, const char *service, int backlog);
/*
 * Returns a connection to the first address of host and service that answers; the deadline holds
 * for the resolution of the name too, and each address of several gets a share of it. The caller
 * owns the descriptor, which has TCP_NODELAY. Errors also: -ECONNREFUSED nobody listens there;
 * those of weft_resolve.
 */
WEFT_MUST_CHECK int weft_tcp_dial(const char *host, const char *service, int64_t deadline);
/*
 * The same for a path; one that starts with '@' is in the abstract name space. Errors also:
 * -ENAMETOOLONG; -EINVAL the path is NULL; -ENOENT it is empty.
 */
WEFT_MUST_CHECK int weft_unix_listen(const char *path, int backlog);
WEFT_MUST_CHECK int weft_unix_dial(const char *path, int64_t deadline);

/*
 * Sends each arrival of the signal to a channel of int items (a full channel loses it) until the
 * runtime stops. A signal may have several channels, each of which gets every arrival; one that is
 * named again is there once. The channel is referenced. NULL as the channel takes all away and
 * restores the signal's former action. A signal to the process arrives though the program had
 * blocked it before weft_run. Returns 0. Errors: -ENOMEM; -EINVAL no runtime runs, for a signal
 * that cannot be caught (SIGKILL, SIGSTOP), one of a fault (SIGSEGV, SIGBUS, SIGILL, SIGFPE,
 * SIGTRAP, SIGSYS: the instruction would run again and again), or another item size.
 */
int weft_signal_notify(struct weft_chan *chan, int signo);

/*
 * Takes the channel away from all its signals; a signal whose last channel it was gets its former
 * action again. Nothing more is sent once it returns. Returns 0, also when it had no signal, or
 * -EINVAL when no runtime runs or the channel is NULL. Since 0.2.
 */
int weft_signal_stop(struct weft_chan *chan);

/*
 * Waits for the end of one child process and reaps it; its status, as waitpid(2) has it, goes to
 * *status (may be NULL). Returns 0. Errors also: -ECHILD no such child; -EMFILE no descriptor is
 * left to wait with; -EINVAL pid <= 0.
 */
WEFT_MUST_CHECK int weft_wait_pid(pid_t pid, int *status, int64_t deadline);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
