/* SPDX-License-Identifier: MIT */
/*
 * jobs.c CONNINFO WORKERS: does the jobs of a table of PostgreSQL, as many at a time as there are
 * workers.
 *
 *     jobs dbname=shop 8 &
 *     psql shop -c "INSERT INTO jobs (work) VALUES (100000); NOTIFY jobs"
 *
 * A job is the number of primes below `work`. It is one transaction: its row is locked, and who
 * dies with it leaves it to others. A listener wakes the workers when a NOTIFY comes; they look
 * again each second in any case, for a notification is lost with its connection. SIGTERM ends it:
 * jobs in hand are finished.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "weft/weft.h"
#include "weft/with/pq.h"

#define SECONDS(n) ((n)*INT64_C(1000000000))

enum { WORKERS_MAX = 90, ANSWER = 10 }; /* seconds that the server may take for an answer */

static const char *server;
static struct weft_chan *more; /* an item for each worker that should look for jobs */
static uint64_t done;

static long long primes_below(long long n)
{
	long long count = 0;
	for (long long i = 2; i < n; i++) {
		long long d = 2;
		while (d * d <= i && i % d)
			d++;
		count += d * d > i;
	}
	return count;
}

/* Returns 0, or -errno; what the server refuses is -EPROTO. `row` may be NULL. */
static int ask(struct weft_pq *pq, const char *command, PGresult **row)
{
	PGresult *result;
	int err = weft_pq_exec(pq, &result, command, weft_after(SECONDS(ANSWER)));
	if (err)
		return err;
	if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
		err = -EPROTO;
	if (row && !err)
		*row = result;
	else
		PQclear(result);
	return err;
}

static int answer(struct weft_pq *pq, const char *id, long long result)
{
	char command[128];
	snprintf(command, sizeof(command), "UPDATE jobs SET result = %lld WHERE id = %s; COMMIT",
		 result, id);
	int err = ask(pq, command, NULL);
	if (!err)
		__atomic_add_fetch(&done, 1, __ATOMIC_RELAXED);
	return err;
}

/* Returns 1 when a job was done, 0 when there is none, or -errno. */
static int one_job(struct weft_pq *pq)
{
	PGresult *row;
	int err = ask(pq,
		      "BEGIN; SELECT id, work FROM jobs WHERE result IS NULL "
		      "ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED",
		      &row);
	if (err)
		return err;
	int found = PQntuples(row);
	if (found)
		err = answer(pq, PQgetvalue(row, 0, 0), primes_below(atoll(PQgetvalue(row, 0, 1))));
	else
		err = ask(pq, "ROLLBACK", NULL);
	PQclear(row);
	return err ? err : found;
}

/* A job in hand is finished though the task is cancelled. */
static int one_job_whole(struct weft_pq *pq)
{
	weft_cancel_mask(1);
	int result = one_job(pq);
	weft_cancel_mask(0);
	return result;
}

/* A connection in place of one that is dead. Returns 0 or -errno. */
static int connect_again(struct weft_pq **pq)
{
	weft_pq_free(*pq);
	int err = weft_pq_connect(pq, server, weft_after(SECONDS(ANSWER)));
	if (err)
		fprintf(stderr, "jobs: %s\n",
			*pq ? PQerrorMessage(weft_pq_conn(*pq)) : weft_error_text(err));
	return err;
}

static int work(void *arg)
{
	struct weft_pq *pq = NULL;
	while (!weft_cancelled()) {
		char go;
		int result = pq ? one_job_whole(pq) : -ENOTCONN;
		if (result < 0 && connect_again(&pq) < 0)
			(void)weft_sleep(SECONDS(1));
		if (result == 0)
			(void)!weft_chan_recv(more, &go, weft_after(SECONDS(1)));
	}
	weft_pq_free(pq);
	return 0;
}

static int wake_workers(struct weft_pq *pq)
{
	PGnotify *notification;
	int err = weft_pq_notifies(pq, &notification, WEFT_FOREVER);
	if (err)
		return err;
	PQfreemem(notification);
	while (weft_chan_send(more, "", 0) == 0)
		;
	return 0;
}

static int listen_for_jobs(void *arg)
{
	struct weft_pq *pq = NULL;
	int err = -ENOTCONN;
	while (!weft_cancelled()) {
		if (err)
			err = connect_again(&pq);
		if (!err)
			err = ask(pq, "LISTEN jobs", NULL);
		while (!err)
			err = wake_workers(pq);
		(void)weft_sleep(SECONDS(1));
	}
	weft_pq_free(pq);
	return 0;
}

static int make_table(void)
{
	struct weft_pq *pq = NULL;
	int err = connect_again(&pq);
	if (!err)
		err = ask(pq,
			  "CREATE TABLE IF NOT EXISTS jobs "
			  "(id bigserial PRIMARY KEY, work bigint NOT NULL, result bigint)",
			  NULL);
	weft_pq_free(pq);
	return err;
}

static void await_end(void)
{
	int signo;
	struct weft_chan *signals = weft_chan_new(sizeof(signo), 1);
	weft_signal_notify(signals, SIGTERM);
	printf("ready\n");
	fflush(stdout);
	(void)!weft_chan_recv(signals, &signo, WEFT_FOREVER);
	weft_signal_stop(signals);
	weft_chan_unref(signals);
}

static int service(void *arg)
{
	int workers = *(int *)arg;
	struct weft_group *group = weft_group_new();
	more = weft_chan_new(1, (size_t)workers);
	if (!group || !more || make_table() < 0)
		return EXIT_FAILURE;
	weft_group_go(group, listen_for_jobs, NULL);
	for (int i = 0; i < workers; i++)
		weft_group_go(group, work, NULL);
	await_end();
	weft_group_cancel(group);
	weft_group_wait(group, NULL, WEFT_FOREVER);
	weft_chan_unref(more);
	printf("%llu jobs done\n", (unsigned long long)done);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	int workers = argc == 3 ? atoi(argv[2]) : 0;
	if (workers < 1 || workers > WORKERS_MAX) {
		fprintf(stderr, "usage: jobs CONNINFO WORKERS (1 to %d)\n", WORKERS_MAX);
		return 2;
	}
	server = argv[1];
	return weft_run(NULL, service, &workers);
}
