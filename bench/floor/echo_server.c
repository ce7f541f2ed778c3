/* SPDX-License-Identifier: MIT */
/*
 * echo_server.c: the floor under the TCP echo: one thread, one epoll loop, nothing else. Prints its
 * port, and serves until it is ended by a signal. With an argument it has a second thread, which
 * sleeps: from then on the kernel counts the users of each descriptor at each call, as for every
 * process with threads.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../bench.h"

enum { EVENTS = 128 };

static int epoll;

static void add(int fd)
{
	struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
	if (fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		bench_fail("cannot add a descriptor");
}

static int listen_here(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, 4096) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		bench_fail("cannot listen");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
		   sizeof(one)); /* accepted connections inherit it */
	printf("port %d\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

static void echo(int fd)
{
	char buffer[512];
	ssize_t n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
	if (n <= 0 || send(fd, buffer, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) < n)
		close(fd);
}

static void accept_all(int listener)
{
	for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0;)
		add(fd);
}

static void *sleep_on(void *arg)
{
	for (;;)
		pause();
	return NULL;
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];
	pthread_t beside;
	if (argc > 1 && pthread_create(&beside, NULL, sleep_on, NULL) != 0)
		bench_fail("cannot start a thread");
	epoll = epoll_create1(EPOLL_CLOEXEC);
	int listener = listen_here();
	add(listener);
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);
		for (int i = 0; i < n; i++)
			if (events[i].data.fd == listener)
				accept_all(listener);
			else
				echo(events[i].data.fd);
	}
}
