/* SPDX-License-Identifier: MIT */
/*
 * test_watch.c: what the watcher promises about a child's death: the signal, the address, and the
 * frames by name.
 *
 * The crashing chains below are real calls that no optimisation may fold; the names in the reports
 * are theirs.
 */
#include <check.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "cli/proc/watch.h"

static volatile long sink;
static long *volatile nowhere;

static noipa void inner(long *p)
{
	sink = *p;
	sink++;
}

static noipa void middle(long *p)
{
	inner(p);
	sink++;
}

static noipa void outer(long *p)
{
	middle(p);
	sink++;
}

static struct watch_report watch(int (*fn)(void *), void *arg)
{
	struct watch_report report;

	ck_assert_int_eq(weft__watch_spawn(fn, arg, &report), 0);
	return report;
}

static void assert_chain(const struct watch_report *report, unsigned frames, const char *expected)
{
	char chain[512];

	weft__watch_chain(report, frames, chain, sizeof(chain));
	ck_assert_msg(!strcmp(chain, expected), "got '%s', expected '%s' (%s)", chain, expected,
		      report->why_no_frames);
}

static int crash(void *arg)
{
	outer(arg);
	return 0;
}

START_TEST(a_crash_is_reported_with_its_address_and_call_chain)
{
	struct watch_report report = watch(crash, (void *)8);

	ck_assert(WIFSIGNALED(report.status));
	ck_assert_int_eq(WTERMSIG(report.status), SIGSEGV);
	ck_assert(report.faulted);
	ck_assert_int_eq(report.signal, SIGSEGV);
	ck_assert_uint_eq(report.address, 8);
	assert_chain(&report, 4, "inner < middle < outer < crash");
}
END_TEST

static void *crash_on_thread(void *arg)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL); /* what a dying thread of Go's has done */
	outer(nowhere);
	return arg;
}

static void *wait_on_thread(void *arg)
{
	pause();
	return arg;
}

static int crash_among_threads(void *arg)
{
	pthread_t t;

	for (int i = 0; i < 70; i++)
		pthread_create(&t, NULL, wait_on_thread, NULL);
	pthread_create(&t, NULL, crash_on_thread, NULL);
	pthread_join(t, NULL);
	return 0;
}

START_TEST(a_crash_with_all_signals_blocked_is_found_among_seventy_threads)
{
	struct watch_report report = watch(crash_among_threads, NULL);

	ck_assert(report.faulted);
	ck_assert_int_eq(report.signal, SIGSEGV);
	assert_chain(&report, 4, "inner < middle < outer < crash_on_thread");
}
END_TEST

#if defined(__x86_64__)
/* Faults before it has built a frame, as code does whose check comes before its prologue. */
__asm__(".text\n.type frameless, @function\nframeless:\n\tmovq (%rdi), %rax\n\tret\n.size "
	"frameless, .-frameless\n"
	".type half_framed, @function\nhalf_framed:\n\tpushq %rbp\n\tmovq (%rdi), %rax\n\tpopq "
	"%rbp\n\tret\n"
	".size half_framed, .-half_framed\n");
#elif defined(__aarch64__)
__asm__(".text\n.type frameless, @function\nframeless:\n\tldr x0, [x0]\n\tret\n.size frameless, "
	".-frameless\n"
	".type half_framed, @function\nhalf_framed:\n\tstp x29, x30, [sp, #-16]!\n\tldr x0, [x0]\n"
	"\tldp x29, x30, [sp], #16\n\tret\n.size half_framed, .-half_framed\n");
#endif
void frameless(long *p);
void half_framed(long *p);

static noipa void call_frameless(void)
{
	frameless(nowhere);
	sink++;
}

static noipa void call_half_framed(void)
{
	half_framed(nowhere);
	sink++;
}

static int crash_frameless(void *arg)
{
	call_frameless();
	return 0;
}

static int crash_half_framed(void *arg)
{
	call_half_framed();
	return 0;
}

START_TEST(the_caller_of_a_function_without_frame_is_not_lost)
{
	struct watch_report report = watch(crash_frameless, NULL);

	assert_chain(&report, 3, "frameless < call_frameless < crash_frameless");
	report = watch(crash_half_framed, NULL);
	assert_chain(&report, 3, "half_framed < call_half_framed < crash_half_framed");
}
END_TEST

static void (*volatile no_function)(void);

static noipa void call_nowhere(void)
{
	no_function();
	sink++;
}

static int crash_nowhere(void *arg)
{
	call_nowhere();
	return 0;
}

START_TEST(a_call_through_a_null_pointer_names_its_caller)
{
	struct watch_report report = watch(crash_nowhere, NULL);

	assert_chain(&report, 3, "? < call_nowhere < crash_nowhere");
}
END_TEST

static int exit_with(void *arg)
{
	return (int)(intptr_t)arg;
}

