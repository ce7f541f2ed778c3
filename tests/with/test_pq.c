/* SPDX-License-Identifier: MIT */
/* test_pq.c: weft/with/pq.h against Debian's PostgreSQL, and against servers that never answer. */
#include "weft/with/pq.h"

#include <glob.h>

#include "server.h"

struct server {
	pid_t pid;
	char port[16], folder[32], info[128];
};

/* Debian keeps its programs outside of the PATH. */
static bool pq_program(const char *name, char path[256])
{
	glob_t found;
	char pattern[64];
	snprintf(pattern, sizeof(pattern), "/usr/lib/postgresql/*/bin/%s", name);
	bool is_there = glob(pattern, 0, NULL, &found) == 0;
	if (is_there)
		snprintf(path, 256, "%s", found.gl_pathv[found.gl_pathc - 1]);
	globfree(&found);
	return is_there || server_program(name, path);
}

/* PostgreSQL refuses to run as root: then it runs as nobody. */
enum { NOBODY = 65534 };

static pid_t start_as_nobody(const char *path, char *const arguments[])
{
	char *as[32] = {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
			(char *)path};
	char setpriv[256];
	if (geteuid())
		return server_start(path, arguments);
	if (!server_program("setpriv", setpriv))
		skip("needs setpriv, or not to be root");
	for (int i = 1; arguments[i]; i++)
		as[4 + i] = arguments[i];
	return server_start(setpriv, as);
}

static void run_as_nobody(const char *path, char *const arguments[])
{
	int status = -1;
	expect_eq(weft_wait_pid(start_as_nobody(path, arguments), &status,
				weft_after(60 * 1000 * (int64_t)MS)),
		  0);
	expect_eq(status, 0);
}

static struct server pq_start(void)
{
	struct server s;
	char initdb[256], postgres[256], data[64];
	if (!pq_program("initdb", initdb) || !pq_program("postgres", postgres))
		skip("needs postgresql");
	server_free_port(s.port);
	strcpy(s.folder, "/tmp/weft-pq-XXXXXX");
	expect_ne(mkdtemp(s.folder), NULL);
	expect(geteuid() || chown(s.folder, NOBODY, NOBODY) == 0);
	snprintf(data, sizeof(data), "%s/data", s.folder);
	run_as_nobody(initdb, (char *[]){"initdb", "-D", data, "-U", "weft", "-A", "trust", "-E",
					 "UTF8", "--no-locale", "--no-sync", NULL});
	s.pid = start_as_nobody(postgres, (char *[]){"postgres", "-D", data, "-p", s.port, "-h",
						     "127.0.0.1", "-k", s.folder, "-F", "-c",
						     "log_min_messages=panic", NULL});
	server_await(s.port);
	snprintf(s.info, sizeof(s.info), "host=127.0.0.1 port=%s user=weft dbname=postgres",
		 s.port);
	return s;
}

static void pq_end(struct server *s)
{
	char rm[256];
	expect(server_program("rm", rm));
	kill(s->pid, SIGQUIT); /* at once, and takes its children along */
	expect_eq(weft_wait_pid(s->pid, NULL, soon()), 0);
	expect_eq(weft_wait_pid(server_start(rm, (char *[]){"rm", "-rf", s->folder, NULL}), NULL,
				soon()),
		  0);
}

/* Until the server no longer says that it is starting up. */
static struct weft_pq *pq_client(const struct server *s)
{
	struct weft_pq *pq = NULL;
	int64_t deadline = soon();
	int err;
	while ((err = weft_pq_connect(&pq, s->info, deadline)) < 0 && weft_now() < deadline) {
		weft_pq_free(pq);
		weft_sleep(10 * MS);
	}
	expect_eq(err, 0);
	return pq;
}

static void expect_value(PGresult *result, const char *text)
{
	expect_eq(PQresultStatus(result), PGRES_TUPLES_OK);
	expect_eq((const char *)PQgetvalue(result, 0, 0), text);
	PQclear(result);
}

static void expect_answer(struct weft_pq *pq, const char *command, const char *text)
{
	PGresult *result;
	expect_eq(weft_pq_exec(pq, &result, command, soon()), 0);
	expect_value(result, text);
}

