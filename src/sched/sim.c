/* SPDX-License-Identifier: MIT */
/*
 * sim.c: the deterministic mode. The same seed leads to the same schedule.
 *
 * There is one processor, so one task runs at a time, and every choice is drawn from the seed:
 *
 *   which task     all tasks that can run are in one pool; a draw picks one. p->attention stays
 *                  set, so schedule.c takes nothing from its queues by itself and weft__find_work
 *                  asks here each time
 *   when           each call into the runtime may let others run first, as if the task had been
 *                  preempted there. The lease word stays REQUESTED, so every entry takes the slow
 *                  way, which asks here; no entry pays for it in other modes, and the monitor,
 *                  which needs HELD, takes no lease
 *   what time      the clock moves a little with each choice, and when nothing can run it jumps to
 *                  the next timer: hours of timeouts take milliseconds. What has no thread to run
 *                  on, as all are locked, cannot run; what found no stack may, and is tried again
 *                  after each such jump
 *
 * Not virtual: code that blocks by itself (it stops everything for that long), threads that are not
 * the runtime's, signals, and random bytes. Descriptors are real, too: when nothing else can run,
 * they get GRACE of real time to become ready before the clock jumps. And where locked tasks have
 * all threads that may be had, a run need not repeat: how fast another thread ends, or goes to
 * sleep, decides whether there is one for a task that is not locked.
 *
 * Rejected: random delays in ordinary mode (finds races, replays none), priorities with change
 * points ("A randomized scheduler with probabilistic guarantees of finding bugs", Burckhardt and
 * others, 2010: better odds for deep bugs, but needs the number of steps of a run beforehand).
 */
#include "sched/sim.h"

#include <stdlib.h>

#include "base/sys.h"
#include "base/time.h"
#include "sched/monitor.h"
#include "sched/netpoll.h"
#include "sched/schedule.h"
#include "sched/template.h"
#include "sched/timer.h"

enum {
	STEP = 100, /* ns of virtual time per choice: a loop that polls the clock ends */
	PREEMPT_ONE_IN = 4,
	FIRST_ROOM = 1024,
};
#define GRACE MS(10)	    /* of real time, for descriptors, when nothing else can run */
#define START SECONDS(3600) /* of virtual time: a round number that is not 0 */

static struct {
	bool prepared;
	uint64_t prepared_seed, seed, random;
	int64_t now; /* read by any thread */
	struct task **pool;
	size_t count, room;
} sim;

void weft__sim_prepare(uint64_t seed)
{
	sim.prepared = true;
	sim.prepared_seed = seed;
}

bool weft__sim_environment(uint64_t *seed)
{
	const char *text = getenv("WEFT_SIM");
	char *end;
	if (!text || !*text)
		return false;
	*seed = strtoull(text, &end, 0);
	if (*end == 0)
		return true;
	weft__warn("WEFT_SIM=%s is not a number: ignored", text);
	return false;
}

bool weft__sim_begin(void)
{
	bool wanted = weft__sim_environment(&sim.seed);
	if (!wanted && sim.prepared) {
		wanted = true;
		sim.seed = sim.prepared_seed;
	}
	sim.prepared = false;
	sim.random = sim.seed;
	sim.count = 0;
	store_relaxed(&sim.now, START);
	return wanted;
}

void weft__sim_end(void)
{
	weft__unmap(sim.pool, sim.room * sizeof(*sim.pool));
	sim.pool = NULL;
	sim.room = 0;
}

uint64_t weft__sim_seed(void)
{
	return sim.seed;
}

int64_t weft__sim_now(void)
{
	return load_relaxed(&sim.now);
}

