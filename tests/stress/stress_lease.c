/* SPDX-License-Identifier: MIT */
/*
 * stress_lease.c: tasks that return to the runtime at the very moment their processor is taken.
 *
 * Each step of a task leaves the runtime for about as long as the monitor waits before it takes a
 * processor, and then makes a weft call at once. Meanwhile tasks are locked and unlocked, cancelled
 * and stopped, hold a mutex or a unit of a semaphore while they are away, start timers, start
 * children, end locked.
 *
 * Required: no task runs on two threads at once, nor two on one thread; a locked task stays on its
 * thread; stack and task-local value stay what they are; no call is lost (a sum under a
 * mutex, units of a semaphore, timers that must fire, children that must end); random bytes go on.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/attr.h"
#include "stress.h"

enum { WORKERS = 40, STEPS = 60, CANARY = 1500 };

/* What the workers of a round share. */
struct place {
	struct weft_mutex mutex;
	struct weft_sem sem;
	struct weft_waitgroup timers;
	struct weft_chan *chan;
	uint64_t under_mutex; /* not atomic: the mutex is what protects it */
	uint32_t inside, units, used;
	uint32_t started, locked_calls, keys_left;
	uint32_t to_come, came; /* tasks of timers */
	bool stops;
};

struct worker {
	struct place *place;
	struct draw draw;
	uint32_t running; /* 1 while it is in user code */
	pid_t thread;	  /* its thread, while locked */
	unsigned locks;
	uint64_t number, random;
};

static unsigned key;
static pthread_mutex_t foreign_mutex = PTHREAD_MUTEX_INITIALIZER;

/* ---- in user code, out of it ---- */

static __thread struct worker *here;

/* The compiler must not keep the address of `here` over a weft call: the task may have moved. */
static __attribute__((__noinline__)) no_tsan struct worker *here_is(struct worker *w)
{
	struct worker *before = here;
	here = w;
	__asm__ volatile("" ::: "memory");
	return before;
}

static void come_back(struct worker *w)
{
	require(swap_acquire(&w->running, 1) == 0); /* pairs with go_in */
	require(here_is(w) == NULL);
	require(!w->locks || w->thread == gettid());
}

static void go_in(struct worker *w)
{
	require(here_is(NULL) == w);
	require(swap_release(&w->running, 0) == 1); /* pairs with come_back */
}

/* A weft call, seen from outside. */
#define CALL(w, call) \
	do { \
		go_in(w); \
		call; \
		come_back(w); \
	} while (0)

/* ---- what a step does once it is back ---- */

static void yield(struct worker *w)
{
	CALL(w, weft_yield());
}

static void sleep_shortly(struct worker *w)
{
	int64_t ns = draw_below(&w->draw, 150 * US);
	int result;
	CALL(w, result = weft_sleep(ns));
	stress_result(result);
}

static void use_channel(struct worker *w)
{
	bool send = draw_one_in(&w->draw, 2);
	int64_t deadline = draw_deadline(&w->draw);
	uint64_t item = w->number;
	int result;
	CALL(w, result = send ? weft_chan_send(w->place->chan, &item, deadline)
			      : weft_chan_recv(w->place->chan, &item, deadline));
	require(item < WORKERS);
	stress_result(result);
}

static void away_with_mutex(struct worker *w)
{
	struct place *p = w->place;
	CALL(w, weft_mutex_lock(&p->mutex));
	require(add_relaxed(&p->inside, 1) == 0);
	p->under_mutex++;
	if (draw_one_in(&w->draw, 2))
		pause_somehow(&w->draw);
	require(sub_relaxed(&p->inside, 1) == 1);
	CALL(w, weft_mutex_unlock(&p->mutex));
	add_relaxed(&p->locked_calls, 1);
}

static void away_with_unit(struct worker *w)
{
	struct place *p = w->place;
	int result;
	CALL(w, result = weft_sem_acquire(&p->sem, 1, WEFT_FOREVER));
	stress_result(result);
	if (result)
		return;
	require(add_relaxed(&p->used, 1) < p->units);
	pause_somehow(&w->draw);
	sub_relaxed(&p->used, 1);
	CALL(w, weft_sem_release(&p->sem, 1));
}

