/* SPDX-License-Identifier: MIT */
/*
 * echo.c: a TCP server that sends back what it gets, a task per connection. Prints its port, and
 * serves until it is ended by a signal.
 */
#include <netinet/in.h>
#include <sys/socket.h>

#include "rows.h"

static void serve(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char buffer[512];
	ssize_t n;
	while ((n = weft_recv(fd, buffer, sizeof(buffer), 0, WEFT_FOREVER)) > 0)
		if (weft_send(fd, buffer, (size_t)n, 0, WEFT_FOREVER) < n)
			break;
	weft_close(fd);
}

uint64_t row_echo(const struct bench *b)
{
	struct sockaddr_in address;
	socklen_t length = sizeof(address);
	int fd = weft_tcp_listen("127.0.0.1", "0", 4096);
	if (fd < 0 || getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		bench_fail("cannot listen");
	printf("port %d\n", ntohs(address.sin_port));
	fflush(stdout);
	for (int c; (c = weft_accept(fd, NULL, NULL, WEFT_FOREVER)) >= 0;)
		weft_go(serve, (void *)(intptr_t)c);
	return 0;
}
