/* SPDX-License-Identifier: MIT */
/*
 * pubsub.c PORT REDIS-PORT: a chat in rooms, for the clients of any number of these servers: what
 * is said goes through Redis to all of them.
 *
 *     join ROOM     from now on each line that is said there comes here
 *     say TEXT      to all who are in the same room
 *
 * A client has a task that reads and one that writes, from a bounded channel: one that does not
 * take what is said is cut off, and nobody waits for it. Port 0: the system chooses; the port is
 * printed. SIGTERM ends it.
 *
 *     redis-server --port 7001 &     pubsub 7000 7001 &     nc localhost 7000
 */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weft/weft.h"
#include "weft/with/hiredis.h"

#define SECONDS(n) ((n)*INT64_C(1000000000))

enum { LINE = 512, ROOM = 32, BEHIND = 1024, ANSWER = 5 };

/* What was said: shared by the clients that it goes to. */
struct message {
	int users;
	size_t length;
	char text[];
};

struct client {
	struct client *next;
	struct weft_stream *stream;
	struct weft_chan *out; /* of messages */
	struct weft_group *group;
	char room[ROOM]; /* under the lock of `clients` */
};

static struct {
	struct weft_mutex lock;
	struct client *first;
} clients;

static struct {
	struct weft_mutex lock;
	struct weft_redis *redis;
} speaker;

static const char *redis_port;

static void release(struct message *m)
{
	if (__atomic_sub_fetch(&m->users, 1, __ATOMIC_ACQ_REL) == 0)
		free(m);
}

/* ---- from Redis to the clients ---- */

static struct message *message_new(const char *text, size_t length)
{
	struct message *m = malloc(sizeof(*m) + length + 1);
	if (!m)
		return NULL;
	m->users = 1;
	m->length = length + 1;
	memcpy(m->text, text, length);
	m->text[length] = '\n';
	return m;
}

static void hand(struct client *c, struct message *m)
{
	__atomic_add_fetch(&m->users, 1, __ATOMIC_RELAXED);
	if (weft_chan_send(c->out, &m, 0) == 0)
		return;
	release(m);
	weft_group_cancel(c->group); /* too far behind */
}

static void deliver(const char *room, const char *text, size_t length)
{
	struct message *m = message_new(text, length);
	if (!m)
		return;
	weft_mutex_lock(&clients.lock);
	for (struct client *c = clients.first; c; c = c->next)
		if (strcmp(c->room, room) == 0)
			hand(c, m);
	weft_mutex_unlock(&clients.lock);
	release(m);
}

/* "pmessage", the pattern, "room.NAME", the text. */
static void heard(const redisReply *r)
{
	if (r->type == REDIS_REPLY_ARRAY && r->elements == 4)
		deliver(r->element[2]->str + strlen("room."), r->element[3]->str,
			(size_t)r->element[3]->len);
}

static int subscribe(struct weft_redis **redis)
{
	int64_t deadline = weft_after(SECONDS(ANSWER));
	redisReply *reply = NULL;
	int err = weft_redis_connect(redis, "127.0.0.1", redis_port, deadline);
	if (!err)
		err = weft_redis_command(*redis, &reply, deadline, "PSUBSCRIBE room.*");
	if (!err)
		freeReplyObject(reply);
	return err;
}

/* Until the connection is lost, or the task is cancelled. */
static int hear(struct weft_redis *redis)
{
	redisReply *reply = NULL;
	int err;
	while ((err = weft_redis_reply(redis, &reply, WEFT_FOREVER)) == 0) {
		heard(reply);
		freeReplyObject(reply);
	}
	return err;
}

static int listen_to_redis(void *arg)
{
	while (!weft_cancelled()) {
		struct weft_redis *redis = NULL;
		int err = subscribe(&redis);
		if (!err)
			err = hear(redis);
		weft_redis_free(redis);
		if (err != -ECANCELED)
			fprintf(stderr, "pubsub: Redis: %s\n", weft_error_text(err));
		(void)weft_sleep(SECONDS(1));
	}
	return 0;
}

/* ---- from the clients to Redis ---- */

/* One connection for all. The lock is held. */
static int speak(const char *room, const char *text)
{
	int64_t deadline = weft_after(SECONDS(ANSWER));
	redisReply *reply;
	int err = 0;
	if (!speaker.redis)
		err = weft_redis_connect(&speaker.redis, "127.0.0.1", redis_port, deadline);
	if (!err)
		err = weft_redis_command(speaker.redis, &reply, deadline, "PUBLISH room.%s %s",
					 room, text);
	if (!err) {
		freeReplyObject(reply);
	} else {
		weft_redis_free(speaker.redis);
		speaker.redis = NULL;
	}
	return err;
}

