/* SPDX-License-Identifier: MIT */
/*
 * quit.c: SIGQUIT writes the dump to stderr and is then passed to what was there before weft_run:
 * the program's handler, or the default action, which ends the process with a core file, as SIGQUIT
 * does everywhere. A program that ignored SIGQUIT before weft_run continues after the dump.
 *
 * Everything here is async-signal-safe: no lock, no allocation, system calls alone. The handler
 * runs on the thread's signal stack, so a task's small stack is no problem.
 */
#include "debug/quit.h"

#include <errno.h>
#include <unistd.h>

#include "debug/dump.h"
#include "debug/stop.h"
#include "sched/handler.h"

static void on_quit(int signo, siginfo_t *info, void *context);

static struct handler handler = {.run = on_quit};

static void on_quit(int signo, siginfo_t *info, void *context)
{
	int saved = errno;
	if (!weft__stop_answer(info, context)) {
		struct registers r = weft__stop_registers(context);
		weft__dump_to(STDERR_FILENO, &r);
		weft__handler_pass(&handler, signo, info, context);
	}
	errno = saved;
}

bool weft__quit_watched(void)
{
	return weft__handler_stands(&handler, SIGQUIT);
}

void weft__quit_watch(void)
{
	sigset_t none;
	sigemptyset(&none);
	weft__handler_install(&handler, SIGQUIT, SA_RESTART, &none);
}

void weft__quit_unwatch(void)
{
	weft__handler_remove(&handler, SIGQUIT);
}
