/* SPDX-License-Identifier: MIT */
/*
 * holder.c: does the holder of a processor sleep, and has it computed for long enough? The monitor
 * asks about user code that has not come back since its last look, while others wait for the
 * processor.
 *
 * How long it may compute depends on who waits.
 *
 *   a woken task     BUSY of CPU time; behind a task that has computed for so long lately, only a
 *                    millisecond, for it will not come back soon this time either
 *   others alone     the more threads compute without a processor already, the longer, so that
 *                    many computing tasks do not become as many running threads. The rate is
 *                    bounded, never the number: a bound on the number would starve all others
 *                    once that many compute
 *
 * CPU time counts: beside other busy processes a burst of 2 ms may well take 10 ms by the clock,
 * and taking its processor helps nobody. But WALL times as long by the clock is too long.
 *
 * Rejected: a mark in the task's record (the end of a wait would have to clear it, on the path
 * that every wait takes).
 */
#include "sched/holder.h"

#include "base/time.h"
#include "sched/proc.h"
#include "sched/task.h"
#include "sched/tid.h"

enum {
	WALL = 10,
	KNOWN = 64, /* places, by number of the task; who comes later takes an earlier one's */
};
#define BUSY MS(10)
#define BUSY_AGAIN MS(1)
#define KNOWN_FOR SECONDS(1)

/* Tasks that have computed lately [monitor]. */
static struct {
	uint64_t id;
	int64_t when;
} known[KNOWN];

static void note_computed(const struct task *task, int64_t now)
{
	uint64_t id = task_number(task);
	known[id % KNOWN].id = id;
	known[id % KNOWN].when = now;
}

static bool known_to_compute(const struct task *task, int64_t now)
{
	uint64_t id = task_number(task);
	return id && known[id % KNOWN].id == id && now - known[id % KNOWN].when < KNOWN_FOR;
}

bool weft__holder_blocked(struct processor *p, pid_t tid, int64_t cpu)
{
	bool still = cpu >= 0 && cpu == p->seen.cpu;
	p->seen.cpu = cpu;
	return still && weft__tid_asleep(tid);
}

static int64_t patience(const struct processor *p, int64_t now)
{
	int64_t more = 1 + sched.busy_away / sched.processor_count;
	if (!proc_woken_wait(p))
		return BUSY * more;
	return known_to_compute(load_relaxed(&p->seen.thread->task), now)
		       ? min_of(BUSY, BUSY_AGAIN * more)
		       : BUSY;
}

bool weft__holder_busy(struct processor *p, int64_t now, int64_t cpu)
{
	int64_t most = patience(p, now);
	if (p->seen.cpu_start < 0)
		p->seen.cpu_start = cpu;
	int64_t computed = cpu < 0 ? now - p->seen.since : cpu - p->seen.cpu_start;
	if (computed >= BUSY)
		note_computed(load_relaxed(&p->seen.thread->task), now);
	return computed >= most || now - p->seen.since >= WALL * most;
}
