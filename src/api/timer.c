/* SPDX-License-Identifier: MIT */
/*
 * timer.c: timers of the program, each of which is a processor's timer (sched/timer.h).
 *
 * A timer fires under its queue's lock, so stopping is exact: once weft__timer_stop has returned,
 * either the timer is out of the queue and did not fire, or the firing is over. A ticker goes back
 * into the queue while it fires. A start changes time and period only while the timer is in no
 * queue. The timer's own lock orders starts and stops among each other.
 *
 * The queues end with a run of the runtime, while a timer may be kept: `run` says to which run's
 * queue its record belongs.
 */
#include "weft/timer.h"

#include <stdlib.h>

#include "api/call.h"
#include "api/chan.h"
#include "base/time.h"
#include "sched/foreign.h"
#include "sched/proc.h"
#include "sched/schedule.h"
#include "sched/task.h"

#define TASK_RETRY MS(1) /* until the next try to start a task */

struct weft_timer {
	struct timer timer;
	struct lock lock; /* rank USER_TIMER */
	uint32_t run;	  /* of its last start [lock] */
	int64_t period;	  /* 0: once */
	struct weft_chan *chan;
	void (*fn)(void *arg);
	void *arg;
	uintptr_t fp_env; /* of its last starter: a task of the timer begins with it */
};

/* ---- firing: the queue's lock is held ---- */

static void again_at(struct timer *timer, int64_t when)
{
	timer->when = when;
	weft__timer_again(timer);
}

/* The first tick that is still in the future. */
static int64_t next_tick(int64_t when, int64_t period)
{
	int64_t late = weft__sched_now() - when;
	int64_t next;
	late = max_of(late, 0);
	return __builtin_add_overflow(when, late - late % period + period, &next) ? INT64_MAX
										  : next;
}

static void fire_chan(struct timer *base, struct list *ready)
{
	struct weft_timer *timer = container_of(base, struct weft_timer, timer);
	tsan_acquire(timer);
	int64_t when = base->when;
	if (timer->period)
		again_at(base, next_tick(when, timer->period));
	weft__chan_offer(timer->chan, &when, ready);
	tsan_release(timer);
}

/* Makes a new task, ready to run. False: no memory. */
static bool start_task(const struct weft_timer *timer, struct list *ready)
{
	static const struct task_options options = {.detached = true};
	struct thread *t = weft__thread_self();
	struct task *task = weft__task_new(proc_held(t) ? t : NULL, &options);
	if (!task)
		return false;
	task_set_plain_function(task, timer->fn, timer->arg);
	task->fp_env = timer->fp_env;
	/*
	 * It counts as a task from here on. If the runtime had begun to end before that, nothing
	 * runs any more.
	 */
	/* pairs with runtime.c:run */
	if (load_acquire(&sched.running) == RUNTIME_RUNS)
		weft__ready_later(task, ready);
	tsan_release(task);
	return true;
}

static void fire_task(struct timer *base, struct list *ready)
{
	struct weft_timer *timer = container_of(base, struct weft_timer, timer);
	tsan_acquire(timer);
	bool started = load_relaxed(&sched.stopping) || start_task(timer, ready);
	if (!started)
		again_at(base, weft__sched_now() + TASK_RETRY);
	else if (timer->period)
		again_at(base, next_tick(base->when, timer->period));
	tsan_release(timer);
}

/* ---- the calls ---- */

static struct weft_timer *timer_new(void (*fire)(struct timer *timer, struct list *ready))
{
	struct weft_timer *timer = calloc(1, sizeof(*timer));
	if (timer)
		timer->timer.fire = fire;
	return timer;
}

struct weft_timer *weft_timer_new_chan(struct weft_chan *chan)
{
	if (!chan || (chan->item_size && chan->item_size != sizeof(int64_t)))
		return NULL;
	struct weft_timer *timer = timer_new(fire_chan);
	if (timer)
		timer->chan = weft_chan_ref(chan);
	return timer;
}

struct weft_timer *weft_timer_new_task(void (*fn)(void *arg), void *arg)
{
	struct weft_timer *timer = fn ? timer_new(fire_task) : NULL;
	if (timer) {
		timer->fn = fn;
		timer->arg = arg;
	}
	return timer;
}

/* The timer's lock is held. Returns true when it was running. */
static bool stop(struct weft_timer *timer)
{
	bool running = timer->run == sched.run && weft__timer_stop(&timer->timer);
	tsan_acquire(timer);
	return running;
}

/* Leaves the runtime after a stop. The looks for a deadlock may have counted on the timer: a task's
 * processor looks again when it goes idle, another caller looks itself. */
static void leave_after_stop(struct thread *t, bool was_running)
{
	if (unlikely(!t) && was_running)
		weft__proc_look_stuck();
	runtime_leave(t);
}

int weft_timer_start(struct weft_timer *timer, int64_t deadline, int64_t period)
{
	if (!timer || period < 0)
		return -EINVAL;
	struct thread *t;
	int err = runtime_enter(&t);
	if (err)
		return err;
	lock_take(&timer->lock, RANK_USER_TIMER);
	int was_running = stop(timer);
	timer->timer.when = deadline;
	timer->timer.index = 0; /* it was in the queue of an ended run, so it is in none now */
	timer->run = sched.run;
	timer->period = period;
	timer->fp_env = arch_fp_env();
	tsan_release(timer);
	err = timer_start_by(t, &timer->timer);
	lock_drop(&timer->lock, RANK_USER_TIMER);
	leave_after_stop(t, was_running);
	return err ? err : was_running;
}

int weft_timer_stop(struct weft_timer *timer)
{
	if (!timer)
		return -EINVAL;
	struct thread *t;
	if (runtime_enter(&t) < 0) /* its queue has gone with the runtime */
		return 0;
	lock_take(&timer->lock, RANK_USER_TIMER);
	int was_running = stop(timer);
	lock_drop(&timer->lock, RANK_USER_TIMER);
	leave_after_stop(t, was_running);
	return was_running;
}

void weft_timer_free(struct weft_timer *timer)
{
	if (!timer)
		return;
	weft_timer_stop(timer);
	weft_chan_unref(timer->chan);
	free(timer);
}
