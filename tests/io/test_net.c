/* SPDX-License-Identifier: MIT */
/* test_net.c: listening, dialling, accepting, datagrams, messages with descriptors. */
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

#include "io_test.h"

/* ---- listening and dialling ---- */

TEST_TASKS(sockets_close_on_exec_and_stay_in_blocking_mode)
{
	int fd[3];
	tcp_pair(fd);
	fd[2] = weft_tcp_listen(NULL, "0", 5);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(fcntl(fd[i], F_GETFL) & O_NONBLOCK, 0);
		ck_assert_int_eq(fcntl(fd[i], F_GETFD), FD_CLOEXEC);
		ck_ok(weft_close(fd[i]));
	}
}

TEST_TASKS(every_address_means_both_families)
{
	int listener = weft_tcp_listen(NULL, "0", 0);
	ck_assert_int_ge(listener, 0);
	int fd = weft_tcp_dial("127.0.0.1", port_of(listener), soon());
	ck_assert_int_ge(fd, 0);
	ck_ok(weft_close(fd));
	fd = weft_tcp_dial("localhost", port_of(listener),
			   soon()); /* a name: asked of the resolver */
	ck_assert_int_ge(fd, 0);
	ck_ok(weft_close(fd));
	ck_ok(weft_close(listener));
}

TEST_TASKS(what_cannot_be_dialled_gives_an_error)
{
	int fd[2];
	tcp_pair(fd);
	char port[16];
	strcpy(port, port_of(fd[0])); /* connected, nobody listens */
	ck_assert_int_eq(weft_tcp_dial("127.0.0.1", port, soon()), -ECONNREFUSED);
	ck_assert_int_eq(weft_tcp_dial("127.0.0.1", "no such service", soon()), -ENOENT);
	ck_assert_int_eq(weft_tcp_listen("127.0.0.1", "no such service", 0), -ENOENT);
	ck_assert_int_eq(weft_unix_dial("/nonexistent/socket", soon()), -ENOENT);
	ck_assert_int_eq(weft_unix_dial("@weft-nobody-listens-here", soon()), -ECONNREFUSED);
	char longer[200] = {[0 ... 198] = 'x'};
	ck_assert_int_eq(weft_unix_dial(longer, soon()), -ENAMETOOLONG);
	ck_assert_int_eq(weft_unix_listen(longer, 0), -ENAMETOOLONG);
	int before = open_descriptors();
	weft_tcp_dial("127.0.0.1", port, soon());
	ck_assert_int_eq(open_descriptors(), before);
	ck_ok(weft_close(fd[0]));
	ck_ok(weft_close(fd[1]));
}

/* A listener whose queue is full answers no more: connections hang. */
TEST_TASKS(a_dial_keeps_to_its_deadline)
{
	int listener = weft_tcp_listen("127.0.0.1", "0", 1), fd[8], n = 0;
	while (n < 8) {
		fd[n] = weft_tcp_dial("127.0.0.1", port_of(listener), weft_after(50 * MS));
		if (fd[n] < 0)
			break;
		n++;
	}
	ck_assert_int_lt(n, 8);
	ck_assert_int_eq(fd[n], -ETIMEDOUT);
	ck_assert_int_eq(weft_tcp_dial("127.0.0.1", port_of(listener), 0), -EAGAIN);
	weft_cancel(weft_self());
	ck_assert_int_eq(weft_tcp_dial("127.0.0.1", port_of(listener), WEFT_FOREVER), -ECANCELED);
	weft_cancel_clear();
	while (n--)
		ck_ok(weft_close(fd[n]));
	ck_ok(weft_close(listener));
}

TEST_TASKS(a_unix_dial_waits_for_a_full_queue)
{
	int listener = weft_unix_listen("@weft-test-full", 1), fd[8], n = 0;
	while (n < 8 && (fd[n] = weft_unix_dial("@weft-test-full", weft_after(10 * MS))) >= 0)
		n++;
	ck_assert_int_eq(fd[n], -ETIMEDOUT);
	while (n--)
		ck_ok(weft_close(fd[n]));
	ck_ok(weft_close(listener));
}

