/* SPDX-License-Identifier: MIT */
/*
 * seed.c: prints the seed of a run that fails in the deterministic mode: by its result, by a
 * deadlock or a misuse (both print a dump, which begins with the seed), or by a signal, as from
 * assert(), whose handler here prints it and passes the signal on.
 */
#include "debug/seed.h"

#include <stddef.h>

#include "base/attr.h"
#include "sched/handler.h"
#include "sched/sched.h"
#include "sched/sim.h"

static void on_death(int signo, siginfo_t *info, void *context);

static const int deadly[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
static struct handler handlers[array_len(deadly)];

static void say_seed(void)
{
	weft__warn("WEFT_SIM=%llu runs this schedule again", (unsigned long long)weft__sim_seed());
}

static void on_death(int signo, siginfo_t *info, void *context)
{
	say_seed();
	for (unsigned i = 0; i < array_len(deadly); i++)
		if (deadly[i] == signo)
			weft__handler_pass(&handlers[i], signo, info, context);
}

void weft__seed_watch(void)
{
	sigset_t none;
	sigemptyset(&none);
	for (unsigned i = 0; i < array_len(deadly); i++) {
		handlers[i].run = on_death;
		weft__handler_install(&handlers[i], deadly[i], 0, &none);
	}
}

void weft__seed_unwatch(void)
{
	for (unsigned i = 0; i < array_len(deadly); i++)
		weft__handler_remove(&handlers[i], deadly[i]);
	if (sched.sim && sched.main.result)
		say_seed();
}
