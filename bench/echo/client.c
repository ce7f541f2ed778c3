/* SPDX-License-Identifier: MIT */
/*
 * client.c PORT CONNECTIONS SECONDS [IDLE]: the load of the echo benchmark.
 *
 * One thread, one epoll loop. Each connection sends 64 bytes and sends the next as soon as the echo has come back
 * whole. IDLE further connections are opened first and say nothing. Prints one line of JSON.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 64, BUCKETS = 64 * 32, WARM_UP_MS = 200 };

struct connection {
	int fd;
	unsigned got;
	long sent_at;
};

static unsigned long histogram[BUCKETS], requests;
static char message[SIZE];

static long now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000l + ts.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "client: %s: %s\n", what, strerror(errno));
	exit(2);
}

static int dial(int port)
{
	/* One source address serves 28,000 connections: spread over several. */
	static unsigned dialled;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK + dialled++ % 8);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* Buckets of 1/32 of a power of two: an error of 3 %. */
static unsigned bucket_of(unsigned long ns)
{
	unsigned log = 63 - (unsigned)__builtin_clzl(ns | 32);
	return log * 32 + (unsigned)(ns >> (log - 5) & 31);
}

static double percentile_us(double part)
{
	unsigned long seen = 0;
	for (unsigned b = 0; b < BUCKETS; b++) {
		seen += histogram[b];
		if (seen >= part * requests)
			return (double)(32 + b % 32) * (double)(1ul << (b / 32)) / 32 / 1000;
	}
	return 0;
}

static void ask(struct connection *c)
{
	c->got = 0;
	c->sent_at = now_ns();
	if (write(c->fd, message, SIZE) != SIZE)
		die("write");
}

static void answer(struct connection *c, long count_from)
{
	char buf[SIZE];
	ssize_t n = read(c->fd, buf, SIZE - c->got);
	if (n <= 0 || memcmp(buf, message + c->got, (size_t)n) != 0)
		die("read");
	c->got += (unsigned)n;
	if (c->got < SIZE)
		return;
	long now = now_ns();
	if (now >= count_from) {
		histogram[bucket_of((unsigned long)(now - c->sent_at))]++;
		requests++;
	}
	ask(c);
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return fprintf(stderr, "usage: client PORT CONNECTIONS SECONDS [IDLE]\n"), 2;
	int port = atoi(argv[1]), n = atoi(argv[2]), idle = argc > 4 ? atoi(argv[4]) : 0;
	struct connection *all = calloc((size_t)n, sizeof(*all));
	struct epoll_event events[256];
	int epoll = epoll_create1(0);
	memset(message, 'x', SIZE);
	for (int i = 0; i < idle; i++)
		dial(port);
	for (int i = 0; i < n; i++) {
		struct epoll_event e = {.events = EPOLLIN, .data.ptr = &all[i]};
		all[i].fd = dial(port);
		epoll_ctl(epoll, EPOLL_CTL_ADD, all[i].fd, &e);
	}
	long begin = now_ns() + WARM_UP_MS * 1000000l;
	long end = begin + (long)(atof(argv[3]) * 1e9);
	for (int i = 0; i < n; i++)
		ask(&all[i]);
	while (now_ns() < end) {
		int got = epoll_wait(epoll, events, 256, 100);
		for (int i = 0; i < got; i++)
			answer(events[i].data.ptr, begin);
	}
	double seconds = (double)(now_ns() - begin) / 1e9;
	printf("{\"requests\": %lu, \"per_second\": %.0f, \"p50_us\": %.0f, \"p99_us\": %.0f}\n",
	       requests, (double)requests / seconds, percentile_us(0.5), percentile_us(0.99));
	return 0;
}
