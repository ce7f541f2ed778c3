/* SPDX-License-Identifier: MIT */
/*
 * observe.c: sets up and takes down what observes the runtime (observe.h).
 *
 *   WEFT_TRACE=file   a trace of the whole run; WEFT_TRACE_CLOCK=exact: with the time of each event
 *   WEFT_STATS=1      counters on stderr when the runtime ends
 */
#include "debug/observe.h"

#include <stdlib.h>
#include <unistd.h>

#include "debug/deadlock.h"
#include "debug/dump.h"
#include "debug/layout.h"
#include "debug/quit.h"
#include "debug/seed.h"
#include "debug/stats.h"
#include "debug/trace.h"
#include "sched/sched.h"

/* Makes the linker include it. */
static const struct weft_debug_layout *const kept __attribute__((used)) = &weft__debug_layout;

static void dump_to_stderr(void)
{
	weft__dump_to(STDERR_FILENO, NULL);
}

static bool wanted(const char *variable)
{
	const char *value = getenv(variable);
	return value && *value && *value != '0';
}

void weft__observe_begin(void)
{
	weft__trace_begin();
	if (!(sched.flags & WEFT_NO_DEADLOCK_REPORT)) {
		sched.on_stuck = weft__deadlock_judge;
		sched.outside_wakes = weft__deadlock_outside;
	}
	store_release(&weft__fatal_hook, dump_to_stderr); /* pairs with fatal.c:weft__fatal */
	if (!(sched.flags & WEFT_NO_SIGNALS))
		weft__quit_watch();
	if (sched.sim && !(sched.flags & WEFT_NO_SIGNALS))
		weft__seed_watch();
}

void weft__observe_end(void)
{
	weft__trace_end();
	weft__seed_unwatch();
	weft__quit_unwatch();
	store_release(&weft__fatal_hook, NULL); /* pairs with fatal.c:weft__fatal */
	if (wanted("WEFT_STATS"))
		weft__stats_print();
}
