/* SPDX-License-Identifier: MIT */
/* test_net.c: listening, dialling, accepting, datagrams, messages with descriptors. */
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

#include "io_test.h"

/* ---- listening and dialling ---- */

TASK_TEST("sockets close on exec and stay in blocking mode")
{
	int fd[3];
	tcp_pair(fd);
	fd[2] = weft_tcp_listen(NULL, "0", 5);
	for (int i = 0; i < 3; i++) {
		expect_eq(fcntl(fd[i], F_GETFL) & O_NONBLOCK, 0);
		expect_eq(fcntl(fd[i], F_GETFD), FD_CLOEXEC);
		expect_eq(weft_close(fd[i]), 0);
	}
}

TASK_TEST("every address means both families")
{
	int listener = weft_tcp_listen(NULL, "0", 0);
	expect_ge(listener, 0);
	int fd = weft_tcp_dial("127.0.0.1", port_of(listener), soon());
	expect_ge(fd, 0);
	expect_eq(weft_close(fd), 0);
	expect_eq(weft_close(listener), 0);
}

TASK_TEST("a name is asked of the resolver")
{
	struct addrinfo *known;
	if (getaddrinfo("localhost", NULL, NULL, &known))
		skip("localhost has no address here");
	freeaddrinfo(known);
	int listener = weft_tcp_listen(NULL, "0", 0);
	expect_ge(listener, 0);
	int fd = weft_tcp_dial("localhost", port_of(listener), soon());
	expect_ge(fd, 0);
	expect_eq(weft_close(fd), 0);
	expect_eq(weft_close(listener), 0);
}

TASK_TEST("what cannot be dialled returns an error")
{
	int fd[2];
	tcp_pair(fd);
	char port[16];
	strcpy(port, port_of(fd[0])); /* connected, and none listens */
	expect_eq(weft_tcp_dial("127.0.0.1", port, soon()), -ECONNREFUSED);
	expect_eq(weft_tcp_dial("127.0.0.1", "no such service", soon()), -ENOENT);
	expect_eq(weft_tcp_listen("127.0.0.1", "no such service", 0), -ENOENT);
	expect_eq(weft_unix_dial("/nonexistent/socket", soon()), -ENOENT);
	expect_eq(weft_unix_dial("@weft-nobody-listens-here", soon()), -ECONNREFUSED);
	char longer[200] = {[0 ... 198] = 'x'};
	expect_eq(weft_unix_dial(longer, soon()), -ENAMETOOLONG);
	expect_eq(weft_unix_listen(longer, 0), -ENAMETOOLONG);
	int before = open_descriptors();
	weft_tcp_dial("127.0.0.1", port, soon());
	expect_eq(open_descriptors(), before);
	expect_eq(weft_close(fd[0]), 0);
	expect_eq(weft_close(fd[1]), 0);
}

/* A listener whose queue is full answers no more: connections hang. */
TASK_TEST("a dial keeps to its deadline")
{
	int listener = weft_tcp_listen("127.0.0.1", "0", 1), fd[8], n = 0;
	while (n < 8) {
		fd[n] = weft_tcp_dial("127.0.0.1", port_of(listener), weft_after(50 * MS));
		if (fd[n] < 0)
			break;
		n++;
	}
	expect_lt(n, 8);
	expect_eq(fd[n], -ETIMEDOUT);
	expect_eq(weft_tcp_dial("127.0.0.1", port_of(listener), 0), -EAGAIN);
	weft_cancel(weft_self());
	expect_eq(weft_tcp_dial("127.0.0.1", port_of(listener), WEFT_FOREVER), -ECANCELED);
	weft_cancel_clear();
	while (n--)
		expect_eq(weft_close(fd[n]), 0);
	expect_eq(weft_close(listener), 0);
}

TASK_TEST("a unix dial waits for a full queue")
{
	int listener = weft_unix_listen("@weft-test-full", 1), fd[8], n = 0;
	while (n < 8 && (fd[n] = weft_unix_dial("@weft-test-full", weft_after(10 * MS))) >= 0)
		n++;
	expect_eq(fd[n], -ETIMEDOUT);
	while (n--)
		expect_eq(weft_close(fd[n]), 0);
	expect_eq(weft_close(listener), 0);
}

/* ---- accepting ---- */

static int accept_and_close(void *arg)
{
	int n = 0, fd;
	while ((fd = weft_accept(*(int *)arg, NULL, NULL, WEFT_FOREVER)) >= 0) {
		expect_eq(weft_close(fd), 0);
		n++;
	}
	return fd == -EBADF ? n : -1;
}

