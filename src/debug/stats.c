/* SPDX-License-Identifier: MIT */
/* stats.c: the counters of the runtime, added up from where their owners keep them. */
#include "debug/stats.h"

#include "base/sized.h"
#include "sched/foreign.h"
#include "sched/task.h"
#include "weft/debug.h"

enum { STATS_FIRST = 104 }; /* bytes of 0.1's struct weft_stats */

static void add_processor(struct weft_stats *s, const struct processor *p)
{
	s->tasks_started += load_relaxed(&p->started);
	s->switches += load_relaxed(&p->switches);
	s->steals += load_relaxed(&p->steals);
	s->parks += load_relaxed(&p->parks);
	s->timers += load_relaxed(&p->timers.queue.count);
}

static void collect(struct weft_stats *s)
{
	lock_take(&sched.lock, RANK_SCHED);
	*s = (struct weft_stats){
		.tasks_started = sched.counts.foreign_started,
		.threads = sched.thread_count,
		.threads_started = sched.counts.threads_started,
		.threads_retired = sched.counts.threads_retired,
		.handoffs = sched.counts.handoffs,
		.leases_taken = sched.counts.leases_taken,
		.netpoll_wakeups = load_relaxed(&sched.counts.netpoll_wakeups),
	};
	lock_drop(&sched.lock, RANK_SCHED);
	for (unsigned i = 0; i < sched.processor_count; i++)
		add_processor(s, &sched.processors[i]);
	s->tasks = weft__task_count();
}

int weft_stats(struct weft_stats *stats)
{
	struct weft_stats all;
	struct thread *t;
	int err = runtime_enter(&t);
	if (err)
		return err;
	collect(&all);
	runtime_leave(t);
	return weft__sized_fill(stats, &all, sizeof(all), STATS_FIRST);
}

void weft__stats_print(void)
{
	struct weft_stats s;
	collect(&s);
	weft__warn("%llu tasks started, %llu switches, %llu parks, %llu steals, %llu hand-offs, "
		   "%llu leases taken",
		   (unsigned long long)s.tasks_started, (unsigned long long)s.switches,
		   (unsigned long long)s.parks, (unsigned long long)s.steals,
		   (unsigned long long)s.handoffs, (unsigned long long)s.leases_taken);
	weft__warn("%llu threads started, %llu retired, %llu poller wake-ups",
		   (unsigned long long)s.threads_started, (unsigned long long)s.threads_retired,
		   (unsigned long long)s.netpoll_wakeups);
}
