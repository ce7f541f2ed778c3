/* SPDX-License-Identifier: MIT */
/*
 * sys.h: system calls without libc: those that it does not wrap, or whose wrapper does more than
 * the call (a cancellation point, errno, ThreadSanitizer's view of memory and of descriptors: to it
 * a question about a number races with another thread's close of it). Each returns 0, a count or
 * -errno; sys_X is the kernel's X and nothing else.
 */
#ifndef WEFT_BASE_SYS_H
#define WEFT_BASE_SYS_H

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>

struct epoll_event;
struct io_uring_params;
struct iovec;
struct open_how;
struct pollfd;
struct stat;
struct timespec;

/*
 * Sleeps while *word is `expected`, until weft__futex_wake or `deadline` (absolute CLOCK_MONOTONIC
 * nanoseconds; INT64_MAX: no limit). Returns 0: woken, perhaps for no reason; -EAGAIN: *word had
 * another value; -ETIMEDOUT; -EINTR.
 */
int weft__futex_wait(const uint32_t *word, uint32_t expected, int64_t deadline);
/* Wakes up to `count` sleepers on `word`; returns how many. */
int weft__futex_wake(const uint32_t *word, int count);

/*
 * ThreadSanitizer delays a signal's handler until its thread calls a function of libc that
 * ThreadSanitizer knows: this is such a call. The runtime's own waits are system calls that it does
 * not know. A signal that comes just before such a wait does not end it, so a thread that may be
 * the only one to run the handler waits no longer at once than weft__signals_pause returns: `limit`
 * nanoseconds, under ThreadSanitizer 10 ms at most. Without ThreadSanitizer neither does anything.
 */
void weft__signals_run(void);
int64_t weft__signals_pause(int64_t limit);

/* CLOCK_MONOTONIC in nanoseconds. */
int64_t weft__clock(void);

/* Lets another thread of this CPU run. */
void weft__yield_cpu(void);
/*
 * Waits for another thread to do a few instructions; `round` counts the calls from 0 on. Spins,
 * then yields, then sleeps: to yield lets nobody run who is below a real-time thread on its CPU.
 */
void weft__await_other(unsigned round);

/*
 * Zeroed memory from the kernel, by system call alone (ThreadSanitizer takes libc's mmap for a
 * write by the calling task). weft__remap makes `old` bytes at p, or nothing at NULL, into `size`
 * bytes, perhaps elsewhere. NULL: no memory.
 */
void *weft__remap(void *p, size_t old, size_t size);
void weft__unmap(void *p, size_t size); /* NULL is allowed */

/*
 * A system call by number with up to six arguments. Returns its result or -errno. A new one gets a
 * line of its own below.
 */
long weft__syscall(long nr, long a, long b, long c, long d, long e, long f);

/* ---- processes, threads, time ---- */

