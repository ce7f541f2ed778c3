/* SPDX-License-Identifier: MIT */
/*
 * preload.c: libweft-getrandom.so. With LD_PRELOAD, an unchanged program draws its random bytes
 * through the vDSO: getrandom, getentropy and the arc4random family, each with the contract of the
 * libc function that it replaces (results, errno, cancellation).
 *
 * Out of reach: statically linked programs, Go programs, and callers of syscall(SYS_getrandom)
 * (libuv, libbsd). Calls may come before any constructor has run; they are system calls then.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/random.h>

#include "base/attr.h"
#include "weft/random.h"

#define exported __attribute__((visibility("default")))

enum { GETENTROPY_MAX = 256 };

/* Not in the headers of a libc that lacks them. */
uint32_t arc4random(void);
void arc4random_buf(void *buf, size_t len);
uint32_t arc4random_uniform(uint32_t bound);

static ssize_t with_errno(ssize_t result)
{
	if (likely(result >= 0))
		return result;
	errno = (int)-result;
	return -1;
}

/* A cancellation point in glibc, and so here. */
exported ssize_t getrandom(void *buf, size_t len, unsigned flags)
{
	pthread_testcancel();
	return with_errno(weft_getrandom(buf, len, flags));
}

/* All or nothing, no cancellation point. */
exported int getentropy(void *buf, size_t len)
{
	char *at = buf;
	if (len > GETENTROPY_MAX)
		return (int)with_errno(-EIO);
	while (len > 0) {
		ssize_t got = weft_getrandom(at, len, 0);
		if (got < 0 && got != -EINTR)
			return (int)with_errno(got);
		at += max_of(got, 0);
		len -= (size_t)max_of(got, 0);
	}
	return 0;
}

exported uint32_t arc4random(void)
{
	return weft_random_u32();
}

exported void arc4random_buf(void *buf, size_t len)
{
	weft_random_bytes(buf, len);
}

exported uint32_t arc4random_uniform(uint32_t bound)
{
	return weft_random_below(bound);
}
