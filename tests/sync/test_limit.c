/* SPDX-License-Identifier: MIT */
/*
 * test_limit.c: weft_limit in every call that can wait: limits before and after the call's own
 * deadline, deadline 0, cancelled, masked. What waits without being cancellable is not limited.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../tasks.h"

static const int64_t hour = 3600 * 1000 * (int64_t)MS;

static struct weft_chan *empty, *full;
static struct weft_mutex mutex, taken;
static struct weft_rwmutex written;
static struct weft_cond cond;
static struct weft_sem sem;
static struct weft_waitgroup busy;
static struct weft_task *sleeper;
static int pair[2], fulls[2], listener;
static pid_t child;

static char byte;
static struct iovec piece = {&byte, 1};

/* ---- the calls, each of which would wait for ever ---- */

static int64_t do_send(int64_t deadline)
{
	int x = 0;
	return weft_chan_send(full, &x, deadline);
}

static int64_t do_recv(int64_t deadline)
{
	return weft_chan_recv(empty, NULL, deadline);
}

static int64_t do_send_null(int64_t deadline)
{
	return weft_chan_send(NULL, NULL, deadline);
}

static int64_t do_recv_null(int64_t deadline)
{
	return weft_chan_recv(NULL, NULL, deadline);
}

static int64_t do_select(int64_t deadline)
{
	int x = 0;
	struct weft_case cases[] = {{.op = WEFT_CHAN_RECV, .chan = empty},
				    {.op = WEFT_CHAN_SEND, .chan = full, .item = &x}};
	return weft_select(cases, 2, deadline);
}

static int64_t do_select_none(int64_t deadline)
{
	return weft_select(NULL, 0, deadline);
}

static int64_t do_join(int64_t deadline)
{
	return weft_join(sleeper, NULL, deadline);
}

static int64_t do_cond(int64_t deadline)
{
	weft_mutex_lock(&mutex);
	int64_t err = weft_cond_wait(&cond, &mutex, deadline);
	weft_mutex_unlock(&mutex);
	return err;
}

static int64_t do_sem(int64_t deadline)
{
	return weft_sem_acquire(&sem, 1, deadline);
}

static int64_t do_waitgroup(int64_t deadline)
{
	return weft_waitgroup_wait(&busy, deadline);
}

static int64_t do_read(int64_t deadline)
{
	return weft_read(pair[0], &byte, 1, deadline);
}

static int64_t do_readv(int64_t deadline)
{
	return weft_readv(pair[0], &piece, 1, deadline);
}

static int64_t do_write(int64_t deadline)
{
	return weft_write(fulls[0], &byte, 1, deadline);
}

static int64_t do_writev(int64_t deadline)
{
	return weft_writev(fulls[0], &piece, 1, deadline);
}

static int64_t do_socket_recv(int64_t deadline)
{
	return weft_recv(pair[0], &byte, 1, 0, deadline);
}

static int64_t do_recv_all(int64_t deadline)
{
	return weft_recv(pair[0], &byte, 1, MSG_WAITALL, deadline);
}

static int64_t do_recvfrom(int64_t deadline)
{
	return weft_recvfrom(pair[0], &byte, 1, 0, NULL, NULL, deadline);
}

static int64_t do_recvmsg(int64_t deadline)
{
	struct msghdr m = {.msg_iov = &piece, .msg_iovlen = 1};
	return weft_recvmsg(pair[0], &m, 0, deadline);
}

static int64_t do_socket_send(int64_t deadline)
{
	return weft_send(fulls[0], &byte, 1, 0, deadline);
}

static int64_t do_sendto(int64_t deadline)
{
	return weft_sendto(fulls[0], &byte, 1, 0, NULL, 0, deadline);
}

static int64_t do_sendmsg(int64_t deadline)
{
	struct msghdr m = {.msg_iov = &piece, .msg_iovlen = 1};
	return weft_sendmsg(fulls[0], &m, 0, deadline);
}

static int64_t do_accept(int64_t deadline)
{
	return weft_accept(listener, NULL, NULL, deadline);
}

static int64_t do_wait_fd(int64_t deadline)
{
	return weft_wait_fd(pair[0], POLLIN, deadline);
}

static int64_t do_wait_pid(int64_t deadline)
{
	return weft_wait_pid(child, NULL, deadline);
}

static const struct {
	const char *name;
	int64_t (*call)(int64_t deadline);
} calls[] = {
	{"weft_chan_send", do_send},
	{"weft_chan_recv", do_recv},
	{"weft_chan_send on NULL", do_send_null},
	{"weft_chan_recv on NULL", do_recv_null},
	{"weft_select", do_select},
	{"weft_select of nothing", do_select_none},
	{"weft_join", do_join},
	{"weft_cond_wait", do_cond},
	{"weft_sem_acquire", do_sem},
	{"weft_waitgroup_wait", do_waitgroup},
	{"weft_read", do_read},
	{"weft_readv", do_readv},
	{"weft_write", do_write},
	{"weft_writev", do_writev},
	{"weft_recv", do_socket_recv},
	{"weft_recv of all", do_recv_all},
	{"weft_recvfrom", do_recvfrom},
	{"weft_recvmsg", do_recvmsg},
	{"weft_send", do_socket_send},
	{"weft_sendto", do_sendto},
	{"weft_sendmsg", do_sendmsg},
	{"weft_accept", do_accept},
	{"weft_wait_fd", do_wait_fd},
	{"weft_wait_pid", do_wait_pid},
};

