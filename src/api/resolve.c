/* SPDX-License-Identifier: MIT */
/*
 * resolve.c: names to addresses, without a wait that cannot be ended.
 *
 * getaddrinfo blocks for as long as name servers take, and nothing ends it. So a plain thread, with
 * copies of all that it needs and every signal blocked, calls it, and answers through a channel
 * that has room for one:
 *
 *   task                                       resolver
 *   takes one of MOST places, starts it        getaddrinfo
 *   receives, until deadline or cancel         sends the answer; refused: frees it
 *   gives up: closes the channel, frees        gives its place back
 *     what had come before
 *   drops its share of the request             drops its share
 *
 * Nobody waits for a resolver whose task gave up: it holds nothing of the runtime and may outlive
 * weft_run; only its place is taken until it ends, in the next run, too.
 *
 * A thread that is not the runtime's does what a task does, and waits in the kernel, beyond the end
 * of the runtime, too.
 *
 * The task itself calls getaddrinfo, as a plain call that the lease covers, where no name server is
 * asked (digits), where the thread matters (a locked task may have a network namespace of its own),
 * in the deterministic mode (whose clock jumps over what outside threads do), and when no thread
 * can be started.
 *
 * Rejected: a helper task (weft_run waits for every task), getaddrinfo_a (glibc alone has it, and
 * its threads cannot be given up either), a resolver of our own (nsswitch.conf decides what a name
 * means).
 */
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "api/call.h"
#include "weft/chan.h"
#include "weft/io.h"
#include "weft/sync.h"
#include "weft/task.h"

enum { MOST = 64 }; /* resolvers at once */
enum { MOST_PORT = 65535 };

struct answer {
	int err;
	struct addrinfo *list;
};

struct request {
	uint32_t owners;	  /* the task and the resolver [any] */
	struct weft_chan *answer; /* of one struct answer */
	struct addrinfo hints;
	const char *host, *service; /* in `text`, or NULL */
	char text[];
};

static struct weft_sem places = WEFT_SEM_INIT(MOST);

/* ---- the question ---- */

static int error_of(int eai)
{
	switch (eai) {
	case 0:
		return 0;
	case EAI_MEMORY:
		return -ENOMEM;
	case EAI_AGAIN:
		return -EHOSTDOWN;
	case EAI_BADFLAGS:
	case EAI_FAMILY:
	case EAI_SOCKTYPE:
		return -EINVAL;
	case EAI_SYSTEM:
		return errno ? -errno : -EIO;
	default:
		return -ENOENT;
	}
}

static struct answer ask(const char *host, const char *service, const struct addrinfo *hints)
{
	struct answer a = {.list = NULL};
	a.err = error_of(getaddrinfo(host, service, hints, &a.list));
	return a;
}

/* libc takes whatever strtoul reads as a port, and only its low 16 bits. */
static bool port_exists(const char *service)
{
	char *end;
	unsigned long port = strtoul(service, &end, 10);
	if (*end)
		return true; /* a name */
	return *service >= '0' && *service <= '9' && port <= MOST_PORT;
}

static struct answer ask_digits(const char *host, const char *service, const struct addrinfo *hints)
{
	struct addrinfo digits = *hints;
	digits.ai_flags |= AI_NUMERICHOST | AI_NUMERICSERV;
	return ask(host, service, &digits);
}

/* ---- the resolver ---- */

static void request_drop(struct request *r)
{
	if (sub_acq_rel(&r->owners, 1) > 1) /* the last owner sees all: pairs with request_drop */
		return;
	weft_chan_unref(r->answer);
	free(r);
}

static void *resolver_main(void *arg)
{
	struct request *r = arg;
	struct answer a = ask(r->host, r->service, &r->hints);
	if (weft_chan_send(r->answer, &a, 0) < 0 && a.list)
		freeaddrinfo(a.list);
	weft_sem_release(&places, 1);
	request_drop(r);
	return NULL;
}

static int resolver_start(struct request *r)
{
	sigset_t all, old;
	pthread_t thread;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int err = pthread_create(&thread, NULL, resolver_main, r);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!err)
		pthread_detach(thread);
	return -err;
}

static const char *copy(char **to, const char *text)
{
	char *start = *to;
	if (text)
		*to = stpcpy(start, text) + 1;
	return text ? start : NULL;
}

static size_t size_of(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

static struct request *request_new(const char *host, const char *service,
				   const struct addrinfo *hints)
{
	struct request *r = malloc(sizeof(*r) + size_of(host) + size_of(service));
	if (!r)
		return NULL;
	*r = (struct request){.owners = 2, .hints = *hints};
	char *to = r->text;
	r->host = copy(&to, host);
	r->service = copy(&to, service);
	r->answer = weft_chan_new(sizeof(struct answer), 1);
	if (r->answer)
		return r;
	free(r);
	return NULL;
}

/* ---- the task ---- */

/* Returns the answer, or why there was none; the resolver frees an answer that comes later. */
static struct answer receive(struct request *r, int64_t deadline)
{
	struct answer a = {.list = NULL};
	int err = weft_chan_recv(r->answer, &a, deadline);
	if (!err)
		return a;
	weft_chan_close(r->answer);
	struct answer late = {.list = NULL};
	if (weft_chan_recv(r->answer, &late, 0) == 0 && late.list)
		freeaddrinfo(late.list);
	return (struct answer){.err = err};
}

static struct answer ask_resolver(const char *host, const char *service,
				  const struct addrinfo *hints, int64_t deadline)
{
	struct request *r = request_new(host, service, hints);
	if (!r)
		return (struct answer){.err = -ENOMEM};
	int err = weft_sem_acquire(&places, 1, deadline);
	struct answer a = {.err = err};
	if (!err && resolver_start(r) == 0) {
		a = receive(r, deadline);
	} else {
		if (!err)
			weft_sem_release(&places, 1);
		request_drop(r); /* the resolver's share */
		if (!err)
			a = ask(host, service, hints);
	}
	request_drop(r);
	return a;
}

/* Must the calling thread itself ask? */
static bool must_ask_here(void)
{
	const struct thread *t = weft__thread_self();
	return sched.sim || (t && t->locked_task);
}

static struct answer resolve(const char *host, const char *service, const struct addrinfo *hints,
			     int64_t deadline)
{
	struct answer a = ask_digits(host, service, hints);
	if (a.err != -ENOENT)
		return a;
	a.err = weft__would_wait();
	if (a.err == -ECANCELED || deadline == 0)
		return a;
	return must_ask_here() ? ask(host, service, hints)
			       : ask_resolver(host, service, hints, deadline);
}

int weft_resolve(const char *host, const char *service, const struct addrinfo *hints,
		 struct addrinfo **result, int64_t deadline)
{
	static const struct addrinfo any;
	int err = call_allowed();
	if (err)
		return err;
	if (!result || (!host && !service))
		return -EINVAL;
	if (service && !port_exists(service))
		return -ENOENT;
	struct answer a = resolve(host, service, hints ? hints : &any, deadline);
	if (!a.err)
		*result = a.list;
	return a.err;
}
