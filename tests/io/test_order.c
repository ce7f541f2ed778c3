/* SPDX-License-Identifier: MIT */
/*
 * test_order.c: what a waiting call returns when several things hold at once. In every call: what
 * is ready is delivered; else a cancelled task that is not masked gets -ECANCELED; else the
 * deadline decides. All calls that wait, by deadline, readiness and cancellation.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io_test.h"

enum { FULL = 1 << 20 };

static struct weft_chan *chan;
static struct weft_group *group;
static struct weft_task *task, *holder;
static struct weft_sem sem, release;
static struct weft_waitgroup waitgroup;
static struct weft_mutex mutex;
static struct weft_rwmutex rwmutex;
static struct weft_cond cond;
static int fd[2], extra[64];
static unsigned extras;
static pid_t child;
static char path[32];
static char buf[FULL];

static int until_released(void *arg)
{
	return weft_sem_acquire(&release, 1, WEFT_FOREVER);
}

static int at_once(void *arg)
{
	return 0;
}

/* ---- channels, tasks, groups ---- */

static void prepare_send(bool ready)
{
	chan = weft_chan_new(sizeof(int), ready);
}

static void prepare_recv(bool ready)
{
	int item = 1;
	chan = weft_chan_new(sizeof(int), 1);
	if (ready)
		expect_eq(weft_chan_send(chan, &item, 0), 0);
}

static int call_send(int64_t deadline)
{
	int item = 1;
	return weft_chan_send(chan, &item, deadline);
}

static int call_recv(int64_t deadline)
{
	return weft_chan_recv(chan, NULL, deadline);
}

static int call_select(int64_t deadline)
{
	struct weft_case cases[2] = {{.op = WEFT_CHAN_RECV, .chan = chan},
				     {.op = WEFT_CHAN_RECV, .chan = NULL}};
	return weft_select(cases, 2, deadline);
}

static void clean_chan(void)
{
	weft_chan_unref(chan);
	chan = NULL;
}

static void prepare_nothing(bool ready)
{
}

static void clean_nothing(void)
{
}

static void prepare_join(bool ready)
{
	task = tasks_start(ready ? at_once : until_released, NULL);
	tasks_settle();
}

static int call_join(int64_t deadline)
{
	int err = weft_join(task, NULL, deadline);
	if (!err)
		task = NULL;
	return err;
}

static void clean_join(void)
{
	if (task) {
		weft_sem_release(&release, 1);
		expect_eq(tasks_join(task), 0);
	}
	task = NULL;
}

static void prepare_group(bool ready)
{
	group = weft_group_new();
	expect_eq(weft_group_go(group, ready ? at_once : until_released, NULL), 0);
	tasks_settle();
}

static int call_group(int64_t deadline)
{
	int err = weft_group_wait(group, NULL, deadline);
	if (!err)
		group = NULL;
	return err;
}

static void clean_group(void)
{
	if (group) {
		weft_sem_release(&release, 1);
		expect_eq(weft_group_wait(group, NULL, soon()), 0);
	}
	group = NULL;
}

/* ---- sync.h ---- */

static void prepare_sem(bool ready)
{
	sem = (struct weft_sem)WEFT_SEM_INIT(0);
	weft_sem_release(&sem, ready);
}

static int call_sem(int64_t deadline)
{
	return weft_sem_acquire(&sem, 1, deadline);
}

static void prepare_waitgroup(bool ready)
{
	waitgroup = (struct weft_waitgroup)WEFT_WAITGROUP_INIT;
	weft_waitgroup_add(&waitgroup, !ready);
}

static int call_waitgroup(int64_t deadline)
{
	return weft_waitgroup_wait(&waitgroup, deadline);
}

static int hold(void *arg)
{
	weft_mutex_lock(&mutex);
	weft_rwmutex_wrlock(&rwmutex);
	int err = until_released(NULL);
	weft_rwmutex_wrunlock(&rwmutex);
	weft_mutex_unlock(&mutex);
	return err;
}

static void prepare_lock(bool ready)
{
	holder = ready ? NULL : tasks_start(hold, NULL);
	tasks_settle();
}

static int call_mutex(int64_t deadline)
{
	int err = weft_mutex_lock_until(&mutex, deadline);
	if (!err)
		weft_mutex_unlock(&mutex);
	return err;
}

static int call_read_lock(int64_t deadline)
{
	int err = weft_rwmutex_rdlock_until(&rwmutex, deadline);
	if (!err)
		weft_rwmutex_rdunlock(&rwmutex);
	return err;
}

