/* SPDX-License-Identifier: MIT */
/*
 * signal.c: signals into channels.
 *
 * The handler counts the arrival and pokes the monitor: two atomic instructions and a futex call,
 * safe whatever it has interrupted. The monitor, an ordinary thread, offers the number to each
 * channel of the signal.
 *
 * The monitor also takes the signals that no other thread takes: it blocks all but those that have
 * a channel, so such a signal arrives even if the program had blocked it before weft_run. When the
 * last channel is removed, the monitor blocks the signal again before the former action comes back,
 * which would otherwise run on the monitor.
 *
 *   word             who writes it                             order
 *   entry.arrived    handler +1; deliver takes all             relaxed: `noted` orders them
 *   noted            handler, exchange 1; deliver 0            release and acquire
 *   entry.first      add, take_away                            under the lock
 *   changes          +1 by both: the mask has to follow        under the lock
 *   masked           deliver, to `changes`: the mask does      release and acquire; futex
 *
 * Rejected: a pipe to write to (two descriptors, a poller registration, and a signal storm fills
 * it), a task that receives (it would keep weft_run from returning), a thread for sigwaitinfo
 * (every thread of the program would have to block the signal).
 */
#include "api/signal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/attempt.h"
#include "api/chan.h"
#include "base/sys.h"
#include "sched/handler.h"
#include "sched/monitor.h"
#include "sched/netpoll.h"
#include "weft/io.h"

/* A channel of a signal; it holds a reference. */
struct listener {
	struct listener *next;
	struct weft_chan *chan;
};

static struct entry {
	struct listener *first; /* NULL: the signal has no channel [lock] */
	struct handler handler;
	uint32_t arrived;
} entries[NSIG];

static uint32_t noted, changes, masked;
static struct lock lock; /* rank SIGNAL */

static void note(void)
{
	store_release(&noted, 1); /* pairs with deliver, deliver_one, uninstall */
	weft__monitor_poke();
}

static void on_signal(int signo, siginfo_t *info, void *context)
{
	add_relaxed(&entries[signo].arrived, 1);
	note();
}

static void deliver_one(struct entry *e, int signo, struct list *ready)
{
	if (!e->first)
		return; /* what has arrived since belongs to the former action: uninstall */
	/* pairs with note */
	for (uint32_t n = swap_acquire(&e->arrived, 0); n; n--)
		for (const struct listener *l = e->first; l; l = l->next)
			weft__chan_offer(l->chan, &signo, ready);
}

/* Called by the monitor, for its own mask. [lock] */
static void follow_changes(void)
{
	sigset_t blocked;
	if (load_relaxed(&masked) == changes)
		return;
	sigfillset(&blocked);
	for (int signo = 1; signo < NSIG; signo++)
		if (entries[signo].first)
			sigdelset(&blocked, signo);
	pthread_sigmask(SIG_SETMASK, &blocked, NULL);
	store_release(&masked, changes); /* pairs with await_mask */
	weft__futex_wake(&masked, INT32_MAX);
}

/* Called by the monitor. */
static void deliver(struct list *ready)
{
	if (!load_relaxed(&noted) || !swap_acquire(&noted, 0)) /* pairs with note */
		return;
	lock_take(&lock, RANK_SIGNAL);
	follow_changes();
	for (int signo = 1; signo < NSIG; signo++)
		deliver_one(&entries[signo], signo, ready);
	lock_drop(&lock, RANK_SIGNAL);
}

/* Asks the monitor to change its mask. Returns the number of this change. [lock] */
static uint32_t change(int more_wakers)
{
	/* pairs with deadlock.c:weft__deadlock_judge */
	add_seq_cst(&sched.outside_wakers, (uint32_t)more_wakers);
	changes++;
	note();
	return changes;
}

static void await_mask(uint32_t wanted)
{
	uint32_t seen;
	while ((int32_t)((seen = load_acquire(&masked)) - wanted) <
	       0) /* pairs with follow_changes, release_mask */
		weft__futex_wait(&masked, seen, INT64_MAX);
}

static int install(struct entry *e, int signo)
{
	sigset_t all;
	sigfillset(&all);
	e->handler.run = on_signal;
	if (!e->handler.stands && weft__handler_install(&e->handler, signo, SA_RESTART, &all) < 0)
		return -EINVAL;
	store_release(&weft__netpoll_signals, deliver); /* pairs with monitor.c:serve_signals */
	change(1);
	return 0;
}