/* ---- accepting ---- */

static int accept_and_close(void *arg)
{
	int n = 0, fd;
	while ((fd = weft_accept(*(int *)arg, NULL, NULL, WEFT_FOREVER)) >= 0) {
		ck_ok(weft_close(fd));
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
		ck_ok(weft_close(fd));
	}
	return 0;
}

TEST_TASKS(many_tasks_accept_from_one_listener)
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
		ck_ok(tasks_join(client[i]));
	ck_ok(weft_close(listener));
	for (int i = 0; i < 8; i++)
		accepted += tasks_join(server[i]);
	ck_assert_int_eq(accepted, 400);
}

TEST_TASKS(a_borrowed_listener_accepts_too)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	ck_ok(bind(listener, (struct sockaddr *)&a, sizeof(a)));
	ck_ok(listen(listener, 4));
	ck_assert_int_eq(weft_accept(listener, NULL, NULL, weft_after(MS)), -ETIMEDOUT);
	int fd = weft_tcp_dial("127.0.0.1", port_of(listener), soon());
	int got = weft_accept(listener, (struct sockaddr *)&peer, &len, soon());
	ck_assert_int_ge(got, 0);
	ck_assert_uint_eq(peer.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	ck_ok(weft_close(fd));
	ck_ok(weft_close(got));
	close(listener);
}

TEST_TASKS(no_descriptor_left_is_an_error_not_a_spin)
{
	struct rlimit old, low;
	int listener = weft_tcp_listen("127.0.0.1", "0", 0);
	int client = weft_tcp_dial("127.0.0.1", port_of(listener), soon());
	getrlimit(RLIMIT_NOFILE, &old);
	low = old;
	low.rlim_cur = (rlim_t)dup(0);
	close((int)low.rlim_cur);
	ck_ok(setrlimit(RLIMIT_NOFILE, &low));
	ck_assert_int_eq(weft_accept(listener, NULL, NULL, WEFT_FOREVER), -EMFILE);
	ck_assert_int_eq(weft_accept(listener, NULL, NULL, 0), -EMFILE);
	ck_assert_int_eq(weft_tcp_dial("127.0.0.1", port_of(listener), soon()), -EMFILE);
	ck_ok(setrlimit(RLIMIT_NOFILE, &old));
	int fd = weft_accept(listener, NULL, NULL, soon()); /* nothing was lost */
	ck_assert_int_ge(fd, 0);
	ck_ok(weft_close(fd));
	ck_ok(weft_close(client));
	ck_ok(weft_close(listener));
}

/* ---- connecting ---- */

TEST_TASKS(connect_leaves_the_socket_as_it_was)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	struct timeval limit = {.tv_sec = 7}, seen;
	int listener = weft_tcp_listen("127.0.0.1", "0", 0);
	ck_ok(getsockname(listener, (struct sockaddr *)&a, &len));
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_ok(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)));
	ck_ok(weft_connect(fd, (struct sockaddr *)&a, len, soon()));
	ck_assert_int_eq(weft_connect(fd, (struct sockaddr *)&a, sizeof(a), soon()), -EISCONN);
	len = sizeof(seen);
	ck_ok(getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &seen, &len));
	ck_assert_int_eq(seen.tv_sec, 7);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	ck_ok(weft_close(listener));
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(weft_connect(fd, (struct sockaddr *)&a, sizeof(a), soon()), -ECONNREFUSED);
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

