/* SPDX-License-Identifier: MIT */
/*
 * quit.c: SIGQUIT writes the dump to stderr and is then handed on to what was there before
 * weft_run: the program's handler, or the default action, which ends the process with a core file,
 * as SIGQUIT does everywhere. A program that ignored SIGQUIT before weft_run goes on after the
 * dump.
 *
 * Everything here is async-signal-safe: no lock, no allocation, system calls alone. The handler
 * runs on the thread's signal stack, so a small stack of a task is no matter.
 */
#include "debug/quit.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/sys.h"
#include "debug/dump.h"
#include "debug/stop.h"

static struct sigaction before;
static bool watching;

static void on_quit(int signo, siginfo_t *info, void *context)
{
	int saved = errno;
	if (!weft__stop_answer(info, context)) {
		struct registers r = weft__stop_registers(context);
		weft__dump_to(STDERR_FILENO, &r);
		if (before.sa_flags & SA_SIGINFO)
			before.sa_sigaction(signo, info, context);
		else if (before.sa_handler == SIG_DFL)
			signal(signo, SIG_DFL),
				raise(signo); /* ends the process when this handler returns */
		else if (before.sa_handler != SIG_IGN)
			before.sa_handler(signo);
	}
	errno = saved;
}

bool weft__quit_watched(void)
{
	struct sigaction now;
	return watching && sigaction(SIGQUIT, NULL, &now) == 0 && now.sa_flags & SA_SIGINFO &&
	       now.sa_sigaction == on_quit;
}

void weft__quit_watch(void)
{
	struct sigaction action = {.sa_sigaction = on_quit,
				   .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
	sigemptyset(&action.sa_mask);
	watching = sigaction(SIGQUIT, &action, &before) == 0;
}

void weft__quit_unwatch(void)
{
	if (weft__quit_watched())
		sigaction(SIGQUIT, &before, NULL);
	watching = false;
}
