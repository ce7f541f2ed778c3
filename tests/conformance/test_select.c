/* SPDX-License-Identifier: MIT */
/* test_select.c: what Go promises about select. */
#include "promise.h"

static struct weft_case sending(struct weft_chan *c, void *item)
{
	return (struct weft_case){.op = WEFT_CHAN_SEND, .chan = c, .item = item};
}

static struct weft_case receiving(struct weft_chan *c, void *item)
{
	return (struct weft_case){.op = WEFT_CHAN_RECV, .chan = c, .item = item};
}

struct chans {
	struct weft_chan *c[4];
	int rounds;
};

static void chans_init(struct chans *s, size_t capacity)
{
	for (int i = 0; i < 4; i++)
		s->c[i] = weft_chan_new(sizeof(int), capacity);
}

static void chans_free(struct chans *s)
{
	for (int i = 0; i < 4; i++)
		weft_chan_unref(s->c[i]);
}

/* ---- NonblockSelectRace: one of two channels is always ready: a select must find it ---- */

static int select_either(void *arg)
{
	struct chans *s = arg;
	int item;
	struct weft_case cases[] = {receiving(s->c[0], &item), receiving(s->c[1], &item)};
	return weft_select(cases, 2, 0) == -EAGAIN;
}

PROMISE("NonblockSelectRace")
{
	for (int i = 0; i < 300; i++) {
		struct chans s;
		chans_init(&s, 1);
		expect_eq(weft_chan_send(s.c[0], &i, 0), 0);
		struct weft_task *task = tasks_start(select_either, &s);
		expect_eq(weft_chan_send(s.c[1], &i, 0), 0);
		weft_chan_recv(s.c[0], NULL, 0);
		expect_eq(tasks_join(task), 0);
		chans_free(&s);
	}
}

/* The same where the second becomes ready by its close. */
PROMISE("NonblockSelectRace2")
{
	for (int i = 0; i < 300; i++) {
		struct chans s;
		chans_init(&s, 1);
		expect_eq(weft_chan_send(s.c[0], &i, 0), 0);
		struct weft_task *task = tasks_start(select_either, &s);
		weft_chan_close(s.c[1]);
		weft_chan_recv(s.c[0], NULL, 0);
		expect_eq(tasks_join(task), 0);
		chans_free(&s);
	}
}

/*
 * ---- SelfSelect: two tasks that send and receive on one channel neither crash nor deadlock ----
 */

struct self {
	struct weft_chan *chan;
	int number;
};

static int send_and_receive(void *arg)
{
	struct self *s = arg;
	for (int i = 0; i < 1000; i++) {
		int in = -1;
		struct weft_case cases[] = {sending(s->chan, &s->number), receiving(s->chan, &in)};
		int ran = weft_select(cases, 2, i == 999 ? 0 : WEFT_FOREVER);
		if (ran < 0)
			break;
		if (ran == 1 && weft_chan_cap(s->chan) == 0)
			expect_ne(in, s->number); /* no select meets itself */
	}
	weft_chan_close(s->chan);
	return 0;
}

static int send_and_receive_until_closed(void *arg)
{
	struct self *s = arg;
	for (;;) {
		int in = -1;
		struct weft_case cases[] = {sending(s->chan, &s->number), receiving(s->chan, &in)};
		int ran = weft_select(cases, 2, WEFT_FOREVER);
		if (cases[ran].result == -EPIPE)
			return 0;
		if (ran == 1 && weft_chan_cap(s->chan) == 0)
			expect_ne(in, s->number);
	}
}

PROMISE("SelfSelect")
{
	for (size_t capacity = 0; capacity < 2; capacity++) {
		struct weft_chan *c = weft_chan_new(sizeof(int), capacity);
		struct self one = {c, 1}, two = {c, 2};
		struct weft_task *a = tasks_start(send_and_receive, &one),
				 *b = tasks_start(send_and_receive_until_closed, &two);
		expect_eq(tasks_join(a), 0);
		expect_eq(tasks_join(b), 0);
		weft_chan_unref(c);
	}
}