static int call_write_lock(int64_t deadline)
{
	int err = weft_rwmutex_wrlock_until(&rwmutex, deadline);
	if (!err)
		weft_rwmutex_wrunlock(&rwmutex);
	return err;
}

static void clean_lock(void)
{
	if (holder) {
		weft_sem_release(&release, 1);
		expect_eq(tasks_join(holder), 0);
	}
}

static int call_cond(int64_t deadline)
{
	weft_mutex_lock(&mutex);
	int err = weft_cond_wait(&cond, &mutex, deadline);
	weft_mutex_unlock(&mutex);
	return err;
}

/* ---- descriptors ---- */

/* What is written to fd[1] can be read from fd[0]. */
static void fill(void)
{
	int flags = fcntl(fd[1], F_GETFL);
	fcntl(fd[1], F_SETFL, flags | O_NONBLOCK);
	while (write(fd[1], buf, sizeof(buf)) > 0 || write(fd[1], buf, 1) > 0)
		;
	fcntl(fd[1], F_SETFL, flags);
}

static void settle_io(bool reading, bool ready)
{
	if (reading && ready)
		expect_eq(write(fd[1], "abc", 3), 3);
	if (!reading && !ready)
		fill();
}

static void prepare_pipe_read(bool ready)
{
	expect_eq(pipe(fd), 0);
	settle_io(true, ready);
}

static void prepare_pipe_write(bool ready)
{
	expect_eq(pipe(fd), 0);
	settle_io(false, ready);
}

static void prepare_socket_read(bool ready)
{
	expect_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	settle_io(true, ready);
}

static void prepare_socket_write(bool ready)
{
	expect_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	settle_io(false, ready);
}

/*
 * The poller knows by now whether there is anything. (Nothing says when a peer's buffers are full
 * for good: writing to TCP is not in the table.)
 */
static void prepare_tcp_read(bool ready)
{
	tcp_pair(fd);
	settle_io(true, ready);
	tasks_settle();
}

static int good(ssize_t n)
{
	return n < 0 ? (int)n : 0;
}

static int call_read(int64_t deadline)
{
	return good(weft_read(fd[0], buf, 3, deadline));
}

static int call_readv(int64_t deadline)
{
	struct iovec v[2] = {{buf, 1}, {buf + 1, 2}};
	return good(weft_readv(fd[0], v, 2, deadline));
}

static int call_write(int64_t deadline)
{
	return good(weft_write(fd[1], "abc", 3, deadline));
}

static int call_writev(int64_t deadline)
{
	struct iovec v[2] = {{buf, 1}, {buf + 1, 2}};
	return good(weft_writev(fd[1], v, 2, deadline));
}

static int call_receive(int64_t deadline)
{
	return good(weft_recv(fd[0], buf, 3, 0, deadline));
}

static int call_receive_from(int64_t deadline)
{
	return good(weft_recvfrom(fd[0], buf, 3, 0, NULL, NULL, deadline));
}

static int call_receive_all(int64_t deadline)
{
	return good(weft_recv(fd[0], buf, 3, MSG_WAITALL, deadline));
}

static int call_receive_message(int64_t deadline)
{
	struct iovec one = {buf, 3};
	struct msghdr message = {.msg_iov = &one, .msg_iovlen = 1};
	return good(weft_recvmsg(fd[0], &message, 0, deadline));
}

static int call_transmit(int64_t deadline)
{
	return good(weft_send(fd[1], buf, 3, 0, deadline));
}

static int call_transmit_to(int64_t deadline)
{
	return good(weft_sendto(fd[1], buf, 3, 0, NULL, 0, deadline));
}

static int call_transmit_message(int64_t deadline)
{
	struct iovec one = {buf, 3};
	const struct msghdr message = {.msg_iov = &one, .msg_iovlen = 1};
	return good(weft_sendmsg(fd[1], &message, 0, deadline));
}

static int call_wait_readable(int64_t deadline)
{
	return good(weft_wait_fd(fd[0], POLLIN, deadline));
}

static int call_wait_writable(int64_t deadline)
{
	return good(weft_wait_fd(fd[1], POLLOUT, deadline));
}

static void clean_fds(void)
{
	expect_eq(weft_close(fd[0]), 0);
	expect_eq(weft_close(fd[1]), 0);
}

/* ---- connections ---- */

static void fill_backlog(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	memcpy(a.sun_path + 1, path + 1, strlen(path + 1));
	for (;;) {
		int one = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		expect_lt(extras, 64);
		extra[extras++] = one;
		if (connect(one, (struct sockaddr *)&a, len) < 0)
			return;
	}
}