START_TEST(a_child_that_exits_gives_its_status_and_no_fault)
{
	struct watch_report report = watch(exit_with, (void *)42);

	ck_assert(WIFEXITED(report.status));
	ck_assert_int_eq(WEXITSTATUS(report.status), 42);
	ck_assert(!report.faulted);
	ck_assert_uint_eq(report.frame_count, 0);
}
END_TEST

static int die_of(void *arg)
{
	kill(getpid(), (int)(intptr_t)arg);
	pause();
	return 0;
}

START_TEST(a_signal_from_outside_is_reported_as_such)
{
	struct watch_report report = watch(die_of, (void *)SIGUSR1);

	ck_assert(WIFSIGNALED(report.status));
	ck_assert_int_eq(report.signal, SIGUSR1);
	ck_assert(!report.faulted);
	ck_assert_str_eq(report.why_no_frames, "the signal came from outside");
	report = watch(die_of, (void *)SIGKILL);
	ck_assert_int_eq(report.signal, SIGKILL);
}
END_TEST

static void raise_again(int sig)
{
	signal(sig, SIG_DFL);
	raise(sig);
}

static void leave(int sig)
{
	_exit(3);
}

static int crash_with_handler(void *handler)
{
	signal(SIGSEGV, (void (*)(int))handler);
	outer(nowhere);
	return 0;
}

START_TEST(a_handler_that_raises_the_signal_again_does_not_hide_the_crash)
{
	struct watch_report report = watch(crash_with_handler, (void *)raise_again);

	ck_assert_int_eq(report.signal, SIGSEGV);
	assert_chain(&report, 3, "inner < middle < outer");
}
END_TEST

START_TEST(a_fault_that_was_handled_is_not_reported)
{
	struct watch_report report = watch(crash_with_handler, (void *)leave);

	ck_assert(WIFEXITED(report.status));
	ck_assert_int_eq(WEXITSTATUS(report.status), 3);
	ck_assert(!report.faulted);
}
END_TEST

static void *do_nothing(void *arg)
{
	return arg;
}

static int start_threads(void *arg)
{
	for (int i = 0; i < 2000; i++) {
		pthread_t t;
		if (pthread_create(&t, NULL, do_nothing, NULL) || pthread_join(t, NULL))
			return 1;
	}
	return 7;
}

START_TEST(thousands_of_short_threads_pass)
{
	struct watch_report report = watch(start_threads, NULL);

	ck_assert(WIFEXITED(report.status));
	ck_assert_int_eq(WEXITSTATUS(report.status), 7);
}
END_TEST

static void deny_ptrace(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ptrace, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {array_len(code), code};

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
}

START_TEST(without_ptrace_the_signal_is_reported_and_why_there_are_no_frames)
{
	deny_ptrace();
	struct watch_report report = watch(crash, NULL);

	ck_assert(WIFSIGNALED(report.status));
	ck_assert_int_eq(report.signal, SIGSEGV);
	ck_assert_uint_eq(report.frame_count, 0);
	ck_assert_str_eq(report.why_no_frames, "it could not be traced: Operation not permitted");
}
END_TEST

START_TEST(other_children_of_the_caller_are_left_to_it)
{
	pid_t other = fork();
	int status;

	if (other == 0)
		_exit(5);
	struct watch_report report = watch(exit_with, (void *)1);
	ck_assert_int_eq(WEXITSTATUS(report.status), 1);
	ck_assert_int_eq(waitpid(other, &status, 0), other);
	ck_assert_int_eq(WEXITSTATUS(status), 5);
}
END_TEST

START_TEST(a_chain_is_cut_like_snprintf_cuts)
{
	struct watch_report report = {.frame_count = 2, .frames = {{1, "abc"}, {2, "def"}}};
	char text[6];

	ck_assert_int_eq(weft__watch_chain(&report, 2, text, sizeof(text)), 9);
	ck_assert_str_eq(text, "abc <");
	ck_assert_int_eq(weft__watch_chain(&report, 2, NULL, 0), 9);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("watch");
	TCase *tests = tcase_create("watch");

	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, a_crash_is_reported_with_its_address_and_call_chain);
	tcase_add_test(tests, a_crash_with_all_signals_blocked_is_found_among_seventy_threads);
	tcase_add_test(tests, the_caller_of_a_function_without_frame_is_not_lost);
	tcase_add_test(tests, a_call_through_a_null_pointer_names_its_caller);
	tcase_add_test(tests, a_child_that_exits_gives_its_status_and_no_fault);
	tcase_add_test(tests, a_signal_from_outside_is_reported_as_such);
	tcase_add_test(tests, a_handler_that_raises_the_signal_again_does_not_hide_the_crash);
	tcase_add_test(tests, a_fault_that_was_handled_is_not_reported);
	tcase_add_test(tests, thousands_of_short_threads_pass);
	tcase_add_test(tests, without_ptrace_the_signal_is_reported_and_why_there_are_no_frames);
	tcase_add_test(tests, other_children_of_the_caller_are_left_to_it);
	tcase_add_test(tests, a_chain_is_cut_like_snprintf_cuts);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
