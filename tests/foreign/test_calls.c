/* SPDX-License-Identifier: MIT */
/*
 * test_calls.c: every call that waits, made by a thread that is not the runtime's.
 *
 * A call is a row of `calls`: how the thread makes its thing, the call itself, and how a task makes
 * it ready. Each row is tried
 *
 *   before and after weft_run    refused, as are all that need a runtime
 *   during it                    with deadline 0, with one that passes, ready, and woken by a task
 *   at its end                   the wait is ended; those for tasks keep the runtime from ending
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../tasks.h"

/* What one call is about. */
struct thing {
	int fd[2]; /* a pair of sockets; the call is about the first */
	struct weft_chan *chan;
	struct weft_task *task;
	struct weft_group *group;
	struct weft_stream *stream;
	pid_t child;
	int result;
};

struct call {
	const char *name;
	void (*make)(struct thing *g);
	int64_t (*call)(struct thing *g, int64_t deadline);
	void (*wake)(struct thing *g);
	void (*clear)(struct thing *g);
	int64_t result; /* when ready */
	enum { OF_FILES, OF_TASKS, NO_DEADLINE } kind;
};

/* ---- descriptors ---- */

static void make_pair(struct thing *g)
{
	expect_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, g->fd), 0);
}

static void clear_pair(struct thing *g)
{
	close(g->fd[0]);
	close(g->fd[1]);
}

static void send_byte(struct thing *g)
{
	expect_eq(send(g->fd[1], "x", 1, MSG_NOSIGNAL), 1);
}

static void make_full(struct thing *g)
{
	char zeros[4096] = {0};
	make_pair(g);
	while (send(g->fd[0], zeros, sizeof(zeros), MSG_DONTWAIT) > 0)
		;
}

