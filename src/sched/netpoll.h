/* SPDX-License-Identifier: MIT */
/*
 * netpoll.h: the poller: waits for descriptors, timers and kicks, and returns lists of ready tasks.
 *
 * One epoll instance. An idle thread without a processor sleeps in it, until the earliest timer;
 * while no such thread exists, the monitor looks in at each of its rounds. Threads that find their
 * queues empty look without sleeping. Several threads may be inside at once: the kernel gives each
 * event to one of them.
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
/* Looks, without sleeping, for descriptors that are ready; tasks to run go to `ready`. */
void weft__netpoll_look(struct list *ready);

/*
 * A sleep is two calls, so that the sleeper can count itself in sched.carrying between them: no
 * wait has ended before the first one returns, and the second one ends them all.
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
 * One more reason to look, or one less (-1): an own descriptor lives, or somebody waits for another
 * one.
 */
void weft__netpoll_interest(int more);
/* May a look bring anything? */
bool weft__netpoll_interesting(void);
/*
 * Does any task wait for the poller? Exact once nobody runs: each processor counts its own, so that
 * waiting writes nothing that they share.
 */
bool weft__netpoll_waiters(void);
/*
 * What signal handlers have noted, for the monitor to deliver at its next round; they poke it
 * (weft__monitor_poke). Set by api/signal.c while it has channels [any].
 */
extern void (*weft__netpoll_signals)(struct list *ready);

#endif