static void prepare_listener(bool ready)
{
	snprintf(path, sizeof(path), "@order-%d", (int)getpid());
	fd[0] = weft_unix_listen(path, 1);
	expect_ge(fd[0], 0);
	if (ready)
		extra[extras++] = weft_unix_dial(path, 0);
}

static void prepare_backlog(bool ready)
{
	prepare_listener(false);
	if (!ready)
		fill_backlog();
}

static int keep(int got)
{
	if (got < 0)
		return got;
	extra[extras++] = got;
	return 0;
}

static int call_accept(int64_t deadline)
{
	return keep(weft_accept(fd[0], NULL, NULL, deadline));
}

static int call_dial(int64_t deadline)
{
	return keep(weft_unix_dial(path, deadline));
}

static void clean_listener(void)
{
	while (extras)
		expect_eq(weft_close(extra[--extras]), 0);
	expect_eq(weft_close(fd[0]), 0);
}

/* ---- children ---- */

static void prepare_child(bool ready)
{
	siginfo_t info;
	child = fork();
	if (child == 0) {
		while (!ready)
			pause();
		_exit(0);
	}
	if (ready)
		expect_eq(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
}

static int call_wait_pid(int64_t deadline)
{
	int err = weft_wait_pid(child, NULL, deadline);
	if (!err)
		child = 0;
	return err;
}

static void clean_child(void)
{
	if (child) {
		kill(child, SIGKILL);
		expect_eq(weft_wait_pid(child, NULL, soon()), 0);
	}
}

/* ---- the table ---- */

/* Not cancellable; never ready without having waited; a cancel ends what it waits for, even of a
 * masked caller (tests/sync/test_down.c). */
enum { LOCKS = 1, NEVER = 2, DOWN = 4 };

static const struct row {
	const char *name;
	void (*prepare)(bool ready);
	int (*call)(int64_t deadline);
	void (*clean)(void);
	int flags;
} rows[] = {
	{"chan_send", prepare_send, call_send, clean_chan, 0},
	{"chan_recv", prepare_recv, call_recv, clean_chan, 0},
	{"chan_send(NULL)", prepare_nothing, call_send, clean_nothing, NEVER},
	{"chan_recv(NULL)", prepare_nothing, call_recv, clean_nothing, NEVER},
	{"select", prepare_recv, call_select, clean_chan, 0},
	{"select of NULL", prepare_nothing, call_select, clean_nothing, NEVER},
	{"join", prepare_join, call_join, clean_join, 0},
	{"group_wait", prepare_group, call_group, clean_group, DOWN},
	{"sem_acquire", prepare_sem, call_sem, clean_nothing, 0},
	{"waitgroup_wait", prepare_waitgroup, call_waitgroup, clean_nothing, 0},
	{"mutex_lock_until", prepare_lock, call_mutex, clean_lock, LOCKS},
	{"rwmutex_rdlock_until", prepare_lock, call_read_lock, clean_lock, LOCKS},
	{"rwmutex_wrlock_until", prepare_lock, call_write_lock, clean_lock, LOCKS},
	{"cond_wait", prepare_nothing, call_cond, clean_nothing, NEVER},
	{"read, pipe", prepare_pipe_read, call_read, clean_fds, 0},
	{"read, socket", prepare_socket_read, call_read, clean_fds, 0},
	{"read, tcp", prepare_tcp_read, call_read, clean_fds, 0},
	{"readv, pipe", prepare_pipe_read, call_readv, clean_fds, 0},
	{"readv, socket", prepare_socket_read, call_readv, clean_fds, 0},
	{"write, pipe", prepare_pipe_write, call_write, clean_fds, 0},
	{"write, socket", prepare_socket_write, call_write, clean_fds, 0},
	{"writev, pipe", prepare_pipe_write, call_writev, clean_fds, 0},
	{"writev, socket", prepare_socket_write, call_writev, clean_fds, 0},
	{"recv", prepare_socket_read, call_receive, clean_fds, 0},
	{"recv, tcp", prepare_tcp_read, call_receive, clean_fds, 0},
	{"recv, all of it", prepare_socket_read, call_receive_all, clean_fds, 0},
	{"recvfrom", prepare_socket_read, call_receive_from, clean_fds, 0},
	{"recvmsg", prepare_socket_read, call_receive_message, clean_fds, 0},
	{"send", prepare_socket_write, call_transmit, clean_fds, 0},
	{"sendto", prepare_socket_write, call_transmit_to, clean_fds, 0},
	{"sendmsg", prepare_socket_write, call_transmit_message, clean_fds, 0},
	{"wait_fd, readable", prepare_pipe_read, call_wait_readable, clean_fds, 0},
	{"wait_fd, writable", prepare_pipe_write, call_wait_writable, clean_fds, 0},
	{"wait_fd, tcp", prepare_tcp_read, call_wait_readable, clean_fds, 0},
	{"accept", prepare_listener, call_accept, clean_listener, 0},
	{"unix_dial", prepare_backlog, call_dial, clean_listener, 0},
	{"wait_pid", prepare_child, call_wait_pid, clean_child, 0},
};
enum { ROWS = sizeof(rows) / sizeof(*rows) };

enum { NOW, PASSED, LATER, DEADLINES };
enum { FREE, CANCELLED, MASKED, STATES };

static int64_t deadline_of(int kind)
{
	return kind == NOW ? 0 : kind == PASSED ? weft_after(-MS) : weft_after(3 * MS);
}

static int expected(const struct row *row, int deadline, bool ready, int state)
{
	if (ready)
		return 0;
	if (state == CANCELLED && !(row->flags & LOCKS))
		return -ECANCELED;
	return deadline == NOW ? -EAGAIN : -ETIMEDOUT;
}

static int call_in(const struct row *row, int64_t deadline, int state)
{
	int mask = weft_cancel_mask(state == MASKED);
	if (state != FREE)
		expect_eq(weft_cancel(weft_self()), 0);
	int result = row->call(deadline);
	weft_cancel_clear();
	weft_cancel_mask(mask);
	return result > 0 ? -1 : result;
}

static void try_row(const struct row *row, int deadline, bool ready, int state)
{
	if (ready && row->flags & NEVER)
		return;
	if (!ready && row->flags & DOWN && state != FREE)
		return;
	row->prepare(ready);
	/* What is ready is delivered at once: a deadline that never comes needs no clock. */
	int64_t when = ready && deadline == LATER ? WEFT_FOREVER : deadline_of(deadline);
	int result = call_in(row, when, state);
	int wanted = expected(row, deadline, ready, state);
	expect_that(result == wanted, "%s, deadline %d, %s, state %d: %s instead of %s", row->name,
		    deadline, ready ? "ready" : "not ready", state, weft_error_name(result),
		    weft_error_name(wanted));
	row->clean();
}

TASK_TEST("delivery comes first then cancellation then the deadline")
{
	for (int i = 0; i < ROWS; i++)
		for (int n = 0; n < DEADLINES * STATES * 2; n++)
			try_row(&rows[i], n % DEADLINES, n / DEADLINES % 2, n / (2 * DEADLINES));
}

/* A cancelled task that would wait for ever. */
TASK_TEST("a cancelled task never waits")
{
	for (int i = 0; i < ROWS; i++) {
		if (rows[i].flags & (LOCKS | DOWN))
			continue;
		rows[i].prepare(false);
		int result = call_in(&rows[i], WEFT_FOREVER, CANCELLED);
		expect_that(result == -ECANCELED, "%s: %s", rows[i].name, weft_error_name(result));
		rows[i].clean();
	}
}

TASK_TEST("a sleep that is over is delivered to a cancelled task")
{
	expect_eq(weft_cancel(weft_self()), 0);
	expect_eq(weft_sleep(0), 0);
	expect_eq(weft_sleep(-1), 0);
	expect_eq(weft_sleep_until(0), 0);
	expect_eq(weft_sleep_until(weft_after(-1)), 0);
	expect_eq(weft_sleep(3600 * (int64_t)1000 * MS), -ECANCELED);
	expect_eq(weft_sleep_until(WEFT_FOREVER), -ECANCELED);
	weft_cancel_clear();
	expect_eq(weft_sleep(1), 0);
}

/* ---- what the poller does not know yet ---- */

TASK_TEST("a read with deadline 0 takes what has come since the last one came short")
{
	enum { ROUNDS = 100 };
	char item[8];
	int ends[2];
	tcp_pair(ends);
	for (int i = 0; i < ROUNDS; i++) {
		expect_eq(weft_write(ends[1], "abc", 3, soon()), 3);
		expect_eq(weft_read(ends[0], item, sizeof(item), soon()), 3);
		expect_eq(weft_write(ends[1], "de", 2, soon()), 2);
		expect_eq(weft_read(ends[0], item, sizeof(item), 0), 2);
	}
	weft_close(ends[0]);
	weft_close(ends[1]);
}