static void commands(const struct server *s)
{
	static const char *const values[] = {"40", NULL};
	struct weft_pq *pq = pq_client(s);
	PGresult *result;
	expect_answer(pq, "SELECT 1; SELECT 2", "2");
	expect_eq(weft_pq_exec_params(pq, &result, "SELECT $1::int + coalesce($2::int, 2)", 2, NULL,
				      values, NULL, NULL, 0, soon()),
		  0);
	expect_value(result, "42");
	expect_eq(weft_pq_exec(pq, &result, "SELECT nothing", soon()), 0);
	expect_eq(PQresultStatus(result), PGRES_FATAL_ERROR);
	PQclear(result);
	expect_eq(weft_pq_exec(pq, &result, "SELECT 1", 0), -EAGAIN);
	expect_answer(pq, "SELECT length(repeat('x', 10000000))", "10000000");
	weft_pq_free(pq);
}

static void copies(const struct server *s)
{
	struct weft_pq *pq = pq_client(s);
	PGresult *result;
	expect_eq(
		weft_pq_exec(pq, &result, "CREATE TEMP TABLE t (n int); COPY t FROM STDIN", soon()),
		0);
	expect_eq(PQresultStatus(result), PGRES_COPY_IN);
	PQclear(result);
	expect_eq(weft_pq_exec(pq, &result, "SELECT 1", soon()), -EINVAL);
	expect_eq(PQputCopyData(weft_pq_conn(pq), "7\n", 2), 1);
	expect_eq(PQputCopyEnd(weft_pq_conn(pq), NULL), 1);
	while ((result = PQgetResult(weft_pq_conn(pq))))
		PQclear(result);
	expect_answer(pq, "SELECT n FROM t", "7");
	weft_pq_free(pq);
}

static void notifications(const struct server *s)
{
	struct weft_pq *in = pq_client(s), *out = pq_client(s);
	PGnotify *notification = NULL;
	PGresult *result;
	expect_eq(weft_pq_exec(in, &result, "LISTEN news", soon()), 0);
	PQclear(result);
	expect_eq(weft_pq_notifies(in, &notification, 0), -EAGAIN);
	expect_eq(weft_pq_notifies(in, &notification, weft_after(MS)), -ETIMEDOUT);
	expect_eq(weft_pq_exec(out, &result, "NOTIFY news, 'today'", soon()), 0);
	PQclear(result);
	expect_eq(weft_pq_notifies(in, &notification, soon()), 0);
	expect_eq((const char *)notification->extra, "today");
	PQfreemem(notification);
	weft_pq_free(in);
	weft_pq_free(out);
}

TASK_TEST("commands, parameters, refusals, COPY, notifications")
{
	struct server s = pq_start();
	commands(&s);
	copies(&s);
	notifications(&s);
	pq_end(&s);
}

static int sleeps_for_ever(void *pq)
{
	PGresult *result;
	return weft_pq_exec(pq, &result, "SELECT pg_sleep(1000)", WEFT_FOREVER);
}

static void stop_by_deadline(struct weft_pq *pq)
{
	PGresult *result;
	expect_eq(weft_pq_exec(pq, &result, "SELECT pg_sleep(1000)", weft_after(5 * MS)),
		  -ETIMEDOUT);
}

static void stop_by_cancel(struct weft_pq *pq)
{
	PGresult *result;
	PGnotify *notification;
	struct weft_task *task = tasks_start(sleeps_for_ever, pq);
	while (PQtransactionStatus(weft_pq_conn(pq)) != PQTRANS_ACTIVE)
		weft_sleep(MS);
	expect_eq(weft_pq_exec(pq, &result, "SELECT 1", soon()), -EBUSY);
	expect_eq(weft_pq_notifies(pq, &notification, soon()), -EBUSY);
	weft_cancel(task);
	expect_eq(tasks_join(task), -ECANCELED);
}

enum { IN_STEP = 5, TRIES = 100 };

/* A machine so busy that the server needs more than the second leaves the connection dead. */
static void expect_in_step(const struct server *s, void (*stop)(struct weft_pq *pq))
{
	int in_step = 0;
	for (int tries = 0; in_step < IN_STEP && tries < TRIES; tries++) {
		struct weft_pq *pq = pq_client(s);
		PGresult *result;
		int err = 0;
		while (!err && in_step < IN_STEP) {
			stop(pq);
			err = weft_pq_exec(pq, &result, "SELECT 'next'", soon());
			if (!err)
				expect_value(result, "next");
			in_step += !err;
		}
		expect(!err || err == -ENOTCONN);
		weft_pq_free(pq);
	}
	expect_eq(in_step, IN_STEP);
}

TASK_TEST("deadline and cancel in the middle leave the connection in step")
{
	struct server s = pq_start();
	expect_in_step(&s, stop_by_deadline);
	expect_in_step(&s, stop_by_cancel);
	pq_end(&s);
}