/* ---- what they find ---- */

static int sleep_long(void *arg)
{
	return weft_sleep_until(WEFT_FOREVER);
}

static void fill(int fd)
{
	static char much[65536];
	while (send(fd, much, sizeof(much), MSG_DONTWAIT) > 0)
		;
	while (send(fd, much, 1, MSG_DONTWAIT) > 0)
		;
}

static void set_up(void)
{
	empty = weft_chan_new(sizeof(int), 0);
	full = weft_chan_new(sizeof(int), 1);
	expect_eq(weft_chan_send(full, &(int){1}, 0), 0);
	weft_waitgroup_add(&busy, 1);
	sleeper = tasks_start(sleep_long, NULL);
	expect_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	expect_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fulls), 0);
	fill(fulls[0]);
	listener = weft_tcp_listen("127.0.0.1", "0", 1);
	expect_ge(listener, 0);
	weft_mutex_lock(&taken);
	weft_rwmutex_wrlock(&written);
	child = fork();
	expect_ge(child, 0);
	if (!child)
		for (;;)
			pause();
}

static void tear_down(void)
{
	kill(child, SIGKILL);
	expect_eq(weft_wait_pid(child, NULL, WEFT_FOREVER), 0);
	weft_rwmutex_wrunlock(&written);
	weft_mutex_unlock(&taken);
	expect_eq(weft_close(listener), 0);
	for (int i = 0; i < 2; i++) {
		expect_eq(weft_close(pair[i]), 0);
		expect_eq(weft_close(fulls[i]), 0);
	}
	weft_cancel(sleeper);
	expect_eq(tasks_join(sleeper), -ECANCELED);
	weft_waitgroup_done(&busy);
	weft_chan_unref(full);
	weft_chan_unref(empty);
}

/* Each call under one setting; the walk itself is a task, so that it can be cancelled. */
static int walk(int (*setting)(void *arg))
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		struct weft_task *task = tasks_start(setting, (void *)calls[i].call);
		int result = tasks_join(task);
		expect_that(result == 0, "%s: %d", calls[i].name, result);
	}
	return 0;
}

#define CALL(arg, deadline) (((int64_t(*)(int64_t))(arg))(deadline))

/* The result, if it is not the wanted one; 1 for a wanted one. */
static int instead(int64_t got, int64_t wanted)
{
	return got == wanted ? 0 : got ? (int)got : 1;
}

static int limit_alone(void *call)
{
	weft_limit(weft_after(MS));
	return instead(CALL(call, WEFT_FOREVER), -ETIMEDOUT);
}

static int limit_passed(void *call)
{
	weft_limit(1);
	int bad = instead(CALL(call, WEFT_FOREVER), -ETIMEDOUT);
	return bad ? bad : instead(CALL(call, weft_after(hour)), -ETIMEDOUT);
}

static int limit_of_zero(void *call)
{
	weft_limit(0);
	int bad = instead(CALL(call, WEFT_FOREVER), -ETIMEDOUT);
	return bad ? bad : instead(CALL(call, 0), -EAGAIN);
}

static int limit_later(void *call)
{
	int64_t deadline = weft_after(MS);
	weft_limit(weft_after(hour));
	int bad = instead(CALL(call, deadline), -ETIMEDOUT);
	expect_ge(weft_now(), deadline);
	return bad ? bad : instead(CALL(call, 0), -EAGAIN);
}

static int limit_cancelled(void *call)
{
	weft_limit(1);
	weft_cancel(weft_self());
	int bad = instead(CALL(call, WEFT_FOREVER), -ECANCELED);
	if (!bad)
		bad = instead(CALL(call, weft_after(hour)), -ECANCELED);
	return bad ? bad : instead(CALL(call, 0), -ECANCELED);
}

static int limit_masked(void *call)
{
	int64_t deadline = weft_after(2 * MS);
	weft_limit(1);
	weft_cancel_mask(1);
	int bad = instead(CALL(call, deadline), -ETIMEDOUT);
	expect_ge(weft_now(), deadline);
	weft_cancel_mask(0);
	return bad ? bad : instead(CALL(call, weft_after(hour)), -ETIMEDOUT);
}

static int limit_ended(void *call)
{
	int64_t former = weft_limit(1), deadline = weft_after(2 * MS);
	weft_limit_end(former);
	int bad = instead(CALL(call, deadline), -ETIMEDOUT);
	expect_ge(weft_now(), deadline);
	return bad;
}

