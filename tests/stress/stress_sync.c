/* SPDX-License-Identifier: MIT */
/*
 * stress_sync.c: mutex, rwmutex, condition, semaphore, wait group, group and once, with deadlines,
 * cancellation and weft_stop, between tasks and with threads that are not the runtime's.
 *
 * Required: the holder of a lock is alone, or among readers; a semaphore never hands out more units
 * than it has; a bounded queue made of a mutex and two conditions passes on every item, with waits
 * that have no deadline, so that a lost signal is a deadlock; a wait group opens when all are done
 * and not before; a group returns the result of one of its members, and 0 only when all returned 0;
 * what weft_once did is done once, and all callers see it. What a lock protects is not atomic:
 * ThreadSanitizer sees a lock that does not order.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/atomic.h"
#include "base/attr.h"
#include "stress.h"

enum { WORKERS = 24, FOREIGN = 3, STEPS = 60, ONCES = 64, ROOM = 4, PORTERS = 6, ITEMS = 40 };

struct place {
	struct weft_mutex mutex;
	struct weft_rwmutex rwmutex;
	struct weft_sem sem;
	struct weft_once once[ONCES];
	uint64_t under_mutex, left, right, done[ONCES]; /* not atomic */
	uint32_t inside, readers, used, units;
	uint32_t mutexes, writes; /* how often, counted outside of the locks */
	/* the bounded queue */
	struct weft_mutex queue_mutex;
	struct weft_cond not_full, not_empty;
	unsigned queue[ROOM], head, length;
	uint64_t put, got;
};

struct worker {
	struct place *place;
	struct draw draw;
	bool is_task;
};

/* ---- locks ---- */

static void mutex(struct worker *w)
{
	struct place *p = w->place;
	int64_t deadline = draw_one_in(&w->draw, 3) ? WEFT_FOREVER : draw_deadline(&w->draw);
	int result = draw_one_in(&w->draw, 8) ? weft_mutex_trylock(&p->mutex)
					      : weft_mutex_lock_until(&p->mutex, deadline);
	require(result == 0 || (deadline != WEFT_FOREVER && result == -ETIMEDOUT) ||
		result == -EAGAIN);
	stress_result(result);
	if (result)
		return;
	require(add_relaxed(&p->inside, 1) == 0);
	p->under_mutex++;
	if (draw_one_in(&w->draw, 4))
		pause_somehow(&w->draw);
	if (draw_one_in(&w->draw, 4))
		weft_yield();
	require(sub_relaxed(&p->inside, 1) == 1);
	weft_mutex_unlock(&p->mutex);
	add_relaxed(&p->mutexes, 1);
}

static void read_both(struct worker *w)
{
	struct place *p = w->place;
	if (draw_one_in(&w->draw, 2))
		weft_rwmutex_rdlock(&p->rwmutex);
	else if (weft_rwmutex_tryrdlock(&p->rwmutex) != 0)
		return;
	add_relaxed(&p->readers, 1);
	uint64_t left = p->left;
	if (draw_one_in(&w->draw, 3))
		weft_yield();
	if (draw_one_in(&w->draw, 6))
		pause_somehow(&w->draw);
	require(p->left == left && p->right == left);
	sub_relaxed(&p->readers, 1);
	weft_rwmutex_rdunlock(&p->rwmutex);
}

static void write_both(struct worker *w)
{
	struct place *p = w->place;
	if (draw_one_in(&w->draw, 2))
		weft_rwmutex_wrlock(&p->rwmutex);
	else if (weft_rwmutex_trywrlock(&p->rwmutex) != 0)
		return;
	require(load_relaxed(&p->readers) == 0);
	p->left++;
	if (draw_one_in(&w->draw, 3))
		weft_yield();
	if (draw_one_in(&w->draw, 6))
		pause_somehow(&w->draw);
	p->right++;
	require(load_relaxed(&p->readers) == 0);
	weft_rwmutex_wrunlock(&p->rwmutex);
	add_relaxed(&p->writes, 1);
}

