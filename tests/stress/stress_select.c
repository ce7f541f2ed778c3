/* SPDX-License-Identifier: MIT */
/*
 * stress_select.c: channels and select under load: nothing is lost, nothing comes twice.
 *
 * Senders, receivers and tasks that do both, by single calls and by selects of up to 24 cases (the
 * same channel in several of them, sends and receives mixed, at times a timer's channel among
 * them), share a few channels of random capacity, while channels are closed, tasks are cancelled,
 * deadlines pass, weft_stop may come, and threads that are not the runtime's take part.
 *
 * Every item has a number of its own, which its sender marks when the send returned 0, and its
 * receiver when it came. Required at the end: the two marks agree for every item, no mark is made
 * twice, and each receiver has seen the items that one sender put into one channel in their order.
 * What failed by deadline, cancel or close is sent again under the same number: had "nothing
 * happened" been a lie, it would come twice.
 *
 * The first receiver never stops before all channels are closed and empty, so senders that wait for
 * ever are served; a task that a wake-up passes over leaves a deadlock behind.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/attr.h"
#include "stress.h"

enum { CHANS = 6, ACTORS = 30, FOREIGN = 3, ITEMS = 60, CASES = 24 };
enum { NOTHING, SENT, CAME };

struct arena {
	struct weft_chan *chans[CHANS], *ticks;
	unsigned count;
	uint8_t sent[ACTORS][ITEMS], came[ACTORS][ITEMS];
};

struct item {
	uint32_t actor, number;
};

struct actor {
	struct arena *arena;
	struct draw draw;
	uint32_t number, next, items; /* it sends items [next, items) */
	unsigned receives;	      /* at most */
	bool outlasts;		      /* receives until all is closed */
	uint32_t closed;	      /* bits of the channels that it has seen closed and empty */
	int32_t last[CHANS][ACTORS];  /* item that came last, by channel and sender */
};

/* ---- marks ---- */

static void mark(uint8_t *m)
{
	require(swap_acq_rel(m, 1) == 0);
}

static void has_sent(struct actor *a)
{
	mark(&a->arena->sent[a->number][a->next++]);
}

static void has_come(struct actor *a, unsigned chan, struct item item)
{
	require(item.actor < ACTORS && item.number < ITEMS);
	mark(&a->arena->came[item.actor][item.number]);
	require((int32_t)item.number > a->last[chan][item.actor]);
	a->last[chan][item.actor] = (int32_t)item.number;
}

/* ---- the four ways ---- */

static const struct item untouched = {ACTORS, ITEMS};

static int64_t how_long(struct actor *a, bool may_wait)
{
	return may_wait && draw_one_in(&a->draw, 2) ? WEFT_FOREVER : draw_deadline(&a->draw);
}

/* True: its item is on its way, or will never be. */
static void sent_or_not(struct actor *a, int result)
{
	if (result == 0)
		has_sent(a);
	if (result != -EPIPE)
		stress_result(result);
}

static void came_or_not(struct actor *a, unsigned chan, int result, struct item item)
{
	if (result == -EPIPE) {
		require(item.actor == 0 && item.number == 0);
		a->closed |= 1u << chan;
		return;
	}
	if (result == 0)
		has_come(a, chan, item);
	else
		require(item.actor == untouched.actor && item.number == untouched.number);
	stress_result(result);
}

static void send_one(struct actor *a)
{
	unsigned chan = draw_below(&a->draw, a->arena->count);
	struct item item = {a->number, a->next};
	sent_or_not(a, weft_chan_send(a->arena->chans[chan], &item, how_long(a, true)));
}

static void recv_one(struct actor *a)
{
	unsigned chan = draw_below(&a->draw, a->arena->count);
	struct item item = untouched;
	int result = weft_chan_recv(a->arena->chans[chan], &item, how_long(a, false));
	came_or_not(a, chan, result, item);
}

static void case_ran(struct actor *a, struct weft_case *c, unsigned chan)
{
	if (c->op == WEFT_CHAN_SEND)
		sent_or_not(a, c->result);
	else
		came_or_not(a, chan, c->result, *(struct item *)c->item);
}

/*
 * `wants` has 1 for sends, of which there is one at least: those are served for ever; 2 for
 * receives.
 */
static void select_some(struct actor *a, unsigned wants, bool may_wait)
{
	struct weft_case cases[CASES + 1];
	struct item out = {a->number, a->next}, in[CASES];
	unsigned chan[CASES], n = 1 + draw_below(&a->draw, draw_one_in(&a->draw, 8) ? CASES : 6);
	int64_t tick;
	for (unsigned i = 0; i < n; i++) {
		bool send = wants == 1 || (wants == 3 && (i == 0 || draw_one_in(&a->draw, 2)));
		chan[i] = draw_below(&a->draw, a->arena->count);
		in[i] = untouched;
		cases[i] = (struct weft_case){send ? WEFT_CHAN_SEND : WEFT_CHAN_RECV,
					      1,
					      {a->arena->chans[chan[i]]},
					      send ? &out : &in[i]};
	}
	cases[n] = (struct weft_case){WEFT_CHAN_RECV, 1, {a->arena->ticks}, &tick};
	int ran = weft_select(cases, n + draw_one_in(&a->draw, 4), how_long(a, may_wait));
	for (unsigned i = 0; i < n; i++)
		if ((int)i != ran)
			require(in[i].actor == untouched.actor);
	if (ran < 0 || ran == (int)n)
		stress_result(ran < 0 ? ran : cases[ran].result);
	else
		case_ran(a, &cases[ran], chan[ran]);
}

/* ---- the actors ---- */

