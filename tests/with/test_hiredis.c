/* SPDX-License-Identifier: MIT */
/* test_hiredis.c: weft/with/hiredis.h against Debian's redis-server, and against a made-up one. */
#include "weft/with/hiredis.h"

#include "server.h"

struct server {
	pid_t pid;
	char port[16], folder[32];
};

/* redis-server and redis-check-rdb are one program, whose first argument says which it is. */
static struct server redis_start(void)
{
	struct server s;
	char path[256];
	if (!server_program("redis-server", path) && !server_program("redis-check-rdb", path))
		skip("needs redis-server");
	server_free_port(s.port);
	strcpy(s.folder, "/tmp/weft-redis-XXXXXX");
	expect_ne(mkdtemp(s.folder), NULL);
	s.pid = server_start(path, (char *[]){"redis-server", "--port", s.port, "--bind",
					      "127.0.0.1", "--save", "", "--dir", s.folder, NULL});
	server_await(s.port);
	return s;
}

static void redis_end(struct server *s)
{
	server_end(s->pid);
	rmdir(s->folder);
}

static struct weft_redis *redis_client(const char *port)
{
	struct weft_redis *r = NULL;
	expect_eq(weft_redis_connect(&r, "127.0.0.1", port, soon()), 0);
	return r;
}

static void expect_reply(redisReply *reply, const char *text)
{
	expect_eq(reply->str, text);
	freeReplyObject(reply);
}

static void expect_in_step(struct weft_redis *r)
{
	redisReply *reply;
	expect_eq(weft_redis_command(r, &reply, soon(), "PING"), 0);
	expect_reply(reply, "PONG");
}

static void push_item(struct weft_redis *r, const char *list)
{
	redisReply *reply;
	expect_eq(weft_redis_command(r, &reply, soon(), "RPUSH %s item", list), 0);
	freeReplyObject(reply);
}

TASK_TEST("commands and their replies, of any bytes")
{
	struct server s = redis_start();
	struct weft_redis *r = redis_client(s.port);
	redisReply *reply;
	expect_eq(weft_redis_command(r, &reply, soon(), "SET %s %b", "name", "a\0b", (size_t)3), 0);
	expect_reply(reply, "OK");
	expect_eq(weft_redis_command(r, &reply, soon(), "GET name"), 0);
	expect_eq(reply->len, 3);
	expect_mem_eq(reply->str, "a\0b", 3);
	freeReplyObject(reply);
	expect_eq(weft_redis_command(r, &reply, soon(), "NOTHING"), 0);
	expect_eq(reply->type, REDIS_REPLY_ERROR);
	freeReplyObject(reply);
	weft_redis_free(r);
	redis_end(&s);
}

TASK_TEST("a pipeline's replies come in order")
{
	struct server s = redis_start();
	struct weft_redis *r = redis_client(s.port);
	redisReply *reply;
	for (int i = 0; i < 1000; i++)
		expect_eq(weft_redis_append(r, soon(), "INCR counter"), 0);
	expect_eq(weft_redis_command(r, &reply, soon(), "PING"), -EINVAL);
	for (int i = 0; i < 1000; i++) {
		expect_eq(weft_redis_reply(r, &reply, soon()), 0);
		expect_eq(reply->integer, i + 1);
		freeReplyObject(reply);
	}
	expect_in_step(r);
	weft_redis_free(r);
	redis_end(&s);
}

TASK_TEST("what is published comes to who subscribed")
{
	struct server s = redis_start();
	struct weft_redis *in = redis_client(s.port), *out = redis_client(s.port);
	redisReply *reply;
	expect_eq(weft_redis_command(in, &reply, soon(), "SUBSCRIBE news"), 0);
	freeReplyObject(reply);
	expect_eq(weft_redis_reply(in, &reply, weft_after(MS)), -ETIMEDOUT);
	expect_eq(weft_redis_command(out, &reply, soon(), "PUBLISH news %s", "today"), 0);
	expect_eq(reply->integer, 1);
	freeReplyObject(reply);
	expect_eq(weft_redis_reply(in, &reply, soon()), 0);
	expect_eq(reply->elements, 3);
	expect_eq(reply->element[2]->str, "today");
	freeReplyObject(reply);
	weft_redis_free(in);
	weft_redis_free(out);
	redis_end(&s);
}

static int wait_for_item(void *redis)
{
	redisReply *reply;
	return weft_redis_command(redis, &reply, WEFT_FOREVER, "BLPOP never 0");
}