static void take_units(struct worker *w)
{
	struct place *p = w->place;
	unsigned n = 1 + draw_below(&w->draw, p->units);
	int64_t deadline = draw_one_in(&w->draw, 2) ? WEFT_FOREVER : draw_deadline(&w->draw);
	int result = weft_sem_acquire(&p->sem, n, deadline);
	stress_result(result);
	if (result)
		return;
	require(add_relaxed(&p->used, n) + n <= p->units);
	if (draw_one_in(&w->draw, 2))
		pause_somehow(&w->draw);
	sub_relaxed(&p->used, n);
	weft_sem_release(&p->sem, n);
}

/* ---- once ---- */

static void do_it(void *arg)
{
	uint64_t *done = arg;
	weft_yield();
	++*done;
}

static void once(struct worker *w)
{
	unsigned i = draw_below(&w->draw, ONCES);
	weft_once(&w->place->once[i], do_it, &w->place->done[i]);
	require(w->place->done[i] == 1);
}

/* ---- wait group ---- */

struct gang {
	struct weft_waitgroup left;
	struct draw draw;
	uint32_t count;
};

static void gang_member(void *arg)
{
	struct gang *g = arg;
	weft_yield();
	add_relaxed(&g->count, 1);
	weft_waitgroup_done(&g->left);
}

static void waitgroup(struct worker *w)
{
	struct gang g = {.count = 0};
	int result;
	for (unsigned round = 1; round <= 2; round++) {
		unsigned n = 1 + draw_below(&w->draw, 5), started = 0;
		weft_waitgroup_add(&g.left, (int)n);
		while (started < n && weft_go(gang_member, &g) == 0)
			started++;
		weft_waitgroup_add(&g.left, (int)started - (int)n); /* after weft_stop */
		while ((result = weft_waitgroup_wait(&g.left, draw_one_in(&w->draw, 2)
								      ? draw_deadline(&w->draw)
								      : WEFT_FOREVER)) != 0)
			stress_result(result);
		require(swap_acquire(&g.count, 0) == started);
	}
}

/* ---- group ---- */

struct club {
	uint32_t left, results; /* bits of what members returned */
	struct draw draw;
	struct weft_mutex mutex;
};

static int club_member(void *arg)
{
	struct club *c = arg;
	weft_mutex_lock(&c->mutex);
	struct draw d = draw_fork(&c->draw);
	weft_mutex_unlock(&c->mutex);
	int result = draw_one_in(&d, 4) ? 1 + (int)draw_below(&d, 8) : 0;
	if (draw_one_in(&d, 2))
		pause_somehow(&d);
	if (draw_one_in(&d, 2) && weft_sleep(draw_below(&d, 200 * US)) == -ECANCELED)
		result = 9;
	__atomic_fetch_or(&c->results, 1u << result, __ATOMIC_ACQ_REL);
	sub_acq_rel(&c->left, 1);
	return result;
}

static void group(struct worker *w)
{
	struct weft_group *g = weft_group_new();
	struct club c = {.draw = draw_fork(&w->draw)};
	unsigned n = draw_below(&w->draw, 5);
	int result = -1, err;
	require(g);
	for (unsigned i = 0; i < n; i++) {
		add_relaxed(&c.left, 1);
		err = weft_group_go(g, club_member, &c);
		require(err == 0 || err == -ECANCELED || err == -ESHUTDOWN);
		if (err)
			sub_relaxed(&c.left, 1);
	}
	if (draw_one_in(&w->draw, 6))
		weft_group_cancel(g);
	while ((err = weft_group_wait(g, &result,
				      draw_one_in(&w->draw, 2) ? draw_deadline(&w->draw)
							       : WEFT_FOREVER)) != 0)
		stress_result(err);
	uint32_t results = load_acquire(&c.results);
	require(load_acquire(&c.left) == 0);
	bool none_failed = result == 0 || result == -ECANCELED; /* the caller was, meanwhile */
	require(none_failed ? (results & ~1u) == 0 : result > 0 && results >> result & 1);
}

/* ---- the bounded queue ---- */

/* Waits until `c` was signalled; the waits of this queue end only by that, or by a cancellation. */
static void queue_wait(struct place *p, struct weft_cond *c)
{
	stress_result(weft_cond_wait(c, &p->queue_mutex, WEFT_FOREVER));
}

