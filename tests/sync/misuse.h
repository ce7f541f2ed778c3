/* SPDX-License-Identifier: MIT */
/*
 * misuse.h: does a program die as a misuse should: one line that names the call and the task, then
 * abort?
 */
#ifndef TESTS_SYNC_MISUSE_H
#define TESTS_SYNC_MISUSE_H

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../tasks.h"

/*
 * Runs `main_task` in a child; its standard error must begin with "weft: `call`: ", name the
 * calling task, and abort must end it.
 */
static inline void expect_misuse(const char *call, int (*main_task)(void *arg))
{
	int fds[2], status;
	char text[4096] = "", expected[128];
	size_t length = 0;
	expect_eq(pipe(fds), 0);
	pid_t child = fork();
	expect_ge(child, 0);
	if (child == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		signal(SIGABRT, SIG_DFL);
		dup2(fds[1], STDERR_FILENO);
		tasks_run(1, main_task, NULL);
		_exit(0);
	}
	close(fds[1]);
	for (ssize_t n; length < sizeof(text) - 1 &&
			(n = read(fds[0], text + length, sizeof(text) - 1 - length)) > 0;)
		length += (size_t)n;
	close(fds[0]);
	expect_eq(waitpid(child, &status, 0), child);
	expect_that(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "%s: status %#x", call,
		    status);
	snprintf(expected, sizeof(expected), "weft: %s: ", call);
	expect_that(strncmp(text, expected, strlen(expected)) == 0, "expected %s..., got %s",
		    expected, text);
	char *line_end = strchr(text, '\n');
	expect_ne(line_end, NULL);
	*line_end = 0;
	expect_that(strstr(text, " (called by task "), "no task is named: %s", text);
}

#endif
