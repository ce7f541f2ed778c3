/* SPDX-License-Identifier: MIT */
/*
 * sys.h: the system calls that libc does not wrap, or whose wrapper does more than the call
 * (cancellation points, errno). Each gives 0, a count or -errno.
 */
#ifndef WEFT_BASE_SYS_H
#define WEFT_BASE_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Sleeps while *word is `expected`, until weft__futex_wake or `deadline` (absolute CLOCK_MONOTONIC
 * nanoseconds; INT64_MAX: no limit). 0: woken, perhaps for no reason; -EAGAIN: *word was something
 * else; -ETIMEDOUT; -EINTR.
 */
int weft__futex_wait(const uint32_t *word, uint32_t expected, int64_t deadline);
/* Wakes up to `count` sleepers on `word`; gives how many. */
int weft__futex_wake(const uint32_t *word, int count);

/*
 * For ThreadSanitizer, which puts a signal's handler off until its thread calls a function of libc's that it knows:
 * such a call. The runtime's own waits are system calls that it does not know. Nothing elsewhere.
 */
void weft__signals_run(void);

pid_t weft__gettid(void);
/* CLOCK_MONOTONIC in nanoseconds. */
int64_t weft__clock(void);

/* Lets another thread of this CPU run. */
void weft__yield_cpu(void);

/*
 * Zeroed memory from the kernel, by system call alone (ThreadSanitizer takes libc's mmap for a write by the calling
 * task). weft__remap makes `old` bytes at p, or nothing at NULL, into `size` bytes, perhaps elsewhere. NULL: no memory.
 */
void *weft__remap(void *p, size_t old, size_t size);
void weft__unmap(void *p, size_t size); /* NULL is allowed */

/* A system call by number with up to six arguments, no errno, no cancellation point: the result or
 * -errno. */
long weft__syscall(long nr, long a, long b, long c, long d, long e, long f);

#endif
