/* SPDX-License-Identifier: MIT */
/*
 * exit.c: the end of a thread. The heart of the project: a dying thread owes nothing.
 *
 * Go 1.24.0 to 1.24.2 gave a thread's random state back after its processor was gone (5 before 2
 * below). Giving back could grow a list, growing allocates, allocating needs a processor: a
 * segmentation fault at address 0, without any message, because all signals were blocked. Three
 * walls stand here instead, each enough by itself:
 *
 *   the order       2 comes before 5
 *   the structure   weft__state_put links a record that was allocated together with the state: it
 *                   cannot allocate
 *   the check       the processor's cache asks whether the caller holds it (proc_held), release
 *                   builds included
 *
 * `weft storm` takes them down one by one, in child processes. models/exit.pml proves it on paper.
 */
#include "sched/exit.h"

#include <signal.h>

#include "random/state.h"
#include "sched/proc.h"
#include "sched/template.h"
#include "sched/thread.h"
#include "sched/trace.h"

enum { REAP_BATCH = 16 }; /* dead threads for which the template is not woken: each costs a stack */

#ifdef WEFT_FAULTS
struct weft_faults weft__faults;
#endif

/* Notes that a step is done. */
static void step(struct thread *t, uint32_t number)
{
	store_relaxed(&t->exit_step, number);
	trace_exact(t, thread_exit, number, 0);
#ifdef WEFT_FAULTS
	if (weft__faults.on_step)
		weft__faults.on_step(t->number, number);
#endif
}

/* Blocks all signals but those of a fault, which must be able to kill with a message, should a
 * fault happen here. Through libc, which leaves its own signals open: a later setuid() of the
 * process waits for every thread to answer them. */
static void block_signals(struct thread *t)
{
	sigset_t all;
	sigfillset(&all);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGFPE);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
}

/* Inlined: in the storm's report weft__state_put's caller is weft__thread_exit. */
static always_inline void give_state_back(struct thread *t)
{
	weft__state_put();
	step(t, 2);
}

static void drop_signal_stack(void)
{
	stack_t none = {.ss_flags = SS_DISABLE};
	sigaltstack(&none, NULL);
}

/* Returns true when enough threads wait to be reaped. */
static bool unlink_thread(struct thread *t)
{
	lock_take(&sched.lock, RANK_SCHED);
	list_remove(&t->all);
	thread_idle_remove(t);
	list_push_tail(&sched.leaving, &t->all);
	bool reap = ++sched.leaving_count >= REAP_BATCH || sched.running == RUNTIME_ENDS ||
		    sched.thread_count >= sched.max_threads; /* its place is needed */
	store_relaxed(&t->phase, THREAD_LEAVING);
	lock_drop(&sched.lock, RANK_SCHED);
	return reap;
}

static bool state_goes_first(void)
{
#ifdef WEFT_FAULTS
	return !weft__faults.processor_first;
#else
	return true;
#endif
}

storm_frame void *weft__thread_exit(struct thread *t)
{
	/* 1. No handler runs on this thread any more; a fault still kills it with a message. */
	block_signals(t);
	step(t, 1);

	/* 2. The random state goes back while the processor is still held. */
	if (state_goes_first())
		give_state_back(t);

	/* 3. The finished task is freed by now (weft__task_ended); the signal stack, which lies on
	 *    this stack, goes. */
	drop_signal_stack();
	step(t, 3);

	/* 4. The thread leaves the list of all threads and counts as leaving, for the template to
	 *    reap. */
	bool reap = unlink_thread(t);
	step(t, 4);

	/* 5. The processor goes to another thread, which the template starts if need be; or it goes
	 *    idle, and the monitor looks for a deadlock. */
	if (t->processor)
		weft__proc_leave(t);
	step(t, 5);
	if (!state_goes_first())
		give_state_back(t);

	/* 6. From here on this is a thread like any other: it does not touch the runtime again. */
	step(t, 6);
	weft__thread_set_self(NULL);
	if (reap)
		weft__template_wake();
	store_relaxed(&t->phase, THREAD_BARE);

	/* 7. libc runs the program's key destructors; the template reaps; only then is the stack
	 *    used again. */
	return NULL;
}
