/* SPDX-License-Identifier: MIT */
/*
 * handler.h: the runtime's own signal handlers, which stand in front of the program's.
 *
 * Several may stand on one signal, each in front of the one before (SIGSEGV: one names a stack
 * overflow, one prints the deterministic mode's seed). The last one installed is the first removed.
 *
 * The program may install a handler at any time, and then it is the program's that counts: ours is
 * gone, and stays so when the runtime ends. A handler of the program's that stands behind ours, or
 * that calls ours (which to it was the former one), runs or is passed the signal as if ours were
 * not there.
 */
#ifndef WEFT_SCHED_HANDLER_H
#define WEFT_SCHED_HANDLER_H

#include <signal.h>
#include <stdbool.h>

struct handler {
	void (*run)(int signo, siginfo_t *info, void *context);
	struct sigaction before; /* what it stands in front of */
	struct handler *behind;	 /* the next of ours on the same signal; NULL: none */
	bool stands;
};

/* Puts `h`, whose `run` is set, in front; `flags` and `mask` as for sigaction(2), SA_SIGINFO and
 * SA_ONSTACK added. 0 or -EINVAL: there is no such signal, or it has no handlers. */
int weft__handler_install(struct handler *h, int signo, int flags, const sigset_t *mask);
/* Removes it: the former action comes back, unless the program has replaced ours. */
void weft__handler_remove(struct handler *h, int signo);
/* Is it the signal's action at this moment? */
bool weft__handler_stands(const struct handler *h, int signo);
/*
 * Called by h->run: does what would happen if `h` were not there. A handler is called, with its
 * mask; the default action ends the process: at once for a signal that was sent, when the
 * instruction runs again for a true fault. Async-signal-safe.
 */
void weft__handler_pass(struct handler *h, int signo, siginfo_t *info, void *context);
/* Has the program a handler for it, in front of ours or behind them? */
bool weft__handler_of_program(int signo);
/* Is it a signal that means a fault of the thread's own instruction, unless it was sent? */
bool weft__handler_faults(int signo);

#endif