TEST_TASKS(datagrams_keep_their_bounds)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int in = socket(AF_INET, SOCK_DGRAM, 0), out = socket(AF_INET, SOCK_DGRAM, 0);
	ck_ok(bind(in, (struct sockaddr *)&a, sizeof(a)));
	ck_ok(getsockname(in, (struct sockaddr *)&a, &len));
	struct weft_task *task = tasks_start(receive_two, &in);
	tasks_settle();
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(weft_sendto(out, "abc", 3, 0, (struct sockaddr *)&a, len, soon()),
				 3);
	ck_ok(tasks_join(task));
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
TEST_TASKS(a_full_receiver_of_datagrams_is_waited_for)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "\0weft-test-datagrams"};
	int in = socket(AF_UNIX, SOCK_DGRAM, 0), out = socket(AF_UNIX, SOCK_DGRAM, 0), sent = 0;
	ck_ok(bind(in, (struct sockaddr *)&a, sizeof(a)));
	while (weft_sendto(out, "x", 1, 0, (struct sockaddr *)&a, sizeof(a), 0) == 1)
		ck_assert_int_lt(++sent, 100000);
	ck_assert_int_eq(
		weft_sendto(out, "x", 1, 0, (struct sockaddr *)&a, sizeof(a), weft_after(5 * MS)),
		-ETIMEDOUT);
	struct weft_task *task = tasks_start(drain_later, &in);
	ck_assert_int_eq(weft_sendto(out, "x", 1, 0, (struct sockaddr *)&a, sizeof(a), soon()), 1);
	ck_ok(tasks_join(task));
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

TEST_TASKS(messages_carry_descriptors)
{
	int fd[2], file[2], got;
	char c, room[CMSG_SPACE(sizeof(int))];
	struct iovec v = {&c, 1};
	struct msghdr m = {.msg_iov = &v,
			   .msg_iovlen = 1,
			   .msg_control = room,
			   .msg_controllen = sizeof(room)};
	ck_ok(socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	ck_ok(pipe(file));
	int arg[2] = {fd[1], file[1]};
	struct weft_task *task = tasks_start(send_descriptor, arg);
	ck_assert_int_eq(weft_recvmsg(fd[0], &m, MSG_CMSG_CLOEXEC, soon()), 1);
	ck_assert_int_eq(tasks_join(task), 1);
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(got));
	ck_assert_int_eq(weft_write(got, "!", 1, soon()), 1);
	ck_assert_int_eq(weft_read(file[0], &c, 1, soon()), 1);
	ck_assert_int_eq(c, '!');
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

TEST_TASKS(flags_of_recv_mean_what_they_mean)
{
	int fd[2];
	char buf[16];
	tcp_pair(fd);
	struct weft_task *task = tasks_start(dribble, &fd[1]);
	ck_assert_int_eq(weft_recv(fd[0], buf, 2, MSG_PEEK, soon()), 2);
	ck_assert_int_eq(weft_recv(fd[0], buf, 10, MSG_WAITALL, soon()), 10);
	ck_assert_mem_eq(buf, "ababababab", 10);
	ck_ok(tasks_join(task));
	ck_assert_int_eq(weft_recv(fd[0], buf, 10, MSG_DONTWAIT, WEFT_FOREVER), -EAGAIN);
	ck_assert_int_eq(weft_send(fd[1], "u", 1, MSG_OOB, soon()), 1);
	ck_assert_int_eq(weft_wait_fd(fd[0], POLLPRI, soon()), POLLPRI);
	ck_assert_int_eq(weft_recv(fd[0], buf, 10, MSG_OOB, soon()), 1);
	ck_ok(weft_close(fd[0]));
	ck_ok(weft_close(fd[1]));
}

static void add_all(TCase *t)
{
	add_tasks_test(t, sockets_close_on_exec_and_stay_in_blocking_mode);
	add_tasks_test(t, every_address_means_both_families);
	add_tasks_test(t, what_cannot_be_dialled_gives_an_error);
	add_tasks_test(t, a_dial_keeps_to_its_deadline);
	add_tasks_test(t, a_unix_dial_waits_for_a_full_queue);
	add_tasks_test(t, many_tasks_accept_from_one_listener);
	add_tasks_test(t, a_borrowed_listener_accepts_too);
	add_tasks_test(t, no_descriptor_left_is_an_error_not_a_spin);
	add_tasks_test(t, connect_leaves_the_socket_as_it_was);
	add_tasks_test(t, datagrams_keep_their_bounds);
	add_tasks_test(t, a_full_receiver_of_datagrams_is_waited_for);
	add_tasks_test(t, messages_carry_descriptors);
	add_tasks_test(t, flags_of_recv_mean_what_they_mean);
}

TESTS_MAIN("net", add_all)
