/* SPDX-License-Identifier: MIT */
/* test_network.c: promises about connections: time limits, closing, many at once. */
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "promise.h"

enum { STRESS_CLIENTS = 16, STRESS_ROUNDS = 30, STRESS_BYTES = 4096 };

static const char *port_of(int fd, char text[16])
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	expect_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	snprintf(text, 16, "%u", ntohs(a.sin_port));
	return text;
}

static int listen_here(char port[16])
{
	int fd = weft_tcp_listen("127.0.0.1", "0", 0);
	expect_ge(fd, 0);
	port_of(fd, port);
	return fd;
}

static void connected(int fd[2])
{
	char port[16];
	int listener = listen_here(port);
	fd[0] = weft_tcp_dial("127.0.0.1", port, soon());
	fd[1] = weft_accept(listener, NULL, NULL, soon());
	expect(fd[0] >= 0 && fd[1] >= 0);
	expect_eq(weft_close(listener), 0);
}

static void disconnect(const int fd[2])
{
	expect_eq(weft_close(fd[0]), 0);
	expect_eq(weft_close(fd[1]), 0);
}

/* ---- time limits that must come true ---- */

PROMISE_REAL("TestAcceptTimeout")
{
	static const int64_t limits[] = {-MS, MS, 20 * MS};
	char port[16];
	int listener = listen_here(port);
	for (unsigned i = 0; i < 3; i++) {
		int64_t end = weft_after(limits[i]);
		expect_eq(weft_accept(listener, NULL, NULL, end), -ETIMEDOUT);
		expect_ge(weft_now(), end);
	}
	expect_eq(weft_close(listener), 0);
}

PROMISE_REAL("TestReadTimeout")
{
	int fd[2];
	char c;
	connected(fd);
	for (int i = 0; i < 5; i++) {
		int64_t end = weft_after(i * MS);
		expect_eq(weft_read(fd[0], &c, 1, end), -ETIMEDOUT);
		expect_ge(weft_now(), end);
	}
	expect_eq(weft_write(fd[1], "a", 1, soon()), 1); /* what came later is not lost */
	expect_eq(weft_read(fd[0], &c, 1, soon()), 1);
	disconnect(fd);
}

PROMISE_REAL("TestWriteTimeout")
{
	static char data[1 << 20];
	int fd[2];
	ssize_t n;
	connected(fd);
	while ((n = weft_write(fd[0], data, sizeof(data), weft_after(2 * MS))) > 0)
		continue;
	expect_eq(n, -ETIMEDOUT);
	disconnect(fd);
}

/* ---- time limits that must not ---- */

struct waiting {
	int fd;
	int64_t deadline;
};

static int read_waiting(void *arg)
{
	const struct waiting *w = arg;
	char c;
	return (int)weft_read(w->fd, &c, 1, w->deadline);
}

static int accept_waiting(void *arg)
{
	const struct waiting *w = arg;
	return weft_accept(w->fd, NULL, NULL, w->deadline);
}

static void must_not_return(int (*fn)(void *arg), int fd, int64_t deadline)
{
	struct waiting w = {fd, deadline};
	struct weft_task *task = tasks_start(fn, &w);
	expect_eq(weft_join(task, NULL, weft_after(30 * MS)), -ETIMEDOUT);
	expect_eq(weft_close(fd), 0); /* TestCloseRead, TestCloseAccept: it wakes the waiters */
	expect_eq(tasks_join(task), -EBADF);
}

PROMISE_REAL("TestReadTimeoutMustNotReturn")
{
	int fd[2];
	connected(fd);
	must_not_return(read_waiting, fd[0], WEFT_FOREVER);
	expect_eq(weft_close(fd[1]), 0);
	connected(fd);
	must_not_return(read_waiting, fd[0], WEFT_FOREVER - 1);
	expect_eq(weft_close(fd[1]), 0);
}

PROMISE_REAL("TestAcceptTimeoutMustNotReturn")
{
	char port[16];
	must_not_return(accept_waiting, listen_here(port), WEFT_FOREVER);
}

/* ---- closing ---- */

PROMISE_REAL("TestListenCloseListen")
{
	char port[16];
	int fd = listen_here(port);
	for (int i = 0; i < 10; i++) {
		expect_eq(weft_close(fd), 0);
		expect_eq(weft_accept(fd, NULL, NULL, soon()), -EBADF);
		fd = weft_tcp_listen("127.0.0.1", port, 0);
		expect_ge(fd, 0);
	}
	expect_eq(weft_close(fd), 0);
}

PROMISE_REAL("TestCloseWrite")
{
	int fd[2];
	char c;
	connected(fd);
	expect_eq(shutdown(fd[0], SHUT_WR), 0);
	expect_eq(weft_read(fd[1], &c, 1, soon()), 0);
	expect_eq(weft_write(fd[0], "x", 1, soon()), -EPIPE);
	expect_eq(weft_write(fd[1], "y", 1, soon()), 1);
	expect_eq(weft_read(fd[0], &c, 1, soon()), 1);
	disconnect(fd);
}

/* ---- many at once ---- */

static void echo(void *arg)
{
	char buf[512];
	int fd = (int)(intptr_t)arg;
	ssize_t n;
	while ((n = weft_read(fd, buf, sizeof(buf), soon())) > 0)
		if (weft_write(fd, buf, (size_t)n, soon()) != n)
			break;
	weft_close(fd);
}

static int serve(void *arg)
{
	int fd;
	while ((fd = weft_accept(*(int *)arg, NULL, NULL, WEFT_FOREVER)) >= 0)
		expect_eq(weft_go(echo, (void *)(intptr_t)fd), 0);
	return fd;
}

static int talk(void *arg)
{
	char out[STRESS_BYTES], in[STRESS_BYTES];
	for (int i = 0; i < STRESS_ROUNDS; i++) {
		int fd = weft_tcp_dial("127.0.0.1", arg, soon());
		if (fd < 0)
			return fd;
		memset(out, 'a' + i % 26, sizeof(out));
		if (weft_write(fd, out, sizeof(out), soon()) != STRESS_BYTES ||
		    weft_recv(fd, in, sizeof(in), MSG_WAITALL, soon()) != STRESS_BYTES ||
		    memcmp(in, out, sizeof(in)) != 0 || weft_close(fd) != 0)
			return -1;
	}
	return 0;
}

PROMISE_REAL("TestTCPStress")
{
	struct weft_task *client[STRESS_CLIENTS], *server[2];
	char port[16];
	int listener = listen_here(port);
	for (int i = 0; i < 2; i++)
		server[i] = tasks_start(serve, &listener); /* TestAcceptConcurrent */
	for (int i = 0; i < STRESS_CLIENTS; i++)
		client[i] = tasks_start(talk, port);
	for (int i = 0; i < STRESS_CLIENTS; i++)
		expect_eq(tasks_join(client[i]), 0);
	expect_eq(weft_close(listener), 0);
	for (int i = 0; i < 2; i++)
		expect_eq(tasks_join(server[i]), -EBADF);
}