static inline pid_t sys_getpid(void)
{
	return (pid_t)weft__syscall(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

static inline pid_t sys_gettid(void)
{
	return (pid_t)weft__syscall(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

static inline int sys_tgkill(pid_t pid, pid_t tid, int signo)
{
	return (int)weft__syscall(SYS_tgkill, pid, tid, signo, 0, 0, 0);
}

static inline int sys_nanosleep(const struct timespec *pause)
{
	return (int)weft__syscall(SYS_nanosleep, (long)pause, 0, 0, 0, 0, 0);
}

static inline int sys_clock_gettime(clockid_t clock, struct timespec *ts)
{
	return (int)weft__syscall(SYS_clock_gettime, clock, (long)ts, 0, 0, 0, 0);
}

static inline int sys_membarrier(int command)
{
	return (int)weft__syscall(SYS_membarrier, command, 0, 0, 0, 0, 0);
}

/* Does the calling thread have a child of its own, alive or not yet waited for? */
static inline bool sys_thread_has_child(void)
{
	siginfo_t unused;
	int flags = WEXITED | WNOHANG | WNOWAIT | __WALL | __WNOTHREAD;
	return weft__syscall(SYS_waitid, P_ALL, 0, (long)&unused, flags, 0, 0) == 0;
}

static inline pid_t sys_wait4(pid_t pid, int *end, int flags)
{
	return (pid_t)weft__syscall(SYS_wait4, pid, (long)end, flags, 0, 0, 0);
}

static inline int sys_pidfd_open(pid_t pid)
{
	return (int)weft__syscall(SYS_pidfd_open, pid, 0, 0, 0, 0, 0);
}

/* `info` is a siginfo_t, whose si_code says that no kernel sent it. */
static inline int sys_rt_tgsigqueueinfo(pid_t pid, pid_t tid, int signo, const void *info)
{
	return (int)weft__syscall(SYS_rt_tgsigqueueinfo, pid, tid, signo, (long)info, 0, 0);
}

/* ---- memory ---- */

/* Maps the file `fd` from its start, or zeroed memory (-1). Returns -errno as a pointer: see
 * below. */
static inline void *sys_mmap(size_t size, int prot, int flags, int fd)
{
	return (void *)weft__syscall(SYS_mmap, 0, (long)size, prot, flags, fd, 0);
}

/* The -errno that sys_mmap or sys_mremap returned in place of an address; 0: it is one. */
static inline int sys_map_error(const void *p)
{
	return (uintptr_t)p > -(uintptr_t)4096 ? (int)(intptr_t)p : 0;
}

/* May move it. */
static inline void *sys_mremap(void *p, size_t old, size_t size)
{
	return (void *)weft__syscall(SYS_mremap, (long)p, (long)old, (long)size, MREMAP_MAYMOVE, 0,
				     0);
}

static inline int sys_munmap(const void *p, size_t size)
{
	return (int)weft__syscall(SYS_munmap, (long)p, (long)size, 0, 0, 0, 0);
}

static inline ssize_t sys_process_madvise(int pidfd, const struct iovec *v, size_t count,
					  int advice)
{
	return weft__syscall(SYS_process_madvise, pidfd, (long)v, (long)count, advice, 0, 0);
}

/* ---- files ---- */

static inline int sys_openat_mode(int dir, const char *path, int flags, mode_t mode)
{
	return (int)weft__syscall(SYS_openat, dir, (long)path, flags | O_CLOEXEC, mode, 0, 0);
}

static inline int sys_openat(int dir, const char *path, int flags)
{
	return sys_openat_mode(dir, path, flags, 0);
}

/* `how` has `size` bytes, as openat2(2) describes it; nothing is added to it. */
static inline int sys_openat2(int dir, const char *path, const struct open_how *how, size_t size)
{
	return (int)weft__syscall(SYS_openat2, dir, (long)path, (long)how, (long)size, 0, 0);
}

static inline int sys_close(int fd)
{
	return (int)weft__syscall(SYS_close, fd, 0, 0, 0, 0, 0);
}

static inline int sys_fstat(int fd, struct stat *st)
{
	return (int)weft__syscall(SYS_fstat, fd, (long)st, 0, 0, 0, 0);
}

static inline ssize_t sys_read(int fd, void *buf, size_t len)
{
	return weft__syscall(SYS_read, fd, (long)buf, (long)len, 0, 0, 0);
}

static inline ssize_t sys_write(int fd, const void *buf, size_t len)
{
	return weft__syscall(SYS_write, fd, (long)buf, (long)len, 0, 0, 0);
}

static inline ssize_t sys_pread(int fd, void *buf, size_t len, off_t at)
{
	return weft__syscall(SYS_pread64, fd, (long)buf, (long)len, at, 0, 0);
}

static inline ssize_t sys_pwrite(int fd, const void *buf, size_t len, off_t at)
{
	return weft__syscall(SYS_pwrite64, fd, (long)buf, (long)len, at, 0, 0);
}

static inline int sys_fsync(int fd)
{
	return (int)weft__syscall(SYS_fsync, fd, 0, 0, 0, 0, 0);
}

static inline ssize_t sys_readv(int fd, const struct iovec *v, int count)
{
	return weft__syscall(SYS_readv, fd, (long)v, count, 0, 0, 0);
}

static inline ssize_t sys_writev(int fd, const struct iovec *v, int count)
{
	return weft__syscall(SYS_writev, fd, (long)v, count, 0, 0, 0);
}

static inline int sys_ioctl(int fd, unsigned long request, void *argument)
{
	return (int)weft__syscall(SYS_ioctl, fd, (long)request, (long)argument, 0, 0, 0);
}

/* At the file's own position. */
static inline ssize_t sys_preadv2(int fd, const struct iovec *v, int count, int flags)
{
	return weft__syscall(SYS_preadv2, fd, (long)v, count, -1, -1, flags);
}

static inline ssize_t sys_pwritev2(int fd, const struct iovec *v, int count, int flags)
{
	return weft__syscall(SYS_pwritev2, fd, (long)v, count, -1, -1, flags);
}

static inline ssize_t sys_getdents64(int fd, void *entries, size_t size)
{
	return weft__syscall(SYS_getdents64, fd, (long)entries, (long)size, 0, 0, 0);
}

static inline int sys_fcntl(int fd, int command, long argument)
{
	return (int)weft__syscall(SYS_fcntl, fd, command, argument, 0, 0, 0);
}

/*
 * The first bytes of a small file, such as /proc makes, as a string: what one read(2) delivers.
 * Returns its length or -errno; `text` is a string in every case.
 */
static inline ssize_t sys_read_file(const char *path, char *text, size_t size)
{
	int fd = sys_openat(AT_FDCWD, path, O_RDONLY);
	ssize_t n = fd < 0 ? fd : sys_read(fd, text, size - 1);
	if (fd >= 0)
		sys_close(fd);
	text[n < 0 ? 0 : n] = 0;
	return n;
}

static inline ssize_t sys_getrandom(void *buf, size_t len, unsigned flags)
{
	return weft__syscall(SYS_getrandom, (long)buf, (long)len, (long)flags, 0, 0, 0);
}

/* ---- readiness ---- */

/* `limit` is relative, NULL: none. */
static inline int sys_ppoll(struct pollfd *p, unsigned count, struct timespec *limit)
{
	return (int)weft__syscall(SYS_ppoll, (long)p, count, (long)limit, 0, 0, 0);
}

static inline int sys_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
	return (int)weft__syscall(SYS_epoll_ctl, epoll, operation, fd, (long)event, 0, 0);
}

/* `limit` is relative, NULL: none. */
static inline int sys_epoll_pwait2(int epoll, struct epoll_event *events, int count,
				   const struct timespec *limit)
{
	return (int)weft__syscall(SYS_epoll_pwait2, epoll, (long)events, count, (long)limit, 0, 0);
}

static inline int sys_io_uring_setup(unsigned entries, struct io_uring_params *params)
{
	return (int)weft__syscall(SYS_io_uring_setup, entries, (long)params, 0, 0, 0, 0);
}

/* ---- sockets ---- */

static inline int sys_socket(int family, int type, int protocol)
{
	return (int)weft__syscall(SYS_socket, family, type | SOCK_CLOEXEC, protocol, 0, 0, 0);
}

static inline int sys_bind(int fd, const struct sockaddr *a, socklen_t al)
{
	return (int)weft__syscall(SYS_bind, fd, (long)a, al, 0, 0, 0);
}

static inline int sys_listen(int fd, int backlog)
{
	return (int)weft__syscall(SYS_listen, fd, backlog, 0, 0, 0, 0);
}

static inline int sys_accept4(int fd, struct sockaddr *a, socklen_t *al, int flags)
{
	return (int)weft__syscall(SYS_accept4, fd, (long)a, (long)al, flags | SOCK_CLOEXEC, 0, 0);
}

static inline int sys_connect(int fd, const struct sockaddr *a, socklen_t al)
{
	return (int)weft__syscall(SYS_connect, fd, (long)a, al, 0, 0, 0);
}

static inline int sys_getsockopt(int fd, int level, int option, void *value, socklen_t *size)
{
	return (int)weft__syscall(SYS_getsockopt, fd, level, option, (long)value, (long)size, 0);
}

static inline int sys_setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
	return (int)weft__syscall(SYS_setsockopt, fd, level, option, (long)value, size, 0);
}

static inline ssize_t sys_recvfrom(int fd, void *buf, size_t len, int flags, struct sockaddr *a,
				   socklen_t *al)
{
	return weft__syscall(SYS_recvfrom, fd, (long)buf, (long)len, flags, (long)a, (long)al);
}

static inline ssize_t sys_sendto(int fd, const void *buf, size_t len, int flags,
				 const struct sockaddr *a, socklen_t al)
{
	return weft__syscall(SYS_sendto, fd, (long)buf, (long)len, flags, (long)a, al);
}

static inline ssize_t sys_recvmsg(int fd, struct msghdr *message, int flags)
{
	return weft__syscall(SYS_recvmsg, fd, (long)message, flags, 0, 0, 0);
}

static inline ssize_t sys_sendmsg(int fd, const struct msghdr *message, int flags)
{
	return weft__syscall(SYS_sendmsg, fd, (long)message, flags, 0, 0, 0);
}

#endif
