/* SPDX-License-Identifier: MIT */
/*
 * echo_client.c PORT CONNECTIONS MILLISECONDS SERVER-PID [IDLE]: loads an echo server and measures
 * it; IDLE more connections are opened first and say nothing.
 *
 * One thread, one epoll loop; each connection has one message of 64 bytes under way, whose answer
 * is compared. After a fifth of the time as a warm-up it counts. Notes requests per second, the
 * time of an answer (median, 99 of 100), and the server's CPU time per request, read from the clock
 * of its process.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../bench.h"

enum { MESSAGE = 64, EVENTS = 128, SAMPLES = 1 << 22 };

struct connection {
	int fd;
	unsigned got;
	uint64_t number;
	int64_t sent;
};

static int64_t *sample;
static uint64_t answers;

static void send_next(struct connection *c)
{
	uint64_t message[MESSAGE / sizeof(uint64_t)] = {++c->number, (uintptr_t)c};
	c->got = 0;
	c->sent = bench_clock(CLOCK_MONOTONIC);
	if (send(c->fd, message, sizeof(message), MSG_NOSIGNAL) != MESSAGE)
		bench_fail("cannot send");
}

static void answer(struct connection *c)
{
	static uint64_t message[MESSAGE / sizeof(uint64_t)];
	ssize_t n = recv(c->fd, message, MESSAGE - c->got, MSG_DONTWAIT);
	if (n <= 0)
		bench_fail("the server hung up");
	if (c->got == 0 && n == MESSAGE && (message[0] != c->number || message[1] != (uintptr_t)c))
		bench_fail("wrong answer");
	c->got += (unsigned)n;
	if (c->got < MESSAGE)
		return;
	if (answers < SAMPLES)
		sample[answers] = bench_clock(CLOCK_MONOTONIC) - c->sent;
	answers++;
	send_next(c);
}

static void run_until(int epoll, int64_t end)
{
	struct epoll_event events[EVENTS];
	while (bench_clock(CLOCK_MONOTONIC) < end) {
		int n = epoll_wait(epoll, events, EVENTS, 10);
		for (int i = 0; i < n; i++)
			answer(events[i].data.ptr);
	}
}

static void dial(struct connection *c, int epoll, uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
	int one = 1;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e) < 0)
		bench_fail("cannot connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static void measure(int epoll, int64_t ns, clockid_t server)
{
	answers = 0;
	int64_t wall = bench_clock(CLOCK_MONOTONIC), cpu = bench_clock(server);
	run_until(epoll, wall + ns);
	wall = bench_clock(CLOCK_MONOTONIC) - wall;
	cpu = bench_clock(server) - cpu;
	uint64_t n = answers < SAMPLES ? answers : SAMPLES;
	if (n == 0)
		bench_fail("no answers");
	qsort(sample, n, sizeof(*sample), by_value);
	bench_note("rate", (double)answers * 1e9 / (double)wall);
	bench_note("request_ns", (double)wall / (double)answers);
	bench_note("server_ns", (double)cpu / (double)answers);
	bench_note("median_us", (double)sample[n / 2] / 1000);
	bench_note("p99_us", (double)sample[n * 99 / 100] / 1000);
}

int main(int argc, char **argv)
{
	clockid_t server;
	if (argc != 5 && argc != 6)
		bench_fail("usage: PORT CONNECTIONS MILLISECONDS SERVER-PID [IDLE]");
	unsigned connections = (unsigned)atoi(argv[2]),
		 idle = argc == 6 ? (unsigned)atoi(argv[5]) : 0;
	int64_t ns = (int64_t)atoi(argv[3]) * 1000000;
	struct connection *c = calloc(connections, sizeof(*c));
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	sample = malloc(SAMPLES * sizeof(*sample));
	if (!c || !sample || clock_getcpuclockid(atoi(argv[4]), &server))
		bench_fail("no memory, or no such server");
	for (unsigned i = 0; i < idle; i++)
		dial(&(struct connection){0}, epoll, (uint16_t)atoi(argv[1]));
	for (unsigned i = 0; i < connections; i++)
		dial(&c[i], epoll, (uint16_t)atoi(argv[1]));
	for (unsigned i = 0; i < connections; i++)
		send_next(&c[i]);
	run_until(epoll, bench_clock(CLOCK_MONOTONIC) + ns / 5);
	measure(epoll, ns, server);
	return EXIT_SUCCESS;
}
