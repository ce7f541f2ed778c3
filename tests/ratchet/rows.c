/* SPDX-License-Identifier: MIT */
/*
 * rows.c: the operations whose instructions test_ratchet.py counts: `rows ROW COUNT` does COUNT of
 * one, and `rows` alone lists them.
 *
 * What has to hold: the same row with the same count executes the same instructions, and twice the
 * count adds the instructions of that many operations alone. So there is one processor, no task
 * meets a deadline, no row waits for anything but its own tasks, and what is set up once does not
 * depend on the count.
 *
 * Valgrind hides the vDSO. The rows of libweft-random put a function that does nothing in its
 * place, and count what the library does around it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/attr.h"
#include "random/state.h"
#include "random/vdso.h"
#include "weft/weft.h"

enum { BATCH = 100, CAPACITY = 128, CASES = 4, TIMERS = 64, KEY = 32 };

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "rows: %s failed\n", what);
	exit(1);
}

static struct weft_task *start(int (*fn)(void *arg), void *arg)
{
	struct weft_task *task;
	must(weft_spawn(&task, NULL, fn, arg) == 0, "weft_spawn");
	return task;
}

static int finish(struct weft_task *task)
{
	int result;
	must(weft_join(task, &result, WEFT_FOREVER) == 0, "weft_join");
	return result;
}

static struct weft_chan *channel(size_t capacity)
{
	struct weft_chan *chan = weft_chan_new(sizeof(uint64_t), capacity);
	must(chan, "weft_chan_new");
	return chan;
}

static int yielder(void *arg)
{
	for (uint64_t left = *(uint64_t *)arg; left > 0; left--)
		weft_yield();
	return 0;
}

/* Two tasks yield to each other: the count is that of the yields of both. */
static void row_yield(uint64_t count)
{
	uint64_t half = count / 2;
	struct weft_task *a = start(yielder, &half), *b = start(yielder, &half);
	finish(a);
	finish(b);
}

static int identity(void *arg)
{
	return (int)(intptr_t)arg;
}

/* Starts a hundred tasks, joins them, and again. */
static void row_spawn(uint64_t count)
{
	struct weft_task *task[BATCH];
	for (uint64_t done = 0; done < count; done += BATCH) {
		for (int i = 0; i < BATCH; i++)
			task[i] = start(identity, (void *)(intptr_t)i);
		for (int i = 0; i < BATCH; i++)
			must(finish(task[i]) == i, "a task's result");
	}
}

struct pair {
	struct weft_chan *there, *back;
	uint64_t count;
};

static int echo(void *arg)
{
	struct pair *p = arg;
	for (uint64_t i; weft_chan_recv(p->there, &i, WEFT_FOREVER) == 0;)
		weft_chan_send(p->back, &i, WEFT_FOREVER);
	return 0;
}

/* One operation is one round trip through two channels without room. */
static void row_pingpong(uint64_t count)
{
	struct pair p = {channel(0), channel(0), 0};
	struct weft_task *task = start(echo, &p);
	for (uint64_t i = 0, got; i < count; i++) {
		weft_chan_send(p.there, &i, WEFT_FOREVER);
		weft_chan_recv(p.back, &got, WEFT_FOREVER);
		must(got == i, "an echo");
	}
	weft_chan_close(p.there);
	finish(task);
	weft_chan_unref(p.there);
	weft_chan_unref(p.back);
}

static int producer(void *arg)
{
	struct pair *p = arg;
	for (uint64_t i = 0; i < p->count; i++)
		weft_chan_send(p->there, &i, WEFT_FOREVER);
	weft_chan_close(p->there);
	return 0;
}

/* One task sends, the other receives, with room for 128 between them. */
static void row_channel(uint64_t count)
{
	struct pair p = {channel(CAPACITY), NULL, count};
	struct weft_task *task = start(producer, &p);
	uint64_t done = 0;
	for (uint64_t got; weft_chan_recv(p.there, &got, WEFT_FOREVER) == 0; done++)
		must(got == done, "the order of a channel");
	must(done == count, "a channel");
	finish(task);
	weft_chan_unref(p.there);
}

struct fan {
	struct weft_chan *chan[CASES];
	uint64_t count;
};

static int fan_out(void *arg)
{
	struct fan *f = arg;
	for (uint64_t i = 0; i < f->count; i++)
		weft_chan_send(f->chan[i % CASES], &i, WEFT_FOREVER);
	return 0;
}