static int dial_many(void *arg)
{
	for (int i = 0; i < 50; i++) {
		int fd = weft_tcp_dial("127.0.0.1", arg, soon());
		if (fd < 0)
			return fd;
		char c;
		if (weft_read(fd, &c, 1, soon()) > 0) /* until it is accepted, and closed */
			return -1;
		expect_eq(weft_close(fd), 0);
	}
	return 0;
}

TASK_TEST("many tasks accept from one listener")
{
	struct weft_task *server[8], *client[8];
	int listener = weft_tcp_listen("127.0.0.1", "0", 0), accepted = 0;
	char port[16];
	strcpy(port, port_of(listener));
	for (int i = 0; i < 8; i++)
		server[i] = tasks_start(accept_and_close, &listener);
	for (int i = 0; i < 8; i++)
		client[i] = tasks_start(dial_many, port);
	for (int i = 0; i < 8; i++)
		expect_eq(tasks_join(client[i]), 0);
	expect_eq(weft_close(listener), 0);
	for (int i = 0; i < 8; i++)
		accepted += tasks_join(server[i]);
	expect_eq(accepted, 400);
}

TASK_TEST("a borrowed listener accepts too")
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	expect_eq(bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
	expect_eq(listen(listener, 4), 0);
	expect_eq(weft_accept(listener, NULL, NULL, weft_after(MS)), -ETIMEDOUT);
	int fd = weft_tcp_dial("127.0.0.1", port_of(listener), soon());
	int got = weft_accept(listener, (struct sockaddr *)&peer, &len, soon());
	expect_ge(got, 0);
	expect_eq(peer.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	expect_eq(weft_close(fd), 0);
	expect_eq(weft_close(got), 0);
	close(listener);
}

TASK_TEST("no descriptor left is an error not a spin")
{
	struct rlimit old, low;
	int listener = weft_tcp_listen("127.0.0.1", "0", 0);
	int client = weft_tcp_dial("127.0.0.1", port_of(listener), soon());
	getrlimit(RLIMIT_NOFILE, &old);
	low = old;
	low.rlim_cur = (rlim_t)dup(0);
	close((int)low.rlim_cur);
	expect_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	expect_eq(weft_accept(listener, NULL, NULL, WEFT_FOREVER), -EMFILE);
	expect_eq(weft_accept(listener, NULL, NULL, 0), -EMFILE);
	expect_eq(weft_tcp_dial("127.0.0.1", port_of(listener), soon()), -EMFILE);
	expect_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	int fd = weft_accept(listener, NULL, NULL, soon()); /* nothing was lost */
	expect_ge(fd, 0);
	expect_eq(weft_close(fd), 0);
	expect_eq(weft_close(client), 0);
	expect_eq(weft_close(listener), 0);
}

/* ---- connecting ---- */

TASK_TEST("connect leaves the socket as it was")
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	struct timeval limit = {.tv_sec = 7}, seen;
	int listener = weft_tcp_listen("127.0.0.1", "0", 0);
	expect_eq(getsockname(listener, (struct sockaddr *)&a, &len), 0);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	expect_eq(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)), 0);
	expect_eq(weft_connect(fd, (struct sockaddr *)&a, len, soon()), 0);
	expect_eq(weft_connect(fd, (struct sockaddr *)&a, sizeof(a), soon()), -EISCONN);
	len = sizeof(seen);
	expect_eq(getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &seen, &len), 0);
	expect_eq(seen.tv_sec, 7);
	expect_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	expect_eq(weft_close(listener), 0);
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	expect_eq(weft_connect(fd, (struct sockaddr *)&a, sizeof(a), soon()), -ECONNREFUSED);
	close(fd);
}

/* ---- datagrams and messages ---- */

static int receive_two(void *arg)
{
	char buf[16];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	for (int i = 0; i < 2; i++) {
		if (weft_recvfrom(*(int *)arg, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len,
				  soon()) != 3)
			return -1;
	}
	return from.sin_addr.s_addr == htonl(INADDR_LOOPBACK) ? 0 : -2;
}

