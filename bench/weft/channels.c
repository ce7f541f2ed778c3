/* SPDX-License-Identifier: MIT */
/*
 * channels.c: channels, select, and a mutex that eight tasks want.
 */
#include "rows.h"

enum { CAPACITY = 128, CASES = 4, CONTENDERS = 8 };

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

/* A number goes to the other task and comes back: one operation is one round trip. */
uint64_t row_pingpong(const struct bench *b)
{
	struct pair p = {channel(sizeof(uint64_t), 0), channel(sizeof(uint64_t), 0), 0};
	struct weft_task *task = start(echo, &p);
	uint64_t done = 0;
	for (uint64_t i = 0, got; i < b->size; i++) {
		weft_chan_send(p.there, &i, WEFT_FOREVER);
		weft_chan_recv(p.back, &got, WEFT_FOREVER);
		done += got == i;
	}
	weft_chan_close(p.there);
	finish(task);
	weft_chan_unref(p.there);
	weft_chan_unref(p.back);
	return done;
}

static int producer(void *arg)
{
	struct pair *p = arg;
	for (uint64_t i = 0; i < p->count; i++)
		weft_chan_send(p->there, &i, WEFT_FOREVER);
	weft_chan_close(p->there);
	return 0;
}

/* One task sends, another receives, through a channel of 128. */
uint64_t row_buffered(const struct bench *b)
{
	struct pair p = {channel(sizeof(uint64_t), CAPACITY), NULL, b->size};
	struct weft_task *task = start(producer, &p);
	uint64_t done = 0;
	for (uint64_t got; weft_chan_recv(p.there, &got, WEFT_FOREVER) == 0;)
		done += got == done;
	finish(task);
	weft_chan_unref(p.there);
	return done;
}

struct fan {
	struct weft_chan *chan[CASES];
	uint64_t count;
};

static int fan_producer(void *arg)
{
	struct fan *f = arg;
	for (uint64_t i = 0; i < f->count; i++)
		weft_chan_send(f->chan[i % CASES], &i, WEFT_FOREVER);
	return 0;
}

/* One task sends to four unbuffered channels in turn, another selects among them. */
uint64_t row_select(const struct bench *b)
{
	struct fan f = {.count = b->size};
	struct weft_case cases[CASES];
	uint64_t got, done = 0;
	for (unsigned i = 0; i < CASES; i++) {
		f.chan[i] = channel(sizeof(uint64_t), 0);
		cases[i] = weft_on_recv(f.chan[i], &got);
	}
	struct weft_task *task = start(fan_producer, &f);
	for (uint64_t i = 0; i < b->size; i++)
		done += weft_select(cases, CASES, WEFT_FOREVER) == (int)(i % CASES) && got == i;
	finish(task);
	for (unsigned i = 0; i < CASES; i++)
		weft_chan_unref(f.chan[i]);
	return done;
}

struct shared {
	struct weft_mutex mutex;
	uint64_t counter;
};

struct contender {
	struct weft_task *task;
	struct shared *shared;
	uint64_t turns;
};

static int contender(void *arg)
{
	struct contender *c = arg;
	for (uint64_t i = 0; i < c->turns; i++) {
		weft_mutex_lock(&c->shared->mutex);
		c->shared->counter++;
		weft_mutex_unlock(&c->shared->mutex);
	}
	return 0;
}

/* Eight tasks count together under one mutex. */
uint64_t row_mutex(const struct bench *b)
{
	struct shared s = {.counter = 0};
	struct contender c[CONTENDERS];
	for (unsigned i = 0; i < CONTENDERS; i++) {
		c[i] = (struct contender){NULL, &s, SHARE(b->size, CONTENDERS, i)};
		c[i].task = start(contender, &c[i]);
	}
	for (unsigned i = 0; i < CONTENDERS; i++)
		finish(c[i].task);
	return s.counter;
}