/* ---- SelectStress: senders and receivers, single and by select, on four channels ---- */

enum { STRESS = 1000 };

struct stress {
	struct chans *chans;
	int index;
	int count;
};

static int send_single(void *arg)
{
	struct stress *s = arg;
	for (int i = 0; i < s->count; i++)
		expect_eq(weft_chan_send(s->chans->c[s->index], &i, WEFT_FOREVER), 0);
	return 0;
}

static int recv_single(void *arg)
{
	struct stress *s = arg;
	for (int i = 0, item; i < s->count; i++)
		expect_eq(weft_chan_recv(s->chans->c[s->index], &item, WEFT_FOREVER), 0);
	return 0;
}

/* One operation on each channel `count` times, in any order. */
static int select_all(struct stress *s, int op)
{
	int left[4] = {s->count, s->count, s->count, s->count}, item = 0;
	for (int i = 0; i < 4 * s->count; i++) {
		struct weft_case cases[4];
		for (int k = 0; k < 4; k++)
			cases[k] = (struct weft_case){
				.op = left[k] ? op : 0, .chan = s->chans->c[k], .item = &item};
		int ran = weft_select(cases, 4, WEFT_FOREVER);
		expect_ge(ran, 0);
		expect_eq(cases[ran].result, 0);
		left[ran]--;
	}
	return 0;
}

static int send_selected(void *arg)
{
	return select_all(arg, WEFT_CHAN_SEND);
}

static int recv_selected(void *arg)
{
	return select_all(arg, WEFT_CHAN_RECV);
}

static void select_stress(int count)
{
	struct chans s;
	struct stress parts[4];
	struct weft_task *tasks[10];
	s.c[0] = weft_chan_new(sizeof(int), 0);
	s.c[1] = weft_chan_new(sizeof(int), 0);
	s.c[2] = weft_chan_new(sizeof(int), 2);
	s.c[3] = weft_chan_new(sizeof(int), 3);
	for (int i = 0; i < 4; i++) {
		parts[i] = (struct stress){&s, i, count};
		tasks[2 * i] = tasks_start(send_single, &parts[i]);
		tasks[2 * i + 1] = tasks_start(recv_single, &parts[i]);
	}
	tasks[8] = tasks_start(send_selected, &parts[0]);
	tasks[9] = tasks_start(recv_selected, &parts[0]);
	for (int i = 0; i < 10; i++)
		expect_eq(tasks_join(tasks[i]), 0);
	for (int i = 0; i < 4; i++)
		expect_eq(weft_chan_len(s.c[i]), 0);
	chans_free(&s);
}

PROMISE("SelectStress")
{
	select_stress(STRESS);
}

/* ---- SelectFairness: of two channels that are always ready, neither is passed over ---- */

static int keep_sending(void *arg)
{
	struct self *s = arg;
	while (weft_chan_send(s->chan, &s->number, WEFT_FOREVER) == 0)
		;
	return 0;
}

PROMISE("SelectFairness")
{
	enum { TRIALS = 2000 };
	struct chans s;
	struct weft_task *tasks[2];
	struct self senders[2];
	int item, count[4] = {0};
	for (int i = 0; i < 4; i++)
		s.c[i] = weft_chan_new(sizeof(int), i < 2 ? TRIALS : 0);
	for (int i = 0; i < 2; i++) {
		senders[i] = (struct self){s.c[i], i};
		for (int k = 0; k < TRIALS; k++) /* full: always ready */
			expect_eq(weft_chan_send(s.c[i], &i, 0), 0);
		tasks[i] = tasks_start(keep_sending, &senders[i]);
	}
	for (int i = 0; i < TRIALS; i++) {
		struct weft_case cases[] = {receiving(s.c[3], &item), receiving(s.c[0], &item),
					    receiving(s.c[1], &item), receiving(s.c[2], &item)};
		count[weft_select(cases, 4, WEFT_FOREVER)]++;
	}
	expect_eq(count[0] + count[3], 0);
	expect_gt(count[1], TRIALS * 2 / 5); /* half each; 9 sigma */
	expect_gt(count[2], TRIALS * 2 / 5);
	for (int i = 0; i < 2; i++) {
		weft_chan_close(s.c[i]);
		tasks_join(tasks[i]);
	}
	chans_free(&s);
}

