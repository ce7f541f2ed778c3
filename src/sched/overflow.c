/* SPDX-License-Identifier: MIT */
/*
 * overflow.c: a task that runs over the end of its stack hits its guard, and dies with its name:
 *
 *   weft: task 17 'resolver' overflowed its 64 KiB stack
 *
 * The handler runs on the thread's alternate signal stack (thread.c). It then hands the signal on:
 * to the handler that the program had installed before, else to the default action, so that the
 * process dies of SIGSEGV with a core file. Faults elsewhere pass through untouched.
 */
#include "sched/overflow.h"

#include <signal.h>

#include "sched/schedule.h"
#include "sched/stack.h"

static struct sigaction before[2]; /* of SIGSEGV and SIGBUS */
static bool watching;

static void pass_on(int signo, siginfo_t *info, void *context)
{
	struct sigaction *old = &before[signo == SIGBUS];
	if (old->sa_flags & SA_SIGINFO)
		old->sa_sigaction(signo, info, context);
	else if (old->sa_handler != SIG_DFL && old->sa_handler != SIG_IGN)
		old->sa_handler(signo);
	else
		signal(signo, SIG_DFL); /* the instruction runs again, and the process dies of the
					   real fault */
}

static void on_fault(int signo, siginfo_t *info, void *context)
{
	struct task *task = info->si_code > 0 ? weft__stack_guard_owner(info->si_addr) : NULL;
	if (task)
		weft__warn("task %llu '%s' overflowed its %zu KiB stack "
			   "(weft_spawn_options.stack_size gives it more)",
			   (unsigned long long)task->id, task_name(task),
			   task->class->usable / 1024);
	pass_on(signo, info, context);
}

void weft__overflow_watch(void)
{
	struct sigaction action = {.sa_sigaction = on_fault,
				   .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
	sigemptyset(&action.sa_mask);
	sigaction(SIGSEGV, &action, &before[0]);
	sigaction(SIGBUS, &action, &before[1]);
	watching = true;
}

void weft__overflow_unwatch(void)
{
	if (!watching)
		return;
	watching = false;
	sigaction(SIGSEGV, &before[0], NULL);
	sigaction(SIGBUS, &before[1], NULL);
}