TASK_TEST("every cancellable wait ends with the limit")
{
	set_up();
	walk(limit_alone);
	walk(limit_passed);
	walk(limit_of_zero);
	walk(limit_later);
	walk(limit_cancelled);
	walk(limit_masked);
	walk(limit_ended);
	tear_down();
}

/* ---- sleep, and what is ready ---- */

static int sleeps(void *arg)
{
	weft_limit(weft_after(MS));
	expect_eq(weft_sleep(hour), -ETIMEDOUT);
	expect_eq(weft_sleep(hour), -ETIMEDOUT);
	expect_eq(weft_sleep_until(WEFT_FOREVER), -ETIMEDOUT);
	expect_eq(weft_sleep_until(weft_after(hour)), -ETIMEDOUT);
	expect_eq(weft_sleep_until(1), 0);
	expect_eq(weft_sleep(0), 0);
	weft_limit_end(weft_after(hour));
	expect_eq(weft_sleep(MS), 0);
	expect_eq(weft_sleep_until(weft_after(MS)), 0);
	weft_limit(1);
	weft_cancel_mask(1);
	expect_eq(weft_sleep(MS), 0);
	weft_cancel_mask(0);
	weft_cancel(weft_self());
	expect_eq(weft_sleep(hour), -ECANCELED);
	return 0;
}

TASK_TEST("a sleep says that the limit came first, and else that it slept")
{
	expect_eq(tasks_join(tasks_start(sleeps, NULL)), 0);
}

TASK_TEST("what is ready is delivered though the limit has passed")
{
	struct weft_chan *c = weft_chan_new(sizeof(int), 1);
	struct weft_sem units = {0};
	int x = 7, fds[2];
	struct weft_task *task = tasks_start(sleep_long, NULL);
	weft_cancel(task);
	tasks_settle();
	expect_eq(pipe(fds), 0);
	weft_sem_release(&units, 1);
	weft_limit(1);
	for (int64_t deadline = 0; deadline < 2; deadline++) {
		expect_eq(weft_chan_send(c, &x, deadline), 0);
		expect_eq(weft_chan_recv(c, &x, deadline), 0);
		expect_eq(weft_write(fds[1], "x", 1, deadline), 1);
		expect_eq(weft_read(fds[0], &byte, 1, deadline), 1);
	}
	expect_eq(weft_sem_acquire(&units, 1, WEFT_FOREVER), 0);
	expect_eq(weft_waitgroup_wait(&(struct weft_waitgroup){0}, WEFT_FOREVER), 0);
	expect_eq(weft_join(task, NULL, WEFT_FOREVER), 0);
	weft_limit_end(WEFT_FOREVER);
	weft_close(fds[0]);
	weft_close(fds[1]);
	weft_chan_unref(c);
}

/* ---- what is not limited ---- */

static int unlocks(void *arg)
{
	weft_mutex_lock(&taken);
	flag_set(arg, 1);
	weft_sleep(5 * MS);
	weft_mutex_unlock(&taken);
	return 0;
}

TASK_TEST("locks are not cancellable, and so not limited")
{
	int holds = 0;
	struct weft_task *task = tasks_start(unlocks, &holds);
	while (!flag(&holds))
		weft_yield();
	weft_limit(1);
	int64_t deadline = weft_after(MS);
	if (weft_mutex_lock_until(&taken, deadline) == 0)
		weft_mutex_unlock(&taken);
	else
		expect_ge(weft_now(), deadline);
	weft_mutex_lock(&taken);
	weft_mutex_unlock(&taken);
	weft_limit_end(WEFT_FOREVER);
	expect_eq(tasks_join(task), 0);
}

/* ---- the call itself ---- */

static int told(void *arg)
{
	return weft_limit(WEFT_FOREVER) == WEFT_FOREVER ? 0 : 1;
}

TASK_TEST("limits nest: the earlier one holds, the end restores, spawned tasks have none")
{
	int64_t first = weft_after(hour), second = first - 1;
	expect_eq(weft_limit(first), WEFT_FOREVER);
	expect_eq(weft_limit(first + 1), first);
	expect_eq(weft_limit(second), first);
	expect_eq(weft_limit(WEFT_FOREVER), second);
	expect_eq(tasks_join(tasks_start(told, NULL)), 0);
	weft_limit_end(first);
	expect_eq(weft_limit(WEFT_FOREVER), first);
	weft_limit_end(WEFT_FOREVER);
	expect_eq(weft_limit(WEFT_FOREVER), WEFT_FOREVER);
}

TEST("outside of tasks there is no limit")
{
	expect_eq(weft_limit(1), WEFT_FOREVER);
	expect_eq(weft_limit(WEFT_FOREVER), WEFT_FOREVER);
	weft_limit_end(1);
	expect_eq(weft_sleep(1), -EINVAL);
}
