/* SPDX-License-Identifier: MIT */
/* netpoll.c: see netpoll.h. */
#include "sched/netpoll.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/refuse.h"
#include "base/sys.h"
#include "base/time.h"
#include "sched/descriptor.h"
#include "sched/sched.h"

enum { BATCH = NETPOLL_BATCH };
enum { KICK = -1 }; /* in place of a descriptor's number */

static int epoll_fd = -1, kick_fd = -1;
static uint32_t interest cache_aligned;
void (*weft__netpoll_signals)(struct list *ready);

int weft__netpoll_open(void)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = KICK};
	store_relaxed(&interest, 0);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (epoll_fd >= 0 && kick_fd >= 0 &&
	    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, kick_fd, &event) == 0)
		return 0;
	int err = -errno;
	weft__netpoll_close();
	return err;
}

void weft__netpoll_close(void)
{
	if (epoll_fd >= 0)
		close(epoll_fd);
	if (kick_fd >= 0)
		close(kick_fd);
	epoll_fd = kick_fd = -1;
	weft__descriptor_shutdown();
}

int weft__netpoll_control(int operation, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};
	return sys_epoll_ctl(epoll_fd, operation, fd, &event);
}

bool weft__netpoll_knows(int fd)
{
	int err = weft__netpoll_control(EPOLL_CTL_ADD, fd, 0);
	if (!err)
		weft__netpoll_control(EPOLL_CTL_DEL, fd, 0);
	return err == -EEXIST;
}

/* epoll_pwait2 takes nanoseconds (Linux 5.11); before it, milliseconds are rounded up. */
static int poll_events(struct epoll_event *events, int64_t until)
{
	int64_t left = until == 0 || until == INT64_MAX ? until : until - weft__sched_now();
	left = weft__signals_pause(max_of(left, 0));
	bool endless = left == INT64_MAX;
	struct timespec ts = timespec_of(left);
	int n = sys_epoll_pwait2(epoll_fd, events, BATCH, endless ? NULL : &ts);
	if (unlikely(call_refused(n))) {
		int64_t most = min_of(left, SECONDS(1000)) + MS(1) - 1;
		n = epoll_wait(epoll_fd, events, BATCH, endless ? -1 : (int)(most / MS(1)));
	}
	return n < 0 ? 0 : (int)n;
}

/* Ends the waits for `n` events; their tasks go to `ready`. Returns true when one of the events was
 * a kick. */
static bool deliver(const struct epoll_event *events, int n, struct list *ready)
{
	bool kicked = false;
	if (n > 0)
		add_relaxed(&sched.counts.netpoll_wakeups, 1);
	for (int i = 0; i < n; i++) {
		int fd = events[i].data.fd;
		if (fd == KICK)
			kicked = true;
		else
			weft__descriptor_event(fd, events[i].events, ready);
	}
	return kicked;
}

void weft__netpoll_look(struct list *ready)
{
	struct epoll_event events[BATCH];
	deliver(events, poll_events(events, 0),
		ready); /* a kick is not taken: it is for a sleeper */
}

void weft__netpoll_sleep(int64_t until, struct netpoll_events *got)
{
	got->count = poll_events(got->events, until);
	weft__signals_run();
}

void weft__netpoll_deliver(const struct netpoll_events *got, struct list *ready)
{
	uint64_t kicks;
	if (deliver(got->events, got->count, ready))
		sys_read(kick_fd, &kicks, sizeof(kicks));
}

void weft__netpoll_kick(void)
{
	uint64_t one = 1;
	sys_write(kick_fd, &one, sizeof(one));
}

void weft__netpoll_interest(int more)
{
	add_relaxed(&interest, (uint32_t)more);
}

bool weft__netpoll_interesting(void)
{
	return load_relaxed(&interest);
}

bool weft__netpoll_waiters(void)
{
	/* begun on one processor, ended on another: only the sum means something */
	uint32_t waiters = load_relaxed(&sched.foreign_polls);
	for (unsigned i = 0; i < sched.processor_count; i++)
		waiters += load_relaxed(&sched.processors[i].awaiting_poller);
	return waiters;
}
