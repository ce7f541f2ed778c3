/* SPDX-License-Identifier: MIT */
/* io_test.c: see io_test.h. */
#include "io_test.h"

#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *port_of(int fd)
{
	static char text[16];
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);
	expect_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	uint16_t port = a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port
						: ((struct sockaddr_in *)&a)->sin_port;
	snprintf(text, sizeof(text), "%u", ntohs(port));
	return text;
}

void tcp_pair(int fd[2])
{
	int listener = weft_tcp_listen("127.0.0.1", "0", 0);
	expect_ge(listener, 0);
	fd[0] = weft_tcp_dial("127.0.0.1", port_of(listener), soon());
	expect_ge(fd[0], 0);
	fd[1] = weft_accept(listener, NULL, NULL, soon());
	expect_ge(fd[1], 0);
	expect_eq(weft_close(listener), 0);
}

int open_descriptors(void)
{
	int n = 0;
	DIR *dir = opendir("/proc/self/fd");
	expect_ne(dir, NULL);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 3; /* ".", ".." and the folder itself */
}
