/* SPDX-License-Identifier: MIT */
/*
 * weft/with/pq.h: PostgreSQL by libpq, 9.6 and later, which the program links (-lpq), and the waits
 * of weft. Since 0.2.
 *
 * A connection is for one task at a time: another one gets -EBUSY. Errors besides those of
 * weft_wait_fd: -ECONNRESET the server has gone, and -ENOTCONN after it: the connection is dead.
 * What the server refuses is a result (PGRES_FATAL_ERROR), not an error. The text for an error is
 * PQerrorMessage(weft_pq_conn(pq)).
 *
 * A command that is stopped (-ETIMEDOUT, -ECANCELED, any error of the wait) may have been done by
 * the server. It is asked to give up, by PQcancel, and has a second to say how the command ended,
 * during which nothing stops the caller. Then the connection is in step again, in a failed
 * transaction if it was in one; else it is dead: after weft_stop, too, when no task can be started
 * that asks.
 *
 * Nothing here looks a host's name up or reads a file but weft_pq_connect; libpq does it in plain
 * calls, which hold a thread, as PQcancel does.
 */
#ifndef WEFT_WITH_PQ_H
#define WEFT_WITH_PQ_H

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>

#include "weft/io.h"
#include "weft/task.h"
#include "weft/with/turn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Made by weft_pq_connect, freed by weft_pq_free. */
struct weft_pq {
	PGconn *conn;
	struct weft_turn_ turn;
};

/* libpq's part of a connection: for its questions, its error text, and COPY, whose calls block. */
static inline PGconn *weft_pq_conn(const struct weft_pq *pq)
{
	return pq ? pq->conn : NULL;
}

/* ---- one task at a time ---- */

static inline int weft_pq_enter_(struct weft_pq *pq)
{
	int err = pq ? weft_turn_take_(&pq->turn) : -EINVAL;
	if (!err)
		PQsetnonblocking(pq->conn, 1);
	return err;
}

static inline int weft_pq_leave_(struct weft_pq *pq, int err)
{
	if (err != -ECONNRESET) /* whose text stays */
		PQsetnonblocking(pq->conn, 0);
	weft_turn_end_(&pq->turn, err == -ECONNRESET);
	return err;
}

/* ---- a command and its results ---- */

/* Waits for any of the events and takes in what has come. */
static inline int weft_pq_wait_(struct weft_pq *pq, short events, int64_t deadline)
{
	int ready = weft_wait_fd(PQsocket(pq->conn), events, deadline);
	if (ready < 0)
		return ready;
	if (ready & ~POLLOUT && !PQconsumeInput(pq->conn))
		return -ECONNRESET;
	return 0;
}

/* Sends what is left, and reads meanwhile: a server whose answers nobody takes stops reading. */
static inline int weft_pq_flush_(struct weft_pq *pq, int64_t deadline)
{
	int left, err = 0;
	while (!err && (left = PQflush(pq->conn)) != 0)
		err = left < 0 ? -ECONNRESET : weft_pq_wait_(pq, POLLIN | POLLOUT, deadline);
	return err;
}

/* The next result; NULL: the command has ended. */
static inline int weft_pq_next_(struct weft_pq *pq, PGresult **next, int64_t deadline)
{
	int err = 0;
	while (!err && PQisBusy(pq->conn))
		err = weft_pq_wait_(pq, POLLIN, deadline);
	if (err)
		return err;
	*next = PQgetResult(pq->conn);
	return PQstatus(pq->conn) == CONNECTION_OK ? 0 : -ECONNRESET;
}

static inline int weft_pq_copies_(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);
	return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

/* Until the end of the command; *last is its last result, as PQexec's is. */
static inline int weft_pq_results_(struct weft_pq *pq, PGresult **last, int64_t deadline)
{
	PGresult *next = NULL;
	int err = weft_pq_flush_(pq, deadline);
	while (!err && !weft_pq_copies_(*last)) {
		err = weft_pq_next_(pq, &next, deadline);
		if (!next)
			break;
		PQclear(*last);
		*last = next;
		next = NULL;
	}
	return err;
}

/* ---- a command that is stopped ---- */

static inline int weft_pq_cancel_(void *cancel)
{
	char why[256];
	int asked = PQcancel((PGcancel *)cancel, why, sizeof(why));
	PQfreeCancel((PGcancel *)cancel);
	return asked ? 0 : -ECONNREFUSED;
}

/*
 * PQcancel connects, in a plain call, and the network decides how long that takes: so a task of its
 * own does it. It has ended before the connection is used again, or it would stop the next command.
 */
static inline int weft_pq_ask_to_stop_(struct weft_pq *pq, int64_t deadline)
{
	struct weft_task *task;
	PGcancel *cancel = PQgetCancel(pq->conn);
	int asked = 0, err = cancel ? weft_spawn(&task, NULL, weft_pq_cancel_, cancel) : -ENOMEM;
	if (err < 0) {
		PQfreeCancel(cancel);
		return err;
	}
	err = weft_join(task, &asked, deadline);
	if (err < 0)
		weft_detach(task);
	return err < 0 ? err : asked;
}

/* Returns 0 when the connection is in step again. */
static inline int weft_pq_catch_up_(struct weft_pq *pq)
{
	int64_t deadline = weft_after(INT64_C(1000000000));
	PGresult *dropped = NULL;
	int err = weft_pq_ask_to_stop_(pq, deadline);
	if (!err)
		err = weft_pq_results_(pq, &dropped, deadline);
	PQclear(dropped);
	return err || PQtransactionStatus(pq->conn) == PQTRANS_ACTIVE ? -ECONNRESET : 0;
}