static void drain(struct thing *g)
{
	char buf[4096];
	while (recv(g->fd[1], buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
}

static int64_t call_read(struct thing *g, int64_t deadline)
{
	char byte;
	return weft_read(g->fd[0], &byte, 1, deadline);
}

static int64_t call_readv(struct thing *g, int64_t deadline)
{
	char byte;
	struct iovec v[] = {{&byte, 0}, {&byte, 1}};
	return weft_readv(g->fd[0], v, 2, deadline);
}

static int64_t call_recv(struct thing *g, int64_t deadline)
{
	char byte;
	return weft_recv(g->fd[0], &byte, 1, MSG_WAITALL, deadline);
}

static int64_t call_recvfrom(struct thing *g, int64_t deadline)
{
	char byte;
	return weft_recvfrom(g->fd[0], &byte, 1, 0, NULL, NULL, deadline);
}

static int64_t call_recvmsg(struct thing *g, int64_t deadline)
{
	char byte;
	struct iovec v = {&byte, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	return weft_recvmsg(g->fd[0], &m, 0, deadline);
}

static int64_t call_write(struct thing *g, int64_t deadline)
{
	return weft_write(g->fd[0], "y", 1, deadline);
}

static int64_t call_writev(struct thing *g, int64_t deadline)
{
	const struct iovec v[] = {{"", 0}, {"z", 1}};
	return weft_writev(g->fd[0], v, 2, deadline);
}

static int64_t call_send(struct thing *g, int64_t deadline)
{
	return weft_send(g->fd[0], "y", 1, 0, deadline);
}

static int64_t call_sendto(struct thing *g, int64_t deadline)
{
	return weft_sendto(g->fd[0], "y", 1, 0, NULL, 0, deadline);
}

static int64_t call_sendmsg(struct thing *g, int64_t deadline)
{
	struct iovec v = {"y", 1};
	const struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	return weft_sendmsg(g->fd[0], &m, 0, deadline);
}

static int64_t call_wait_fd(struct thing *g, int64_t deadline)
{
	return weft_wait_fd(g->fd[0], POLLIN, deadline);
}

static int64_t call_select_ready(struct thing *g, int64_t deadline)
{
	struct weft_case cases[] = {weft_on_recv(NULL, NULL), weft_on_ready(g->fd[0], POLLIN)};
	return weft_select(cases, 2, deadline);
}

static void make_stream(struct thing *g)
{
	make_pair(g);
	expect_eq(weft_stream_new(&g->stream, g->fd[0]), 0);
}

static int64_t call_stream_read(struct thing *g, int64_t deadline)
{
	char byte;
	return weft_stream_read(g->stream, &byte, 1, deadline);
}

static void clear_stream(struct thing *g)
{
	weft_stream_close(g->stream, 0);
	close(g->fd[1]);
}

/* The kernel names it. */
static void make_listener(struct thing *g)
{
	const struct sockaddr_un any = {.sun_family = AF_UNIX};
	g->fd[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	g->fd[1] = socket(AF_UNIX, SOCK_STREAM, 0);
	expect_eq(bind(g->fd[0], (const struct sockaddr *)&any, sizeof(sa_family_t)), 0);
	expect_eq(listen(g->fd[0], 4), 0);
}

static void connect_to_it(struct thing *g)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	expect_eq(getsockname(g->fd[0], (struct sockaddr *)&address, &len), 0);
	expect_eq(connect(g->fd[1], (struct sockaddr *)&address, len), 0);
}

/* The connection is weft's own from then on, and closed by its call. */
static int64_t call_accept(struct thing *g, int64_t deadline)
{
	int fd = weft_accept(g->fd[0], NULL, NULL, deadline);
	return fd < 0 ? fd : weft_close(fd);
}

static void make_child(struct thing *g)
{
	make_pair(g);
	g->child = fork();
	if (g->child == 0) {
		char byte;
		close(g->fd[1]);
		_exit(read(g->fd[0], &byte, 1) == 1 ? 5 : 6);
	}
	expect_gt(g->child, 0);
}

static int64_t call_wait_pid(struct thing *g, int64_t deadline)
{
	int status;
	int err = weft_wait_pid(g->child, &status, deadline);
	if (!err)
		expect_eq(WEXITSTATUS(status), 5);
	g->child = err ? g->child : 0;
	return err;
}

static void clear_child(struct thing *g)
{
	clear_pair(g);
	if (g->child)
		expect_eq(waitpid(g->child, NULL, 0), g->child);
}

/* ---- tasks and groups ---- */

static int until_told(void *arg)
{
	struct weft_chan *chan = arg;
	int err = weft_chan_recv(chan, NULL, WEFT_FOREVER);
	weft_chan_unref(chan);
	return err ? err : 11;
}

static void make_chan(struct thing *g)
{
	g->chan = weft_chan_new(0, 4);
	expect_ne(g->chan, NULL);
}

static void tell(struct thing *g)
{
	expect_eq(weft_chan_send(g->chan, NULL, WEFT_FOREVER), 0);
}

static void clear_chan(struct thing *g)
{
	weft_chan_unref(g->chan);
}

static void make_task(struct thing *g)
{
	const struct weft_spawn_options options = {.name = "told"};
	make_chan(g);
	expect_eq(weft_spawn(&g->task, &options, until_told, weft_chan_ref(g->chan)), 0);
}

static int64_t call_join(struct thing *g, int64_t deadline)
{
	int err = weft_join(g->task, &g->result, deadline);
	return err ? err : g->result;
}

static int64_t call_select_join(struct thing *g, int64_t deadline)
{
	struct weft_case cases[] = {weft_on_join(g->task, &g->result), weft_on_recv(NULL, NULL)};
	int ran = weft_select(cases, 2, deadline);
	expect_eq(cases[0].op, ran ? WEFT_JOIN : 0);
	return ran ? ran : g->result;
}

static void make_group_with(struct thing *g, const struct weft_group_options *options,
			    int (*member)(void *arg))
{
	make_chan(g);
	expect_eq(weft_group_new_with(&g->group, options), 0);
	expect_eq(weft_group_go(g->group, member, weft_chan_ref(g->chan)), 0);
}

static void make_group(struct thing *g)
{
	make_group_with(g, &(struct weft_group_options){.name = "member"}, until_told);
}

/* Ends quietly: a result would cancel the group. */
static int until_told_only(void *arg)
{
	return until_told(arg) < 0;
}

static void make_places(struct thing *g)
{
	make_group_with(g, &(struct weft_group_options){.limit = 1}, until_told_only);
}

static int64_t call_group_wait(struct thing *g, int64_t deadline)
{
	int err = weft_group_wait(g->group, &g->result, deadline);
	return err ? err : g->result;
}

static int64_t call_select_group(struct thing *g, int64_t deadline)
{
	struct weft_case cases[] = {weft_on_group(g->group, &g->result)};
	int ran = weft_select(cases, 1, deadline);
	return ran ? ran : g->result;
}

static int nothing(void *arg)
{
	return 0;
}

/* Its only place is free when the first member has been told. */
static int64_t call_group_go(struct thing *g, int64_t deadline)
{
	return deadline ? weft_group_go(g->group, nothing, NULL)
			: weft_group_try_go(g->group, nothing, NULL);
}

static void clear_group(struct thing *g)
{
	expect_eq(weft_group_wait(g->group, &g->result, WEFT_FOREVER), 0);
	expect_eq(g->result, 0);
	clear_chan(g);
}

static const struct call calls[] = {
	{"read", make_pair, call_read, send_byte, clear_pair, 1, OF_FILES},
	{"readv", make_pair, call_readv, send_byte, clear_pair, 1, OF_FILES},
	{"recv", make_pair, call_recv, send_byte, clear_pair, 1, OF_FILES},
	{"recvfrom", make_pair, call_recvfrom, send_byte, clear_pair, 1, OF_FILES},
	{"recvmsg", make_pair, call_recvmsg, send_byte, clear_pair, 1, OF_FILES},
	{"write", make_full, call_write, drain, clear_pair, 1, OF_FILES},
	{"writev", make_full, call_writev, drain, clear_pair, 1, OF_FILES},
	{"send", make_full, call_send, drain, clear_pair, 1, OF_FILES},
	{"sendto", make_full, call_sendto, drain, clear_pair, 1, OF_FILES},
	{"sendmsg", make_full, call_sendmsg, drain, clear_pair, 1, OF_FILES},
	{"wait_fd", make_pair, call_wait_fd, send_byte, clear_pair, POLLIN, OF_FILES},
	{"select of a descriptor", make_pair, call_select_ready, send_byte, clear_pair, 1,
	 OF_FILES},
	{"stream_read", make_stream, call_stream_read, send_byte, clear_stream, 1, OF_FILES},
	{"accept", make_listener, call_accept, connect_to_it, clear_pair, 0, OF_FILES},
	{"wait_pid", make_child, call_wait_pid, send_byte, clear_child, 0, OF_FILES},
	{"join", make_task, call_join, tell, clear_chan, 11, OF_TASKS},
	{"select of a task", make_task, call_select_join, tell, clear_chan, 11, OF_TASKS},
	{"group_wait", make_group, call_group_wait, tell, clear_chan, 11, OF_TASKS},
	{"select of a group", make_group, call_select_group, tell, clear_chan, 11, OF_TASKS},
	{"group_go", make_places, call_group_go, tell, clear_group, 0, NO_DEADLINE},
};

/* ---- during the run ---- */

struct turn {
	pthread_t thread;
	const struct call *call;
	struct thing thing;
	int64_t deadline, got;
	int made, go, over;
	bool repeat; /* what makes it ready takes a moment */
};

static void wait_for(const int *f)
{
	while (!flag(f))
		usleep(100);
}

static void *make_and_call(void *arg)
{
	struct turn *u = arg;
	u->call->make(&u->thing);
	flag_set(&u->made, 1);
	wait_for(&u->go);
	do
		u->got = u->call->call(&u->thing, u->deadline);
	while (u->repeat && u->got == -EAGAIN);
	flag_set(&u->over, 1);
	return NULL;
}

enum when { BEFORE, DURING, NEVER };

/* One call by a thread of its own; `when` it is made ready: before or during it. */
static void one_turn(const struct call *call, int64_t deadline, enum when when, int64_t expected)
{
	struct turn u = {.call = call, .deadline = deadline, .repeat = when == BEFORE};
	kit_doing("%s, deadline %lld, made ready %d", call->name, (long long)deadline, when);
	expect_eq(pthread_create(&u.thread, NULL, make_and_call, &u), 0);
	while (!flag(&u.made))
		weft_sleep(MS / 10);
	if (when == BEFORE)
		call->wake(&u.thing);
	flag_set(&u.go, 1);
	weft_sleep(MS);
	if (when == DURING)
		call->wake(&u.thing);
	while (!flag(&u.over)) /* a task must not hold the only processor that there may be */
		weft_sleep(MS / 10);
	pthread_join(u.thread, NULL);
	expect_eq(u.got, expected);
	if (when == NEVER) {
		call->wake(&u.thing);
		if (call->kind == OF_TASKS)
			expect_eq(call->call(&u.thing, soon()), call->result);
	}
	call->clear(&u.thing);
}

/* A group is its maker's, but one that no task has made is anybody's. */
TASK_TEST("each call waits, and ends as a task's", .seconds = 300)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		const struct call *c = &calls[i];
		one_turn(c, 0, NEVER, -EAGAIN);
		one_turn(c, 0, BEFORE, c->result);
		one_turn(c, WEFT_FOREVER, BEFORE, c->result);
		one_turn(c, WEFT_FOREVER, DURING, c->result);
		if (c->kind == NO_DEADLINE)
			continue;
		one_turn(c, 1, NEVER, -ETIMEDOUT);
		one_turn(c, weft_after(3 * MS), NEVER, -ETIMEDOUT);
		one_turn(c, soon(), DURING, c->result);
	}
}

static void sleep_each_way(void)
{
	struct timespec before, after;
	clock_gettime(CLOCK_MONOTONIC, &before);
	expect_eq(weft_sleep(3 * MS), 0);
	clock_gettime(CLOCK_MONOTONIC, &after);
	expect_ge((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec,
		  3 * MS);
	expect_eq(weft_sleep_until(weft_now()), 0);
	expect_eq(weft_sleep_until(weft_after(MS)), 0);
	expect_eq(weft_sleep(0), 0);
	expect_eq(weft_sleep(1), 0);
}

/* Tells the channel when all is over. */
static void *sleep_and_time(void *arg)
{
	struct weft_chan *ticks = weft_chan_new(0, 1);
	struct weft_timer *timer = weft_timer_new_chan(ticks);
	sleep_each_way();
	expect_eq(weft_timer_start(timer, weft_after(MS), 0), 0);
	expect_eq(weft_chan_recv(ticks, NULL, WEFT_FOREVER), 0);
	expect_eq(weft_timer_stop(timer), 0);
	expect_eq(weft_timer_start(timer, weft_after(3600 * 1000 * (int64_t)MS), 0), 0);
	expect_ge(weft_timer_stop(timer), 0); /* an hour may be over soon, where time is virtual */
	weft_timer_free(timer);
	weft_chan_unref(ticks);
	expect_eq(weft_chan_send(arg, NULL, WEFT_FOREVER), 0);
	return NULL;
}

/* Nothing runs meanwhile, or (`busy`) the only processor is in code that blocks. */
static void meet_a_sleeper(bool busy)
{
	pthread_t thread;
	struct weft_chan *over = weft_chan_new(0, 1);
	pthread_create(&thread, NULL, sleep_and_time, over);
	if (busy)
		pthread_join(thread, NULL);
	expect_eq(weft_chan_recv(over, NULL, WEFT_FOREVER), 0);
	if (!busy)
		pthread_join(thread, NULL);
	weft_chan_unref(over);
}

TASK_TEST("a thread sleeps, and starts timers, be the processors idle or not")
{
	meet_a_sleeper(false);
	meet_a_sleeper(true);
}

/* ---- at the end ---- */

static int leave_it_waiting(void *arg)
{
	struct turn *u = arg;
	pthread_create(&u->thread, NULL, make_and_call, u);
	while (!flag(&u->made))
		weft_sleep(MS / 10);
	flag_set(&u->go, 1);
	return weft_sleep(2 * MS);
}

/* A call that has not begun by then is refused. */
TEST("the end of the runtime ends each wait for a descriptor", .times = 3)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		struct turn u = {.call = &calls[i], .deadline = WEFT_FOREVER};
		if (u.call->kind != OF_FILES)
			continue;
		kit_doing("%s", u.call->name);
		expect_eq(tasks_run(tasks_processors[nth], leave_it_waiting, &u), 0);
		pthread_join(u.thread, NULL);
		expect(u.got == -ESHUTDOWN || u.got == -EINVAL);
		u.call->clear(&u.thing);
	}
}

