/* SPDX-License-Identifier: MIT */
/*
 * weft/with/hiredis.h: Redis over a stream: hiredis' formatter and reader, 0.14 and later, which
 * the program links (-lhiredis), and the waits of weft. Since 0.2.
 *
 * A connection is for one task at a time: another one gets -EBUSY. Errors besides those of
 * weft/stream.h: -EPROTO what came is no Redis; -ECONNRESET the server has gone; -ENOTCONN after
 * these: the connection is dead. What the server refuses is a reply (REDIS_REPLY_ERROR), not an
 * error.
 *
 * After -ETIMEDOUT or -ECANCELED the server may have done what it was told. The connection stays in
 * step: the reply that nobody waited for is dropped when it comes, before the next one is read.
 */
#ifndef WEFT_WITH_HIREDIS_H
#define WEFT_WITH_HIREDIS_H

#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include "weft/io.h"
#include "weft/stream.h"
#include "weft/task.h"
#include "weft/with/turn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Made by weft_redis_connect or weft_redis_over, freed by weft_redis_free. */
struct weft_redis {
	struct weft_stream *stream;
	redisReader *reader;
	unsigned long waiting; /* replies of weft_redis_append that were not read yet */
	unsigned long dropped; /* before those: replies that nobody waits for */
	struct weft_turn_ turn;
};

/* ---- one task at a time ---- */

static inline int weft_redis_enter_(struct weft_redis *redis)
{
	return redis ? weft_turn_take_(&redis->turn) : -EINVAL;
}

static inline int weft_redis_leave_(struct weft_redis *redis, int err)
{
	int usable = err >= 0 || err == -EAGAIN || err == -ETIMEDOUT || err == -ECANCELED ||
		     err == -EINVAL;
	weft_turn_end_(&redis->turn, !usable);
	return err;
}

/* ---- commands and replies ---- */

static inline int weft_redis_send_(struct weft_redis *redis, int64_t deadline, const char *format,
				   va_list values)
{
	char *command;
	int len = redisvFormatCommand(&command, format, values);
	ssize_t n;
	if (len < 0)
		return len == -1 ? -ENOMEM : -EINVAL;
	n = weft_stream_write(redis->stream, command, (size_t)len, deadline);
	redisFreeCommand(command);
	return n < 0 ? (int)n : 0;
}

static inline int weft_redis_feed_(struct weft_redis *redis, int64_t deadline)
{
	char buf[4096];
	ssize_t n = weft_stream_read(redis->stream, buf, sizeof(buf), deadline);
	if (n <= 0)
		return n ? (int)n : -ECONNRESET;
	return redisReaderFeed(redis->reader, buf, (size_t)n) == REDIS_OK ? 0 : -ENOMEM;
}

static inline int weft_redis_next_(struct weft_redis *redis, redisReply **reply, int64_t deadline)
{
	void *whole = NULL;
	for (;;) {
		int err;
		if (redisReaderGetReply(redis->reader, &whole) != REDIS_OK)
			return -EPROTO;
		if (whole)
			break;
		err = weft_redis_feed_(redis, deadline);
		if (err < 0)
			return err;
	}
	*reply = (redisReply *)whole;
	return 0;
}

/* The next one that somebody waits for. */
static inline int weft_redis_read_(struct weft_redis *redis, redisReply **reply, int64_t deadline)
{
	redisReply *late;
	for (; redis->dropped; redis->dropped--) {
		int err = weft_redis_next_(redis, &late, deadline);
		if (err < 0)
			return err;
		freeReplyObject(late);
	}
	return weft_redis_next_(redis, reply, deadline);
}

/*
 * Sends a command, in which %s stands for a text and %b for bytes and their length, and waits for
 * its reply, which freeReplyObject frees. Returns 0. -EINVAL: a pointer is NULL, the format is bad,
 * or replies of weft_redis_append are still to be read.
 */
static inline int weft_redis_command(struct weft_redis *redis, redisReply **reply, int64_t deadline,
				     const char *format, ...)
{
	va_list values;
	int err = reply && format ? weft_redis_enter_(redis) : -EINVAL;
	if (err < 0)
		return err;
	if (redis->waiting)
		return weft_redis_leave_(redis, -EINVAL);
	va_start(values, format);
	err = weft_redis_send_(redis, deadline, format, values);
	va_end(values);
	if (!err) {
		err = weft_redis_read_(redis, reply, deadline);
		redis->dropped += err < 0;
	}
	return weft_redis_leave_(redis, err);
}

/*
 * Puts a command into the pipeline; what is there is sent when a reply is waited for, or when there
 * is much of it. Returns 0. -EINVAL: a pointer is NULL, or the format is bad.
 */
static inline int weft_redis_append(struct weft_redis *redis, int64_t deadline, const char *format,
				    ...)
{
	va_list values;
	int err = format ? weft_redis_enter_(redis) : -EINVAL;
	if (err < 0)
		return err;
	va_start(values, format);
	err = weft_redis_send_(redis, deadline, format, values);
	va_end(values);
	redis->waiting += !err;
	return weft_redis_leave_(redis, err);
}

/*
 * Waits for the next reply: of the commands of weft_redis_append in their order, or, after a
 * SUBSCRIBE, whatever the server sends. Returns 0. Stopped, the same reply is the next one again.
 * -EINVAL: a pointer is NULL.
 */
static inline int weft_redis_reply(struct weft_redis *redis, redisReply **reply, int64_t deadline)
{
	int err = reply ? weft_redis_enter_(redis) : -EINVAL;
	if (err < 0)
		return err;
	err = weft_redis_read_(redis, reply, deadline);
	redis->waiting -= !err && redis->waiting;
	return weft_redis_leave_(redis, err);
}

/* ---- making and freeing ---- */

/*
 * Talks Redis over a stream, TLS for instance, which is the connection's once this returned 0.
 * -EINVAL: a pointer is NULL.
 */
static inline int weft_redis_over(struct weft_redis **redis, struct weft_stream *stream)
{
	struct weft_redis *made;
	if (!redis || !stream)
		return -EINVAL;
	made = (struct weft_redis *)calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	made->stream = stream;
	made->reader = redisReaderCreate();
	if (!made->reader) {
		free(made);
		return -ENOMEM;
	}
	weft_stream_tie(stream, 1);
	*redis = made;
	return 0;
}

static inline int weft_redis_over_fd_(struct weft_redis **redis, int fd)
{
	struct weft_stream *stream;
	int err = weft_stream_new(&stream, fd);
	if (err < 0) {
		weft_close(fd);
		return err;
	}
	err = weft_redis_over(redis, stream);
	if (err < 0)
		weft_stream_close(stream, 0);
	return err;
}

/* Connects. Returns 0. Errors also: those of weft_tcp_dial; -EINVAL: `redis` is NULL. */
static inline int weft_redis_connect(struct weft_redis **redis, const char *host,
				     const char *service, int64_t deadline)
{
	int fd = redis ? weft_tcp_dial(host, service, deadline) : -EINVAL;
	return fd < 0 ? fd : weft_redis_over_fd_(redis, fd);
}

/* Closes, without waiting, and frees. NULL: nothing. Nobody may be inside. */
static inline void weft_redis_free(struct weft_redis *redis)
{
	if (!redis)
		return;
	weft_stream_close(redis->stream, 0);
	redisReaderFree(redis->reader);
	free(redis);
}

#ifdef __cplusplus
}
#endif

#endif
