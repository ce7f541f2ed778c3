/* SPDX-License-Identifier: MIT */
/* debug_test.c: see debug_test.h. */
#include "debug_test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sched/park.h"

char *said;
int status;

static char *read_all(int fd)
{
	static char text[TEXT];
	size_t n = 0;
	for (ssize_t got; n < TEXT - 1 && (got = read(fd, text + n, TEXT - 1 - n)) > 0;)
		n += (size_t)got;
	text[n] = 0;
	return text;
}

void in_child(int (*fn)(void *arg), void *arg)
{
	int pipe_fds[2], how;
	expect_eq(pipe(pipe_fds), 0);
	pid_t child = fork();
	expect_ge(child, 0);
	if (child == 0) {
		struct rlimit none = {0, 0};
		setrlimit(RLIMIT_CORE, &none);
		dup2(pipe_fds[1], STDERR_FILENO);
		close(pipe_fds[0]);
		close(pipe_fds[1]);
		alarm(60); /* a child that hangs is a failure, not a guest */
		_exit(fn(arg));
	}
	close(pipe_fds[1]);
	said = read_all(pipe_fds[0]);
	close(pipe_fds[0]);
	expect_eq(waitpid(child, &how, 0), child);
	status = WIFEXITED(how) ? WEXITSTATUS(how) : -WTERMSIG(how);
}

struct run {
	const struct weft_options *options;
	int (*main_task)(void *arg);
};

static int run(void *arg)
{
	struct run *r = arg;
	return weft_run(r->options, r->main_task, NULL);
}

void run_in_child(const struct weft_options *options, int (*main_task)(void *arg))
{
	struct run r = {options, main_task};
	in_child(run, &r);
}

int wait_forever(void *arg)
{
	struct thread *t = enter();
	struct waiter *w = weft__wait_begin(t, NULL, "nothing", true);
	weft__wait_park(&t, w, WEFT_FOREVER);
	leave(t);
	return 0;
}

void go_wait_forever(void *arg)
{
	wait_forever(arg);
}

void spin_for_ever(void *arg)
{
	for (volatile unsigned n = 0;; n++)
		;
}

char *dump_text(void)
{
	int fd = memfd_create("dump", MFD_CLOEXEC);
	expect_ge(fd, 0);
	expect_eq(weft_dump(fd), 0);
	lseek(fd, 0, SEEK_SET);
	char *text = read_all(fd);
	close(fd);
	return text;
}

unsigned count_of(const char *text, const char *word)
{
	unsigned n = 0;
	for (; (text = strstr(text, word)); text += strlen(word))
		n++;
	return n;
}
