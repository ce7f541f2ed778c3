/* SPDX-License-Identifier: MIT */
/*
 * signal.c: signals into channels.
 *
 * The handler counts the arrival and pokes the monitor: two atomic instructions and a futex call,
 * whatever it has interrupted. The monitor, an ordinary thread, offers the number to the channel.
 *
 *   word             who writes it                        order
 *   entry.arrived    handler +1; deliver takes all        relaxed: `noted` orders them
 *   noted            handler 1; deliver 0                 release and acquire
 *   entry.chan, old  weft_signal_notify, under the lock
 *
 * Rejected: a pipe to write to (two descriptors, a poller registration, and a signal storm fills
 * it), a task that receives (it would keep weft_run from returning), a thread for sigwaitinfo
 * (every thread of the program would have to block the signal).
 */
#include "api/signal.h"

#include <errno.h>
#include <signal.h>

#include "api/attempt.h"
#include "api/chan.h"
#include "sched/netpoll.h"
#include "sched/schedule.h"
#include "weft/io.h"

static struct entry {
	struct weft_chan *chan; /* NULL: the signal is not ours */
	struct sigaction old;
	uint32_t arrived;
} entries[NSIG];

static uint32_t noted;
static struct lock lock; /* rank SIGNAL */

static void on_signal(int signo)
{
	add_relaxed(&entries[signo].arrived, 1);
	store_release(&noted, 1); /* pairs with deliver, deliver_one */
	weft__monitor_poke();
}

static void deliver_one(struct entry *e, int signo, struct list *ready)
{
	/* pairs with on_signal */
	for (uint32_t n = swap_acquire(&e->arrived, 0); n && e->chan; n--)
		weft__chan_offer(e->chan, &signo, ready);
}

/* The monitor's. */
static void deliver(struct list *ready)
{
	if (!load_relaxed(&noted) || !swap_acquire(&noted, 0)) /* pairs with on_signal */
		return;
	lock_take(&lock, RANK_SIGNAL);
	for (int signo = 1; signo < NSIG; signo++)
		deliver_one(&entries[signo], signo, ready);
	lock_drop(&lock, RANK_SIGNAL);
}

static int install(struct entry *e, int signo)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK};
	sigfillset(&action.sa_mask);
	if (sigaction(signo, &action, &e->old) < 0)
		return -EINVAL;
	store_release(&weft__netpoll_signals, deliver); /* pairs with monitor.c:serve */
	add_seq_cst(&sched.outside_wakers, 1); /* pairs with deadlock.c:weft__deadlock_judge */
	return 0;
}

static void uninstall(struct entry *e, int signo)
{
	sigaction(signo, &e->old, NULL);
	sub_seq_cst(&sched.outside_wakers, 1); /* pairs with deadlock.c:weft__deadlock_judge */
}

/* *c to the entry; what was there to *c. */
static int exchange(int signo, struct weft_chan **c)
{
	struct entry *e = &entries[signo];
	struct weft_chan *old;
	int err = 0;
	lock_take(&lock, RANK_SIGNAL);
	old = e->chan;
	if (*c && !old)
		err = install(e, signo);
	else if (!*c && old)
		uninstall(e, signo);
	if (!err) {
		e->chan = *c;
		*c = old;
	}
	lock_drop(&lock, RANK_SIGNAL);
	return err;
}

int weft_signal_notify(struct weft_chan *chan, int signo)
{
	int err = call_outside();
	if (err)
		return err;
	if (signo < 1 || signo >= NSIG || (chan && chan->item_size != sizeof(int)))
		return -EINVAL;
	struct weft_chan *given = weft_chan_ref(chan);
	err = exchange(signo, &given);
	weft_chan_unref(given);
	return err;
}

void weft__signal_end(void)
{
	store_release(&weft__netpoll_signals, NULL); /* pairs with monitor.c:serve */
	for (int signo = 1; signo < NSIG; signo++) {
		struct weft_chan *c = NULL;
		exchange(signo, &c);
		weft_chan_unref(c);
		store_relaxed(&entries[signo].arrived, 0);
	}
}