static void unlock_all(struct worker *w)
{
	while (w->locks) {
		w->locks--; /* after the last it may move */
		CALL(w, require(weft_unlock_os_thread() == 0));
	}
}

static void lock_or_unlock(struct worker *w)
{
	if (draw_one_in(&w->draw, 2)) {
		unlock_all(w);
		CALL(w, require(weft_unlock_os_thread() == -EPERM));
		return;
	}
	CALL(w, require(weft_lock_os_thread() == 0));
	w->thread = gettid();
	w->locks++;
}

static void timer_fires(struct worker *w)
{
	struct weft_chan *chan = weft_chan_new(0, 1);
	struct weft_timer *timer = weft_timer_new_chan(chan);
	int64_t due = weft_after(draw_below(&w->draw, 150 * US));
	int result;
	require(chan && timer);
	CALL(w, require(weft_timer_start(timer, due, 0) == 0));
	pause_somehow(&w->draw);
	CALL(w, result = weft_chan_recv(chan, NULL, WEFT_FOREVER));
	require(result || weft_now() >= due);
	stress_result(result);
	CALL(w, weft_timer_free(timer));
	CALL(w, weft_chan_unref(chan));
}

static void timer_task(void *arg)
{
	struct place *p = arg;
	add_relaxed(&p->came, 1);
	weft_waitgroup_done(&p->timers);
}

/* Its firing happens, or stopping it says that it does not. */
static void timer_starts_task(struct worker *w)
{
	struct place *p = w->place;
	struct weft_timer *timer = p->stops ? NULL : weft_timer_new_task(timer_task, p);
	int stopped;
	if (!timer)
		return;
	CALL(w, weft_waitgroup_add(&p->timers, 1));
	CALL(w,
	     require(weft_timer_start(timer, weft_after(draw_below(&w->draw, 100 * US)), 0) == 0));
	pause_somehow(&w->draw);
	CALL(w, stopped = weft_timer_stop(timer));
	if (stopped)
		CALL(w, weft_waitgroup_done(&p->timers));
	add_relaxed(&p->to_come, !stopped);
	CALL(w, weft_timer_free(timer));
}

static int child(void *arg)
{
	struct draw d = *(struct draw *)arg;
	pause_somehow(&d);
	weft_yield();
	if (draw_one_in(&d, 4))
		weft_lock_os_thread(); /* and takes its thread along */
	pause_somehow(&d);
	return 7;
}

static void bear_child(struct worker *w)
{
	struct draw d = draw_fork(&w->draw);
	struct weft_task *task;
	int result = 7, err;
	CALL(w, err = weft_spawn(&task, NULL, child, &d));
	require(err == 0 || err == -ESHUTDOWN);
	pause_somehow(&w->draw);
	if (!err)
		CALL(w, result = join_always(task));
	require(result == 7);
}

static void draw_bytes(struct worker *w)
{
	uint64_t before = w->random;
	CALL(w, weft_random_bytes(&w->random, sizeof(w->random)));
	require(w->random != before && w->random != 0);
}

/* A mutex of libc's, not held over a weft call. */
static void use_foreign_mutex(struct worker *w)
{
	pthread_mutex_lock(&foreign_mutex);
	pause_somehow(&w->draw);
	pthread_mutex_unlock(&foreign_mutex);
	CALL(w, weft_yield());
}

static void (*const acts[])(struct worker *w) = {
	yield,
	yield,
	sleep_shortly,
	use_channel,
	use_channel,
	away_with_mutex,
	away_with_unit,
	lock_or_unlock,
	timer_fires,
	bear_child,
	timer_starts_task,
	draw_bytes,
	use_foreign_mutex,
};

/* ---- the workers ---- */

