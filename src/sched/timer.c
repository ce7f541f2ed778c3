/* SPDX-License-Identifier: MIT */
/* timer.c: see timer.h. */
#include "sched/timer.h"

#include "base/time.h"
#include "sched/netpoll.h"
#include "sched/sched.h"

enum { BATCH = 64, GATHER_FROM = 32 /* timers */ };
#define TURN US(500)
#define GATHER US(100)
#define GATHER_SOON US(50)

int weft__timer_put(struct processor *p, struct timer *timer)
{
	debug_check(timer->index == 0);
	timer->processor = p;
	lock_take(&p->timers.lock, RANK_TIMER);
	int err = weft__timerq_add(&p->timers.queue, timer);
	lock_drop(&p->timers.lock, RANK_TIMER);
	return err;
}

int weft__timer_start(struct thread *t, struct timer *timer)
{
	const struct timers *own = &t->processor->timers;
	debug_check(proc_held(t));
	int err = weft__timer_put(t->processor, timer);
	/* A thread that sleeps in the poller must wake for it, unless this thread serves the queue
	 * itself. */
	if (!err &&
	    max_of(timer->when, load_relaxed(&own->turn)) < load_relaxed(&sched.poller.until))
		weft__netpoll_kick();
	return err;
}

bool weft__timer_stop(struct timer *timer)
{
	struct timers *timers = &timer->processor->timers;
	lock_take(&timers->lock, RANK_TIMER);
	bool live = timer->index != 0;
	if (live)
		weft__timerq_remove(&timers->queue, timer);
	lock_drop(&timers->lock, RANK_TIMER);
	return live;
}

void weft__timer_again(struct timer *timer)
{
	/* This cannot fail: the timer's place has just become free. */
	weft__timerq_add(&timer->processor->timers.queue, timer);
}

/*
 * Takes up to `room` due timers. Only their addresses are read at first: they, and the tasks around
 * them, have slept for long and are in no cache, so all are prefetched before one is used; and in
 * one go, so that the CPU looks up several of their pages at a time.
 */
static unsigned take_due(struct timer_queue *q, int64_t now, struct timer **due, unsigned room)
{
	unsigned n = weft__timerq_take(q, now, due, room);
	for (unsigned i = 0; i < n; i++) {
		__builtin_prefetch(due[i]);
		__builtin_prefetch(container_of(due[i], struct task, timer));
	}
	return n;
}

/* Fires up to `room` timers and a BATCH. */
static unsigned run(struct timers *timers, int64_t now, struct list *ready, unsigned room)
{
	struct timer *due[BATCH];
	unsigned n;
	if (load_relaxed(&timers->queue.earliest) > now)
		return 0;
	lock_take(&timers->lock, RANK_TIMER);
	n = take_due(&timers->queue, now, due, min_of(room, array_len(due)));
	for (unsigned i = 0; i < n; i++) {
		due[i]->index = 0;
		due[i]->fire(due[i], ready);
	}
	lock_drop(&timers->lock, RANK_TIMER);
	return n;
}

bool weft__timer_attended(const struct processor *p, int64_t time)
{
	return load_relaxed(&p->timers.turn) > time;
}

unsigned weft__timer_run(struct processor *p, int64_t now, struct list *ready)
{
	unsigned fired = 0;
	unsigned n = BATCH;
	if (weft__timer_attended(p, now))
		return 0;
	for (; n == BATCH; fired += n)
		n = run(&p->timers, now, ready, BATCH);
	return fired;
}

unsigned weft__timer_run_own(struct processor *p, int64_t now, struct list *ready, unsigned room)
{
	store_relaxed(&p->timers.turn, now + TURN);
	return run(&p->timers, now, ready, room);
}

void weft__timer_leave(struct processor *p)
{
	/* pairs with sleep.c:poller_begin */
	store_seq_cst(&p->timers.turn, 0);
	if (load_relaxed(&p->timers.queue.earliest) < load_relaxed(&sched.poller.until))
		weft__netpoll_kick();
}

int64_t weft__timer_earliest(void)
{
	int64_t earliest = INT64_MAX;
	for (unsigned i = 0; i < sched.processor_count; i++) {
		const struct timers *timers = &sched.processors[i].timers;
		int64_t when =
			max_of(load_relaxed(&timers->queue.earliest), load_relaxed(&timers->turn));
		earliest = min_of(earliest, when);
	}
	return max_of(earliest, 1); /* 0 would tell the poller not to sleep at all */
}

int64_t weft__timer_gather(int64_t until, int64_t now, unsigned fired)
{
	return fired >= GATHER_FROM && until < now + GATHER_SOON ? until + GATHER : until;
}

void weft__timer_free(struct processor *p)
{
	weft__timerq_free(&p->timers.queue);
}