TASK_TEST("a server that is killed is an error, then -ENOTCONN, and none is -ECONNREFUSED")
{
	struct server s = pq_start();
	struct weft_pq *pq = pq_client(&s), *refused = NULL;
	PGresult *result;
	PGnotify *notification;
	struct weft_task *task = tasks_start(sleeps_for_ever, pq);
	tasks_settle();
	pq_end(&s);
	expect_eq(tasks_join(task), -ECONNRESET);
	expect_eq(weft_pq_exec(pq, &result, "SELECT 1", soon()), -ENOTCONN);
	expect_eq(
		weft_pq_exec_params(pq, &result, "SELECT 1", 0, NULL, NULL, NULL, NULL, 0, soon()),
		-ENOTCONN);
	expect_eq(weft_pq_notifies(pq, &notification, soon()), -ENOTCONN);
	weft_pq_free(pq);
	expect_eq(weft_pq_connect(&refused, s.info, soon()), -ECONNREFUSED);
	expect_ne(strstr(PQerrorMessage(weft_pq_conn(refused)), "refused"), NULL);
	expect_eq(weft_pq_exec(refused, &result, "SELECT 1", soon()), -ENOTCONN);
	weft_pq_free(refused);
}

enum { CLIENTS = 1000, CONNECTIONS = 50 };

static struct weft_chan *idle; /* connections that nobody uses */

static int one_of_many(void *arg)
{
	struct weft_pq *pq = NULL;
	PGresult *result;
	expect_eq(weft_chan_recv(idle, &pq, soon()), 0);
	expect_eq(weft_pq_exec(pq, &result, "SELECT nextval('many')", soon()), 0);
	expect_eq(PQresultStatus(result), PGRES_TUPLES_OK);
	PQclear(result);
	return weft_chan_send(idle, &pq, soon());
}

TASK_TEST("a thousand tasks over fifty connections")
{
	struct server s = pq_start();
	struct weft_pq *pq = NULL;
	struct weft_group *group = weft_group_new();
	PGresult *made;
	int result;
	idle = weft_chan_new(sizeof(pq), CONNECTIONS);
	for (int i = 0; i < CONNECTIONS; i++) {
		pq = pq_client(&s);
		expect_eq(weft_chan_send(idle, &pq, 0), 0);
	}
	expect_eq(weft_pq_exec(pq, &made, "CREATE SEQUENCE many", soon()), 0);
	PQclear(made);
	for (int i = 0; i < CLIENTS; i++)
		expect_eq(weft_group_go(group, one_of_many, NULL), 0);
	expect_eq(weft_group_wait(group, &result, WEFT_FOREVER), 0);
	expect_eq(result, 0);
	expect_answer(pq, "SELECT last_value FROM many", "1000");
	while (weft_chan_recv(idle, &pq, 0) == 0)
		weft_pq_free(pq);
	weft_chan_unref(idle);
	pq_end(&s);
}

TASK_TEST("a server that takes connections and says nothing is a deadline; what cannot be used, "
	  "-EINVAL")
{
	struct weft_pq *pq = NULL;
	PGresult *result;
	char info[64];
	int fd = weft_tcp_listen("127.0.0.1", "0", 1);
	snprintf(info, sizeof(info), "host=127.0.0.1 port=%s", port_of(fd));
	expect_eq(weft_pq_connect(&pq, info, weft_after(5 * MS)), -ETIMEDOUT);
	expect_eq(weft_pq_exec(pq, &result, "SELECT 1", soon()), -ENOTCONN);
	expect_eq(weft_pq_exec(NULL, &result, "SELECT 1", soon()), -EINVAL);
	expect_eq(weft_pq_exec(pq, NULL, "SELECT 1", soon()), -EINVAL);
	expect_eq(weft_pq_exec(pq, &result, NULL, soon()), -EINVAL);
	expect_eq(weft_pq_exec_params(pq, &result, NULL, 0, NULL, NULL, NULL, NULL, 0, soon()),
		  -EINVAL);
	expect_eq(weft_pq_notifies(pq, NULL, soon()), -EINVAL);
	weft_pq_free(pq);
	expect_eq(weft_pq_connect(NULL, info, soon()), -EINVAL);
	expect_eq(weft_pq_connect(&pq, NULL, soon()), -EINVAL);
	expect_eq(weft_pq_connect(&pq, "this is no=option", soon()), -EINVAL);
	weft_pq_free(pq);
	weft_pq_free(NULL);
	expect_eq(weft_pq_conn(NULL), NULL);
	weft_close(fd);
}
