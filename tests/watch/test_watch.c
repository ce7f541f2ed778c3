/* SPDX-License-Identifier: MIT */
/*
 * test_watch.c: what the watcher promises about a child's death: the signal, the address, and the
 * frames by name.
 *
 * The crashing chains below are real calls that no optimisation may fold; the names in the reports
 * are theirs.
 */
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

#include "../kit.h"
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

	expect_eq(weft__watch_spawn(fn, arg, &report), 0);
	return report;
}

static void assert_chain(const struct watch_report *report, unsigned frames, const char *expected)
{
	char chain[512];

	weft__watch_chain(report, frames, chain, sizeof(chain));
	expect_that(!strcmp(chain, expected), "got '%s', expected '%s' (%s)", chain, expected,
		    report->why_no_frames);
}

static int crash(void *arg)
{
	outer(arg);
	return 0;
}

TEST("a crash is reported with its address and call chain")
{
	struct watch_report report = watch(crash, (void *)8);

	expect(WIFSIGNALED(report.status));
	expect_eq(WTERMSIG(report.status), SIGSEGV);
	expect(report.faulted);
	expect_eq(report.signal, SIGSEGV);
	expect_eq(report.address, 8);
	assert_chain(&report, 4, "inner < middle < outer < crash");
}

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

TEST("a crash with all signals blocked is found among seventy threads")
{
	struct watch_report report = watch(crash_among_threads, NULL);

	expect(report.faulted);
	expect_eq(report.signal, SIGSEGV);
	assert_chain(&report, 4, "inner < middle < outer < crash_on_thread");
}

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

TEST("the caller of a function without frame is not lost")
{
	struct watch_report report = watch(crash_frameless, NULL);

	assert_chain(&report, 3, "frameless < call_frameless < crash_frameless");
	report = watch(crash_half_framed, NULL);
	assert_chain(&report, 3, "half_framed < call_half_framed < crash_half_framed");
}

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

TEST("a call through a null pointer names its caller")
{
	struct watch_report report = watch(crash_nowhere, NULL);

	assert_chain(&report, 3, "? < call_nowhere < crash_nowhere");
}

static int exit_with(void *arg)
{
	return (int)(intptr_t)arg;
}

TEST("a child that exits has its status and no fault")
{
	struct watch_report report = watch(exit_with, (void *)42);

	expect(WIFEXITED(report.status));
	expect_eq(WEXITSTATUS(report.status), 42);
	expect(!report.faulted);
	expect_eq(report.frame_count, 0);
}

static int die_of(void *arg)
{
	kill(getpid(), (int)(intptr_t)arg);
	pause();
	return 0;
}

TEST("a signal from outside is reported as such")
{
	struct watch_report report = watch(die_of, (void *)SIGUSR1);

	expect(WIFSIGNALED(report.status));
	expect_eq(report.signal, SIGUSR1);
	expect(!report.faulted);
	expect_eq(report.why_no_frames, "the signal came from outside");
	report = watch(die_of, (void *)SIGKILL);
	expect_eq(report.signal, SIGKILL);
}

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

TEST("a handler that raises the signal again does not hide the crash")
{
	struct watch_report report = watch(crash_with_handler, (void *)raise_again);

	expect_eq(report.signal, SIGSEGV);
	assert_chain(&report, 3, "inner < middle < outer");
}

TEST("a fault that was handled is not reported")
{
	struct watch_report report = watch(crash_with_handler, (void *)leave);

	expect(WIFEXITED(report.status));
	expect_eq(WEXITSTATUS(report.status), 3);
	expect(!report.faulted);
}

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

TEST("thousands of short threads pass")
{
	struct watch_report report = watch(start_threads, NULL);

	expect(WIFEXITED(report.status));
	expect_eq(WEXITSTATUS(report.status), 7);
}

static void deny_ptrace(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ptrace, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {array_len(code), code};

	expect_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	expect_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
}

TEST("without ptrace the signal is reported and why there are no frames")
{
	deny_ptrace();
	struct watch_report report = watch(crash, NULL);

	expect(WIFSIGNALED(report.status));
	expect_eq(report.signal, SIGSEGV);
	expect_eq(report.frame_count, 0);
	expect_eq(report.why_no_frames, "it could not be traced: Operation not permitted");
}

TEST("other children of the caller are left to it")
{
	pid_t other = fork();
	int status;

	if (other == 0)
		_exit(5);
	struct watch_report report = watch(exit_with, (void *)1);
	expect_eq(WEXITSTATUS(report.status), 1);
	expect_eq(waitpid(other, &status, 0), other);
	expect_eq(WEXITSTATUS(status), 5);
}

TEST("a chain is cut like snprintf cuts")
{
	struct watch_report report = {.frame_count = 2, .frames = {{1, "abc"}, {2, "def"}}};
	char text[6];

	expect_eq(weft__watch_chain(&report, 2, text, sizeof(text)), 9);
	expect_eq(text, "abc <");
	expect_eq(weft__watch_chain(&report, 2, NULL, 0), 9);
}
