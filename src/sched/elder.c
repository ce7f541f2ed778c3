/* SPDX-License-Identifier: MIT */
/*
 * elder.c: no task waits much longer for its first run than those who were started before it.
 *
 * Tasks that have never run are taken newest first (runq.h), so one of them may lie below a chain
 * of others, each of which starts the next: of 976 picks one was such a task's. Here is the bound.
 * The monitor notes for each queue the number of the youngest task there is. When the queue still
 * holds one of those PATIENCE later, all that had been born by then are elders: whoever holds the
 * processor brings them, oldest first, to its woken tasks, where they wait in order, until the
 * oldest that is left is younger. It brings a few at a time: at each regular look, and at others
 * when no woken task waits.
 *
 * By number, as no clock is read at a birth: `elders` is the last number that had been handed to a
 * processor by then. Processors get numbers in batches, so a few that were born later are elders,
 * too; where so few are born that this matters, the order does not.
 *
 * Rejected: to wait until one task was the oldest for that long (the one pick in 976 changes it
 * again and again where links are short); a time in each record (which is full: it would take a
 * cache line more); the oldest at each regular look (a tree of spawns would open a branch
 * at each, and stacks pile up); all elders at once (all begin before the first goes on after a
 * wait: of 64 tasks that lock their thread, sleep and end, 60 threads were alive instead of 8).
 */
#include "sched/elder.h"

#include "base/time.h"
#include "sched/schedule.h"
#include "sched/task.h"

enum { BATCH = 8 }; /* brought at a look: a few among LOOK_EVERY woken tasks */
#define PATIENCE MS(10)

static unsigned room(const struct processor *p)
{
	return min_of(runq_room(&p->ready), BATCH);
}

static void bring_own(struct thread *t)
{
	struct processor *p = t->processor;
	uint64_t last = load_relaxed(&p->elders);
	for (unsigned n = room(p); n; n--) {
		uint64_t id = task_number(deque_oldest(&p->fresh));
		struct task *task = id && id <= last ? weft__deque_steal(&p->fresh) : NULL;
		if (!task) {
			store_relaxed(&p->elders, 0);
			return;
		}
		weft__ready(t, task);
	}
}

/* The oldest of global_fresh if it is an elder. [S] */
static struct task *pop_global(void)
{
	struct list *l = sched.global_fresh.list.next;
	struct task *task = container_of(l, struct task, link);
	if (list_empty(&sched.global_fresh.list) || task->id > load_relaxed(&sched.elders))
		return NULL;
	list_remove(l);
	store_relaxed(&sched.global_fresh.length, sched.global_fresh.length - 1);
	return task;
}

static void bring_global(struct thread *t)
{
	struct task *got[BATCH];
	unsigned n = 0, most = room(t->processor);
	lock_take(&sched.lock, RANK_SCHED);
	while (n < most && (got[n] = pop_global()))
		n++;
	if (n < most)
		store_relaxed(&sched.elders, 0);
	lock_drop(&sched.lock, RANK_SCHED);
	for (unsigned i = 0; i < n; i++)
		weft__ready(t, got[i]);
}

void weft__elder_bring(struct thread *t)
{
	if (load_relaxed(&t->processor->elders))
		bring_own(t);
	if (load_relaxed(&sched.elders))
		bring_global(t);
}

/* The oldest of a queue is task `id` (0: none) at `now`. Returns up to which number its tasks are
 * elders; 0: none is. */
static uint64_t note(struct elder_notes *notes, uint64_t id, int64_t now)
{
	if (id == 0 || id > notes->born_by_then)
		*notes = (struct elder_notes){weft__task_last_id(), now};
	return id && now - notes->since >= PATIENCE ? notes->born_by_then : 0;
}

static uint64_t oldest_global(void)
{
	uint64_t id = 0;
	if (!load_relaxed(&sched.global_fresh.length))
		return 0;
	lock_take(&sched.lock, RANK_SCHED);
	if (!list_empty(&sched.global_fresh.list))
		id = container_of(sched.global_fresh.list.next, struct task, link)->id;
	lock_drop(&sched.lock, RANK_SCHED);
	return id;
}

void weft__elder_look(int64_t now)
{
	uint64_t last;
	for (unsigned i = 0; i < sched.processor_count; i++) {
		struct processor *p = &sched.processors[i];
		last = note(&p->seen.fresh, task_number(deque_oldest(&p->fresh)), now);
		if (last)
			store_relaxed(&p->elders, last);
	}
	last = note(&sched.global_oldest, oldest_global(), now);
	if (last)
		store_relaxed(&sched.elders, last);
}