static void go_away(struct worker *w)
{
	bool hint = draw_one_in(&w->draw, 6), twice = hint && draw_one_in(&w->draw, 3);
	for (int i = 0; i < hint + twice; i++)
		CALL(w, require(weft_blocking_begin() == 0));
	pause_somehow(&w->draw);
	for (int i = 0; i < hint + twice; i++)
		CALL(w, require(weft_blocking_end() == 0));
}

static void check(struct worker *w, const unsigned char *canary, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		require(canary[i] == (unsigned char)(w->number + i));
	require(weft_key_get(key) == w);
}

static int work(void *arg)
{
	struct worker *w = arg;
	unsigned char canary[CANARY];
	unsigned size = 1 + draw_below(&w->draw, CANARY), steps = draw_below(&w->draw, STEPS);
	come_back(w);
	add_relaxed(&w->place->started, 1);
	for (unsigned i = 0; i < size; i++)
		canary[i] = (unsigned char)(w->number + i);
	require(weft_key_set(key, w) == 0);
	for (unsigned i = 0; i < steps; i++) {
		go_away(w);
		acts[draw_below(&w->draw, array_len(acts))](w);
		check(w, canary, size);
	}
	stress_count(COUNT_STEPS, steps);
	if (draw_one_in(&w->draw, 2))
		unlock_all(w);
	go_in(w);
	return 0;
}

/* Destructor of the key: the last that a worker does. */
static void key_left(void *value)
{
	struct worker *w = value;
	add_relaxed(&w->place->keys_left, 1);
	weft_yield();
}

/* ---- a thread that is not the runtime's starts tasks, too ---- */

static void from_outside(void *arg)
{
	struct place *p = arg;
	weft_yield();
	weft_waitgroup_done(&p->timers);
}

static void *outside(void *arg)
{
	struct place *p = arg;
	for (int i = 0; i < 20; i++) {
		weft_waitgroup_add(&p->timers, 1);
		if (weft_go(from_outside, p) != 0)
			weft_waitgroup_done(&p->timers);
		if (i % 5 == 0)
			usleep(50);
	}
	return NULL;
}

/* ---- a round ---- */

static void check_place(struct place *p, unsigned workers)
{
	require(weft_waitgroup_wait(&p->timers, WEFT_FOREVER) == 0);
	require(load_relaxed(&p->came) == load_relaxed(&p->to_come));
	require(load_relaxed(&p->started) == workers && load_relaxed(&p->keys_left) == workers);
	weft_mutex_lock(&p->mutex);
	require(p->under_mutex == load_relaxed(&p->locked_calls));
	weft_mutex_unlock(&p->mutex);
	require(weft_sem_acquire(&p->sem, p->units, 0) == 0);
}

static int lease_round(void *arg)
{
	struct round *r = arg;
	struct worker workers[WORKERS];
	struct team team = {.count = 0};
	struct place place = {.stops = r->stops, .units = 1 + draw_below(&r->draw, 8)};
	unsigned wanted = 1 + draw_below(&r->draw, WORKERS);
	bool foreign = draw_one_in(&r->draw, 6);
	pthread_t thread;
	place.chan = weft_chan_new(sizeof(uint64_t), draw_below(&r->draw, 3));
	weft_sem_release(&place.sem, place.units);
	if (foreign)
		require(pthread_create(&thread, NULL, outside, &place) == 0);
	for (unsigned i = 0; i < wanted; i++) {
		workers[i] = (struct worker){&place, .draw = draw_fork(&r->draw), .number = i};
		team_start(&team, work, &workers[i]);
	}
	team_disturb(&team, r);
	unsigned started = team.count;
	team_join(&team);
	if (foreign)
		require(pthread_join(thread, NULL) == 0);
	check_place(&place, started);
	weft_chan_unref(place.chan);
	return 0;
}

int main(int argc, char **argv)
{
	require(weft_key_create(&key, key_left) == 0);
	static const struct stress lease = {.name = "stress_lease", .main_task = lease_round};
	return stress_main(&lease, argc, argv);
}
