/* SPDX-License-Identifier: MIT */
/* test_refused.c: what sandboxes and limits refuse, and that a draw comes to its bytes
 * nevertheless. */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/attr.h"
#include "random/state.h"
#include "random/vdso.h"
#include "random_test.h"

enum { DRAWS = 10000 };

#ifdef WEFT_DEBUG
enum { DEBUG_BUILD = 1 }; /* asks for the thread's number at each draw */
#else
enum { DEBUG_BUILD = 0 };
#endif

static void draw_distinct(void)
{
	static uint64_t words[DRAWS];
	for (int i = 0; i < DRAWS; i++)
		words[i] = weft_random_u64();
	expect(all_distinct(words, DRAWS));
}

TEST("mapping refused by seccomp means system calls")
{
	refuse(SYS_mmap, EPERM, true);
	draw_distinct();
	expect(!weft__state_owned());
	expect_eq(weft_random_prepare(), has_vdso() ? -EPERM : -ENOSYS);
	expect_eq(info_now().pages, 0);
}

static unsigned attempts;
static long answers[2]; /* to the first three attempts, and to later ones */

static void answer(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	long result = answers[attempts++ >= 3];
#if defined(__x86_64__)
	uc->uc_mcontext.gregs[REG_RAX] = result;
#elif defined(__aarch64__)
	uc->uc_mcontext.regs[0] = (uint64_t)result;
#endif
}

static void answer_with(long first, long later)
{
	struct sigaction action = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO};
	answers[0] = first;
	answers[1] = later;
	expect_eq(sigaction(SIGSYS, &action, NULL), 0);
}

TEST("a refused mapping is not tried at every draw")
{
	if (UNDER_TSAN)
		skip("ThreadSanitizer holds SIGSYS back");
	needs_vdso();
	answer_with(-ENOMEM, -ENOMEM);
	trap(SYS_mmap, true);
	draw_distinct();
	expect_ge(attempts, 2); /* it is tried again */
	expect_le(attempts, 10);
}

TEST("no address space means system calls")
{
	if (UNDER_SANITIZER)
		skip("sanitizers need memory themselves");
	struct rlimit old, none = {4096, RLIM_INFINITY};
	needs_vdso();
	expect_eq(getrlimit(RLIMIT_AS, &old), 0);
	none.rlim_max = old.rlim_max;
	expect_eq(setrlimit(RLIMIT_AS, &none), 0);
	for (int i = 0; i < DRAWS; i++)
		if (weft_random_u64() == 0)
			abort();
	int refused = weft_random_prepare();
	bool owned = weft__state_owned();
	expect_eq(setrlimit(RLIMIT_AS, &old), 0);
	expect_eq(refused, -ENOMEM);
	expect(!owned);
	expect_eq(weft_random_prepare(), 0); /* and again, when there is room */
}

TEST("locked memory at its limit means system calls")
{
	if (UNDER_SANITIZER)
		skip("sanitizers need memory themselves");
	struct rlimit least = {1, 1}; /* 0 would refuse the call below */
	needs_vdso();
	expect_eq(setrlimit(RLIMIT_MEMLOCK, &least), 0);
	if (getuid() == 0)
		expect_eq(setuid(65534), 0);
	expect_eq(mlockall(MCL_FUTURE), 0);
	expect_ne(weft_random_u64(), 0);
	expect(!weft__state_owned());
	expect_eq(weft_random_prepare(), -EAGAIN);
}

static void *draw_without_getrandom(void *unused)
{
	uint64_t word = 0;
	bool vdso = weft__vdso.draw != NULL;
	if (weft_getrandom(&word, sizeof(word), 0) != -ENOSYS || weft_random_prepare() != -ENOSYS)
		abort();
	draw_distinct(); /* from /dev/urandom */
	if (vdso && !weft__state_owned())
		abort();
	return NULL;
}

TEST("getrandom refused means the device")
{
	uint64_t word;
	weft_random_u64();
	refuse(SYS_getrandom, ENOSYS, false);
	if (has_vdso()) /* a keyed state goes on */
		expect_eq(weft_getrandom(&word, sizeof(word), 0), sizeof(word));
	on_thread(draw_without_getrandom, NULL); /* a fresh one cannot be keyed */
	expect_eq(info_now().states_mapped - info_now().states_free, has_vdso() ? 1 : 0);
}

TEST("bulk without getrandom comes from the device")
{
	static uint64_t words[8192];
	refuse(SYS_getrandom, ENOSYS, false);
	expect_eq(weft_getrandom(words, sizeof(words), 0), -ENOSYS);
	weft_random_bytes(words, sizeof(words));
	expect(all_distinct(words, array_len(words)));
}

TEST("nothing to be had ends the process with a message", .ends = DIES(SIGABRT))
{
	refuse(SYS_getrandom, ENOSYS, false);
	refuse(SYS_openat, EACCES, false);
	weft_random_u64();
}

TEST("an interrupted small draw is tried again and a large one is not")
{
	if (UNDER_TSAN)
		skip("ThreadSanitizer holds SIGSYS back");
	char buf[300];
	answer_with(-EINTR, 256);
	trap(SYS_getrandom, false);
	expect_eq(weft_getrandom(buf, 256, GRND_INSECURE), 256);
	expect_eq(attempts, 4);
	attempts = 0;
	expect_eq(weft_getrandom(buf, 257, GRND_INSECURE), -EINTR);
	expect_eq(attempts, 1);
}

/* In strict mode every system call but read, write and exit ends the process. */
static int in_strict_mode(unsigned flags)
{
	pid_t child = fork();
	if (child != 0)
		return end_of(child);
	uint64_t word = 0, all = 0;
	char bulk[4096];
	weft_random_prepare();
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0)
		_exit(3);
	for (int i = 0; i < 100000; i++) {
		if (weft_getrandom(&word, sizeof(word), flags) != sizeof(word))
			syscall(SYS_exit, 4);
		all |= word;
	}
	weft_random_bytes(bulk, sizeof(bulk));
	syscall(SYS_exit, all + 1 == 0 ? 0 : 5);
	return 0;
}

TEST("a warm draw makes no system call")
{
	if (DEBUG_BUILD)
		skip("a debug build asks for the thread's number at each draw");
	if (UNDER_TSAN)
		skip("ThreadSanitizer's own end needs more system calls than strict mode has");
	int result = -SIGKILL;
	needs_vdso();
	/* more than once, because the kernel asks for a new key about once in a minute */
	for (int i = 0; i < 3 && result == -SIGKILL; i++)
		result = in_strict_mode(0);
	expect_eq(result, 0);
}

/* The negative control: draws that are system calls do not survive the same. */
TEST("control a system call in strict mode is noticed")
{
	if (UNDER_TSAN)
		skip("ThreadSanitizer's own end needs more system calls than strict mode has");
	expect_eq(in_strict_mode(GRND_INSECURE), -SIGKILL);
}