static int say(struct client *c, const char *text)
{
	char room[ROOM];
	weft_mutex_lock(&clients.lock);
	strcpy(room, c->room);
	weft_mutex_unlock(&clients.lock);
	if (!room[0])
		return -EINVAL;
	weft_mutex_lock(&speaker.lock);
	int err = speak(room, text);
	weft_mutex_unlock(&speaker.lock);
	return err;
}

static int join_room(struct client *c, const char *room)
{
	weft_mutex_lock(&clients.lock);
	strcpy(c->room, room);
	weft_mutex_unlock(&clients.lock);
	return 0;
}

/* Returns 0; an error ends the connection. */
static int obey(struct client *c, char *line)
{
	char room[ROOM];
	line[strcspn(line, "\r\n")] = 0;
	if (sscanf(line, "join %31s", room) == 1)
		return join_room(c, room);
	if (strncmp(line, "say ", 4) == 0)
		return say(c, line + 4);
	return -EINVAL;
}

/* ---- a client ---- */

static int read_client(void *arg)
{
	struct client *c = arg;
	char line[LINE + 1];
	const char *data;
	ssize_t n;
	while ((n = weft_stream_read_until(c->stream, "\n", 1, LINE, &data, WEFT_FOREVER)) > 0) {
		memcpy(line, data, (size_t)n);
		line[n] = 0;
		if (obey(c, line) < 0)
			break;
	}
	return 1; /* not 0: the writer is cancelled */
}

static int write_client(void *arg)
{
	struct client *c = arg;
	struct message *m;
	ssize_t n = 0;
	while (n >= 0 && weft_chan_recv(c->out, &m, WEFT_FOREVER) == 0) {
		int64_t deadline = weft_after(SECONDS(ANSWER));
		n = weft_stream_write(c->stream, m->text, m->length, deadline);
		release(m);
		if (n >= 0 && weft_chan_len(c->out) == 0)
			n = weft_stream_flush(c->stream, deadline);
	}
	return 1;
}

static void enter_list(struct client *c)
{
	weft_mutex_lock(&clients.lock);
	c->next = clients.first;
	clients.first = c;
	weft_mutex_unlock(&clients.lock);
}

static void leave_list(struct client *c)
{
	struct client **at = &clients.first;
	weft_mutex_lock(&clients.lock);
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	weft_mutex_unlock(&clients.lock);
}

static void talk(struct client *c)
{
	struct message *m;
	enter_list(c);
	weft_group_go(c->group, read_client, c);
	weft_group_go(c->group, write_client, c);
	weft_group_wait(c->group, NULL, WEFT_FOREVER);
	leave_list(c);
	while (weft_chan_recv(c->out, &m, 0) == 0)
		release(m);
}

static int converse(void *arg)
{
	struct client c = {.out = weft_chan_new(sizeof(struct message *), BEHIND)};
	int fd = (int)(intptr_t)arg;
	int err = weft_stream_new(&c.stream, fd);
	if (err < 0)
		weft_close(fd);
	if (!err && c.out && (c.group = weft_group_new()))
		talk(&c);
	if (!err)
		weft_stream_close(c.stream, weft_after(SECONDS(1)));
	weft_chan_unref(c.out);
	return 0;
}

static int accept_clients(void *arg)
{
	struct weft_group *all = weft_group_new();
	int fd, listener = *(int *)arg;
	while (all && (fd = weft_accept(listener, NULL, NULL, WEFT_FOREVER)) >= 0)
		if (weft_group_go(all, converse, (void *)(intptr_t)fd) < 0)
			weft_close(fd);
	weft_close(listener);
	if (all)
		weft_group_wait(all, NULL, WEFT_FOREVER);
	return 1;
}

/* ---- the service ---- */

static void print_port(int listener)
{
	struct sockaddr_in6 a;
	socklen_t len = sizeof(a);
	getsockname(listener, (struct sockaddr *)&a, &len);
	printf("%u\n", ntohs(a.sin6_port));
	fflush(stdout);
}

static int serve(void *port)
{
	struct weft_group *group = weft_group_new();
	struct weft_chan *signals = weft_chan_new(sizeof(int), 1);
	int listener = weft_tcp_listen(NULL, port, 0);
	if (!group || !signals || listener < 0) {
		fprintf(stderr, "pubsub: port %s: %s\n", (char *)port, weft_error_text(listener));
		return EXIT_FAILURE;
	}
	weft_signal_notify(signals, SIGTERM);
	weft_group_go(group, listen_to_redis, NULL);
	weft_group_go(group, accept_clients, &listener);
	print_port(listener);
	(void)!weft_chan_recv(signals, NULL, WEFT_FOREVER);
	weft_group_cancel(group);
	weft_group_wait(group, NULL, WEFT_FOREVER);
	weft_signal_stop(signals);
	weft_chan_unref(signals);
	weft_redis_free(speaker.redis);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: pubsub PORT REDIS-PORT\n");
		return 2;
	}
	redis_port = argv[2];
	return weft_run(NULL, serve, argv[1]);
}
