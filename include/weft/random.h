/* SPDX-License-Identifier: MIT */
/*
 * weft/random.h: the kernel's random bytes, through the vDSO where there is one (libweft-random,
 * without the runtime). Since 0.1.
 *
 * Nothing is kept between calls. Below 256 bytes every byte comes from the kernel's generator; a
 * longer call draws fresh keys from it, one for each 64 KiB, and expands them with ChaCha20, as the
 * kernel does with keys of its own. Callable from any thread, from a signal handler, before and
 * after fork, from static programs; none of the calls uses malloc or sets errno. Where the vDSO's
 * getrandom cannot be had, each call falls back to the system call by itself.
 */
#ifndef WEFT_RANDOM_H
#define WEFT_RANDOM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "weft/attr.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/*
 * getrandom(2): fills up to `len` bytes and returns how many; below 257 bytes all or an error.
 * `flags`: GRND_NONBLOCK, GRND_RANDOM, GRND_INSECURE of <sys/random.h>. Errors: -EAGAIN
 * GRND_NONBLOCK, and the generator is not ready; -EINVAL unknown flags, or GRND_RANDOM with
 * GRND_INSECURE; -EINTR a signal came first (257 bytes and more); -ENOSYS refused by a sandbox;
 * -EFAULT a bad buffer, as far as the system call sees it: the vDSO writes to memory like any other
 * code.
 */
WEFT_MUST_CHECK ssize_t weft_getrandom(void *buf, size_t len, unsigned flags);

/*
 * Fills all of it. Never fails: it falls back to the system call, then to /dev/urandom, then ends
 * the program with a message and abort.
 */
void weft_random_bytes(void *buf, size_t len);

/*
 * Maps and keys the calling thread's state now, before a sandbox closes: later draws of this thread
 * need no system call but, rarely, getrandom. Waits for the pool where a draw would only try.
 * Returns 0. Errors: -ENOSYS no vDSO getrandom here; -EBUSY in a signal handler that interrupted
 * the taking of a state, or in the last destructors of a thread; -ETIMEDOUT other threads took
 * states for ten seconds; -ENOMEM, -EAGAIN, -EPERM and other errors of mmap(2) and of
 * pthread_setspecific(3).
 */
int weft_random_prepare(void);

/*
 * Return evenly distributed numbers; weft_random_below one of 0 .. bound-1 without bias, and 0 for
 * bound 0.
 */
uint32_t weft_random_u32(void);
uint64_t weft_random_u64(void);
uint32_t weft_random_below(uint32_t bound);

/*
 * Where the bytes come from and what the states cost. The caller sets `size`, the call fills what
 * fits; what the library does not know, being older than the program, is set to 0.
 */
struct weft_random_info {
	size_t size;	      /* set by the caller: sizeof(struct weft_random_info) */
	int vdso;	      /* 1: through the vDSO; 0: by system call */
	const char *why_not;  /* why not, when vdso is 0: a constant string; otherwise NULL */
	size_t state_size;    /* bytes of one state as the kernel says; 0 without vDSO */
	size_t states_mapped; /* states in all pages, in use or free */
	size_t states_free;   /* of these, owned by no thread; approximate while others run */
	size_t pages;	      /* pages of states, never unmapped */
};

/* Fills *info. Returns 0, or -EINVAL when `info` is NULL or its size too small for any version. */
int weft_random_info(struct weft_random_info *info);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
