/* SPDX-License-Identifier: MIT */
/*
 * steal.c: looking for work everywhere, on the scheduler's own stack.
 *
 * The order: due timers, the global queues, the processor's own queues, the poller (a look), the
 * other processors (their queues, then their due timers). A thread that finds nothing looks around
 * for a short while before it lets its processor go: waking a thread costs a hundred times what
 * such a look costs. At most one thread in two does so (sched.spinning), and one that stops because
 * it found work wakes the next when there is more.
 */
#include "sched/steal.h"

#include "base/sys.h"
#include "base/time.h"
#include "sched/chance.h"
#include "sched/check.h"
#include "sched/elder.h"
#include "sched/netpoll.h"
#include "sched/proc.h"
#include "sched/schedule.h"
#include "sched/sim.h"
#include "sched/timer.h"

enum {
	GLOBAL_BATCH = 64,
	OLDEST_EVERY = 16,
	RELUCTANT = 63,	 /* offers passed over in a row, at most */
	LONE_EVERY = 16, /* rounds of looking around, until lone tasks are looked at */
			 /* About three microseconds: as long as Go's thieves leave a task that was
			  * just woken. */
	LONE_RELAXES = 64,
};
#define TIMER_SOON US(100)
#define BUSY_TURN MS(10)
#define HELP_WORTH US(50) /* waking an idle CPU takes as long on a virtual machine */

void weft__ready_here(struct thread *t, struct list *tasks)
{
	for (struct list *l; (l = list_pop_head(tasks));)
		weft__ready(t, container_of(l, struct task, link));
}

/* Fires no more than the own queue holds: the timers left stay in order, and no lock is taken
 * twice. */
static void run_own_timers(struct thread *t, int64_t now)
{
	struct list ready;
	unsigned room = max_of(1, runq_room(&t->processor->ready));
	list_init(&ready);
	weft__timer_run_own(t->processor, now, &ready, room);
	weft__ready_here(t, &ready);
}

/* Fires what is due on another processor, `p`; the woken tasks go to t's. */
static void run_timers(struct thread *t, struct processor *p, int64_t now)
{
	struct list ready;
	if (load_relaxed(&p->timers.queue.earliest) > now)
		return;
	list_init(&ready);
	weft__timer_run(p, now, &ready);
	weft__ready_here(t, &ready);
}

static void look_at_poller(struct thread *t)
{
	struct list ready;
	if (!weft__netpoll_interesting())
		return;
	list_init(&ready);
	weft__netpoll_look(&ready);
	weft__ready_here(t, &ready);
}

/* Takes a fair share of a global queue into `out`. */
static unsigned take_global(struct task_list *q, struct task **out, unsigned room)
{
	unsigned n = 0;
	if (!load_relaxed(&q->length))
		return 0;
	lock_take(&sched.lock, RANK_SCHED);
	debug_check(list_empty(&q->list) == !q->length);
	room = min_of(room, q->length / sched.processor_count + 1);
	for (struct list *l; n < room && (l = list_pop_head(&q->list));)
		out[n++] = container_of(l, struct task, link);
	store_relaxed(&q->length, q->length - n);
	lock_drop(&sched.lock, RANK_SCHED);
	return n;
}

/* Returns the first of `n` tasks, which runs now; the others go to t's own queue. */
static struct task *keep_rest(struct thread *t, struct task **tasks, unsigned n)
{
	for (unsigned i = 1; i < n; i++)
		weft__ready(t, tasks[i]);
	return n ? tasks[0] : NULL;
}

static struct task *from_global_ready(struct thread *t)
{
	struct task *got[GLOBAL_BATCH];
	unsigned room = max_of(1, min_of(runq_room(&t->processor->ready), array_len(got)));
	return keep_rest(t, got, take_global(&sched.global_ready, got, room));
}

static struct task *from_global_fresh(struct thread *t)
{
	struct task *got[GLOBAL_BATCH];
	unsigned room = deque_length(&t->processor->fresh) ? 1 : array_len(got);
	unsigned n = take_global(&sched.global_fresh, got, room);
	for (unsigned i = n; i > 1; i--) /* the oldest on top */
		weft__ready_fresh(t, got[i - 1]);
	return n ? got[0] : NULL;
}

/*
 * Returns a task that computes. It is known to take long, so it waits behind all others, which are
 * done before it would be; but BUSY_TURN after the last of its kind it is its turn, whatever waits.
 * The monitor soon takes the processor from it when a woken task waits.
 */