/* ---- PseudoRandomSend: two sends on one channel: both values come ---- */

static int send_random_bits(void *arg)
{
	struct chans *s = arg;
	for (int i = 0; i < s->rounds; i++) {
		int zero = 0, one = 1;
		struct weft_case cases[] = {sending(s->c[0], &zero), sending(s->c[0], &one)};
		expect_ge(weft_select(cases, 2, WEFT_FOREVER), 0);
	}
	return 0;
}

PROMISE("PseudoRandomSend")
{
	for (size_t capacity = 0; capacity < 2; capacity++) {
		struct chans s = {.rounds = 100};
		int ones = 0;
		chans_init(&s, capacity);
		struct weft_task *task = tasks_start(send_random_bits, &s);
		for (int i = 0, item; i < s.rounds; i++) {
			weft_yield(); /* in time for the sender: it must choose, not we */
			expect_eq(weft_chan_recv(s.c[0], &item, WEFT_FOREVER), 0);
			ones += item;
		}
		expect_eq(tasks_join(task), 0);
		expect(ones > s.rounds / 10 && ones < s.rounds * 9 / 10);
		chans_free(&s);
	}
}

/* ---- SelectDuplicateChannel: the same channel in two cases ---- */

static int select_duplicates(void *arg)
{
	struct chans *s = arg;
	int item;
	struct weft_case cases[] = {receiving(s->c[0], &item), receiving(s->c[0], &item),
				    receiving(s->c[1], &item)};
	int ran = weft_select(cases, 3, WEFT_FOREVER);
	weft_chan_send(s->c[2], &item, WEFT_FOREVER);
	return ran;
}

static int recv_after(void *arg)
{
	struct chans *s = arg;
	weft_chan_recv(s->c[0], NULL, WEFT_FOREVER);
	return 0;
}

PROMISE("SelectDuplicateChannel")
{
	struct chans s;
	int item = 7;
	chans_init(&s, 0);
	struct weft_task *selecting = tasks_start(select_duplicates, &s);
	weft_sleep(MS);
	struct weft_task *receiving_task = tasks_start(recv_after, &s);
	weft_sleep(MS);
	expect_eq(weft_chan_send(s.c[1], &item, WEFT_FOREVER),
		  0); /* the select leaves c[0] twice */
	expect_eq(weft_chan_recv(s.c[2], NULL, WEFT_FOREVER), 0);
	expect_eq(weft_chan_send(s.c[0], &item, WEFT_FOREVER), 0); /* and this reaches the other */
	expect_eq(tasks_join(selecting), 2);
	expect_eq(tasks_join(receiving_task), 0);
	chans_free(&s);
}

/* ---- doubleselect: a select never runs two cases ---- */

struct doubles {
	struct weft_chan *in[4], *out;
	int count;
};

static int send_everywhere(void *arg)
{
	struct doubles *d = arg;
	for (int i = 0; i < d->count; i++) {
		struct weft_case cases[4];
		for (int k = 0; k < 4; k++)
			cases[k] = sending(d->in[k], &i);
		expect_ge(weft_select(cases, 4, WEFT_FOREVER), 0);
	}
	for (int k = 0; k < 4; k++)
		weft_chan_close(d->in[k]);
	return 0;
}

struct forward {
	struct weft_chan *in, *out;
};

