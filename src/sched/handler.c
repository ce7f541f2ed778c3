/* SPDX-License-Identifier: MIT */
/* handler.c: see handler.h. Handlers come and go while the runtime begins and ends, or under the
 * lock of api/signal.c; the deadlock report reads them when all tasks wait. */
#include "sched/handler.h"

#include <errno.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/fatal.h"
#include "base/sys.h"

static struct handler *front[NSIG]; /* our handler that was installed last */

static bool is_function(const struct sigaction *action)
{
	return action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN;
}

bool weft__handler_faults(int signo)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS};
	for (unsigned i = 0; i < array_len(faults); i++)
		if (faults[i] == signo)
			return true;
	return false;
}

int weft__handler_install(struct handler *h, int signo, int flags, const sigset_t *mask)
{
	struct sigaction action = {.sa_sigaction = h->run,
				   .sa_mask = *mask,
				   .sa_flags = flags | SA_SIGINFO | SA_ONSTACK};
	if (sigaction(signo, NULL, &h->before) < 0)
		return -EINVAL;
	if (sigaction(signo, &action, &h->before) < 0) /* SIGKILL and SIGSTOP can be read */
		return -EINVAL;
	h->behind = front[signo];
	front[signo] = h;
	h->stands = true;
	return 0;
}

bool weft__handler_stands(const struct handler *h, int signo)
{
	struct sigaction now;
	return h->stands && sigaction(signo, NULL, &now) == 0 && now.sa_sigaction == h->run;
}

void weft__handler_remove(struct handler *h, int signo)
{
	if (!h->stands)
		return;
	check(front[signo] == h);
	if (weft__handler_stands(h, signo))
		sigaction(signo, &h->before, NULL);
	front[signo] = h->behind;
	h->stands = false;
}

/* A true fault was not sent: its instruction runs again when the handler returns. */
static bool is_fault(int signo, const siginfo_t *info)
{
	return info->si_code > 0 && weft__handler_faults(signo);
}

static void end_by_default(int signo, siginfo_t *info)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigaction(signo, &action, NULL);
	if (!is_fault(signo,
		      info)) /* sent again, with its sender: taken as soon as it is unblocked */
		sys_rt_tgsigqueueinfo(sys_getpid(), sys_gettid(), signo, info);
}

static void call(struct sigaction *action, int signo, siginfo_t *info, void *context)
{
	struct sigaction now = *action;
	if (!(now.sa_flags & SA_NODEFER))
		sigaddset(&now.sa_mask, signo);
	if (now.sa_flags & SA_RESETHAND)
		action->sa_handler = SIG_DFL;
	pthread_sigmask(SIG_BLOCK, &now.sa_mask,
			NULL); /* libc restores it when our handler returns */
	if (now.sa_flags & SA_SIGINFO)
		now.sa_sigaction(signo, info, context);
	else
		now.sa_handler(signo);
}

void weft__handler_pass(struct handler *h, int signo, siginfo_t *info, void *context)
{
	if (is_function(&h->before))
		call(&h->before, signo, info, context);
	else if (h->before.sa_handler == SIG_DFL || is_fault(signo, info))
		end_by_default(signo, info); /* nobody can ignore a fault: it would come for ever */
}

bool weft__handler_of_program(int signo)
{
	struct sigaction action;
	if (sigaction(signo, NULL, &action) < 0)
		return false;
	for (const struct handler *h = front[signo]; h; h = h->behind)
		if (action.sa_sigaction == h->run)
			action = h->before;
	return is_function(&action);
}
