/* SPDX-License-Identifier: MIT */
/*
 * test_resolve.c: names. A name server that does not answer holds no task up: a getaddrinfo of the
 * test's own takes the place of libc's, and blocks until the test lets it go on.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io_test.h"

enum { MOST = 64 }; /* resolvers at once: api/resolve.c */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int inside, most_inside, ended;
static int open_gates;
static bool heard_signals;
static pthread_t asker;

static void block(void)
{
	sigset_t blocked;
	pthread_mutex_lock(&lock);
	if (++inside > most_inside)
		most_inside = inside;
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	heard_signals = !sigismember(&blocked, SIGTERM) || !sigismember(&blocked, SIGUSR1);
	asker = pthread_self();
	pthread_cond_broadcast(&changed);
	while (!open_gates)
		pthread_cond_wait(&changed, &lock);
	inside--;
	ended++;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

/*
 * In place of libc's. "slow" blocks, then is the loopback; "again" is a server that is not there.
 */
int getaddrinfo(const char *restrict host, const char *restrict service,
		const struct addrinfo *restrict hints, struct addrinfo **restrict list)
{
	static int (*libc)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	if (!__atomic_load_n(&libc, __ATOMIC_RELAXED))
		__atomic_store_n(&libc, dlsym(RTLD_NEXT, "getaddrinfo"), __ATOMIC_RELAXED);
	bool digits = hints && hints->ai_flags & AI_NUMERICHOST;
	if (host && !digits && strcmp(host, "again") == 0)
		return EAI_AGAIN;
	if (host && !digits && strcmp(host, "nobody") == 0)
		return EAI_NONAME;
	if (host && !digits && strcmp(host, "slow") == 0) {
		block();
		host = "127.0.0.1";
	}
	return libc(host, service, hints, list);
}

static void gates(int open)
{
	pthread_mutex_lock(&lock);
	open_gates = open;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static int count(const int *number)
{
	pthread_mutex_lock(&lock);
	int n = *number;
	pthread_mutex_unlock(&lock);
	return n;
}

static void await_count(const int *number, int wanted)
{
	pthread_mutex_lock(&lock);
	while (*number < wanted)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

/* ---- giving up ---- */

static int dial_in_vain(void *arg)
{
	int fd = weft_tcp_dial("slow", "80", weft_after(5 * MS));
	return fd == -ETIMEDOUT ? 42 : fd;
}

/* weft_run returns while the resolver still blocks. */
TEST("a resolver that was given up holds up no task")
{
	for (int i = 0; i < 5; i++) {
		expect_eq(tasks_run(tasks_processors[nth], dial_in_vain, NULL), 42);
		await_count(&inside, i + 1);
	}
	expect_eq(count(&ended), 0);
	gates(1);
	await_count(&ended, 5);
}

static int listen_slowly(void *arg)
{
	return weft_tcp_listen("slow", "0", 0);
}

TASK_TEST("a listen on a slow name can be cancelled")
{
	struct weft_task *task = tasks_start(listen_slowly, NULL);
	while (!count(&inside))
		weft_sleep(MS / 10);
	expect(!heard_signals);
	expect_eq(weft_cancel(task), 0);
	expect_eq(tasks_join(task), -ECANCELED);
	expect_eq(count(&ended), 0);
	gates(1);
}

static int resolve_slowly(void *arg)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list;
	int err = weft_resolve("slow", "80", &hints, &list, WEFT_FOREVER);
	if (err)
		return err;
	int family = list->ai_family;
	freeaddrinfo(list);
	return family == AF_INET ? 0 : -1;
}

TASK_TEST("more than may run at once wait their turn")
{
	struct weft_task *tasks[MOST + 20];
	for (int i = 0; i < MOST + 20; i++)
		tasks[i] = tasks_start(resolve_slowly, NULL);
	while (count(&inside) < MOST)
		weft_sleep(MS / 10);
	tasks_settle();
	expect_eq(count(&inside), MOST);
	expect_eq(weft_cancel(tasks[MOST + 19]), 0); /* of those that wait for a turn */
	expect_eq(tasks_join(tasks[MOST + 19]), -ECANCELED);
	gates(1);
	for (int i = 0; i < MOST + 19; i++)
		expect_eq(tasks_join(tasks[i]), 0);
	expect_le(count(&most_inside), MOST);
}

/* Its thread may have a network of its own. */
TASK_TEST("a locked task asks on its thread")
{
	gates(1);
	expect_eq(weft_lock_os_thread(), 0);
	expect_eq(resolve_slowly(NULL), 0);
	expect(pthread_equal(asker, pthread_self()));
	expect_eq(weft_unlock_os_thread(), 0);
	expect_eq(resolve_slowly(NULL), 0);
	expect(!pthread_equal(asker, pthread_self()));
}

TASK_TEST("nothing is asked that nobody may wait for")
{
	struct addrinfo *list;
	expect_eq(weft_resolve("slow", "80", NULL, &list, 0), -EAGAIN);
	expect_eq(weft_cancel(weft_self()), 0);
	expect_eq(weft_resolve("slow", "80", NULL, &list, WEFT_FOREVER), -ECANCELED);
	expect_eq(weft_resolve("slow", "80", NULL, &list, 0), -ECANCELED);
	expect_eq(weft_resolve("127.0.0.1", "80", NULL, &list, 0), 0); /* digits need no wait */
	freeaddrinfo(list);
	weft_cancel_clear();
	expect_eq(count(&most_inside), 0);
}

/* ---- names and numbers ---- */

TASK_TEST("errors say what is wrong")
{
	struct addrinfo *list;
	expect_eq(weft_resolve("nobody", "80", NULL, &list, soon()), -ENOENT);
	expect_eq(weft_resolve("again", "80", NULL, &list, soon()), -EHOSTDOWN);
	expect_eq(weft_resolve(NULL, NULL, NULL, &list, soon()), -EINVAL);
	expect_eq(weft_resolve("127.0.0.1", "80", NULL, NULL, soon()), -EINVAL);
	expect_eq(weft_resolve("127.0.0.1", "no such service", NULL, &list, soon()), -ENOENT);
	expect_ne(strstr(weft_error_text(-ENOENT), "host"), NULL);
	expect_eq(weft_error_name(-ENOTSUP), "ENOTSUP");
}

TASK_TEST("a port is a number from 0 to 65535")
{
	const char *const good[] = {"0", "00", "1", "0080", "65535"};
	const char *const bad[] = {"65536", "99999", "70000", "4294967376", "18446744073709551696",
				   "-1",    "+80",   " 80",   "",	    "80 ",
				   "0x50"};
	struct addrinfo *list;
	for (unsigned i = 0; i < sizeof(good) / sizeof(*good); i++) {
		expect_eq(weft_resolve("127.0.0.1", good[i], NULL, &list, 0), 0);
		freeaddrinfo(list);
	}
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		expect_eq(weft_resolve("127.0.0.1", bad[i], NULL, &list, soon()), -ENOENT);
		expect_eq(weft_tcp_listen("127.0.0.1", bad[i], 0), -ENOENT);
		expect_eq(weft_tcp_dial("127.0.0.1", bad[i], soon()), -ENOENT);
	}
}

TASK_TEST("a path is neither empty nor too long")
{
	char path[256];
	memset(path, 'x', sizeof(path));
	path[255] = 0;
	expect_eq(weft_unix_listen("", 0), -ENOENT);
	expect_eq(weft_unix_dial("", soon()), -ENOENT);
	expect_eq(weft_unix_listen(NULL, 0), -EINVAL);
	expect_eq(weft_unix_dial(NULL, soon()), -EINVAL);
	expect_eq(weft_unix_listen(path, 0), -ENAMETOOLONG);
	expect_eq(weft_unix_dial(path, soon()), -ENAMETOOLONG);
}