static struct task *from_global_busy(struct thread *t)
{
	struct processor *p = t->processor;
	struct task *task;
	if (!take_global(&sched.global_busy, &task, 1))
		return NULL;
	p->busy_turn = load_relaxed(&sched.coarse_now);
	return task;
}

static bool busy_turn(const struct processor *p)
{
	return load_relaxed(&sched.global_busy.length) &&
	       load_relaxed(&sched.coarse_now) - p->busy_turn >= BUSY_TURN;
}

static struct task *from_own(struct processor *p)
{
	struct task *task = runq_pop(&p->ready);
	return task ? task : deque_pop(&p->fresh);
}

/*
 * A lone woken task is left where it is: mostly its waker is about to wait for it, so the holder
 * runs it sooner than this processor could, which would have to fetch everything that the two
 * share. It may be taken when its holder does not get to it.
 */
static bool lone_and_next(const struct processor *victim, bool lone_too)
{
	if (runq_length(&victim->ready) != 1)
		return false;
	if (!lone_too)
		return true;
	uint64_t switches = load_relaxed(&victim->switches);
	for (unsigned i = 0; i < LONE_RELAXES; i++)
		cpu_relax();
	return load_relaxed(&victim->switches) != switches;
}

static struct task *steal_from(struct thread *t, struct processor *victim, bool lone_too)
{
	struct task *got[RUNQ_SIZE / 2];
	unsigned n = 0;
	if (!lone_and_next(victim, lone_too))
		n = weft__runq_steal(&victim->ready, got, array_len(got));
	if (n == 0) {
		unsigned want = deque_length(&victim->fresh);
		want = min_of(want - want / 2, GLOBAL_BATCH);
		while (n < want && (got[n] = weft__deque_steal(&victim->fresh)))
			n++;
		for (unsigned i = n; i > 1; i--)
			weft__ready_fresh(t, got[i - 1]);
		n = min_of(n, 1);
	}
	if (n)
		count_owned(&t->processor->steals, 1);
	return keep_rest(t, got, n);
}

/* Tries all other processors once, from a random one on. */
static struct task *steal_round(struct thread *t, int64_t now, bool lone_too)
{
	unsigned count = sched.processor_count;
	unsigned start = thread_chance(t) % count;
	for (unsigned i = 0; i < count; i++) {
		struct processor *victim = &sched.processors[(start + i) % count];
		if (victim == t->processor)
			continue;
		struct task *task = steal_from(t, victim, lone_too);
		if (!task) {
			run_timers(t, victim, now);
			task = from_own(t->processor);
		}
		if (task)
			return task;
	}
	return NULL;
}

void weft__stop_spinning(struct thread *t, bool found)
{
	if (!t->spinning)
		return;
	t->spinning = 0;
	/* pairs with proc.c:weft__proc_wake */
	uint32_t left = sub_seq_cst(&sched.spinning, 1) - 1;
	if (found && left == 0 && (proc_has_work(t->processor) || global_work_waits()))
		weft__proc_wake();
}

/* Looks around for a while. At most half of the processors' threads do so at a time. A thread whose
 * own timers would end its sleep in a moment looks once: with many sleeping tasks that would be
 * most of the time. */
static struct task *spin(struct thread *t, int64_t now)
{
	if (load_relaxed(&t->processor->timers.queue.earliest) < now + TIMER_SOON)
		return steal_round(t, 0, true);
	if (!t->spinning) {
		if (2 * load_relaxed(&sched.spinning) >=
		    sched.processor_count - load_relaxed(&sched.idle.processor_count))
			return NULL;
		/* pairs with proc.c:weft__proc_wake */
		add_seq_cst(&sched.spinning, 1);
		t->spinning = 1;
	}
	for (uint32_t round = 0; round < sched.spin; round++) {
		struct task *task = from_global_ready(t);
		if (!task)
			task = steal_round(t, 0, round % LONE_EVERY == LONE_EVERY - 1);
		if (!task)
			task = from_global_fresh(t);
		if (task)
			return task;
		for (int i = 0; i < 16; i++)
			cpu_relax();
	}
	return NULL;
}

static struct task *oldest_woken(struct thread *t)
{
	struct processor *p = t->processor;
	struct task *task = NULL;
	if (p->looks++ % 2) /* neither queue may starve the other */
		task = runq_pop(&p->ready);
	if (!task)
		task = from_global_ready(t);
	return task ? task : runq_pop(&p->ready);
}

static struct task *oldest_fresh(struct thread *t)
{
	struct task *task = from_global_fresh(t);
	return task ? task : weft__deque_steal(&t->processor->fresh);
}

