/* SPDX-License-Identifier: MIT */
/*
 * handler.h: the runtime's own signal handlers, which stand in front of the program's.
 *
 * Several may stand on one signal, each in front of the one before (SIGSEGV: an overflow is named,
 * the deterministic mode's seed is said). The last one to come is the first to go.
 *
 * The program may install a handler at any time, and then it is the program's that counts: ours is
 * gone, and stays so when the runtime ends. A handler of the program's that stands behind ours, or
 * that calls ours (it was the former one, to it), is run or handed on to as if ours were not there.
 */
#ifndef WEFT_SCHED_HANDLER_H
#define WEFT_SCHED_HANDLER_H

#include <signal.h>
#include <stdbool.h>

struct handler {
	void (*run)(int signo, siginfo_t *info, void *context);
	struct sigaction before; /* what it stands in front of */
	struct handler *behind;	 /* of ours, on the same signal; NULL: none */
	bool stands;
};

/* Puts `h`, whose `run` is set, in front; `flags` and `mask` as for sigaction(2), SA_SIGINFO and
 * SA_ONSTACK added. 0 or -EINVAL: there is no such signal, or it has no handlers. */
int weft__handler_install(struct handler *h, int signo, int flags, const sigset_t *mask);
/* Takes it away: what was before comes back, unless the program has replaced it. */
void weft__handler_remove(struct handler *h, int signo);
/* Is it the signal's action at this moment? */
bool weft__handler_stands(const struct handler *h, int signo);
/*
 * From within h->run: does what would happen if `h` were not there. A handler is called, with its
 * mask; the default action ends the process, at once for a signal that was sent, and when the
 * instruction runs again for a true fault. Async-signal-safe.
 */
void weft__handler_pass(struct handler *h, int signo, siginfo_t *info, void *context);
/* Has the program a handler for it, before ours or behind them? */
bool weft__handler_of_program(int signo);
/* Does the signal tell of a fault of the thread's own instruction, unless it is sent? */
bool weft__handler_faults(int signo);

#endif
