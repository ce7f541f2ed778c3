/* SPDX-License-Identifier: MIT */
/* io_test.h: what the tests of weft/io.h share: pairs of descriptors, peers. Bodies: tasks.h. */
#ifndef IO_TEST_H
#define IO_TEST_H

#include "../tasks.h"

/* A TCP connection through the loopback, both ends weft's: [0] dialled, [1] accepted. */
void tcp_pair(int fd[2]);
/* The port of a socket, as text that lives until the next call. */
const char *port_of(int fd);
/* The number of open descriptors of this process. */
int open_descriptors(void);

#endif