/* Mostly the newest, like pick_next: each oldest opens one more branch of a tree of spawns, and
 * stacks pile up. */
static struct task *some_fresh(struct thread *t)
{
	struct processor *p = t->processor;
	struct task *task = p->looks % OLDEST_EVERY ? deque_pop(&p->fresh) : NULL;
	return task ? task : oldest_fresh(t);
}

/* The oldest of everything, for the regular look: no task starves behind newer ones. Woken tasks
 * come first, but not for ever: pick_next counts the same streak. */
static struct task *oldest(struct thread *t)
{
	struct processor *p = t->processor;
	bool fresh_turn = p->streak >= FRESH_EVERY;
	struct task *task = fresh_turn ? oldest_fresh(t) : oldest_woken(t);
	p->streak = fresh_turn ? 0 : p->streak + 1;
	if (task)
		return task;
	return fresh_turn ? oldest_woken(t) : some_fresh(t);
}

/*
 * Help. Many short tasks that become ready at once, by timers, are done by their processor before a
 * helper is awake, and the helper, which finds the rest, soon sleeps again: waking it costs more
 * than what it did. While help is of that kind, ever more offers are passed over, at most RELUCTANT
 * in a row. When work then lies for too long, the monitor sees it in its next round and wakes a
 * helper in any case; and as soon as a helper had enough to do, no offer is passed over any more.
 *
 * Rejected: judging helpers by the time that each theft kept them busy, in order to leave a stream
 * of tasks of 50 ns to one processor. On a helper each of them takes five times as long, and so
 * looks like work that is worth stealing.
 */
void weft__offer(struct processor *p)
{
	uint32_t passed_over = load_relaxed(&sched.offers.passed);
	if (p->offered == p->switches) /* the same work that was offered just now */
		return;
	p->offered = p->switches;
	if (passed_over < load_relaxed(&sched.offers.reluctance)) {
		store_relaxed(&sched.offers.passed, passed_over + 1);
		return;
	}
	store_relaxed(&sched.offers.passed, 0);
	weft__proc_wake();
}

/* A look at `now` found nothing: was waking p's thread worth it? */
static void help_ends(struct processor *p, int64_t now)
{
	uint32_t reluctance = load_relaxed(&sched.offers.reluctance);
	if (p->helps == HELPS_NOT)
		return;
	bool worth = now - p->helps >= HELP_WORTH;
	store_relaxed(&sched.offers.reluctance, worth ? 0 : min_of(2 * reluctance + 1, RELUCTANT));
	p->helps = HELPS_NOT;
}

/* The time of a look. Where nothing is timed the monitor's will do: reading the clock is 2 % of a
 * ping-pong. */
static int64_t look_time(const struct processor *p)
{
	bool timed = p->helps == HELPS_SOON || load_relaxed(&p->timers.queue.earliest) != INT64_MAX;
	return timed ? weft__sched_now() : load_relaxed(&sched.coarse_now);
}

static struct task *look(struct thread *t)
{
	struct processor *p = t->processor;
	int64_t now = look_time(p);
	debug_run(runq_check(&p->ready));
	debug_run(deque_check(&p->fresh));
	if (unlikely(p->helps == HELPS_SOON))
		p->helps = now;
	bool regular = p->tick >= LOOK_EVERY; /* others do not put it off */
	if (regular) {
		p->tick = 0;
		look_at_poller(t); /* a processor with work must not starve the poller */
	}
	store_relaxed(&p->attention, 0);
	run_own_timers(t, now);
	if (unlikely(elders_wait(p)) && (regular || !proc_woken_wait(p)))
		weft__elder_bring(t);
	struct task *task = busy_turn(p) ? from_global_busy(t) : NULL;
	if (!task)
		task = oldest(t);
	if (!task) {
		look_at_poller(t);
		task = from_own(p);
	}
	if (!task)
		task = from_global_busy(t);
	if (task)
		return task;
	now = weft__sched_now();
	if (sched.processor_count > 1) {
		task = steal_round(t, now, false);
		if (!task)
			task = spin(t, now);
	}
	if (!task) {
		help_ends(p, now);
		weft__timer_leave(p);
	}
	return task;
}

struct task *weft__find_work(struct thread *t)
{
	debug_check(proc_held(t));
	struct task *task = NULL;
	if (load_relaxed(&sched.running) == RUNTIME_RUNS)
		task = unlikely(sched.sim) ? weft__sim_pick(t) : look(t);
	return task;
}
