/* SPDX-License-Identifier: MIT */
/*
 * memo.c PORT: remembers text under names, for all its clients: a protocol of lines over streams.
 *
 *     set NAME LENGTH, a line feed, LENGTH bytes     ok
 *     get NAME                                       LENGTH, a line feed, the bytes;  or: none
 *
 * A line is read up to its end and never beyond 128 bytes, a text by its length; answers gather
 * until the client is waited for (the stream is tied), so a hundred requests that come together are
 * answered together. Port 0: the system chooses; the port is printed. SIGTERM ends it.
 *
 *     memo 7000 &     printf 'set x 5\nhelloget x\n' | nc -N localhost 7000
 */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weft/weft.h"

#define SECONDS(n) ((n)*INT64_C(1000000000))

enum { LINE = 128, TEXT = 4096, TEXTS = 64, IDLE = 60 };

/* One lock for all: nothing is waited for while it is held. */
static struct {
	struct weft_mutex lock;
	struct text {
		char name[LINE], bytes[TEXT];
		size_t length;
	} texts[TEXTS];
	unsigned count;
} memo;

/* The text of that name, or a new one; NULL: there is no room. The lock is held. */
static struct text *place_of(const char *name)
{
	for (unsigned i = 0; i < memo.count; i++)
		if (strcmp(memo.texts[i].name, name) == 0)
			return &memo.texts[i];
	if (memo.count == TEXTS)
		return NULL;
	strcpy(memo.texts[memo.count].name, name);
	return &memo.texts[memo.count++];
}

static int set(struct weft_stream *s, const char *name, size_t length)
{
	struct text text = {.length = length};
	int64_t deadline = weft_after(SECONDS(IDLE));
	if (length > TEXT ||
	    weft_stream_read_full(s, text.bytes, length, deadline) != (ssize_t)length)
		return -EPROTO;
	strcpy(text.name, name);
	weft_mutex_lock(&memo.lock);
	struct text *place = place_of(name);
	if (place)
		*place = text;
	weft_mutex_unlock(&memo.lock);
	return weft_stream_printf(s, deadline, place ? "ok\n" : "full\n");
}

static int get(struct weft_stream *s, const char *name)
{
	struct text text = {.length = 0};
	int64_t deadline = weft_after(SECONDS(IDLE));
	weft_mutex_lock(&memo.lock);
	for (unsigned i = 0; i < memo.count; i++)
		if (strcmp(memo.texts[i].name, name) == 0)
			text = memo.texts[i];
	weft_mutex_unlock(&memo.lock);
	if (!text.length)
		return weft_stream_printf(s, deadline, "none\n");
	int n = weft_stream_printf(s, deadline, "%zu\n", text.length);
	return n < 0 ? n : (int)weft_stream_write(s, text.bytes, text.length, deadline);
}

/* One request: negative when the connection has come to its end. */
static int answer(struct weft_stream *s)
{
	char line[LINE + 1], name[LINE];
	const char *data;
	size_t length;
	ssize_t n = weft_stream_read_until(s, "\n", 1, LINE, &data, weft_after(SECONDS(IDLE)));
	if (n <= 0)
		return -1;
	memcpy(line, data, (size_t)n);
	line[n] = 0;
	if (sscanf(line, "set %127s %zu", name, &length) == 2)
		return set(s, name, length);
	if (sscanf(line, "get %127s", name) == 1)
		return get(s, name);
	return weft_stream_printf(s, weft_after(SECONDS(IDLE)), "what?\n");
}

static void connection(void *arg)
{
	struct weft_stream *s;
	int fd = (int)(intptr_t)arg;
	if (weft_stream_new(&s, fd) < 0) {
		weft_close(fd);
		return;
	}
	weft_stream_tie(s, 1);
	while (answer(s) >= 0)
		;
	weft_stream_close(s, weft_after(SECONDS(1)));
}

static void end_on_signal(void *signals)
{
	if (weft_chan_recv(signals, NULL, WEFT_FOREVER) == 0)
		weft_stop();
	weft_chan_unref(signals);
}

static int serve(void *port)
{
	struct sockaddr_in6 a;
	socklen_t len = sizeof(a);
	struct weft_chan *signals = weft_chan_new(sizeof(int), 1);
	int fd, listener = weft_tcp_listen(NULL, port, 0);
	if (listener < 0) {
		fprintf(stderr, "memo: port %s: %s\n", (char *)port, weft_error_text(listener));
		return EXIT_FAILURE;
	}
	weft_signal_notify(signals, SIGTERM);
	if (weft_go(end_on_signal, signals) < 0)
		return EXIT_FAILURE;
	getsockname(listener, (struct sockaddr *)&a, &len);
	printf("%u\n", ntohs(a.sin6_port));
	fflush(stdout);
	while ((fd = weft_accept(listener, NULL, NULL, WEFT_FOREVER)) >= 0)
		if (weft_go(connection, (void *)(intptr_t)fd) < 0)
			weft_close(fd);
	weft_close(listener);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: memo PORT\n");
		return 2;
	}
	return weft_run(NULL, serve, argv[1]);
}
