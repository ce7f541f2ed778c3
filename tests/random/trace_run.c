/* SPDX-License-Identifier: MIT */
/*
 * trace_run.c: runs a command under ptrace and looks at it, or lies to it, as no libc could notice.
 *
 *   trace_run --count NAME FILE COMMAND...
 *       writes to FILE how many times COMMAND, its threads and its children made the system call
 *       NAME (getrandom or mmap)
 *   trace_run --no-vdso COMMAND...
 *       COMMAND finds no vDSO: AT_SYSINFO_EHDR is removed from what the kernel tells a new program
 *
 * Exit status: the command's; 77 where ptrace is not permitted.
 */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SKIP = 77, SYSCALL_STOP = SIGTRAP | 0x80 };

static long counted = -1; /* the number of the system call, or none */
static unsigned long count;
static bool no_vdso;

static uint64_t peek(pid_t pid, uint64_t at)
{
	errno = 0;
	return (uint64_t)ptrace(PTRACE_PEEKDATA, pid, (void *)at, NULL);
}

/* The stack of a program that begins: argc, arguments, NULL, environment, NULL, pairs that end in
 * AT_NULL. */
static void strike_vdso(pid_t pid)
{
	struct __ptrace_syscall_info info = {0};
	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info) <= 0)
		exit(SKIP);
	uint64_t at = info.stack_pointer + 8 * (peek(pid, info.stack_pointer) + 2);
	while (peek(pid, at) != 0 && errno == 0)
		at += 8;
	for (at += 8; errno == 0 && peek(pid, at) != AT_NULL; at += 16)
		if (peek(pid, at) == AT_SYSINFO_EHDR)
			ptrace(PTRACE_POKEDATA, pid, (void *)at, (void *)AT_IGNORE);
}

static void look_at_call(pid_t pid)
{
	struct __ptrace_syscall_info info = {0};
	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info) > 0 &&
	    info.op == PTRACE_SYSCALL_INFO_ENTRY && info.entry.nr == (uint64_t)counted)
		count++;
}

/* What to pass on to the stopped one: a signal of its own, or none. */
static int handle_stop(pid_t pid, int status)
{
	int signo = WSTOPSIG(status), event = status >> 16;
	if (event == PTRACE_EVENT_EXEC && no_vdso)
		strike_vdso(pid);
	if (signo == SYSCALL_STOP)
		look_at_call(pid);
	return event != 0 || signo == SYSCALL_STOP || signo == SIGSTOP ? 0 : signo;
}

static int watch(pid_t main_pid)
{
	int status, result = EXIT_FAILURE;
	pid_t pid;
	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		if (WIFSTOPPED(status))
			ptrace(counted < 0 ? PTRACE_CONT : PTRACE_SYSCALL, pid, NULL,
			       (void *)(intptr_t)handle_stop(pid, status));
		else if (pid == main_pid)
			result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
	return result;
}

static pid_t start(char **command)
{
	const uintptr_t options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_TRACECLONE |
				  PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_EXITKILL;
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		raise(SIGSTOP);
		execvp(command[0], command);
		perror(command[0]);
		_exit(EXIT_FAILURE);
	}
	if (pid < 0 || waitpid(pid, &status, WUNTRACED) != pid ||
	    ptrace(PTRACE_SEIZE, pid, NULL, (void *)options) != 0) {
		printf("skipped: ptrace is not permitted\n");
		kill(pid, SIGKILL);
		exit(SKIP);
	}
	kill(pid, SIGCONT);
	return pid;
}

static int usage(void)
{
	fprintf(stderr,
		"usage: trace_run --count getrandom|mmap FILE COMMAND... | --no-vdso COMMAND...\n");
	return 2;
}

int main(int argc, char **argv)
{
	FILE *report = NULL;
	if (argc > 4 && strcmp(argv[1], "--count") == 0) {
		counted = strcmp(argv[2], "mmap") == 0 ? SYS_mmap : SYS_getrandom;
		report = fopen(argv[3], "w");
		argv += 4;
	} else if (argc > 2 && strcmp(argv[1], "--no-vdso") == 0) {
		no_vdso = true;
		argv += 2;
	}
	if (!report && !no_vdso)
		return usage();
	int result = watch(start(argv));
	if (report) {
		fprintf(report, "%lu\n", count);
		fclose(report);
	}
	return result;
}
