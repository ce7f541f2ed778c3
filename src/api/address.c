/* SPDX-License-Identifier: MIT */
/*
 * address.c: see address.h.
 *
 * getaddrinfo blocks for as long as name servers take and cannot be interrupted. So a dial with a
 * deadline leaves it to a helper task; both hold the request, and who is last frees it. An address
 * in digits needs no helper.
 */
#include "api/address.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "weft/task.h"

enum { RESOLVER_STACK = 256 * 1024 }; /* what libc's resolver needs */

struct request {
	uint32_t owners;       /* the dialling task and the helper [any] */
	struct addrinfo *list; /* the helper's until it has ended, then the dialling task's */
	const char *host, *service;
	char text[];
};

static int result_of(int eai)
{
	switch (eai) {
	case 0:
		return 0;
	case EAI_MEMORY:
		return -ENOMEM;
	case EAI_SYSTEM:
		return -EIO; /* errno may be another thread's by now */
	default:
		return -ENOENT;
	}
}

int weft__resolve(const char *host, const char *service, int flags, struct addrinfo **list)
{
	struct addrinfo hints = {.ai_flags = flags, .ai_socktype = SOCK_STREAM};
	return result_of(getaddrinfo(host, service, &hints, list));
}

static struct request *request_new(const char *host, const char *service)
{
	size_t host_size = host ? strlen(host) + 1 : 0;
	size_t service_size = service ? strlen(service) + 1 : 0;
	struct request *r = calloc(1, sizeof(*r) + host_size + service_size);
	if (!r)
		return NULL;
	r->owners = 2;
	if (host)
		r->host = memcpy(r->text, host, host_size);
	if (service)
		r->service = memcpy(r->text + host_size, service, service_size);
	return r;
}

static void request_drop(struct request *r)
{
	if (sub_acq_rel(&r->owners, 1) > 1) /* pairs with request_drop: the other owner's */
		return;
	if (r->list)
		freeaddrinfo(r->list);
	free(r);
}

static int help(void *arg)
{
	struct request *r = arg;
	int err = weft__resolve(r->host, r->service, 0, &r->list);
	request_drop(r);
	return err;
}

static int await_helper(struct request *r, struct addrinfo **list, int64_t deadline)
{
	const struct weft_spawn_options options = {
		.size = sizeof(options), .name = "resolver", .stack_size = RESOLVER_STACK};
	struct weft_task *task;
	int result = 0;
	int err = weft_spawn(&task, &options, help, r);
	if (err) {
		request_drop(r); /* the helper's share */
		return err;
	}
	err = weft_join(task, &result, deadline);
	if (err) {
		weft_detach(task);
		return err;
	}
	*list = r->list;
	r->list = NULL;
	return result;
}

int weft__resolve_until(const char *host, const char *service, struct addrinfo **list,
			int64_t deadline)
{
	int err = weft__resolve(host, service, AI_NUMERICHOST, list);
	if (err != -ENOENT || !host)
		return err;
	struct request *r = request_new(host, service);
	if (!r)
		return -ENOMEM;
	err = await_helper(r, list, deadline);
	request_drop(r); /* NOLINT(clang-analyzer-unix.Malloc): it counts two owners as one */
	return err;
}

int weft__unix_address(const char *path, struct sockaddr_un *a)
{
	size_t len = strlen(path);
	if (len >= sizeof(a->sun_path))
		return -ENAMETOOLONG;
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	memcpy(a->sun_path, path, len);
	size_t used = offsetof(struct sockaddr_un, sun_path) + len + (*path != '@');
	if (*path == '@')
		a->sun_path[0] =
			0; /* the abstract name space; its names end where the address does */
	return (int)used;
}
