/* SPDX-License-Identifier: MIT */
/*
 * mix_acts.c: the acts of stress_mix that start no workers: time, channels, bytes, locks, signals.
 * See mix.h.
 */
#include "mix.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/atomic.h"

void put_in(struct balance *b, uint64_t n)
{
	add_relaxed(&b->in, n);
}

void take_out(struct balance *b, uint64_t n)
{
	add_relaxed(&b->out, n);
}

size_t moved(ssize_t n)
{
	stress_result(n < 0 ? (int)n : 0);
	return n < 0 ? 0 : (size_t)n;
}

int64_t some_deadline(struct draw *d)
{
	return draw_one_in(d, 2) ? WEFT_FOREVER : draw_deadline(d);
}

/* ---- time ---- */

void yield(struct worker *w)
{
	weft_yield();
}

void sleep_shortly(struct worker *w)
{
	if (!w->foreign)
		stress_result(weft_sleep(draw_below(&w->draw, 300 * US)));
}

/* Many wake at the same moment. */
void sleep_to_the_beat(struct worker *w)
{
	enum { BEAT = 500 * US };
	if (!w->foreign)
		stress_result(weft_sleep_until((weft_now() / BEAT + 1) * BEAT));
}

/* Some 0.1 ms, now and then more than the monitor lets a task compute undisturbed. */
void compute(struct worker *w)
{
	unsigned n = draw_below(&w->draw, draw_one_in(&w->draw, 200) ? 20000000 : 100000);
	for (volatile unsigned i = 0; i < n; i++)
		;
}

void block(struct worker *w)
{
	pause_somehow(&w->draw);
}

void block_with_a_hint(struct worker *w)
{
	if (w->foreign)
		return;
	require(weft_blocking_begin() == 0);
	pause_somehow(&w->draw);
	require(weft_blocking_end() == 0);
}

/* The socket's own limit ends it. */
void block_in_a_read(struct worker *w)
{
	char byte;
	require(recv(w->place->silent[0], &byte, 1, 0) < 0 && (errno == EAGAIN || errno == EINTR));
}

/* ---- channels ---- */

void send_item(struct worker *w)
{
	uint64_t item = draw(&w->draw);
	int result = weft_chan_send(w->place->chans[draw_below(&w->draw, CHANS)], &item,
				    draw_deadline(&w->draw));
	if (result == 0)
		put_in(&w->place->items, item);
	stress_result(result);
}

void receive_item(struct worker *w)
{
	uint64_t item = 0;
	int result = weft_chan_recv(w->place->chans[draw_below(&w->draw, CHANS)], &item,
				    draw_deadline(&w->draw));
	if (result == 0)
		take_out(&w->place->items, item);
	stress_result(result);
}

void select_item(struct worker *w)
{
	struct place *p = w->place;
	uint64_t out = draw(&w->draw), in = 0;
	struct weft_case cases[2] = {{WEFT_CHAN_SEND, 1, {p->chans[0]}, &out},
				     {WEFT_CHAN_RECV, 1, {p->chans[CHANS - 1]}, &in}};
	int ran = weft_select(cases, 2, draw_deadline(&w->draw));
	if (ran == 0)
		put_in(&p->items, out);
	if (ran == 1)
		take_out(&p->items, in);
	stress_result(ran < 0 ? ran : cases[ran].result);
}

/* ---- bytes ---- */

void write_shared(struct worker *w)
{
	static const char bytes[64];
	if (!w->foreign)
		put_in(&w->place->bytes, moved(weft_write(w->place->shared[1], bytes,
							  1 + draw_below(&w->draw, sizeof(bytes)),
							  draw_deadline(&w->draw))));
}

void read_shared(struct worker *w)
{
	char bytes[48];
	if (!w->foreign)
		take_out(&w->place->bytes,
			 moved(weft_read(w->place->shared[0], bytes, sizeof(bytes),
					 draw_deadline(&w->draw))));
}

/* ---- locks ---- */

void hold_mutex(struct worker *w)
{
	struct place *p = w->place;
	weft_mutex_lock(&p->mutex);
	p->tokens++;
	put_in(&p->taken, 1);
	if (draw_one_in(&w->draw, 4))
		sleep_shortly(w);
	weft_mutex_unlock(&p->mutex);
	weft_cond_signal(&p->filled);
}

void wait_for_token(struct worker *w)
{
	struct place *p = w->place;
	int result = 0;
	weft_mutex_lock(&p->mutex);
	if (!p->tokens)
		result = weft_cond_wait(&p->filled, &p->mutex, draw_deadline(&w->draw));
	if (p->tokens) {
		p->tokens--;
		take_out(&p->taken, 1);
	}
	weft_mutex_unlock(&p->mutex);
	stress_result(result);
}

void read_both(struct worker *w)
{
	struct place *p = w->place;
	weft_rwmutex_rdlock(&p->rwmutex);
	uint64_t left = p->left;
	sleep_shortly(w);
	require(left == p->right && left == p->left);
	weft_rwmutex_rdunlock(&p->rwmutex);
}

void write_both(struct worker *w)
{
	struct place *p = w->place;
	weft_rwmutex_wrlock(&p->rwmutex);
	p->left++;
	if (draw_one_in(&w->draw, 4))
		block(w);
	p->right++;
	weft_rwmutex_wrunlock(&p->rwmutex);
}

void hold_unit(struct worker *w)
{
	struct place *p = w->place;
	int result = weft_sem_acquire(&p->sem, 1, some_deadline(&w->draw));
	stress_result(result);
	if (result)
		return;
	require(add_relaxed(&p->used, 1) < p->units);
	block(w);
	sub_relaxed(&p->used, 1);
	weft_sem_release(&p->sem, 1);
}

/* ---- signals ---- */

/* The channel is there before the signal is sent, so an arrival comes to it, be it another's. */
void signal_arrives(struct worker *w)
{
	int signo = 0, result;
	if (deterministic) /* a signal comes when it comes */
		return;
	struct weft_chan *chan = weft_chan_new(sizeof(int), 1 + draw_below(&w->draw, 2));
	require(chan && weft_signal_notify(chan, SIGUSR1) == 0);
	require(kill(getpid(), SIGUSR1) == 0);
	while ((result = weft_chan_recv(chan, &signo, some_deadline(&w->draw))) != 0)
		stress_result(result);
	require(signo == SIGUSR1 && weft_signal_stop(chan) == 0);
	weft_chan_unref(chan);
}