/* ---- before and after ---- */

static void expect_refused(int refused)
{
	struct weft_task *task = NULL;
	struct weft_group *group = NULL;
	struct weft_chan *chan = weft_chan_new(sizeof(int64_t), 1);
	struct weft_timer *timer = weft_timer_new_chan(chan);
	struct addrinfo *list;
	struct thing g = {0};
	char byte = 0;
	make_pair(&g);
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls);
	     i++) /* those that need no run's thing */
		if (calls[i].make == make_pair || calls[i].make == make_full)
			expect_eq(calls[i].call(&g, WEFT_FOREVER), refused);
	expect_eq(weft_spawn(&task, NULL, nothing, NULL), refused);
	expect_eq(weft_group_new_with(&group, NULL), refused);
	expect_eq(weft_group_new(), NULL);
	expect_eq(weft_sleep(0), refused);
	expect_eq(weft_sleep(MS), refused);
	expect_eq(weft_sleep_until(1), refused);
	expect_eq(weft_timer_start(timer, 1, 0), refused);
	expect_eq(weft_timer_stop(timer), 0);
	expect_eq(weft_accept(g.fd[0], NULL, NULL, WEFT_FOREVER), refused);
	expect_eq(weft_connect(g.fd[0], NULL, 0, WEFT_FOREVER), refused);
	expect_eq(weft_close(g.fd[0]), refused);
	expect_eq(weft_wait_pid(1, NULL, WEFT_FOREVER), refused);
	expect_eq(weft_resolve("localhost", NULL, NULL, &list, WEFT_FOREVER), refused);
	expect_eq(weft_tcp_listen(NULL, "0", 0), refused);
	expect_eq(weft_tcp_dial("127.0.0.1", "1", WEFT_FOREVER), refused);
	expect_eq(weft_unix_listen("@weft-refused", 0), refused);
	expect_eq(weft_unix_dial("@weft-refused", WEFT_FOREVER), refused);
	expect_eq(weft_signal_notify(chan, SIGUSR1), refused);
	expect_eq(weft_signal_stop(chan), refused);
	expect_eq(weft_pwrite(g.fd[0], &byte, 1, 0, 0), -ESPIPE); /* plain calls: always */
	weft_timer_free(timer);
	weft_chan_unref(chan);
	clear_pair(&g);
}

