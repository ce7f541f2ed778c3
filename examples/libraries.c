/* SPDX-License-Identifier: MIT */
/*
 * libraries.c CA-FILE HTTPS-PORT TLS-PORT REDIS-PORT FILE [TASKS]: any C library works unwrapped.
 *
 * A thousand tasks in one program talk to real servers on 127.0.0.1, a quarter of them each through
 * libcurl, OpenSSL, hiredis and SQLite. None of the four knows of tasks, none is wrapped: these are
 * the calls that any C program makes, and they block. Each task checks what it is told, the totals
 * are checked at the end, and a ticking task measures how long it was kept waiting meanwhile.
 *
 * What the libraries ask of a task that may continue on another thread after a weft call, and only
 * there (docs/WHAT-MOVES.md). Each task yields in the middle of its conversation, between two calls
 * of the library, so handles and connections do travel from thread to thread:
 *
 *   libcurl  curl_global_init is for the whole process: once, before any task. A handle belongs to
 *            its user, on any thread. CURLOPT_NOSIGNAL, as in every program with threads.
 *            The write callback runs inside curl_easy_perform: it makes no weft call, so nothing
 *            moves under curl.
 *   OpenSSL  The error queue is the thread's. It is emptied before a call, since another task may
 *            have left something there, and read after it, with no weft call in between. The random
 *            generator is the thread's, too, but that never shows. An SSL travels; an SSL_CTX is
 *            shared.
 *   hiredis  Keeps everything in the connection, which travels.
 *   SQLite   A connection travels, even inside a transaction: the locks are the process's.
 *
 * Each conversation needs a few descriptors. As many tasks converse at once as the limit allows.
 */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <hiredis.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "weft/weft.h"

#define HOST "127.0.0.1"

enum { ROUNDS = 2, PATIENCE_S = 120 };
enum { DESCRIPTORS_EACH = 4, DESCRIPTORS_OURS = 64 };

static const char *ca_file, *https_port, *tls_port, *redis_port, *database;
static SSL_CTX *tls;
static struct weft_sem conversations = WEFT_SEM_INIT(0);
static atomic_uint moves;

static int failed(unsigned id, const char *library, const char *why)
{
	fprintf(stderr, "task %u: %s: %s\n", id, library, why);
	return 1;
}

/* Others get their turn in the middle of a conversation, which may continue on another thread. */
static void take_turns(void)
{
	pid_t thread = gettid();
	weft_yield();
	if (gettid() != thread)
		moves++;
}

/* ---- libcurl: pages of an HTTPS server ---- */

struct body {
	size_t len;
	char text[64];
};

static size_t keep(char *data, size_t size, size_t count, void *arg)
{
	struct body *body = arg;
	size_t len = size * count;
	if (len > sizeof(body->text) - body->len)
		return 0; /* too long: an error to curl */
	memcpy(body->text + body->len, data, len);
	body->len += len;
	return len;
}

static int get_page(CURL *curl, unsigned id, unsigned round)
{
	char url[64], wanted[64];
	struct body body = {0};
	snprintf(url, sizeof(url), "https://" HOST ":%s/%u/%u", https_port, id, round);
	size_t len = (size_t)snprintf(wanted, sizeof(wanted), "this is /%u/%u\n", id, round);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
	CURLcode code = curl_easy_perform(curl);
	if (code != CURLE_OK)
		return failed(id, "libcurl", curl_easy_strerror(code));
	if (body.len != len || memcmp(body.text, wanted, len) != 0)
		return failed(id, "libcurl", "wrong page");
	return 0;
}

static int use_curl(unsigned id)
{
	int err = 0;
	CURL *curl = curl_easy_init();
	if (!curl)
		return failed(id, "libcurl", "no handle");
	curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)PATIENCE_S);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
	for (unsigned round = 0; !err && round < ROUNDS; round++) {
		err = get_page(curl, id, round);
		take_turns();
	}
	curl_easy_cleanup(curl);
	return err;
}