static int put_items(void *arg)
{
	struct worker *w = arg;
	struct place *p = w->place;
	for (unsigned i = 0; i < ITEMS; i++) {
		weft_mutex_lock(&p->queue_mutex);
		while (p->length == ROOM)
			queue_wait(p, &p->not_full);
		unsigned item = draw_below(&w->draw, 1000);
		p->queue[(p->head + p->length++) % ROOM] = item;
		p->put += item;
		weft_mutex_unlock(&p->queue_mutex);
		weft_cond_signal(&p->not_empty);
		if (draw_one_in(&w->draw, 16))
			pause_somehow(&w->draw);
	}
	return 0;
}

static int get_items(void *arg)
{
	struct worker *w = arg;
	struct place *p = w->place;
	for (unsigned i = 0; i < ITEMS; i++) {
		weft_mutex_lock(&p->queue_mutex);
		while (!p->length)
			queue_wait(p, &p->not_empty);
		p->got += p->queue[p->head++ % ROOM];
		p->length--;
		weft_cond_signal(&p->not_full);
		weft_mutex_unlock(&p->queue_mutex);
		if (draw_one_in(&w->draw, 16))
			pause_somehow(&w->draw);
	}
	return 0;
}

/* ---- the workers ---- */

typedef void act(struct worker *w);

static act *const acts_of_all[] = {mutex, read_both, write_both, take_units, once};
static act *const acts_of_tasks[] = {mutex, read_both, write_both, take_units,
				     once,  waitgroup, group};

static int work(void *arg)
{
	struct worker *w = arg;
	unsigned steps = draw_below(&w->draw, STEPS);
	for (unsigned i = 0; i < steps; i++) {
		if (w->is_task)
			acts_of_tasks[draw_below(&w->draw, array_len(acts_of_tasks))](w);
		else
			acts_of_all[draw_below(&w->draw, array_len(acts_of_all))](w);
		if (draw_one_in(&w->draw, 16))
			pause_somehow(&w->draw);
	}
	stress_count(COUNT_STEPS, steps);
	return 0;
}

static void *work_outside(void *arg)
{
	work(arg);
	return NULL;
}

/* ---- a round ---- */

static void check_place(struct place *p)
{
	require(weft_mutex_trylock(&p->mutex) == 0);
	require(p->under_mutex == load_relaxed(&p->mutexes));
	require(weft_rwmutex_trywrlock(&p->rwmutex) == 0);
	require(p->left == load_relaxed(&p->writes) && p->right == p->left);
	require(weft_sem_acquire(&p->sem, p->units, 0) == 0);
	for (unsigned i = 0; i < ONCES; i++)
		require(p->done[i] <= 1);
	require(weft_mutex_trylock(&p->queue_mutex) == 0);
	require(p->length == 0 && p->put == p->got);
}

static int sync_round(void *arg)
{
	struct round *r = arg;
	struct place p = {.units = 1 + draw_below(&r->draw, 6)};
	struct worker workers[WORKERS + FOREIGN], porters[2 * PORTERS];
	struct team team = {.count = 0};
	pthread_t threads[FOREIGN];
	unsigned outside = draw_one_in(&r->draw, 4) ? 1 + draw_below(&r->draw, FOREIGN) : 0;
	unsigned tasks = 1 + draw_below(&r->draw, WORKERS), pairs = draw_below(&r->draw, PORTERS);
	weft_sem_release(&p.sem, p.units);
	for (unsigned i = 0; i < outside + tasks; i++)
		workers[i] = (struct worker){&p, draw_fork(&r->draw), i >= outside};
	for (unsigned i = 0; i < 2 * pairs; i++) {
		porters[i] = (struct worker){&p, draw_fork(&r->draw), true};
		require(team_start(&team, i % 2 ? put_items : get_items, &porters[i]));
	}
	for (unsigned i = 0; i < outside; i++)
		require(pthread_create(&threads[i], NULL, work_outside, &workers[i]) == 0);
	for (unsigned i = outside; i < outside + tasks; i++)
		require(team_start(&team, work, &workers[i]));
	team_disturb(&team, r);
	team_join(&team);
	for (unsigned i = 0; i < outside; i++)
		require(pthread_join(threads[i], NULL) == 0);
	check_place(&p);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct stress sync = {.name = "stress_sync", .main_task = sync_round};
	return stress_main(&sync, argc, argv);
}