/* splitmix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014. */
uint64_t weft__sim_draw(void)
{
	sim.random += 0x9e3779b97f4a7c15u;
	uint64_t x = sim.random;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* ---- the pool of tasks that can run ---- */

static void pool_grow(void)
{
	size_t room = sim.room ? 2 * sim.room : FIRST_ROOM;
	void *p = weft__remap(sim.pool, sim.room * sizeof(*sim.pool), room * sizeof(*sim.pool));
	if (!p)
		weft__fatal("no memory for the deterministic mode's pool of %zu tasks", room);
	sim.pool = p;
	sim.room = room;
}

static void pool_add(struct task *task)
{
	task->state = TASK_READY;
	if (sim.count == sim.room)
		pool_grow();
	sim.pool[sim.count++] = task;
}

static void pool_add_list(struct list *tasks)
{
	for (struct list *l; (l = list_pop_head(tasks));)
		pool_add(container_of(l, struct task, link));
}

static void pool_add_global(struct task_list *q)
{
	struct list tasks;
	if (!load_relaxed(&q->length))
		return;
	list_init(&tasks);
	lock_take(&sched.lock, RANK_SCHED);
	list_move_all(&tasks, &q->list);
	store_relaxed(&q->length, 0);
	lock_drop(&sched.lock, RANK_SCHED);
	pool_add_list(&tasks);
}

/* Collects all tasks that can run now, in an order that depends on nothing but what they did. */
static void gather(struct processor *p)
{
	struct task *task;
	struct list due;
	list_init(&due);
	while ((task = runq_pop(&p->ready)))
		pool_add(task);
	while ((task = deque_pop(&p->fresh)))
		pool_add(task);
	pool_add_global(&sched.global_ready);
	pool_add_global(&sched.global_fresh);
	weft__timer_run(p, weft__sim_now(), &due);
	pool_add_list(&due);
}

/* The caller holds the processor: meanwhile nobody judges that all tasks wait for ever. */
static void await_descriptors(int64_t until)
{
	struct netpoll_events got;
	struct list ready;
	list_init(&ready);
	weft__netpoll_sleep(until, &got);
	weft__netpoll_deliver(&got, &ready);
	pool_add_list(&ready);
}

static void look_at_descriptors(void)
{
	struct list ready;
	list_init(&ready);
	weft__netpoll_look(&ready);
	pool_add_list(&ready);
}

/* No thread may run what is not locked, and none can be born. Of idle threads alone this would
 * depend on how fast one goes to sleep. The caller holds the processor, so nobody locks. */
static bool all_are_locked(void)
{
	lock_take(&sched.lock, RANK_SCHED);
	bool all = !weft__thread_birth_possible();
	list_each (l, &sched.threads)
		all = all && container_of(l, struct thread, all)->locked_task;
	lock_drop(&sched.lock, RANK_SCHED);
	return all;
}

/* How many tasks of the pool have a thread to run on; they are its first. Where all are locked,
 * only locked tasks have one: their own. t holds the processor. */
static size_t can_run(const struct thread *t)
{
	size_t n = 0;
	if (!t->locked_task || !all_are_locked())
		return sim.count;
	for (size_t i = 0; i < sim.count; i++) {
		struct task *task = sim.pool[i];
		if (!task->locked_thread)
			continue;
		sim.pool[i] = sim.pool[n];
		sim.pool[n++] = task;
	}
	return n;
}

/* Returns true when none of the first n has a stack, as far as is known: there was none for them
 * when they were last drawn. */
static bool all_put_off(size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!(sim.pool[i]->special & TASK_PUT_OFF))
			return false;
	return true;
}

/* Nothing can run now, but what lacks a stack. Returns true when something may, now that time has
 * passed. */
static bool let_time_pass(const struct thread *t)
{
	int64_t next = weft__timer_earliest();
	if (next == INT64_MAX)
		return false;
	if (weft__netpoll_waiters())
		await_descriptors(weft__sim_now() + GRACE);
	if (all_put_off(can_run(t)))
		store_relaxed(&sim.now, max_of(next, weft__sim_now()));
	return true;
}

/* One of the first n. */
static struct task *pool_draw(size_t n)
{
	size_t i = (size_t)(((unsigned __int128)weft__sim_draw() * n) >> 64);
	struct task *task = sim.pool[i];
	sim.pool[i] = sim.pool[n - 1];
	sim.pool[n - 1] = sim.pool[--sim.count];
	return task;
}

struct task *weft__sim_pick(struct thread *t)
{
	size_t n;
	store_relaxed(&sim.now, weft__sim_now() + STEP);
	store_relaxed(&sched.coarse_now, weft__sim_now());
	weft__monitor_stop_tasks();
	if (weft__netpoll_waiters())
		look_at_descriptors();
	do
		gather(t->processor);
	while (all_put_off(n = can_run(t)) && let_time_pass(t) && !n);
	return n ? pool_draw(n) : NULL;
}

struct task *weft__sim_give_up(void)
{
	return sim.count ? sim.pool[--sim.count] : NULL;
}

bool weft__sim_goes_on(void)
{
	/* No lease is taken in this mode, so no task comes back without a processor. */
	debug_check(!load_relaxed(&sched.global_busy.length));
	return sim.count || weft__timer_earliest() != INT64_MAX;
}

struct thread *weft__sim_entered(struct thread *t)
{
	store_relaxed(&t->lease.word, LEASE_REQUESTED); /* nobody else moves it in this mode */
	if (weft__sim_draw() % PREEMPT_ONE_IN)
		return t;
	return weft__switch_away(t, AFTER_YIELD);
}