/* ---- OpenSSL: a TLS server that sends back each line ---- */

static int dial(const char *port)
{
	struct timeval patience = {.tv_sec = PATIENCE_S};
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port)),
		.sin_addr.s_addr = inet_addr(HOST),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* No weft call was made since the call that failed: this thread's queue is about that call. */
static int tls_failed(unsigned id)
{
	char why[256];
	ERR_error_string_n(ERR_get_error(), why, sizeof(why));
	return failed(id, "OpenSSL", why);
}

static int start_tls(SSL *ssl, int fd, unsigned id)
{
	ERR_clear_error();
	if (SSL_set_fd(ssl, fd) != 1 || SSL_set1_host(ssl, HOST) != 1 || SSL_connect(ssl) != 1)
		return tls_failed(id);
	return 0;
}

static int echo_line(SSL *ssl, unsigned id, unsigned round)
{
	char said[64], heard[64];
	int got = 0, len = snprintf(said, sizeof(said), "task %u, line %u\n", id, round);
	ERR_clear_error();
	if (SSL_write(ssl, said, len) != len)
		return tls_failed(id);
	while (got < len) {
		int n = SSL_read(ssl, heard + got, len - got);
		if (n <= 0)
			return tls_failed(id);
		got += n;
	}
	return memcmp(said, heard, (size_t)len) == 0 ? 0 : failed(id, "OpenSSL", "wrong echo");
}

static int converse(int fd, unsigned id)
{
	SSL *ssl = SSL_new(tls);
	if (!ssl)
		return tls_failed(id);
	int err = start_tls(ssl, fd, id);
	for (unsigned round = 0; !err && round < ROUNDS; round++) {
		take_turns();
		err = echo_line(ssl, id, round);
	}
	if (!err)
		SSL_shutdown(ssl);
	SSL_free(ssl);
	return err;
}

static int use_openssl(unsigned id)
{
	int fd = dial(tls_port);
	if (fd < 0)
		return failed(id, "OpenSSL", strerror(errno));
	int err = converse(fd, id);
	close(fd);
	return err;
}

/* ---- hiredis: what is set can be got, and each task counts ---- */

static redisContext *open_redis(void)
{
	struct timeval patience = {.tv_sec = PATIENCE_S};
	redisContext *redis = redisConnectWithTimeout(HOST, atoi(redis_port), patience);
	if (redis && !redis->err)
		redisSetTimeout(redis, patience);
	return redis;
}

/* Whether a command is obeyed, and the answer is `wanted` (NULL: any). */
static bool redis_says(redisContext *redis, const char *wanted, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	redisReply *reply = redisvCommand(redis, format, args);
	va_end(args);
	bool good = reply && reply->type != REDIS_REPLY_ERROR;
	if (good && wanted)
		good = reply->str && strcmp(reply->str, wanted) == 0;
	if (reply)
		freeReplyObject(reply);
	return good;
}

static int use_redis(unsigned id)
{
	char value[32];
	redisContext *redis = open_redis();
	bool good = redis && !redis->err;
	for (unsigned round = 0; good && round < ROUNDS; round++) {
		snprintf(value, sizeof(value), "%u-%u", id, round);
		good = redis_says(redis, "OK", "SET task:%u %s", id, value);
		take_turns();
		good = good && redis_says(redis, value, "GET task:%u", id) &&
		       redis_says(redis, NULL, "INCR total");
	}
	if (!good)
		failed(id, "hiredis", redis && redis->err ? redis->errstr : "wrong answer");
	if (redis)
		redisFree(redis);
	return good ? 0 : 1;
}

/* ---- SQLite: all tasks write to one file ---- */

static sqlite3 *open_database(void)
{
	sqlite3 *db;
	if (sqlite3_open(database, &db) != SQLITE_OK) {
		sqlite3_close(db);
		return NULL;
	}
	sqlite3_busy_timeout(db, PATIENCE_S * 1000);
	return db;
}

