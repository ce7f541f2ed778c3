/* SPDX-License-Identifier: MIT */
/*
 * test_resolve.c: names. A name server that does not answer holds nobody: a getaddrinfo of the
 * test's own stands in for libc's, and blocks until the test lets it go on.
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

/* In place of libc's. "slow" blocks, then is the loopback; "again" is a server that is not there. */
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
START_TEST(a_resolver_that_was_given_up_holds_nobody)
{
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(tasks_run(tasks_processors[_i], dial_in_vain, NULL), 42);
		await_count(&inside, i + 1);
	}
	ck_assert_int_eq(count(&ended), 0);
	gates(1);
	await_count(&ended, 5);
}
END_TEST

static int listen_slowly(void *arg)
{
	return weft_tcp_listen("slow", "0", 0);
}

TEST_TASKS(a_listen_on_a_slow_name_can_be_cancelled)
{
	struct weft_task *task = tasks_start(listen_slowly, NULL);
	while (!count(&inside))
		weft_sleep(MS / 10);
	ck_assert(!heard_signals);
	ck_ok(weft_cancel(task));
	ck_assert_int_eq(tasks_join(task), -ECANCELED);
	ck_assert_int_eq(count(&ended), 0);
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

TEST_TASKS(more_than_may_run_at_once_wait_their_turn)
{
	struct weft_task *tasks[MOST + 20];
	for (int i = 0; i < MOST + 20; i++)
		tasks[i] = tasks_start(resolve_slowly, NULL);
	while (count(&inside) < MOST)
		weft_sleep(MS / 10);
	tasks_settle();
	ck_assert_int_eq(count(&inside), MOST);
	ck_ok(weft_cancel(tasks[MOST + 19])); /* of those who wait for a turn */
	ck_assert_int_eq(tasks_join(tasks[MOST + 19]), -ECANCELED);
	gates(1);
	for (int i = 0; i < MOST + 19; i++)
		ck_ok(tasks_join(tasks[i]));
	ck_assert_int_le(count(&most_inside), MOST);
}

/* Its thread may have a network of its own. */
TEST_TASKS(a_locked_task_asks_on_its_thread)
{
	gates(1);
	ck_ok(weft_lock_os_thread());
	ck_ok(resolve_slowly(NULL));
	ck_assert(pthread_equal(asker, pthread_self()));
	ck_ok(weft_unlock_os_thread());
	ck_ok(resolve_slowly(NULL));
	ck_assert(!pthread_equal(asker, pthread_self()));
}

TEST_TASKS(nothing_is_asked_that_nobody_may_wait_for)
{
	struct addrinfo *list;
	ck_assert_int_eq(weft_resolve("slow", "80", NULL, &list, 0), -EAGAIN);
	ck_ok(weft_cancel(weft_self()));
	ck_assert_int_eq(weft_resolve("slow", "80", NULL, &list, WEFT_FOREVER), -ECANCELED);
	ck_assert_int_eq(weft_resolve("slow", "80", NULL, &list, 0), -ECANCELED);
	ck_ok(weft_resolve("127.0.0.1", "80", NULL, &list, 0)); /* digits need no wait */
	freeaddrinfo(list);
	weft_cancel_clear();
	ck_assert_int_eq(count(&most_inside), 0);
}

/* ---- names and numbers ---- */

TEST_TASKS(errors_say_what_is_wrong)
{
	struct addrinfo *list;
	ck_assert_int_eq(weft_resolve("nobody", "80", NULL, &list, soon()), -ENOENT);
	ck_assert_int_eq(weft_resolve("again", "80", NULL, &list, soon()), -EHOSTDOWN);
	ck_assert_int_eq(weft_resolve(NULL, NULL, NULL, &list, soon()), -EINVAL);
	ck_assert_int_eq(weft_resolve("127.0.0.1", "80", NULL, NULL, soon()), -EINVAL);
	ck_assert_int_eq(weft_resolve("127.0.0.1", "no such service", NULL, &list, soon()),
			 -ENOENT);
	ck_assert_ptr_nonnull(strstr(weft_error_text(-ENOENT), "host"));
	ck_assert_str_eq(weft_error_name(-ENOTSUP), "ENOTSUP");
}

TEST_TASKS(a_port_is_a_number_from_0_to_65535)
{
	const char *const good[] = {"0", "00", "1", "0080", "65535"};
	const char *const bad[] = {"65536", "99999", "70000", "4294967376", "18446744073709551696",
				   "-1",    "+80",   " 80",   "",	    "80 ",
				   "0x50"};
	struct addrinfo *list;
	for (unsigned i = 0; i < sizeof(good) / sizeof(*good); i++) {
		ck_ok(weft_resolve("127.0.0.1", good[i], NULL, &list, 0));
		freeaddrinfo(list);
	}
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		ck_assert_int_eq(weft_resolve("127.0.0.1", bad[i], NULL, &list, soon()), -ENOENT);
		ck_assert_int_eq(weft_tcp_listen("127.0.0.1", bad[i], 0), -ENOENT);
		ck_assert_int_eq(weft_tcp_dial("127.0.0.1", bad[i], soon()), -ENOENT);
	}
}

TEST_TASKS(a_path_is_neither_empty_nor_too_long)
{
	char path[256];
	memset(path, 'x', sizeof(path));
	path[255] = 0;
	ck_assert_int_eq(weft_unix_listen("", 0), -ENOENT);
	ck_assert_int_eq(weft_unix_dial("", soon()), -ENOENT);
	ck_assert_int_eq(weft_unix_listen(NULL, 0), -EINVAL);
	ck_assert_int_eq(weft_unix_dial(NULL, soon()), -EINVAL);
	ck_assert_int_eq(weft_unix_listen(path, 0), -ENAMETOOLONG);
	ck_assert_int_eq(weft_unix_dial(path, soon()), -ENAMETOOLONG);
}

static void add_all(TCase *tcase)
{
	add_tasks_test(tcase, a_resolver_that_was_given_up_holds_nobody);
	add_tasks_test(tcase, a_listen_on_a_slow_name_can_be_cancelled);
	add_tasks_test(tcase, more_than_may_run_at_once_wait_their_turn);
	add_tasks_test(tcase, a_locked_task_asks_on_its_thread);
	add_tasks_test(tcase, nothing_is_asked_that_nobody_may_wait_for);
	add_tasks_test(tcase, errors_say_what_is_wrong);
	add_tasks_test(tcase, a_port_is_a_number_from_0_to_65535);
	add_tasks_test(tcase, a_path_is_neither_empty_nor_too_long);
}

TESTS_MAIN("resolve", add_all)
