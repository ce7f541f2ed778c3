/* SPDX-License-Identifier: MIT */
/*
 * server.h: other people's servers, started on the loopback in a folder of their own. The kit kills
 * what is left at the end of a run: the server is in its process group.
 */
#ifndef TESTS_WITH_SERVER_H
#define TESTS_WITH_SERVER_H

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../io/io_test.h"

/* Whether a program of that name is in the PATH; its path goes to `path`. */
static inline bool server_program(const char *name, char path[256])
{
	char *folders = strdup(getenv("PATH")), *rest = folders, *folder;
	bool found = false;
	while (!found && (folder = strsep(&rest, ":"))) {
		snprintf(path, 256, "%s/%s", folder, name);
		found = access(path, X_OK) == 0;
	}
	free(folders);
	return found;
}

/* A port that was free a moment ago. */
static inline void server_free_port(char port[16])
{
	int fd = weft_tcp_listen("127.0.0.1", "0", 1);
	expect_ge(fd, 0);
	strcpy(port, port_of(fd));
	weft_close(fd);
}

static inline pid_t server_start(const char *path, char *const arguments[])
{
	extern char **environ;
	posix_spawn_file_actions_t quiet;
	pid_t pid;
	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
	expect_eq(posix_spawn(&pid, path, &quiet, NULL, arguments, environ), 0);
	posix_spawn_file_actions_destroy(&quiet);
	return pid;
}

/* Until it takes connections. */
static inline void server_await(const char *port)
{
	int fd;
	int64_t deadline = soon();
	while ((fd = weft_tcp_dial("127.0.0.1", port, deadline)) < 0 && weft_now() < deadline)
		weft_sleep(10 * MS);
	expect_ge(fd, 0);
	weft_close(fd);
}

static inline void server_end(pid_t pid)
{
	kill(pid, SIGKILL);
	expect_eq(weft_wait_pid(pid, NULL, soon()), 0);
}

#endif