TEST("before and after a run each call is refused", .times = 3)
{
	expect_refused(-EINVAL);
	for (int i = 0; i < 2; i++) {
		expect_eq(tasks_run(tasks_processors[nth], nothing, NULL), 0);
		expect_refused(-EINVAL);
	}
}

static int fork_and_ask(void *arg)
{
	int status = -1;
	pid_t child = fork();
	if (child == 0) {
		expect_refused(-ENOTSUP);
		_exit(0);
	}
	expect_eq(weft_wait_pid(child, &status, soon()), 0);
	return status;
}

TEST("a forked child is refused")
{
	expect_eq(tasks_run(1, fork_and_ask, NULL), 0);
}

/* ---- the deterministic mode, in which threads are real ---- */

static int each_in_turn(void *arg)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		one_turn(&calls[i], 0, NEVER, -EAGAIN);
		one_turn(&calls[i], WEFT_FOREVER, BEFORE, calls[i].result);
		one_turn(&calls[i], WEFT_FOREVER, DURING, calls[i].result);
	}
	meet_a_sleeper(false);
	return 0;
}

TEST("in the deterministic mode it is the same", .times = 3)
{
	uint64_t seed = kit_seed() + (uint64_t)nth;
	expect_eq(weft_sim_run(seed, NULL, each_in_turn, NULL), 0);
}
