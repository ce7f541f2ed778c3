/* SPDX-License-Identifier: MIT */
/*
 * refuse.h: what it means when a system call fails that weft can do without.
 *
 *   -ENOSYS           the kernel is older than the call
 *   -EPERM, -EACCES   a sandbox does not allow it: container engines return these for calls that
 *                     their policy does not name because they were new when it was written
 *
 *   call              file                   instead
 *   epoll_pwait2      sched/netpoll.c        epoll_wait, in milliseconds
 *   preadv2           api/io.c               poll(2) first, then a plain readv
 *   pwritev2          api/io.c               the same with writev, SIGPIPE blocked meanwhile
 *   pidfd_open        api/process.c          looks once a millisecond
 *   membarrier        sched/monitor.c        a fence at each entry: any failure counts
 *   process_madvise   sched/stack.c          one madvise after the other: what it fails with for no
 *                                            memory at all counts
 *   getrandom         random/getrandom.c     /dev/urandom: any failure counts
 *
 * Each call may also be refused in mid-run, when a program closes its sandbox late. All but
 * membarrier are tried each time, so nothing changes for them; for membarrier see lease.h.
 *
 * Where a call may fail with these for reasons of its own (EPERM from a sealed file), the call that
 * is made instead fails with them again.
 */
#ifndef WEFT_BASE_REFUSE_H
#define WEFT_BASE_REFUSE_H

#include <errno.h>
#include <stdbool.h>

/* The kernel or a sandbox does not let weft make that call at all. */
static inline bool call_refused(long err)
{
	return err == -ENOSYS || err == -EPERM || err == -EACCES;
}

#endif