TASK_TEST("datagrams keep their bounds")
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int in = socket(AF_INET, SOCK_DGRAM, 0), out = socket(AF_INET, SOCK_DGRAM, 0);
	expect_eq(bind(in, (struct sockaddr *)&a, sizeof(a)), 0);
	expect_eq(getsockname(in, (struct sockaddr *)&a, &len), 0);
	struct weft_task *task = tasks_start(receive_two, &in);
	tasks_settle();
	for (int i = 0; i < 2; i++)
		expect_eq(weft_sendto(out, "abc", 3, 0, (struct sockaddr *)&a, len, soon()), 3);
	expect_eq(tasks_join(task), 0);
	close(in);
	close(out);
}

static int drain_later(void *arg)
{
	char c;
	weft_sleep(5 * MS);
	while (recv(*(int *)arg, &c, 1, MSG_DONTWAIT) == 1)
		continue;
	return 0;
}

/* poll(2) calls such a socket writable all the while: it must not be asked without end. */
TASK_TEST("a full receiver of datagrams is waited for")
{
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "\0weft-test-datagrams"};
	int in = socket(AF_UNIX, SOCK_DGRAM, 0), out = socket(AF_UNIX, SOCK_DGRAM, 0), sent = 0;
	expect_eq(bind(in, (struct sockaddr *)&a, sizeof(a)), 0);
	while (weft_sendto(out, "x", 1, 0, (struct sockaddr *)&a, sizeof(a), 0) == 1)
		expect_lt(++sent, 100000);
	expect_eq(weft_sendto(out, "x", 1, 0, (struct sockaddr *)&a, sizeof(a), weft_after(5 * MS)),
		  -ETIMEDOUT);
	struct weft_task *task = tasks_start(drain_later, &in);
	expect_eq(weft_sendto(out, "x", 1, 0, (struct sockaddr *)&a, sizeof(a), soon()), 1);
	expect_eq(tasks_join(task), 0);
	close(in);
	close(out);
}

static int send_descriptor(void *arg)
{
	const int *fd = arg;
	char room[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec v = {"d", 1};
	struct msghdr m = {.msg_iov = &v,
			   .msg_iovlen = 1,
			   .msg_control = room,
			   .msg_controllen = sizeof(room)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd[1], sizeof(int));
	weft_sleep(2 * MS);
	return (int)weft_sendmsg(fd[0], &m, 0, soon());
}

TASK_TEST("messages carry descriptors")
{
	int fd[2], file[2], got;
	char c, room[CMSG_SPACE(sizeof(int))];
	struct iovec v = {&c, 1};
	struct msghdr m = {.msg_iov = &v,
			   .msg_iovlen = 1,
			   .msg_control = room,
			   .msg_controllen = sizeof(room)};
	expect_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	expect_eq(pipe(file), 0);
	int arg[2] = {fd[1], file[1]};
	struct weft_task *task = tasks_start(send_descriptor, arg);
	expect_eq(weft_recvmsg(fd[0], &m, MSG_CMSG_CLOEXEC, soon()), 1);
	expect_eq(tasks_join(task), 1);
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(got));
	expect_eq(weft_write(got, "!", 1, soon()), 1);
	expect_eq(weft_read(file[0], &c, 1, soon()), 1);
	expect_eq(c, '!');
	close(got);
	for (int i = 0; i < 2; i++) {
		close(fd[i]);
		close(file[i]);
	}
}

static int dribble(void *arg)
{
	for (int i = 0; i < 5; i++) {
		weft_sleep(MS);
		if (weft_send(*(int *)arg, "ab", 2, 0, soon()) != 2)
			return -1;
	}
	return 0;
}

TASK_TEST("flags of recv mean what they mean")
{
	int fd[2];
	char buf[16];
	tcp_pair(fd);
	struct weft_task *task = tasks_start(dribble, &fd[1]);
	expect_eq(weft_recv(fd[0], buf, 2, MSG_PEEK, soon()), 2);
	expect_eq(weft_recv(fd[0], buf, 10, MSG_WAITALL, soon()), 10);
	expect_mem_eq(buf, "ababababab", 10);
	expect_eq(tasks_join(task), 0);
	expect_eq(weft_recv(fd[0], buf, 10, MSG_DONTWAIT, WEFT_FOREVER), -EAGAIN);
	expect_eq(weft_send(fd[1], "u", 1, MSG_OOB, soon()), 1);
	expect_eq(weft_wait_fd(fd[0], POLLPRI, soon()), POLLPRI);
	expect_eq(weft_recv(fd[0], buf, 10, MSG_OOB, soon()), 1);
	expect_eq(weft_close(fd[0]), 0);
	expect_eq(weft_close(fd[1]), 0);
}