static int forward_all(void *arg)
{
	struct forward *f = arg;
	int item;
	while (weft_chan_recv(f->in, &item, WEFT_FOREVER) == 0)
		expect_eq(weft_chan_send(f->out, &item, WEFT_FOREVER), 0);
	return 0;
}

PROMISE("doubleselect")
{
	struct doubles d = {.count = 1500, .out = weft_chan_new(sizeof(int), 0)};
	struct forward forwards[4];
	struct weft_task *tasks[5];
	char *seen = calloc(1, (size_t)d.count);
	for (int k = 0; k < 4; k++) {
		d.in[k] = weft_chan_new(sizeof(int), 0);
		forwards[k] = (struct forward){d.in[k], d.out};
		tasks[k] = tasks_start(forward_all, &forwards[k]);
	}
	tasks[4] = tasks_start(send_everywhere, &d);
	for (int i = 0, item; i < d.count; i++) {
		expect_eq(weft_chan_recv(d.out, &item, WEFT_FOREVER), 0);
		expect_eq(seen[item]++, 0);
	}
	for (int i = 0; i < 5; i++)
		expect_eq(tasks_join(tasks[i]), 0);
	for (int k = 0; k < 4; k++)
		weft_chan_unref(d.in[k]);
	weft_chan_unref(d.out);
	free(seen);
}

/* ---- select3: what blocks for ever, what fails, what goes on ---- */

static int run_select(struct weft_case *cases, unsigned count)
{
	return weft_select(cases, count, weft_after(MS / 10));
}

PROMISE("select3")
{
	int item = 0;
	struct weft_chan *open = weft_chan_new(sizeof(int), 0),
			 *closed = weft_chan_new(sizeof(int), 0),
			 *full = weft_chan_new(sizeof(int), 1),
			 *room = weft_chan_new(sizeof(int), 10);
	weft_chan_close(closed);
	expect_eq(weft_chan_send(full, &item, 0), 0);

	/* NULL channels block. */
	expect_eq(weft_chan_send(NULL, &item, weft_after(MS)), -ETIMEDOUT);
	expect_eq(weft_chan_recv(NULL, &item, weft_after(MS)), -ETIMEDOUT);
	/* A closed channel: each send fails, each receive stores zero. */
	for (int i = 0; i < 10; i++) {
		expect_eq(weft_chan_send(closed, &item, WEFT_FOREVER), -EPIPE);
		expect_eq(weft_chan_recv(closed, &item, WEFT_FOREVER), -EPIPE);
	}
	/* An empty channel blocks receives, a full one sends. */
	expect_eq(weft_chan_recv(open, &item, weft_after(MS)), -ETIMEDOUT);
	expect_eq(weft_chan_send(open, &item, weft_after(MS)), -ETIMEDOUT);
	expect_eq(weft_chan_send(full, &item, weft_after(MS)), -ETIMEDOUT);
	/* Selects: of nothing, of NULL channels, of what is not ready. */
	expect_eq(run_select(NULL, 0), -ETIMEDOUT);
	struct weft_case nothing[] = {receiving(NULL, &item), sending(NULL, &item),
				      receiving(open, &item), sending(open, &item),
				      sending(full, &item)};
	expect_eq(run_select(nothing, 2), -ETIMEDOUT);
	expect_eq(run_select(nothing, 5), -ETIMEDOUT);
	/* What is ready wins over all that. */
	for (int i = 0; i < 10; i++) {
		struct weft_case cases[] = {nothing[0], nothing[1], nothing[2],
					    nothing[3], nothing[4], sending(room, &item)};
		expect_eq(weft_select(cases, 6, WEFT_FOREVER), 5);
	}
	struct weft_case closing[] = {nothing[0], nothing[2], receiving(closed, &item)};
	expect_eq(weft_select(closing, 3, WEFT_FOREVER), 2);
	expect_eq(closing[2].result, -EPIPE);
	weft_chan_unref(open);
	weft_chan_unref(closed);
	weft_chan_unref(full);
	weft_chan_unref(room);
}