static int insert(sqlite3 *db, unsigned id, unsigned round)
{
	char sql[128];
	snprintf(sql, sizeof(sql), "INSERT INTO row VALUES (%u, %u)", id, round);
	if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return -1;
	take_turns(); /* while we keep all others out */
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return -1;
	return sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK ? 0 : -1;
}

static int use_sqlite(unsigned id)
{
	int err = 0;
	sqlite3 *db = open_database();
	if (!db)
		return failed(id, "SQLite", "cannot open the file");
	for (unsigned round = 0; !err && round < ROUNDS; round++)
		err = insert(db, id, round);
	if (err)
		failed(id, "SQLite", sqlite3_errmsg(db));
	sqlite3_close(db);
	return err ? 1 : 0;
}

/* ---- the tasks ---- */

enum { LIBCURL, OPENSSL, HIREDIS, SQLITE, LIBRARIES };

static struct library {
	const char *name;
	int (*use)(unsigned id);
	atomic_uint done;
} libraries[LIBRARIES] = {
	[LIBCURL] = {.name = "libcurl", .use = use_curl},
	[OPENSSL] = {.name = "OpenSSL", .use = use_openssl},
	[HIREDIS] = {.name = "hiredis", .use = use_redis},
	[SQLITE] = {.name = "SQLite", .use = use_sqlite},
};

/* A member of the group: its first error cancels those that wait for their turn. */
static int use_library(void *arg)
{
	unsigned id = (unsigned)(uintptr_t)arg;
	struct library *library = &libraries[id % LIBRARIES];
	if (weft_sem_acquire(&conversations, 1, WEFT_FOREVER) < 0)
		return 1;
	int err = library->use(id);
	weft_sem_release(&conversations, 1);
	if (!err)
		library->done++;
	return err;
}

static int use_libraries(unsigned count)
{
	int result = 1;
	struct weft_group *group = weft_group_new();
	if (!group)
		return 1;
	for (unsigned id = 0; id < count; id++)
		weft_group_go(group, use_library, (void *)(uintptr_t)id);
	weft_group_wait(group, &result, WEFT_FOREVER);
	return result;
}

/* ---- the ticker ---- */

enum { TICK_NS = 1000 * 1000, STEP_NS = 100 * 1000, STEPS = 10000 };

/* How many gaps between two ticks took how many steps of 0.1 ms; the last one: or more. */
static struct {
	unsigned count, gaps[STEPS];
	int64_t longest;
} ticks;

static int tick(void *arg)
{
	int64_t last = weft_now();
	while (weft_sleep(TICK_NS) == 0) {
		int64_t now = weft_now(), gap = now - last;
		last = now;
		ticks.count++;
		ticks.gaps[gap / STEP_NS < STEPS ? gap / STEP_NS : STEPS - 1]++;
		if (gap > ticks.longest)
			ticks.longest = gap;
	}
	return 0;
}

/* 99 in 100 gaps were shorter than this. */
static double p99_ms(void)
{
	unsigned seen = 0, step = 0;
	while (step < STEPS - 1 && (seen += ticks.gaps[step]) < ticks.count - ticks.count / 100)
		step++;
	return (step + 1) * (STEP_NS / 1e6);
}

/* ---- before and after ---- */

static bool prepare_tls(void)
{
	tls = SSL_CTX_new(TLS_client_method());
	if (!tls || SSL_CTX_load_verify_locations(tls, ca_file, NULL) != 1)
		return false;
	SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
	return true;
}

/* A connection stays open to the end: the last one to close would lock all others out. */
static sqlite3 *prepare_database(void)
{
	sqlite3 *db = open_database();
	if (db && sqlite3_exec(db,
			       "PRAGMA journal_mode = WAL; DROP TABLE IF EXISTS row;"
			       "CREATE TABLE row (task INTEGER, round INTEGER)",
			       NULL, NULL, NULL) == SQLITE_OK)
		return db;
	sqlite3_close(db);
	return NULL;
}

