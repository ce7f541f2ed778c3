/* SPDX-License-Identifier: MIT */
/* sys.c: see sys.h. */
#include "base/sys.h"

#include <errno.h>
#include <linux/futex.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/attr.h"
#include "base/time.h"

/* Of weft__await_other: rounds of each kind, and what each sleep lasts. */
enum { AWAIT_SPINS = 64, AWAIT_YIELDS = 64 };
#define AWAIT_PAUSE US(100)

#if defined(__x86_64__)
long weft__syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	long ret;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}
#elif defined(__aarch64__)
long weft__syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;
	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}
#else
#error "weft runs on x86-64 and aarch64: add this processor's system call instruction here"
#endif

static int futex_wait(const uint32_t *word, uint32_t expected, int64_t deadline)
{
	/* FUTEX_WAIT_BITSET is the form whose timeout is absolute. */
	struct timespec ts = timespec_of(deadline);
	return (int)weft__syscall(SYS_futex, (long)word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG,
				  expected, deadline == INT64_MAX ? 0 : (long)&ts, 0,
				  FUTEX_BITSET_MATCH_ANY);
}

void weft__signals_run(void)
{
#ifdef WEFT_TSAN
	usleep(0);
#endif
}

int64_t weft__signals_pause(int64_t limit)
{
#ifdef WEFT_TSAN
	return min_of(limit, MS(10));
#else
	return limit;
#endif
}

#ifdef WEFT_TSAN
/* In pieces, also because the kernel continues a wait without a limit after a signal. */
int weft__futex_wait(const uint32_t *word, uint32_t expected, int64_t deadline)
{
	int result = -ETIMEDOUT;
	int64_t end = 0;
	while (result == -ETIMEDOUT && end < deadline) {
		int64_t piece = weft__clock() + weft__signals_pause(INT64_MAX);
		end = min_of(deadline, piece);
		result = futex_wait(word, expected, end);
		weft__signals_run();
	}
	return result;
}
#else
int weft__futex_wait(const uint32_t *word, uint32_t expected, int64_t deadline)
{
	return futex_wait(word, expected, deadline);
}
#endif

int weft__futex_wake(const uint32_t *word, int count)
{
	return (int)weft__syscall(SYS_futex, (long)word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count, 0,
				  0, 0);
}

void *weft__remap(void *p, size_t old, size_t size)
{
	void *fresh = p ? sys_mremap(p, old, size)
			: sys_mmap(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	return sys_map_error(fresh) ? NULL : fresh;
}

void weft__unmap(void *p, size_t size)
{
	if (p)
		sys_munmap(p, size);
}

void weft__yield_cpu(void)
{
	weft__syscall(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
}

void weft__await_other(unsigned round)
{
	const struct timespec pause = timespec_of(AWAIT_PAUSE);
	if (round < AWAIT_SPINS)
		cpu_relax();
	else if (round < AWAIT_SPINS + AWAIT_YIELDS)
		weft__yield_cpu();
	else
		sys_nanosleep(&pause);
}

int64_t weft__clock(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return nanoseconds_of(ts);
}