/* The former action comes back, unless there is a channel again; it gets what came meanwhile. */
static void uninstall(struct entry *e, int signo)
{
	lock_take(&lock, RANK_SIGNAL);
	bool gone = !e->first && e->handler.stands;
	if (gone)
		weft__handler_remove(&e->handler, signo);
	lock_drop(&lock, RANK_SIGNAL);
	if (gone && swap_acquire(&e->arrived, 0)) /* pairs with note */
		kill(getpid(), signo);
}

static bool listens(const struct entry *e, const struct weft_chan *chan)
{
	const struct listener *l = e->first;
	while (l && l->chan != chan)
		l = l->next;
	return l;
}

/* Puts the listener among those of the signal, unless its channel is there: then *l stays. When the
 * runtime ends, a thread that is not its own may come after weft__signal_end, and is refused. */
static int add(int signo, struct listener **l)
{
	struct entry *e = &entries[signo];
	lock_take(&lock, RANK_SIGNAL);
	int err = load_relaxed(&sched.running) == RUNTIME_RUNS ? 0 : -ESHUTDOWN;
	if (!err && !e->first)
		err = install(e, signo);
	if (!err && !listens(e, (*l)->chan)) {
		(*l)->next = e->first;
		e->first = *l;
		*l = NULL;
	}
	lock_drop(&lock, RANK_SIGNAL);
	return err;
}

static void free_all(struct listener *l)
{
	for (struct listener *next; l; l = next) {
		next = l->next;
		weft_chan_unref(l->chan);
		free(l);
	}
}

/*
 * Takes a channel away from the signal, NULL: all of them. Returns the change to wait for before
 * uninstall; 0: there is none.
 */
static uint32_t take_away(int signo, const struct weft_chan *chan)
{
	struct entry *e = &entries[signo];
	struct listener *taken = NULL, *l;
	uint32_t last = 0;
	lock_take(&lock, RANK_SIGNAL);
	for (struct listener **at = &e->first; (l = *at);) {
		if (chan && l->chan != chan) {
			at = &l->next;
			continue;
		}
		*at = l->next;
		l->next = taken;
		taken = l;
	}
	if (taken && !e->first) {
		store_relaxed(&e->arrived, 0); /* it was the channels' */
		last = change(-1);
	}
	lock_drop(&lock, RANK_SIGNAL);
	free_all(taken);
	return last;
}

static void take_away_and_restore(int signo, const struct weft_chan *chan)
{
	uint32_t last = take_away(signo, chan);
	if (!last)
		return;
	await_mask(last);
	uninstall(&entries[signo], signo);
}

static int notify(struct weft_chan *chan, int signo)
{
	struct listener *l = malloc(sizeof(*l));
	if (!l)
		return -ENOMEM;
	*l = (struct listener){.chan = weft_chan_ref(chan)};
	int err = add(signo, &l);
	free_all(l);
	return err;
}

static bool can_be_notified(int signo)
{
	return signo >= 1 && signo < NSIG && signo != SIGKILL && signo != SIGSTOP &&
	       !weft__handler_faults(signo);
}

int weft_signal_notify(struct weft_chan *chan, int signo)
{
	int err = call_hold();
	if (err)
		return err;
	if (!can_be_notified(signo) || (chan && chan->item_size != sizeof(int)))
		err = -EINVAL;
	else if (chan)
		err = notify(chan, signo);
	else
		take_away_and_restore(signo, NULL);
	call_unhold();
	return err;
}

int weft_signal_stop(struct weft_chan *chan)
{
	int err = call_hold();
	if (err)
		return err;
	for (int signo = 1; chan && signo < NSIG; signo++)
		take_away_and_restore(signo, chan);
	call_unhold();
	return chan ? 0 : -EINVAL;
}

/* The monitor, whose mask it is, has ended: who waits for a change of it waits no longer. */
static void release_mask(void)
{
	lock_take(&lock, RANK_SIGNAL);
	store_release(&masked, changes); /* pairs with await_mask */
	weft__futex_wake(&masked, INT32_MAX);
	lock_drop(&lock, RANK_SIGNAL);
}

void weft__signal_end(void)
{
	store_release(&weft__netpoll_signals, NULL); /* pairs with monitor.c:serve_signals */
	for (int signo = 1; signo < NSIG; signo++) {
		take_away(signo, NULL);
		uninstall(&entries[signo], signo);
	}
	release_mask();
}