/* Raises the limit as far as it goes. Returns the number of conversations that fit. */
static unsigned room(unsigned count)
{
	rlim_t wanted = (rlim_t)count * DESCRIPTORS_EACH + DESCRIPTORS_OURS;
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1;
	if (limit.rlim_cur < wanted) {
		limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur >= wanted)
		return count;
	if (limit.rlim_cur < DESCRIPTORS_OURS + DESCRIPTORS_EACH)
		return 1;
	return (unsigned)(limit.rlim_cur - DESCRIPTORS_OURS) / DESCRIPTORS_EACH;
}

static long long rows(sqlite3 *db)
{
	sqlite3_stmt *query;
	long long count = -1;
	const char *sql = "SELECT count(DISTINCT task * 10 + round) FROM row";
	if (sqlite3_prepare_v2(db, sql, -1, &query, NULL) == SQLITE_OK &&
	    sqlite3_step(query) == SQLITE_ROW)
		count = sqlite3_column_int64(query, 0);
	sqlite3_finalize(query);
	return count;
}

/* What the two that keep things have kept. */
static int check_totals(redisContext *redis, sqlite3 *db)
{
	char total[32];
	snprintf(total, sizeof(total), "%u", libraries[HIREDIS].done * ROUNDS);
	if (!redis_says(redis, total, "GET total"))
		return failed(0, "hiredis", "the total is wrong");
	if (rows(db) != (long long)libraries[SQLITE].done * ROUNDS)
		return failed(0, "SQLite", "the number of rows is wrong");
	return 0;
}

static void report(unsigned count, int64_t took)
{
	struct weft_stats stats = {.size = sizeof(stats)};
	weft_stats(&stats);
	for (unsigned i = 0; i < LIBRARIES; i++)
		printf("%s %u of %u\n", libraries[i].name, libraries[i].done,
		       (count + LIBRARIES - 1 - i) / LIBRARIES);
	printf("%u tasks in %.0f ms: %llu threads, %llu leases taken, %u moves in "
	       "mid-conversation\n",
	       count, took / 1e6, (unsigned long long)stats.threads_started,
	       (unsigned long long)stats.leases_taken, moves);
	printf("%u ticks, 1 ms apart: 99 %% within %.1f ms, the longest gap %.1f ms\n", ticks.count,
	       p99_ms(), ticks.longest / 1e6);
}

static int run(unsigned count, redisContext *redis, sqlite3 *db)
{
	struct weft_task *ticker;
	if (weft_spawn(&ticker, NULL, tick, NULL) < 0)
		return 1;
	int64_t start = weft_now();
	int err = use_libraries(count);
	int64_t took = weft_now() - start;
	weft_cancel(ticker);
	weft_join(ticker, NULL, WEFT_FOREVER);
	report(count, took);
	return err ? err : check_totals(redis, db);
}

static int main_task(void *arg)
{
	unsigned count = *(unsigned *)arg;
	int err = 1;
	redisContext *redis = open_redis();
	sqlite3 *db = prepare_database();
	weft_sem_release(&conversations, room(count));
	if (prepare_tls() && db && redis && redis_says(redis, "OK", "SET total 0"))
		err = run(count, redis, db);
	else
		fprintf(stderr, "libraries: no Redis server, certificate or database\n");
	SSL_CTX_free(tls);
	sqlite3_close(db);
	if (redis)
		redisFree(redis);
	return err;
}

int main(int argc, char **argv)
{
	unsigned count = argc > 6 ? (unsigned)atoi(argv[6]) : 1000;
	if (argc < 6) {
		fprintf(stderr,
			"usage: libraries CA-FILE HTTPS-PORT TLS-PORT REDIS-PORT FILE [TASKS]\n");
		return 2;
	}
	ca_file = argv[1];
	https_port = argv[2];
	tls_port = argv[3];
	redis_port = argv[4];
	database = argv[5];
	signal(SIGPIPE, SIG_IGN); /* OpenSSL writes to sockets with write(2) */
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return 1;
	int err = weft_run(NULL, main_task, &count);
	curl_global_cleanup();
	return err;
}
