/* SPDX-License-Identifier: MIT */
/*
 * daemon.c SOCKET: a service that starts, reloads and ends as one should.
 *
 * It answers each line on a Unix socket with a line. Its parts (listener, housekeeping) are members
 * of one group: when one fails, the others are cancelled, and so are they when SIGTERM or SIGINT
 * comes. SIGHUP reloads. A connection that is in the middle of a request is given two seconds to
 * finish, then weft_stop cancels what is left, and clean-up that must not be cancelled is masked.
 *
 *     daemon /run/example.socket &      echo hello | nc -U /run/example.socket
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "weft/weft.h"

#define SECONDS(n) ((n)*INT64_C(1000000000))

static const char *path;
static struct weft_waitgroup connections;
static uint64_t requests;

static void note(const char *what)
{
	printf("%s\n", what);
	fflush(stdout);
}

/* "hello\n" -> "hello, request 17\n" */
static int answer(int fd, const char *line, size_t len)
{
	char out[600];
	uint64_t number = __atomic_add_fetch(&requests, 1, __ATOMIC_RELAXED);
	int n = snprintf(out, sizeof(out), "%.*s, request %llu\n", (int)len, line,
			 (unsigned long long)number);
	return weft_write(fd, out, (size_t)n, weft_after(SECONDS(5))) == n ? 0 : -EIO;
}

static void converse(int fd)
{
	char buf[512];
	size_t have = 0;
	for (;;) {
		ssize_t n = weft_read(fd, buf + have, sizeof(buf) - have, WEFT_FOREVER);
		if (n <= 0)
			return;
		have += (size_t)n;
		char *end;
		while ((end = memchr(buf, '\n', have))) {
			size_t len = (size_t)(end - buf);
			if (answer(fd, buf, len) < 0)
				return;
			have -= len + 1;
			memmove(buf, end + 1, have);
		}
		if (have == sizeof(buf))
			return; /* a line too long */
	}
}

static void connection(void *arg)
{
	int fd = (int)(intptr_t)arg;
	converse(fd);
	weft_close(fd);
	weft_waitgroup_done(&connections);
}

static int listen_for_clients(void *arg)
{
	int fd, listener = weft_unix_listen(path, 0);
	if (listener < 0) {
		fprintf(stderr, "daemon: %s: %s\n", path, weft_error_text(listener));
		return 1; /* not 0: the group is cancelled */
	}
	note("ready");
	while ((fd = weft_accept(listener, NULL, NULL, WEFT_FOREVER)) >= 0) {
		weft_waitgroup_add(&connections, 1);
		if (weft_go(connection, (void *)(intptr_t)fd) == 0)
			continue;
		weft_waitgroup_done(&connections);
		weft_close(fd);
	}
	weft_close(listener);
	unlink(path);
	return fd == -ECANCELED ? 0 : 1;
}

static int keep_house(void *arg)
{
	while (weft_sleep(SECONDS(60)) == 0)
		note("still here");
	weft_cancel_mask(1); /* what has to wait although we are cancelled */
	weft_sleep(1000 * 1000);
	note("house kept");
	return 0;
}

struct watch {
	struct weft_group *group;
	struct weft_chan *signals;
};

/* A member, too: its end is not an error, so it cancels the group itself. */
static int watch_signals(void *arg)
{
	struct watch *w = arg;
	int signo = 0;
	while (weft_chan_recv(w->signals, &signo, WEFT_FOREVER) == 0 && signo == SIGHUP)
		note("reloaded");
	weft_group_cancel(w->group);
	return 0;
}

/* Before anything says that it is ready: from then on signals may come. */
static struct weft_chan *catch_signals(void)
{
	struct weft_chan *signals = weft_chan_new(sizeof(int), 8);
	weft_signal_notify(signals, SIGTERM);
	weft_signal_notify(signals, SIGINT);
	weft_signal_notify(signals, SIGHUP);
	return signals;
}

static int service(void *arg)
{
	struct watch watch = {weft_group_new(), catch_signals()};
	int result = 0;
	if (!watch.group || !watch.signals)
		return EXIT_FAILURE;
	weft_group_go(watch.group, watch_signals, &watch);
	weft_group_go(watch.group, keep_house, NULL);
	weft_group_go(watch.group, listen_for_clients, NULL);
	weft_group_wait(watch.group, &result, WEFT_FOREVER);
	if (weft_waitgroup_wait(&connections, weft_after(SECONDS(2))) == -ETIMEDOUT)
		weft_stop(); /* the rest is cut off */
	weft_chan_unref(watch.signals);
	note("ended");
	return result ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: daemon SOCKET\n");
		return 2;
	}
	path = argv[1];
	return weft_run(NULL, service, NULL);
}
