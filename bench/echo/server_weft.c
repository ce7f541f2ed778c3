/* SPDX-License-Identifier: MIT */
/* server_weft.c: the echo server as one writes it with weft: a task per connection. */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>

#include "weft/weft.h"

static void echo(void *arg)
{
	char buf[4096];
	int fd = (int)(intptr_t)arg;
	ssize_t n;
	while ((n = weft_read(fd, buf, sizeof(buf), WEFT_FOREVER)) > 0)
		if (weft_write(fd, buf, (size_t)n, WEFT_FOREVER) != n)
			break;
	weft_close(fd);
}

static int serve(void *arg)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);
	int listener = weft_tcp_listen(NULL, "0", 0), fd;
	if (listener < 0 || getsockname(listener, (struct sockaddr *)&a, &len) < 0)
		return 2;
	printf("%u\n",
	       ntohs(((struct sockaddr_in *)&a)->sin_port)); /* the same place in both families */
	fflush(stdout);
	while ((fd = weft_accept(listener, NULL, NULL, WEFT_FOREVER)) >= 0)
		if (weft_go(echo, (void *)(intptr_t)fd) < 0)
			weft_close(fd);
	fprintf(stderr, "accept: %s\n", weft_error_text(fd));
	return 1;
}

int main(void)
{
	return weft_run(NULL, serve, NULL);
}