/* All channels at once, those that are closed and empty left out. */
static void receive_what_is_left(struct actor *a)
{
	struct weft_case cases[CHANS];
	struct item in[CHANS];
	for (unsigned i = 0; i < a->arena->count; i++) {
		in[i] = untouched;
		cases[i] = (struct weft_case){
			a->closed >> i & 1 ? 0 : WEFT_CHAN_RECV, 1, {a->arena->chans[i]}, &in[i]};
	}
	int ran = weft_select(cases, a->arena->count, how_long(a, true));
	if (ran < 0)
		stress_result(ran);
	else
		case_ran(a, &cases[ran], (unsigned)ran);
}

/* A send to a channel that is closed costs a try, too: tries are bounded. */
static void send_all(struct actor *a)
{
	for (unsigned tries = 0; a->next < a->items && tries < 4 * ITEMS; tries++) {
		if (draw_one_in(&a->draw, 16))
			pause_somehow(&a->draw);
		if (draw_one_in(&a->draw, 2))
			send_one(a);
		else
			select_some(a, a->receives ? 3 : 1, true);
		stress_count(COUNT_STEPS, 1);
	}
}

static void receive_some(struct actor *a)
{
	for (unsigned i = 0; i < a->receives; i++) {
		if (draw_one_in(&a->draw, 16))
			pause_somehow(&a->draw);
		if (draw_one_in(&a->draw, 2))
			recv_one(a);
		else
			select_some(a, 2, false);
		stress_count(COUNT_STEPS, 1);
	}
}

static int act(void *arg)
{
	struct actor *a = arg;
	const uint32_t all = (1u << a->arena->count) - 1;
	send_all(a);
	receive_some(a);
	while (a->outlasts && a->closed != all)
		receive_what_is_left(a);
	return 0;
}

static void *act_outside(void *arg)
{
	act(arg);
	return NULL;
}

/* ---- a round ---- */

static void arena_open(struct arena *s, struct draw *d)
{
	static const unsigned capacities[] = {0, 0, 1, 1, 2, 3, 40};
	s->count = 1 + draw_below(d, CHANS);
	for (unsigned i = 0; i < s->count; i++) {
		s->chans[i] = weft_chan_new(sizeof(struct item),
					    capacities[draw_below(d, array_len(capacities))]);
		require(s->chans[i]);
	}
}

/* Not in each round: while a timer runs no deadlock is reported. */
static struct weft_timer *start_ticks(struct arena *s, struct draw *d)
{
	if (!draw_one_in(d, 3))
		return NULL;
	s->ticks = weft_chan_new(sizeof(int64_t), 1);
	struct weft_timer *timer = weft_timer_new_chan(s->ticks);
	require(timer && weft_timer_start(timer, weft_after(20 * US), 50 * US) == 0);
	return timer;
}

static void arena_close(struct arena *s)
{
	for (unsigned i = 0; i < s->count; i++) {
		int err = weft_chan_close(s->chans[i]);
		require(err == 0 || err == -EPIPE);
	}
}

static void arena_check(struct arena *s)
{
	require(memcmp(s->sent, s->came, sizeof(s->sent)) == 0);
	for (unsigned i = 0; i < s->count; i++) {
		require(weft_chan_len(s->chans[i]) == 0);
		require(weft_chan_recv(s->chans[i], NULL, 0) == -EPIPE);
		weft_chan_unref(s->chans[i]);
	}
	weft_chan_unref(s->ticks);
}

static struct actor *actors_new(struct arena *s, struct draw *d, unsigned count)
{
	struct actor *actors = calloc(count, sizeof(*actors));
	require(actors);
	for (unsigned i = 0; i < count; i++) {
		struct actor *a = &actors[i];
		unsigned role = draw_below(d, 3); /* sends, receives, both */
		*a = (struct actor){.arena = s, .draw = draw_fork(d), .number = i};
		memset(a->last, -1, sizeof(a->last));
		a->outlasts = i == 0;
		if (i && role != 1)
			a->items = draw_below(d, ITEMS);
		if (i && role != 0)
			a->receives = draw_below(d, ITEMS);
	}
	return actors;
}

/* A channel may be closed early, while the others go on. */
static void close_early(struct arena *s, struct draw *d)
{
	if (s->count < 2 || draw_one_in(d, 2))
		return;
	pause_somehow(d);
	weft_sleep(draw_below(d, 300 * US));
	weft_chan_close(s->chans[draw_below(d, s->count)]);
}

static int select_round(void *arg)
{
	struct round *r = arg;
	struct arena *s = calloc(1, sizeof(*s));
	struct team team = {.count = 0}, last = {.count = 0};
	pthread_t threads[FOREIGN];
	unsigned outside = draw_one_in(&r->draw, 4) ? 1 + draw_below(&r->draw, FOREIGN) : 0;
	unsigned count = 2 + outside + draw_below(&r->draw, ACTORS - FOREIGN - 1);
	require(s);
	arena_open(s, &r->draw);
	struct actor *actors = actors_new(s, &r->draw, count);
	struct weft_timer *ticker = start_ticks(s, &r->draw);
	team_start(&last, act, &actors[0]);
	for (unsigned i = 0; i < outside; i++)
		require(pthread_create(&threads[i], NULL, act_outside, &actors[1 + i]) == 0);
	for (unsigned i = 1 + outside; i < count; i++)
		team_start(&team, act, &actors[i]);
	close_early(s, &r->draw);
	team_disturb(&team, r);
	team_join(&team);
	for (unsigned i = 0; i < outside; i++)
		require(pthread_join(threads[i], NULL) == 0);
	arena_close(s);
	weft_cancel(last.tasks[0]);
	team_join(&last);
	weft_timer_free(ticker);
	arena_check(s);
	free(actors);
	free(s);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct stress select = {.name = "stress_select", .main_task = select_round};
	return stress_main(&select, argc, argv);
}