/* One task sends to four channels in turn, the other selects among them: one is ever ready. */
static void row_select(uint64_t count)
{
	struct fan f = {.count = count};
	struct weft_case cases[CASES];
	uint64_t got;
	for (unsigned i = 0; i < CASES; i++) {
		f.chan[i] = channel(0);
		cases[i] = weft_on_recv(f.chan[i], &got);
	}
	struct weft_task *task = start(fan_out, &f);
	for (uint64_t i = 0; i < count; i++)
		must(weft_select(cases, CASES, WEFT_FOREVER) == (int)(i % CASES) && got == i,
		     "weft_select");
	finish(task);
	for (unsigned i = 0; i < CASES; i++)
		weft_chan_unref(f.chan[i]);
}

/* Nobody else wants it. */
static void row_mutex(uint64_t count)
{
	struct weft_mutex mutex = {0};
	for (uint64_t i = 0; i < count; i++) {
		weft_mutex_lock(&mutex);
		weft_mutex_unlock(&mutex);
	}
}

struct contended {
	struct weft_mutex mutex;
	uint64_t turns;
};

static int contender(void *arg)
{
	struct contended *c = arg;
	for (uint64_t i = 0; i < c->turns; i++) {
		weft_mutex_lock(&c->mutex);
		weft_yield();
		weft_mutex_unlock(&c->mutex);
		weft_yield();
	}
	return 0;
}

/* Two tasks take turns: each lock waits for the other's unlock, and never so long that the mutex is
 * handed over, which would depend on the time. */
static void row_mutex_wait(uint64_t count)
{
	struct contended c = {.turns = count / 2};
	struct weft_task *a = start(contender, &c), *b = start(contender, &c);
	finish(a);
	finish(b);
}

/* Starts and stops each of 64 timers in turn; all others are started, and none ever fires. */
static void row_timer(uint64_t count)
{
	int64_t hour = 3600 * 1000000000LL, when = weft_after(hour);
	struct weft_chan *chan = channel(1);
	struct weft_timer *timer[TIMERS];
	for (int i = 0; i < TIMERS; i++) {
		timer[i] = weft_timer_new_chan(chan);
		must(timer[i], "weft_timer_new_chan");
		weft_timer_start(timer[i], when + i * hour, 0);
	}
	for (uint64_t i = 0; i < count; i++) {
		must(weft_timer_stop(timer[i % TIMERS]) == 1, "weft_timer_stop");
		weft_timer_start(timer[i % TIMERS], when + (int64_t)(i % TIMERS) * hour, 0);
	}
	for (int i = 0; i < TIMERS; i++)
		weft_timer_free(timer[i]);
	weft_chan_unref(chan);
}

static ssize_t draw_nothing(void *buf, size_t len, unsigned flags, void *state, size_t state_size)
{
	return (ssize_t)len;
}

/* In place of what the constructor found, before the first draw. */
static void stand_in(void)
{
	weft__vdso = (struct vdso){
		.draw = draw_nothing,
		.state_size = 144,
		.stride = 192,
		.page_size = weft__vdso.page_size,
		.map_prot = PROT_READ | PROT_WRITE,
		.map_flags = MAP_PRIVATE | MAP_ANONYMOUS,
	};
}

/* A draw of a key with the state that the thread has. */
static void row_draw(uint64_t count)
{
	unsigned char key[KEY];
	must(weft_random_prepare() == 0, "weft_random_prepare");
	for (uint64_t i = 0; i < count; i++)
		must(weft_getrandom(key, sizeof(key), 0) == sizeof(key), "weft_getrandom");
}

/* A thread's first draw, and its last: takes a state and gives it back. */
static void row_state(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		must(weft__state_acquire() == 0, "weft__state_acquire");
		weft__state_put();
	}
}

static const struct row {
	const char *name;
	void (*run)(uint64_t count);
} rows[] = {
	{"yield", row_yield},		{"spawn", row_spawn},	{"pingpong", row_pingpong},
	{"channel", row_channel},	{"select", row_select}, {"mutex", row_mutex},
	{"mutex_wait", row_mutex_wait}, {"timer", row_timer},	{"draw", row_draw},
	{"state", row_state},
};

static const struct row *chosen;
static uint64_t count;

static int main_task(void *arg)
{
	chosen->run(count);
	return 0;
}

static int list(void)
{
	for (unsigned i = 0; i < array_len(rows); i++)
		puts(rows[i].name);
	return 0;
}

int main(int argc, char **argv)
{
	struct weft_options one = {.size = sizeof(one), .processors = 1};
	if (argc != 3)
		return list();
	for (unsigned i = 0; i < array_len(rows); i++)
		if (strcmp(rows[i].name, argv[1]) == 0)
			chosen = &rows[i];
	count = strtoull(argv[2], NULL, 10);
	must(chosen && count > 0, "the choice of a row and a count");
	stand_in();
	return weft_run(&one, main_task, NULL);
}