TASK_TEST("deadline and cancel in the middle leave the connection in step")
{
	struct server s = redis_start();
	struct weft_redis *r = redis_client(s.port), *other = redis_client(s.port);
	redisReply *reply;
	expect_eq(weft_redis_command(r, &reply, weft_after(2 * MS), "BLPOP late 0"), -ETIMEDOUT);
	push_item(other, "late");
	expect_in_step(r);
	struct weft_task *task = tasks_start(wait_for_item, r);
	tasks_settle();
	expect_eq(weft_redis_command(r, &reply, soon(), "PING"), -EBUSY);
	weft_cancel(task);
	expect_eq(tasks_join(task), -ECANCELED);
	push_item(other, "never");
	expect_in_step(r);
	weft_redis_free(r);
	weft_redis_free(other);
	redis_end(&s);
}

TASK_TEST("a server that is killed is an error, then -ENOTCONN")
{
	struct server s = redis_start();
	struct weft_redis *r = redis_client(s.port);
	redisReply *reply;
	struct weft_task *task = tasks_start(wait_for_item, r);
	tasks_settle();
	redis_end(&s);
	int err = tasks_join(task);
	expect(err == -ECONNRESET || err == -EPIPE);
	expect_eq(weft_redis_command(r, &reply, soon(), "PING"), -ENOTCONN);
	weft_redis_free(r);
}

enum { CLIENTS = 1000, CONNECTIONS = 20 };

static struct {
	struct weft_chan *idle; /* connections that nobody uses */
} pool;

static int one_of_many(void *arg)
{
	struct weft_redis *r = NULL;
	redisReply *reply;
	expect_eq(weft_chan_recv(pool.idle, &r, soon()), 0);
	expect_eq(weft_redis_command(r, &reply, soon(), "INCR many"), 0);
	freeReplyObject(reply);
	return weft_chan_send(pool.idle, &r, soon());
}

TASK_TEST("a thousand tasks over twenty connections")
{
	struct server s = redis_start();
	struct weft_redis *r = NULL;
	struct weft_group *group = weft_group_new();
	redisReply *reply;
	int result;
	pool.idle = weft_chan_new(sizeof(r), CONNECTIONS);
	for (int i = 0; i < CONNECTIONS; i++) {
		r = redis_client(s.port);
		expect_eq(weft_chan_send(pool.idle, &r, 0), 0);
	}
	for (int i = 0; i < CLIENTS; i++)
		expect_eq(weft_group_go(group, one_of_many, NULL), 0);
	expect_eq(weft_group_wait(group, &result, WEFT_FOREVER), 0);
	expect_eq(result, 0);
	expect_eq(weft_redis_command(r, &reply, soon(), "GET many"), 0);
	expect_reply(reply, "1000");
	while (weft_chan_recv(pool.idle, &r, 0) == 0)
		weft_redis_free(r);
	weft_chan_unref(pool.idle);
	redis_end(&s);
}

/* ---- a made-up server ---- */

static struct weft_redis *redis_over_pair(int *peer)
{
	int fd[2];
	struct weft_stream *stream;
	struct weft_redis *r = NULL;
	tcp_pair(fd);
	expect_eq(weft_stream_new(&stream, fd[0]), 0);
	expect_eq(weft_redis_over(&r, stream), 0);
	*peer = fd[1];
	return r;
}

TASK_TEST("what is no Redis is -EPROTO, an end -ECONNRESET; both are the last")
{
	static const char *const sent[] = {"HTTP/1.1 400\r\n", "$5\r\nhal"};
	static const int results[] = {-EPROTO, -ECONNRESET};
	for (int i = 0; i < 2; i++) {
		int peer;
		redisReply *reply;
		struct weft_redis *r = redis_over_pair(&peer);
		size_t len = strlen(sent[i]);
		expect_eq(weft_write(peer, sent[i], len, soon()), (ssize_t)len);
		shutdown(peer, SHUT_WR);
		expect_eq(weft_redis_command(r, &reply, soon(), "PING"), results[i]);
		expect_eq(weft_redis_append(r, soon(), "PING"), -ENOTCONN);
		expect_eq(weft_redis_reply(r, &reply, soon()), -ENOTCONN);
		weft_redis_free(r);
		weft_close(peer);
	}
}

TASK_TEST("what cannot be used: -EINVAL")
{
	int peer;
	redisReply *reply;
	struct weft_redis *r = redis_over_pair(&peer);
	expect_eq(weft_redis_command(NULL, &reply, 0, "PING"), -EINVAL);
	expect_eq(weft_redis_command(r, NULL, 0, "PING"), -EINVAL);
	expect_eq(weft_redis_command(r, &reply, 0, NULL), -EINVAL);
	expect_eq(weft_redis_command(r, &reply, 0, "%q", 1), -EINVAL);
	expect_eq(weft_redis_append(r, 0, NULL), -EINVAL);
	expect_eq(weft_redis_reply(r, NULL, 0), -EINVAL);
	expect_eq(weft_redis_over(&r, NULL), -EINVAL);
	expect_eq(weft_redis_connect(NULL, "127.0.0.1", "1", 0), -EINVAL);
	weft_redis_free(NULL);
	weft_redis_free(r);
	weft_close(peer);
}
