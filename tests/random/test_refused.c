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
	ck_assert(all_distinct(words, DRAWS));
}

START_TEST(mapping_refused_by_seccomp_means_system_calls)
{
	refuse(SYS_mmap, EPERM, true);
	draw_distinct();
	ck_assert(!weft__state_owned());
	ck_assert_int_eq(weft_random_prepare(), skip_without_vdso() ? -ENOSYS : -EPERM);
	ck_assert_uint_eq(info_now().pages, 0);
}
END_TEST

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
	ck_assert_int_eq(sigaction(SIGSYS, &action, NULL), 0);
}

START_TEST(a_refused_mapping_is_not_tried_at_every_draw)
{
	if (skip_without_vdso())
		return;
	answer_with(-ENOMEM, -ENOMEM);
	trap(SYS_mmap, true);
	draw_distinct();
	ck_assert_uint_ge(attempts, 2); /* it is tried again */
	ck_assert_uint_le(attempts, 10);
}
END_TEST

START_TEST(no_address_space_means_system_calls)
{
	struct rlimit old, none = {4096, RLIM_INFINITY};
	if (skip_without_vdso())
		return;
	ck_assert_int_eq(getrlimit(RLIMIT_AS, &old), 0);
	none.rlim_max = old.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &none), 0);
	for (int i = 0; i < DRAWS; i++)
		if (weft_random_u64() == 0)
			abort();
	int refused = weft_random_prepare();
	bool owned = weft__state_owned();
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &old), 0);
	ck_assert_int_eq(refused, -ENOMEM);
	ck_assert(!owned);
	ck_assert_int_eq(weft_random_prepare(), 0); /* and again, when there is room */
}
END_TEST

START_TEST(locked_memory_at_its_limit_means_system_calls)
{
	struct rlimit least = {1, 1}; /* 0 would refuse the call below */
	if (skip_without_vdso())
		return;
	ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &least), 0);
	if (getuid() == 0)
		ck_assert_int_eq(setuid(65534), 0);
	ck_assert_int_eq(mlockall(MCL_FUTURE), 0);
	ck_assert_uint_ne(weft_random_u64(), 0);
	ck_assert(!weft__state_owned());
	ck_assert_int_eq(weft_random_prepare(), -EAGAIN);
}
END_TEST

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

START_TEST(getrandom_refused_means_the_device)
{
	uint64_t word;
	weft_random_u64();
	refuse(SYS_getrandom, ENOSYS, false);
	if (!skip_without_vdso()) /* a keyed state goes on */
		ck_assert_int_eq(weft_getrandom(&word, sizeof(word), 0), sizeof(word));
	on_thread(draw_without_getrandom, NULL); /* a fresh one cannot be keyed */
	ck_assert_uint_eq(info_now().states_mapped - info_now().states_free,
			  skip_without_vdso() ? 0 : 1);
}
END_TEST

START_TEST(bulk_without_getrandom_comes_from_the_device)
{
	static uint64_t words[8192];
	refuse(SYS_getrandom, ENOSYS, false);
	ck_assert_int_eq(weft_getrandom(words, sizeof(words), 0), -ENOSYS);
	weft_random_bytes(words, sizeof(words));
	ck_assert(all_distinct(words, array_len(words)));
}
END_TEST

START_TEST(nothing_to_be_had_ends_the_process_with_a_message)
{
	refuse(SYS_getrandom, ENOSYS, false);
	refuse(SYS_openat, EACCES, false);
	weft_random_u64();
}
END_TEST

START_TEST(an_interrupted_small_draw_is_tried_again_and_a_large_one_is_not)
{
	char buf[300];
	answer_with(-EINTR, 256);
	trap(SYS_getrandom, false);
	ck_assert_int_eq(weft_getrandom(buf, 256, GRND_INSECURE), 256);
	ck_assert_uint_eq(attempts, 4);
	attempts = 0;
	ck_assert_int_eq(weft_getrandom(buf, 257, GRND_INSECURE), -EINTR);
	ck_assert_uint_eq(attempts, 1);
}
END_TEST

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

START_TEST(a_warm_draw_makes_no_system_call)
{
	int result = -SIGKILL;
	if (skip_without_vdso())
		return;
	/* more than once, because the kernel asks for a new key about once in a minute */
	for (int i = 0; i < 3 && result == -SIGKILL; i++)
		result = in_strict_mode(0);
	ck_assert_int_eq(result, 0);
}
END_TEST

/* The negative control: draws that are system calls do not survive the same. */
START_TEST(control_a_system_call_in_strict_mode_is_noticed)
{
	ck_assert_int_eq(in_strict_mode(GRND_INSECURE), -SIGKILL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("refused");
	TCase *tests = tcase_create("refused");

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, mapping_refused_by_seccomp_means_system_calls);
	if (!UNDER_SANITIZER) { /* they need memory themselves */
		tcase_add_test(tests, no_address_space_means_system_calls);
		tcase_add_test(tests, locked_memory_at_its_limit_means_system_calls);
	}
	tcase_add_test(tests, getrandom_refused_means_the_device);
	tcase_add_test(tests, bulk_without_getrandom_comes_from_the_device);
	tcase_add_test_raise_signal(tests, nothing_to_be_had_ends_the_process_with_a_message,
				    SIGABRT);
	if (!UNDER_TSAN) { /* it holds SIGSYS back */
		tcase_add_test(tests, a_refused_mapping_is_not_tried_at_every_draw);
		tcase_add_test(tests,
			       an_interrupted_small_draw_is_tried_again_and_a_large_one_is_not);
	}
	if (!UNDER_TSAN) { /* its own end needs more system calls than strict mode has */
		if (!DEBUG_BUILD)
			tcase_add_test(tests, a_warm_draw_makes_no_system_call);
		tcase_add_test(tests, control_a_system_call_in_strict_mode_is_noticed);
	}
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
