/* SPDX-License-Identifier: MIT */
/* address.h: from names to addresses. */
#ifndef WEFT_API_ADDRESS_H
#define WEFT_API_ADDRESS_H

#include <netdb.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

/*
 * The addresses of host and service for TCP, to be freed with freeaddrinfo; `flags` are
 * getaddrinfo's. Blocks as long as the resolver takes. 0; -ENOENT the name does not resolve;
 * -ENOMEM.
 */
int weft__resolve(const char *host, const char *service, int flags, struct addrinfo **list);
/* The same in a task of its own, which is left to itself when the deadline comes first. */
int weft__resolve_until(const char *host, const char *service, struct addrinfo **list,
			int64_t deadline);

/* The address of a path; '@' begins the abstract name space. Gives its length or -ENAMETOOLONG. */
int weft__unix_address(const char *path, struct sockaddr_un *a);

#endif