static inline int weft_pq_give_up_(struct weft_pq *pq)
{
	int masked = weft_cancel_mask(1);
	int err = weft_pq_catch_up_(pq);
	if (masked >= 0)
		weft_cancel_mask(masked);
	return err;
}

static inline int weft_pq_begin_(struct weft_pq *pq, int usable, int64_t deadline)
{
	int err = usable ? weft_pq_enter_(pq) : -EINVAL;
	return err || deadline ? err : weft_pq_leave_(pq, -EAGAIN);
}

/* `sent`: the command was queued. */
static inline int weft_pq_finish_(struct weft_pq *pq, int sent, PGresult **result, int64_t deadline)
{
	PGresult *last = NULL;
	int err;
	if (!sent)
		return weft_pq_leave_(pq,
				      PQstatus(pq->conn) == CONNECTION_OK ? -EINVAL : -ECONNRESET);
	err = weft_pq_results_(pq, &last, deadline);
	if (!err) {
		*result = last;
		return weft_pq_leave_(pq, 0);
	}
	PQclear(last);
	if (err != -ECONNRESET && weft_pq_give_up_(pq) < 0)
		pq->turn.dead = 1;
	return weft_pq_leave_(pq, err);
}

/*
 * Sends a command, or several with semicolons between them, and waits for the last result, which
 * PQclear frees, as PQexec does; that of a COPY comes at once, and the connection is for libpq's
 * calls until they have ended it. Returns 0. With the deadline 0 nothing is sent: -EAGAIN. -EINVAL:
 * a pointer is NULL, or the connection is in a COPY, a pipeline or a command of the program's own.
 */
static inline int weft_pq_exec(struct weft_pq *pq, PGresult **result, const char *command,
			       int64_t deadline)
{
	int err = weft_pq_begin_(pq, result && command, deadline);
	if (err < 0)
		return err;
	return weft_pq_finish_(pq, PQsendQuery(pq->conn, command), result, deadline);
}

/*
 * The same with parameters $1, $2, ..., as PQexecParams: `count` of them; `types` (NULL: the server
 * finds out), `values` (NULL in it: null), `lengths` and `formats` (1: binary, of that length;
 * NULL: all are text). `result_format` 1: the result comes in binary.
 */
static inline int weft_pq_exec_params(struct weft_pq *pq, PGresult **result, const char *command,
				      int count, const Oid *types, const char *const *values,
				      const int *lengths, const int *formats, int result_format,
				      int64_t deadline)
{
	int sent, err = weft_pq_begin_(pq, result && command, deadline);
	if (err < 0)
		return err;
	sent = PQsendQueryParams(pq->conn, command, count, types, values, lengths, formats,
				 result_format);
	return weft_pq_finish_(pq, sent, result, deadline);
}

/*
 * Waits for the next notification of a channel that a LISTEN named, and stores it; PQfreemem frees
 * it. Returns 0. Stopped, the connection is as before. -EINVAL: a pointer is NULL.
 */
static inline int weft_pq_notifies(struct weft_pq *pq, PGnotify **notification, int64_t deadline)
{
	int err = notification ? weft_pq_enter_(pq) : -EINVAL;
	if (err < 0)
		return err;
	while (!(*notification = PQnotifies(pq->conn)) && !err)
		err = weft_pq_wait_(pq, POLLIN, deadline);
	return weft_pq_leave_(pq, *notification ? 0 : err);
}

/* ---- making and freeing ---- */

static inline int weft_pq_reach_(struct weft_pq *pq, int64_t deadline)
{
	PostgresPollingStatusType next = PGRES_POLLING_WRITING;
	if (PQstatus(pq->conn) == CONNECTION_BAD)
		return -EINVAL;
	while (next != PGRES_POLLING_OK) {
		short event = next == PGRES_POLLING_READING ? POLLIN : POLLOUT;
		int ready;
		if (next == PGRES_POLLING_FAILED)
			return -ECONNREFUSED;
		ready = weft_wait_fd(PQsocket(pq->conn), event, deadline);
		if (ready < 0)
			return ready;
		next = PQconnectPoll(pq->conn);
	}
	return 0;
}

/*
 * Connects as PQconnectdb(conninfo) does; the deadline stands for its connect_timeout. Returns 0.
 * After an error *pq is a dead connection, which has the error's text and must be freed, or NULL.
 * -ECONNREFUSED: no server takes us, for whatever reason; -EINVAL: a pointer is NULL, or `conninfo`
 * is bad.
 */
static inline int weft_pq_connect(struct weft_pq **pq, const char *conninfo, int64_t deadline)
{
	struct weft_pq *made;
	int err;
	if (!pq || !conninfo)
		return -EINVAL;
	*pq = NULL;
	made = (struct weft_pq *)calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	made->conn = PQconnectStart(conninfo);
	if (!made->conn) {
		free(made);
		return -ENOMEM;
	}
	err = weft_pq_reach_(made, deadline);
	made->turn.dead = err < 0;
	*pq = made;
	return err;
}

/* Closes and frees. NULL: nothing. Nobody may be inside. */
static inline void weft_pq_free(struct weft_pq *pq)
{
	if (!pq)
		return;
	PQfinish(pq->conn);
	free(pq);
}

#ifdef __cplusplus
}
#endif

#endif
