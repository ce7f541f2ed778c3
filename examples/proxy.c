/* SPDX-License-Identifier: MIT */
/*
 * proxy.c LISTEN-PORT HOST PORT: passes TCP connections on.
 *
 * Two tasks per connection, one for each direction. When one side has said all it has to say, the
 * other is told so (half-close) and may go on talking; the connection ends when both have. An error
 * on either side ends both at once. Port 0: the system chooses one; the port is printed. SIGINT and
 * SIGTERM end the program when the last connection has ended, a second one ends it at once.
 *
 *     proxy 8080 example.org 80
 */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "weft/weft.h"

enum { CHUNK = 16 * 1024, DIAL_SECONDS = 10 };

static const char *host, *service;
static struct weft_waitgroup connections;

struct pair {
	int client, server;
};

/* From one to the other until the end (0) or an error. */
static int pump(int from, int to)
{
	char buf[CHUNK];
	ssize_t n;
	while ((n = weft_read(from, buf, sizeof(buf), WEFT_FOREVER)) > 0) {
		ssize_t sent = weft_write(to, buf, (size_t)n, WEFT_FOREVER);
		if (sent != n)
			return sent < 0 ? (int)sent : -EPIPE;
	}
	if (n == 0)
		shutdown(to, SHUT_WR);
	return (int)n;
}

static void give_up(const struct pair *p)
{
	shutdown(p->client, SHUT_RDWR); /* wakes the other direction, whichever side it waits on */
	shutdown(p->server, SHUT_RDWR);
}

static int answers(void *arg)
{
	struct pair *p = arg;
	int err = pump(p->server, p->client);
	if (err)
		give_up(p);
	return err;
}

static void pass_on(struct pair *p)
{
	struct weft_task *back;
	if (weft_spawn(&back, NULL, answers, p) < 0)
		return;
	if (pump(p->client, p->server))
		give_up(p);
	weft_cancel_mask(1); /* the other direction is cancelled like this one: it will end */
	weft_join(back, NULL, WEFT_FOREVER);
}

static void connection(void *arg)
{
	struct pair p = {.client = (int)(intptr_t)arg};
	p.server = weft_tcp_dial(host, service, weft_after(DIAL_SECONDS * INT64_C(1000000000)));
	if (p.server < 0) {
		fprintf(stderr, "proxy: %s:%s: %s\n", host, service, weft_error_text(p.server));
	} else {
		pass_on(&p);
		weft_close(p.server);
	}
	weft_close(p.client);
	weft_waitgroup_done(&connections);
}

static void watch_signals(void *arg)
{
	struct weft_chan *signals = weft_chan_new(sizeof(int), 4);
	weft_signal_notify(signals, SIGINT);
	weft_signal_notify(signals, SIGTERM);
	if (weft_chan_recv(signals, NULL, WEFT_FOREVER) == 0)
		weft_close((int)(intptr_t)arg); /* no new connections */
	if (weft_chan_recv(signals, NULL, WEFT_FOREVER) == 0)
		weft_stop();
	weft_chan_unref(signals);
}

static int serve(void *arg)
{
	struct sockaddr_in6 a;
	socklen_t len = sizeof(a);
	int fd, listener = weft_tcp_listen(NULL, arg, 0);
	if (listener < 0) {
		fprintf(stderr, "proxy: port %s: %s\n", (char *)arg, weft_error_text(listener));
		return EXIT_FAILURE;
	}
	getsockname(listener, (struct sockaddr *)&a, &len);
	printf("%u\n", ntohs(a.sin6_port));
	fflush(stdout);
	weft_go(watch_signals, (void *)(intptr_t)listener);
	while ((fd = weft_accept(listener, NULL, NULL, WEFT_FOREVER)) >= 0 || fd == -EMFILE) {
		if (fd == -EMFILE) {
			weft_sleep(10 * 1000 * 1000); /* until some connection ends */
			continue;
		}
		weft_waitgroup_add(&connections, 1);
		if (weft_go(connection, (void *)(intptr_t)fd) < 0)
			connection((void *)(intptr_t)fd); /* no memory for a task: one at a time */
	}
	weft_waitgroup_wait(&connections, WEFT_FOREVER);
	weft_stop(); /* watch_signals still waits */
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: proxy LISTEN-PORT HOST PORT\n");
		return 2;
	}
	host = argv[2];
	service = argv[3];
	return weft_run(NULL, serve, argv[1]);
}
