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
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	snprintf(text, 16, "%u", ntohs(a.sin_port));
	return text;
}

static int listen_here(char port[16])
{
	int fd = weft_tcp_listen("127.0.0.1", "0", 0);
	ck_assert_int_ge(fd, 0);
	port_of(fd, port);
	return fd;
}

static void connected(int fd[2])
{
	char port[16];
	int listener = listen_here(port);
	fd[0] = weft_tcp_dial("127.0.0.1", port, soon());
	fd[1] = weft_accept(listener, NULL, NULL, soon());
	ck_assert(fd[0] >= 0 && fd[1] >= 0);
	ck_assert_int_eq(weft_close(listener), 0);
}

static void disconnect(const int fd[2])
{
	ck_assert_int_eq(weft_close(fd[0]), 0);
	ck_assert_int_eq(weft_close(fd[1]), 0);
}

/* ---- time limits that must come true ---- */

PROMISE(TestAcceptTimeout)
{
	static const int64_t limits[] = {-MS, MS, 20 * MS};
	char port[16];
	int listener = listen_here(port);
	for (unsigned i = 0; i < 3; i++) {
		int64_t end = weft_after(limits[i]);
		ck_assert_int_eq(weft_accept(listener, NULL, NULL, end), -ETIMEDOUT);
		ck_assert_int_ge(weft_now(), end);
	}
	ck_assert_int_eq(weft_close(listener), 0);
}

PROMISE(TestReadTimeout)
{
	int fd[2];
	char c;
	connected(fd);
	for (int i = 0; i < 5; i++) {
		int64_t end = weft_after(i * MS);
		ck_assert_int_eq(weft_read(fd[0], &c, 1, end), -ETIMEDOUT);
		ck_assert_int_ge(weft_now(), end);
	}
	ck_assert_int_eq(weft_write(fd[1], "a", 1, soon()), 1); /* what came later is not lost */
	ck_assert_int_eq(weft_read(fd[0], &c, 1, soon()), 1);
	disconnect(fd);
}

PROMISE(TestWriteTimeout)
{
	static char data[1 << 20];
	int fd[2];
	ssize_t n;
	connected(fd);
	while ((n = weft_write(fd[0], data, sizeof(data), weft_after(2 * MS))) > 0)
		continue;
	ck_assert_int_eq(n, -ETIMEDOUT);
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
	ck_assert_int_eq(weft_join(task, NULL, weft_after(30 * MS)), -ETIMEDOUT);
	ck_assert_int_eq(weft_close(fd),
			 0); /* TestCloseRead, TestCloseAccept: it wakes who waits */
	ck_assert_int_eq(tasks_join(task), -EBADF);
}

PROMISE(TestReadTimeoutMustNotReturn)
{
	int fd[2];
	connected(fd);
	must_not_return(read_waiting, fd[0], WEFT_FOREVER);
	ck_assert_int_eq(weft_close(fd[1]), 0);
	connected(fd);
	must_not_return(read_waiting, fd[0], WEFT_FOREVER - 1);
	ck_assert_int_eq(weft_close(fd[1]), 0);
}

PROMISE(TestAcceptTimeoutMustNotReturn)
{
	char port[16];
	must_not_return(accept_waiting, listen_here(port), WEFT_FOREVER);
}

/* ---- closing ---- */

PROMISE(TestListenCloseListen)
{
	char port[16];
	int fd = listen_here(port);
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(weft_close(fd), 0);
		ck_assert_int_eq(weft_accept(fd, NULL, NULL, soon()), -EBADF);
		fd = weft_tcp_listen("127.0.0.1", port, 0);
		ck_assert_int_ge(fd, 0);
	}
	ck_assert_int_eq(weft_close(fd), 0);
}

PROMISE(TestCloseWrite)
{
	int fd[2];
	char c;
	connected(fd);
	ck_assert_int_eq(shutdown(fd[0], SHUT_WR), 0);
	ck_assert_int_eq(weft_read(fd[1], &c, 1, soon()), 0);
	ck_assert_int_eq(weft_write(fd[0], "x", 1, soon()), -EPIPE);
	ck_assert_int_eq(weft_write(fd[1], "y", 1, soon()), 1);
	ck_assert_int_eq(weft_read(fd[0], &c, 1, soon()), 1);
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
		ck_assert_int_eq(weft_go(echo, (void *)(intptr_t)fd), 0);
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

PROMISE(TestTCPStress)
{
	struct weft_task *client[STRESS_CLIENTS], *server[2];
	char port[16];
	int listener = listen_here(port);
	for (int i = 0; i < 2; i++)
		server[i] = tasks_start(serve, &listener); /* TestAcceptConcurrent */
	for (int i = 0; i < STRESS_CLIENTS; i++)
		client[i] = tasks_start(talk, port);
	for (int i = 0; i < STRESS_CLIENTS; i++)
		ck_assert_int_eq(tasks_join(client[i]), 0);
	ck_assert_int_eq(weft_close(listener), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(tasks_join(server[i]), -EBADF);
}

static void add_all(TCase *t)
{
	promise_real(t, TestAcceptTimeout);
	promise_real(t, TestReadTimeout);
	promise_real(t, TestWriteTimeout);
	promise_real(t, TestReadTimeoutMustNotReturn);
	promise_real(t, TestAcceptTimeoutMustNotReturn);
	promise_real(t, TestListenCloseListen);
	promise_real(t, TestCloseWrite);
	promise_real(t, TestTCPStress);
}

TESTS_MAIN("network", add_all)
