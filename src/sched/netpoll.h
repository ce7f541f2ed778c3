/* SPDX-License-Identifier: MIT */
/*
 * netpoll.h: the poller: waits for descriptors, timers and kicks, and returns lists of ready tasks.
 *
 * One epoll instance. An idle thread without a processor sleeps in it, until the earliest timer;
 * while there is no such thread, the monitor polls in each of its rounds. Threads that find their
 * queues empty poll without sleeping. Several threads may poll at once: the kernel gives each event
 * to one of them.
 *
 * What is registered and who waits for it: descriptor.h. The poller never calls up into the
 * scheduler: it fills a list.
 */
#ifndef WEFT_SCHED_NETPOLL_H
#define WEFT_SCHED_NETPOLL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct list;

/* Makes the epoll instance. 0 or -errno. */
int weft__netpoll_open(void);
void weft__netpoll_close(void);
/* Looks for ready descriptors without sleeping; the tasks woken go to `ready`. */
void weft__netpoll_look(struct list *ready);

/*
 * A sleep is two calls, so that the sleeper can count itself in sched.carrying between them: no
 * wait ends before the first one returns, and the second one ends them all.
 */
enum { NETPOLL_BATCH = 128 };
struct netpoll_events {
	int count;
	struct epoll_event events[NETPOLL_BATCH];
};
/* Sleeps until `until` (absolute), until a descriptor is ready, or until a kick. */
void weft__netpoll_sleep(int64_t until, struct netpoll_events *got);
/* Ends the waits that `got` ends: their tasks go to `ready`. Takes the kick, if there was one. */
void weft__netpoll_deliver(const struct netpoll_events *got, struct list *ready);

/* Ends the sleep of one thread in weft__netpoll_sleep, or the next one's. Async-signal-safe. */
void weft__netpoll_kick(void);
/* epoll_ctl(2) on the poller's instance for `fd`: 0 or -errno. */
int weft__netpoll_control(int operation, int fd, uint32_t events);
/* Is the file that `fd` stands for registered under that number? One system call. */
bool weft__netpoll_knows(int fd);
/*
 * Counts one more reason to poll, or one less (-1): an own descriptor that is open, or a task that
 * waits on a borrowed one.
 */
void weft__netpoll_interest(int more);
/* Is there any reason to poll? */
bool weft__netpoll_interesting(void);
/*
 * Does any task wait for the poller? Exact when no task runs: each processor counts its own waits,
 * so that waiting writes nothing shared.
 */
bool weft__netpoll_waiters(void);
/*
 * Delivers what signal handlers have noted: the monitor calls it in its next round, for which the
 * handlers poke it (weft__monitor_poke). Set by api/signal.c while it has channels [any].
 */
extern void (*weft__netpoll_signals)(struct list *ready);

#endif
