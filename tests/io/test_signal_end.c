/* SPDX-License-Identifier: MIT */
/*
 * test_signal_end.c: signals that arrive while the last channel of a signal is taken away. What
 * came before belongs to the channel, what comes after to the former action, and nothing is lost
 * between.
 *
 * signal.c is compiled in: these moments are a few instructions long.
 */
#include "../../src/api/signal.c"

#include "../tasks.h"

static uint32_t handled;

static void count(int signo)
{
	add_relaxed(&handled, 1);
}

static struct weft_chan *notified(int signo)
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 8);
	signal(signo, count);
	store_relaxed(&handled, 0);
	expect_eq(weft_signal_notify(c, signo), 0);
	return c;
}

/* The monitor has looked at all that has arrived. */
static void await_delivery(void)
{
	while (load_relaxed(&noted))
		weft_sleep(MS);
	lock_take(&lock, RANK_SIGNAL);
	lock_drop(&lock, RANK_SIGNAL);
}

TASK_TEST("what arrives once the channel is gone is left to the former action")
{
	struct weft_chan *c = notified(SIGUSR1);
	uint32_t last = take_away(SIGUSR1, NULL);
	expect_ne(last, 0);
	await_mask(last);
	raise(SIGUSR1);
	await_delivery();
	expect_eq(load_relaxed(&handled), 0);
	uninstall(&entries[SIGUSR1], SIGUSR1);
	while (!load_relaxed(&handled))
		weft_sleep(MS);
	expect_eq(load_relaxed(&handled), 1);
	expect_eq(weft_chan_len(c), 0);
	expect_eq(c->refs, 1); /* the signal holds it no more */
	weft_chan_unref(c);
}

TASK_TEST("what arrived before is the channel's, and goes with it")
{
	struct weft_chan *c = notified(SIGUSR1);
	add_relaxed(&entries[SIGUSR1].arrived, 1); /* the handler is about to note it */
	expect_eq(weft_signal_stop(c), 0);
	weft_sleep(MS);
	expect_eq(load_relaxed(&handled), 0);
	expect_eq(c->refs, 1); /* the signal holds it no more */
	weft_chan_unref(c);
}

TASK_TEST("a channel that comes before the former action is back keeps the signal")
{
	struct weft_chan *c = notified(SIGUSR1);
	int signo = 0;
	uint32_t last = take_away(SIGUSR1, c);
	expect_eq(weft_signal_notify(c, SIGUSR1), 0);
	await_mask(last);
	uninstall(&entries[SIGUSR1], SIGUSR1);
	raise(SIGUSR1);
	expect_eq(weft_chan_recv(c, &signo, soon()), 0);
	expect_eq(signo, SIGUSR1);
	expect_eq(weft_signal_stop(c), 0);
	raise(SIGUSR1);
	expect_eq(load_relaxed(&handled), 1);
	expect_eq(c->refs, 1); /* the signal holds it no more */
	weft_chan_unref(c);
}
