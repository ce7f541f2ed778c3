/* SPDX-License-Identifier: MIT */
/*
 * net.c: listening and dialling.
 *
 * A dial tries the addresses of a name one after the other; each gets its share of the time that is
 * left, at least two seconds, so that an address that does not answer leaves time for the next (as
 * Go's net.Dialer does).
 *
 * A socket is made with O_NONBLOCK, without which connect(2) would not return at once, and loses it
 * before anybody else sees the socket.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/un.h>

#include "api/attempt.h"
#include "base/sys.h"
#include "base/time.h"
#include "weft/io.h"
#include "weft/task.h"

#define LEAST_SHARE SECONDS(2)

static int new_socket(int family, int type)
{
	return sys_socket(family, SOCK_STREAM | type, 0);
}

/* An option that the call does without where it does not exist. */
static void turn(int fd, int level, int option, int on)
{
	sys_setsockopt(fd, level, option, &on, sizeof(on));
}

static int adopt(int fd, uint32_t flags)
{
	if (call_hold() < 0)
		return -ESHUTDOWN;
	int err = weft__descriptor_adopt(fd, flags);
	call_unhold();
	return err;
}

/* Returns `fd` as an own descriptor when all went well; else closes it and returns `err`. */
static int finish(int fd, int err, uint32_t flags)
{
	if (!err)
		err = adopt(fd, flags);
	if (!err)
		return fd;
	sys_close(fd);
	return err;
}

/* Writes the path as an address. Returns its size, or -errno. */
static int unix_address(const char *path, struct sockaddr_un *a)
{
	size_t len = path ? strlen(path) : 0;
	if (!path)
		return -EINVAL;
	if (!len)
		return -ENOENT; /* the kernel would make it an abstract address without a name */
	if (len >= sizeof(a->sun_path))
		return -ENAMETOOLONG;
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	memcpy(a->sun_path, path, len);
	if (*path != '@')
		return (int)(offsetof(struct sockaddr_un, sun_path) + len + 1);
	a->sun_path[0] = 0; /* the abstract name space; its names end where the address does */
	return (int)(offsetof(struct sockaddr_un, sun_path) + len);
}

/* ---- listening ---- */

static int bind_and_listen(int fd, const struct sockaddr *a, socklen_t al, int backlog)
{
	int err = sys_bind(fd, a, al);
	if (err)
		return err;
	return sys_listen(fd, backlog > 0 ? backlog : SOMAXCONN);
}

static int listen_on(const struct addrinfo *ai, int backlog)
{
	int fd = new_socket(ai->ai_family, 0);
	if (fd < 0)
		return fd;
	turn(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	turn(fd, IPPROTO_TCP, TCP_NODELAY, 1); /* accepted connections inherit it */
	if (ai->ai_family == AF_INET6 && ai->ai_flags & AI_PASSIVE)
		turn(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	return finish(fd, bind_and_listen(fd, ai->ai_addr, ai->ai_addrlen, backlog),
		      DESCRIPTOR_TCP);
}

/* The first address of a family on which listening works; 0: any family. */
static int listen_first(struct addrinfo *list, int family, bool passive, int backlog)
{
	int fd = -ENOENT;
	for (struct addrinfo *ai = list; ai && fd < 0; ai = ai->ai_next) {
		if (family && ai->ai_family != family)
			continue;
		ai->ai_flags = passive ? AI_PASSIVE : 0;
		fd = listen_on(ai, backlog);
	}
	return fd;
}

int weft_tcp_listen(const char *host, const char *service, int backlog)
{
	const struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list;
	int fd = weft_resolve(host, service, &hints, &list, WEFT_FOREVER);
	if (fd)
		return fd;
	fd = -ENOENT;
	if (!host) /* one socket for both families, where there are two */
		fd = listen_first(list, AF_INET6, true, backlog);
	if (fd < 0 && fd != -EADDRINUSE)
		fd = listen_first(list, 0, !host, backlog);
	freeaddrinfo(list);
	return fd;
}

int weft_unix_listen(const char *path, int backlog)
{
	struct sockaddr_un a;
	int len = unix_address(path, &a);
	int fd = len < 0 ? len : call_allowed();
	if (!fd)
		fd = new_socket(AF_UNIX, 0);
	if (fd < 0)
		return fd;
	return finish(fd, bind_and_listen(fd, (struct sockaddr *)&a, (socklen_t)len, backlog), 0);
}

/* ---- dialling ---- */

static int dial_one(int family, const struct sockaddr *a, socklen_t al, uint32_t flags,
		    int64_t deadline)
{
	int fd = new_socket(family, SOCK_NONBLOCK);
	if (fd < 0)
		return fd;
	if (flags & DESCRIPTOR_TCP)
		turn(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	int err = weft_connect(fd, a, al, deadline);
	sys_fcntl(fd, F_SETFL, 0);
	return finish(fd, err, flags);
}

/* The deadline of the next attempt, with `left` addresses left, this one included. */
static int64_t share_of(int64_t deadline, int64_t left)
{
	if (deadline == WEFT_FOREVER || left == 1)
		return deadline;
	int64_t now = weft_now(), time = max_of(deadline, now) - now;
	int64_t share = time / left > LEAST_SHARE ? time / left : LEAST_SHARE;
	return share < time ? weft_after(share) : deadline;
}

static int dial_each(const struct addrinfo *list, int64_t deadline)
{
	int64_t left = 0;
	int fd = -ENOENT;
	for (const struct addrinfo *ai = list; ai; ai = ai->ai_next)
		left++;
	for (const struct addrinfo *ai = list; ai; ai = ai->ai_next, left--) {
		fd = dial_one(ai->ai_family, ai->ai_addr, ai->ai_addrlen, DESCRIPTOR_TCP,
			      share_of(deadline, left));
		if (fd >= 0 || fd == -ECANCELED)
			break;
	}
	return fd;
}

int weft_tcp_dial(const char *host, const char *service, int64_t deadline)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list;
	int fd = weft_resolve(host, service, &hints, &list, deadline);
	if (fd)
		return fd;
	fd = dial_each(list, deadline);
	freeaddrinfo(list);
	return fd;
}

int weft_unix_dial(const char *path, int64_t deadline)
{
	struct sockaddr_un a;
	int len = unix_address(path, &a);
	int err = len < 0 ? len : call_allowed();
	return err ? err : dial_one(AF_UNIX, (struct sockaddr *)&a, (socklen_t)len, 0, deadline);
}
