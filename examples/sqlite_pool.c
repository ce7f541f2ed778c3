/* SPDX-License-Identifier: MIT */
/*
 * sqlite_pool.c FILE [JOBS]: a pool of workers over an SQLite database.
 *
 * SQLite knows nothing of tasks: it blocks on the disk and on locks, and its busy handler sleeps.
 * Here no other task waits for that: each worker has a connection of its own and takes jobs (an
 * amount to move from one account to another) from a channel; a ticking task counts how often it
 * ran meanwhile. At the end the sum of all accounts must be what it was.
 *
 *     sqlite_pool /tmp/bank.db 1000
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "weft/weft.h"

enum { WORKERS = 8, ACCOUNTS = 50, START = 1000, TICK_NS = 1000 * 1000 };

static const char *path;
static struct weft_chan *jobs;
static unsigned ticks;

struct job {
	int from, to, amount;
};

static sqlite3 *open_database(void)
{
	sqlite3 *db;
	if (sqlite3_open(path, &db) != SQLITE_OK) {
		fprintf(stderr, "%s: %s\n", path, sqlite3_errmsg(db));
		exit(EXIT_FAILURE);
	}
	sqlite3_busy_timeout(db, 60 * 1000);
	return db;
}

static int run_sql(sqlite3 *db, const char *sql)
{
	char *error = NULL;
	if (sqlite3_exec(db, sql, NULL, NULL, &error) == SQLITE_OK)
		return 0;
	fprintf(stderr, "%s: %s\n", sql, error);
	sqlite3_free(error);
	return -1;
}

static int move_amount(sqlite3 *db, const struct job *job)
{
	char sql[256];
	snprintf(sql, sizeof(sql),
		 "BEGIN IMMEDIATE;"
		 "UPDATE account SET amount = amount - %d WHERE id = %d;"
		 "UPDATE account SET amount = amount + %d WHERE id = %d;"
		 "COMMIT",
		 job->amount, job->from, job->amount, job->to);
	return run_sql(db, sql);
}

/* A member of the group: its first error cancels the others. */
static int work(void *arg)
{
	sqlite3 *db = open_database();
	struct job job;
	int err = 0;
	while (!err && weft_chan_recv(jobs, &job, WEFT_FOREVER) == 0)
		err = move_amount(db, &job);
	sqlite3_close(db);
	return err;
}

static int tick(void *arg)
{
	while (weft_sleep(TICK_NS) == 0)
		ticks++;
	return 0;
}

static int create(void)
{
	sqlite3 *db = open_database();
	char sql[128];
	int err =
		run_sql(db, "PRAGMA journal_mode = WAL; DROP TABLE IF EXISTS account;"
			    "CREATE TABLE account (id INTEGER PRIMARY KEY, amount INTEGER); BEGIN");
	for (int i = 0; !err && i < ACCOUNTS; i++) {
		snprintf(sql, sizeof(sql), "INSERT INTO account VALUES (%d, %d)", i, START);
		err = run_sql(db, sql);
	}
	if (!err)
		err = run_sql(db, "COMMIT");
	sqlite3_close(db);
	return err;
}

static int total(void)
{
	sqlite3 *db = open_database();
	sqlite3_stmt *query;
	int sum = -1;
	if (sqlite3_prepare_v2(db, "SELECT sum(amount) FROM account", -1, &query, NULL) ==
		    SQLITE_OK &&
	    sqlite3_step(query) == SQLITE_ROW)
		sum = sqlite3_column_int(query, 0);
	sqlite3_finalize(query);
	sqlite3_close(db);
	return sum;
}

static int bank(void *arg)
{
	int count = *(int *)arg, result = 0;
	struct weft_group *group = weft_group_new();
	struct weft_task *ticker;
	jobs = weft_chan_new(sizeof(struct job), WORKERS);
	if (create() < 0 || !group || !jobs || weft_spawn(&ticker, NULL, tick, NULL) < 0)
		return EXIT_FAILURE;
	for (int i = 0; i < WORKERS; i++)
		weft_group_go(group, work, NULL);
	for (int i = 0; i < count; i++) {
		struct job job = {i % ACCOUNTS, i * 7 % ACCOUNTS, i % 10};
		weft_chan_send(jobs, &job, WEFT_FOREVER);
	}
	weft_chan_close(jobs);
	weft_group_wait(group, &result, WEFT_FOREVER);
	weft_cancel(ticker);
	weft_join(ticker, NULL, WEFT_FOREVER);
	weft_chan_unref(jobs);
	int sum = total();
	printf("%d jobs by %d workers; sum %d; the ticker ran %u times\n", count, WORKERS, sum,
	       ticks);
	return result == 0 && sum == ACCOUNTS * START ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	int count = argc > 2 ? atoi(argv[2]) : 1000;
	if (argc < 2) {
		fprintf(stderr, "usage: sqlite_pool FILE [JOBS]\n");
		return 2;
	}
	path = argv[1];
	return weft_run(NULL, bank, &count);
}
