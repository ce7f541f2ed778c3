/* SPDX-License-Identifier: MIT */
/*
 * test_mix.c: threads that are not the runtime's do at random, from a seed, what they may, beside
 * tasks, some of which end locked to their threads. Nothing is lost: each act knows what must come.
 */
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../tasks.h"

enum { THREADS = 4, ACTS = 400 };

struct worker {
	pthread_t thread;
	uint64_t random;
	struct weft_chan *done;
	int echo[2]; /* a task sends back what comes */
	int acts[6];
};

static uint64_t draw(struct worker *w, uint64_t bound)
{
	w->random = w->random * 6364136223846793005u + 1442695040888963407u;
	return (w->random >> 33) % bound;
}

/* A deadline of each kind. */
static int64_t draw_deadline(struct worker *w)
{
	switch (draw(w, 4)) {
	case 0:
		return 0;
	case 1:
		return weft_after((int64_t)draw(w, 200000));
	default:
		return WEFT_FOREVER;
	}
}

static bool given_up(int64_t err)
{
	return err == -EAGAIN || err == -ETIMEDOUT;
}

/* ---- tasks ---- */

static int sleep_a_little(void *arg)
{
	weft_sleep((intptr_t)arg);
	return (int)(intptr_t)arg % 1000 + 1;
}

static int end_locked(void *arg)
{
	expect_eq(weft_lock_os_thread(), 0);
	return sleep_a_little(arg);
}

static void spawn_and_join(struct worker *w)
{
	struct weft_task *task;
	intptr_t time = (intptr_t)draw(w, 300000);
	int (*fn)(void *arg) = draw(w, 3) ? sleep_a_little : end_locked;
	int result = 0, err;
	expect_eq(weft_spawn(&task, NULL, fn, (void *)time), 0);
	if (draw(w, 8) == 0) {
		expect_eq(weft_detach(task), 0);
		return;
	}
	while ((err = weft_join(task, &result, draw_deadline(w))))
		expect(given_up(err));
	expect_eq(result, (int)time % 1000 + 1);
}

static int member(void *arg)
{
	__atomic_fetch_add((int *)arg, 1, __ATOMIC_RELAXED);
	return weft_sleep(1000) == -ECANCELED;
}

static void group(struct worker *w)
{
	struct weft_group_options options = {.limit = (unsigned)draw(w, 3)};
	struct weft_group *g;
	int ran = 0, err, started = 0;
	expect_eq(weft_group_new_with(&g, &options), 0);
	for (uint64_t n = draw(w, 6); n; n--) {
		err = draw(w, 2) ? weft_group_go(g, member, &ran)
				 : weft_group_try_go(g, member, &ran);
		expect(err == 0 || err == -EAGAIN);
		started += !err;
	}
	if (draw(w, 4) == 0)
		expect_eq(weft_group_cancel(g), 0);
	while ((err = weft_group_wait(g, NULL, draw_deadline(w))))
		expect(given_up(err));
	expect_eq(ran, started);
}

/* ---- descriptors ---- */

static int echo(void *arg)
{
	char buf[64];
	int fd = *(int *)arg;
	ssize_t n;
	while ((n = weft_read(fd, buf, sizeof(buf), WEFT_FOREVER)) > 0)
		expect_eq(weft_write(fd, buf, (size_t)n, WEFT_FOREVER), n);
	expect_eq(n, 0);
	return 0;
}

static int await_readable(struct worker *w, int64_t deadline)
{
	struct weft_case cases[] = {weft_on_recv(NULL, NULL), weft_on_ready(w->echo[0], POLLIN)};
	if (draw(w, 2))
		return weft_wait_fd(w->echo[0], POLLIN, deadline);
	int ran = weft_select(cases, 2, deadline);
	return ran < 0 ? ran : cases[1].result;
}

static void talk(struct worker *w)
{
	char byte = (char)draw(w, 128), back;
	int ready;
	ssize_t n;
	expect_eq(weft_write(w->echo[0], &byte, 1, WEFT_FOREVER), 1);
	while ((ready = await_readable(w, draw_deadline(w))) != POLLIN)
		expect(given_up(ready));
	while ((n = weft_read(w->echo[0], &back, 1, draw_deadline(w))) != 1)
		expect(given_up(n));
	expect_eq(back, byte);
}

static void close_while_awaited(struct worker *w)
{
	int pair[2];
	char byte;
	struct weft_task *task;
	expect_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	expect_eq(weft_spawn(&task, NULL, echo, &pair[1]), 0);
	ssize_t n = weft_read(pair[0], &byte, 1, weft_after((int64_t)draw(w, 100000)));
	expect_eq(n, -ETIMEDOUT);
	expect_eq(weft_close(pair[0]), 0); /* the task reads the end */
	expect_eq(weft_join(task, NULL, WEFT_FOREVER), 0);
	expect_eq(weft_close(pair[1]), 0);
}

/* ---- time ---- */

static void time_out(struct worker *w)
{
	struct weft_chan *c = weft_chan_new(sizeof(int64_t), 1);
	struct weft_timer *timer = weft_timer_new_chan(c);
	int64_t at = weft_after((int64_t)draw(w, 300000)), fired;
	expect_eq(weft_timer_start(timer, at, 0), 0);
	if (draw(w, 3) || weft_timer_stop(timer) == 0) {
		expect_eq(weft_chan_recv(c, &fired, WEFT_FOREVER), 0);
		expect_eq(fired, at);
	}
	weft_timer_free(timer);
	weft_chan_unref(c);
}

static void sleep_now(struct worker *w)
{
	int64_t until = weft_after((int64_t)draw(w, 200000));
	expect_eq(weft_sleep_until(until), 0);
	expect_ge(weft_now(), until);
}

static void *work(void *arg)
{
	static void (*const acts[6])(struct worker * w) = {
		spawn_and_join, group, talk, close_while_awaited, time_out, sleep_now};
	struct worker *w = arg;
	for (int i = 0; i < ACTS; i++) {
		uint64_t which = draw(w, 6);
		acts[which](w);
		w->acts[which]++;
	}
	expect_eq(shutdown(w->echo[0], SHUT_WR), 0);
	expect_eq(weft_chan_send(w->done, NULL, WEFT_FOREVER), 0);
	return NULL;
}

/* ---- all of it ---- */

static void begin(struct worker *w, int i, struct weft_chan *done)
{
	*w = (struct worker){.random = kit_seed() * 1000 + (uint64_t)i, .done = done};
	expect_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, w->echo), 0);
	expect_eq(pthread_create(&w->thread, NULL, work, w), 0);
}

TASK_TEST("threads at random beside tasks that end locked", .seconds = 300)
{
	struct worker workers[THREADS];
	struct weft_task *echoes[THREADS];
	struct weft_chan *done = weft_chan_new(0, 0);
	kit_doing("--seed %llu", (unsigned long long)kit_seed());
	for (int i = 0; i < THREADS; i++) {
		begin(&workers[i], i, done);
		echoes[i] = tasks_start(echo, &workers[i].echo[1]);
	}
	for (int left = THREADS; left;) {
		left -= weft_chan_recv(done, NULL, weft_after(MS)) == 0;
		expect_eq(tasks_join(tasks_start(end_locked, NULL)), 1);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		expect_eq(tasks_join(echoes[i]), 0);
		for (int act = 0; act < 6; act++)
			expect_gt(workers[i].acts[act], 0);
		close(workers[i].echo[0]);
		close(workers[i].echo[1]);
	}
	weft_chan_unref(done);
}
