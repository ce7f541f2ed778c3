/* SPDX-License-Identifier: MIT */
/*
 * run.c: weft_run and weft_stop, where the floors below meet: options are checked and completed,
 * the scheduler (sched/runtime.c) does the work, and signals (api/signal.c) and observers
 * (debug/observe.h) are told when it begins and ends.
 */
#include <errno.h>
#include <stdlib.h>

#include "api/signal.h"
#include "base/sized.h"
#include "debug/observe.h"
#include "sched/foreign.h"
#include "sched/monitor.h"
#include "sched/runtime.h"
#include "sched/sched.h"
#include "sched/stack.h"
#include "weft/weft.h"

enum {
	MAX_PROCESSORS = 4096,
	MAX_THREADS = 1 << 20,
	DEFAULT_THREADS = 10000,
	DEFAULT_STACK = 256 * 1024,
	OPTIONS_FIRST = 32, /* bytes of 0.1's struct weft_options */
};

static unsigned default_processors(void)
{
	const char *text = getenv("WEFT_PROCESSORS");
	if (text && *text) {
		char *end;
		unsigned long n = strtoul(text, &end, 10);
		if (*end == 0 && n >= 1 && n <= MAX_PROCESSORS)
			return (unsigned)n;
		weft__warn("WEFT_PROCESSORS=%s is not a number from 1 to %d: ignored", text,
			   MAX_PROCESSORS);
	}
	return weft__runtime_default_processors();
}

/* All tasks have ended. Signals first: their former action may be the observers'. */
static void end(void)
{
	weft__signal_end();
	weft__observe_end();
}

static int check_options(const struct weft_options *given, struct runtime_options *o)
{
	struct weft_options w;
	int err = weft__sized_read(&w, sizeof(w), given, OPTIONS_FIRST);
	if (err)
		return err;
	o->processors = w.processors ? w.processors : default_processors();
	o->max_threads = w.max_threads ? w.max_threads : DEFAULT_THREADS;
	o->stack_size = w.stack_size ? w.stack_size : DEFAULT_STACK;
	o->flags = w.flags;
	o->begin = weft__observe_begin;
	o->end = end;
	if (o->processors > MAX_PROCESSORS || o->max_threads > MAX_THREADS || o->max_threads < 2)
		return -EINVAL;
	if (o->flags & ~(unsigned)(WEFT_LOCK_MAIN | WEFT_NO_SIGNALS | WEFT_NO_DEADLOCK_REPORT) ||
	    !weft__stack_class(o->stack_size))
		return -EINVAL;
	return 0;
}

int weft_run(const struct weft_options *options, int (*main_task)(void *arg), void *arg)
{
	struct runtime_options o;
	int result = 0;
	int err = main_task ? check_options(options, &o) : -EINVAL;
	if (!err)
		err = weft__runtime_run(&o, main_task, arg, &result);
	return err ? err : result;
}

int weft_stop(void)
{
	const struct thread *t = weft__thread_self();
	int err = weft__foreign_enter(); /* also for a task: its call may come from a handler */
	if (err)
		return err;
	if (t && t->task && !t->lease.in_runtime) { /* not a handler in the middle of a wait */
		store_relaxed(&t->task->cancelled, 1);
		store_relaxed(&t->task->called_stop, 1);
	}
	store_seq_cst(&sched.stopping, 1); /* pairs with monitor.c:stop_wanted */
	weft__monitor_poke();		   /* it cancels all the others */
	weft__foreign_leave();
	return 0;
}

int weft_running(void)
{
	return !sched.forked && load_relaxed(&sched.running) == RUNTIME_RUNS;
}
