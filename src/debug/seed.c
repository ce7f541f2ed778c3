/* SPDX-License-Identifier: MIT */
/*
 * seed.c: the seed as the last word of a run that fails in the deterministic mode: by its result,
 * by a deadlock or a misuse (both print a dump, which begins with the seed), or by a signal, as
 * from assert(), whose handler here prints it and hands the signal on.
 */
#include "debug/seed.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "sched/sched.h"
#include "sched/sim.h"

static const int deadly[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
static struct sigaction before[array_len(deadly)];
static bool watching;

static void say_seed(void)
{
	weft__warn("WEFT_SIM=%llu runs this schedule again", (unsigned long long)weft__sim_seed());
}

static void on_death(int signo, siginfo_t *info, void *context)
{
	say_seed();
	for (unsigned i = 0; i < array_len(deadly); i++)
		if (deadly[i] == signo)
			sigaction(signo, &before[i], NULL);
	if (info->si_code <= 0) /* sent, not caused by an instruction that will run again */
		raise(signo);
}

void weft__seed_watch(void)
{
	struct sigaction action = {.sa_sigaction = on_death, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	sigemptyset(&action.sa_mask);
	for (unsigned i = 0; i < array_len(deadly); i++)
		sigaction(deadly[i], &action, &before[i]);
	watching = true;
}

void weft__seed_unwatch(void)
{
	for (unsigned i = 0; watching && i < array_len(deadly); i++)
		sigaction(deadly[i], &before[i], NULL);
	watching = false;
	if (sched.sim && sched.main_result)
		say_seed();
}
