/* SPDX-License-Identifier: MIT */
/*
 * test_plain.c: plain calls of threads that are not the runtime's: they block outside of it,
 * outlive it, and are interrupted then. And what such threads ask the kernel to wait for.
 *
 * The system call of the thread is held up, with --wrap, until the run has ended, or until the next
 * one has begun; then a signal interrupts it as a slow disk, FUSE or a terminal would let it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "../tasks.h"

/* ---- the system call that is held up ---- */

static __thread bool outside; /* this thread's first plain call is held up */
static int held, go;
static int short_write; /* it writes only so much then; 0: a signal interrupts it */
static int absurd;	/* waits that the kernel has refused */

long __real_weft__syscall(long number, long a, long b, long c, long d, long e, long f);
long __wrap_weft__syscall(long number, long a, long b, long c, long d, long e, long f);

/* RWF_NOWAIT is no plain call. */
static bool is_plain(long number, long flags)
{
	return number == SYS_readv || number == SYS_writev || number == SYS_accept4 ||
	       (number == SYS_pwritev2 && !(flags & 0x8));
}

static long hold_up(void)
{
	outside = false;
	flag_set(&held, 1);
	while (!flag(&go))
		usleep(100);
	return short_write ? short_write : -EINTR;
}

long __wrap_weft__syscall(long number, long a, long b, long c, long d, long e, long f)
{
	if (outside && is_plain(number, f))
		return hold_up();
	long result = __real_weft__syscall(number, a, b, c, d, e, f);
	if (number == SYS_futex && result == -EINVAL)
		flag_set(&absurd, 1);
	return result;
}

/* ---- the calls ---- */

static int fd = -1;

static void open_file(void)
{
	char name[] = "/tmp/weft-plain-XXXXXX";
	fd = mkstemp(name);
	expect_ge(fd, 0);
	unlink(name);
	expect_eq(pwrite(fd, "abc", 3, 0), 3);
}

/* Has no call that does not block, and cannot be opened anew. */
static void open_stream(void)
{
	fd = inotify_init1(0);
	expect_ge(fd, 0);
	expect_ge(inotify_add_watch(fd, "/dev/null", IN_OPEN), 0);
	close(open("/dev/null", O_RDONLY));
}

/* Somebody has connected. */
static void open_listener(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(a);
	int peer = socket(AF_UNIX, SOCK_STREAM, 0);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	expect_eq(bind(fd, (const struct sockaddr *)&a, sizeof(sa_family_t)), 0);
	expect_eq(listen(fd, 4), 0);
	expect_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	expect_eq(connect(peer, (const struct sockaddr *)&a, len), 0);
}

static int64_t call_read(void)
{
	char bytes[sizeof(struct inotify_event)];
	return weft_read(fd, bytes, sizeof(bytes), WEFT_FOREVER);
}

static int64_t call_readv(void)
{
	char bytes[2];
	const struct iovec v[] = {{&bytes[0], 1}, {&bytes[1], 1}};
	return weft_readv(fd, v, 2, WEFT_FOREVER);
}

static int64_t call_write(void)
{
	return weft_write(fd, "defg", 4, WEFT_FOREVER);
}

static int64_t call_writev(void)
{
	const struct iovec v[] = {{"h", 1}, {"ij", 2}};
	return weft_writev(fd, v, 2, WEFT_FOREVER);
}

static int64_t call_accept(void)
{
	return weft_accept(fd, NULL, NULL, WEFT_FOREVER);
}

static const struct call {
	const char *name;
	void (*open)(void);
	int64_t (*call)(void);
	int64_t result; /* what it has brought; a connection would be the ended run's own */
} calls[] = {
	{"read of a file", open_file, call_read, 3},
	{"readv of a file", open_file, call_readv, 2},
	{"read of a stream", open_stream, call_read, sizeof(struct inotify_event)},
	{"write to a file", open_file, call_write, 4},
	{"writev to a file", open_file, call_writev, 3},
	{"accept", open_listener, call_accept, -ESHUTDOWN},
};

static pthread_t thread;

static void *call_outside(void *arg)
{
	const struct call *c = arg;
	outside = true;
	expect_eq(c->call(), c->result);
	expect(!outside);
	return NULL;
}

static int let_it_be_held_up(void *arg)
{
	flag_set(&held, 0);
	flag_set(&go, 0);
	pthread_create(&thread, NULL, call_outside, arg);
	while (!flag(&held))
		weft_sleep(MS / 10);
	return 0;
}

static int let_it_go(void *arg)
{
	flag_set(&go, 1);
	pthread_join(thread, NULL);
	return 0;
}

/* The second time the signal comes during another run. */
TEST("a plain call that a signal interrupts beyond the end is made again", .times = 2)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		kit_doing("%s", calls[i].name);
		calls[i].open();
		expect_eq(tasks_run(2, let_it_be_held_up, (void *)&calls[i]), 0);
		expect_eq(nth ? tasks_run(2, let_it_go, NULL) : let_it_go(NULL), 0);
		close(fd);
	}
}

/* ---- a call in parts ---- */

static int let_it_end_elsewhere(void *arg)
{
	int *pair = arg;
	char rest[2];
	expect_eq(dup2(pair[0], fd), fd);
	let_it_go(NULL);
	expect_eq(read(pair[1], rest, 2), 2);
	return 0;
}

/* The file is written through one run's record, the socket that replaces it through another's: this
 * run ends only if the thread leaves it. */
TEST("a write whose first part outlives a run ends in the next")
{
	static const struct call write_four = {"write", open_file, call_write, 4};
	int pair[2];
	expect_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	short_write = 2;
	open_file();
	expect_eq(tasks_run(2, let_it_be_held_up, (void *)&write_four), 0);
	expect_eq(tasks_run(2, let_it_end_elsewhere, pair), 0);
	short_write = 0;
}

/* ---- deadlines at the ends of time ---- */

static struct weft_chan *chan;
static int about_to_wait;

static void *wait_long(void *arg)
{
	static const int64_t passed[] = {INT64_MIN, INT64_MIN + 1, -1, 1};
	for (size_t i = 0; i < sizeof(passed) / sizeof(*passed); i++) {
		expect_eq(weft_chan_recv(chan, NULL, passed[i]), -ETIMEDOUT);
		expect_lt(weft_tcp_dial(NULL, "1", passed[i]), 0); /* two addresses share it */
	}
	flag_set(&about_to_wait, 1);
	expect_eq(weft_chan_recv(chan, NULL, WEFT_FOREVER - 1), 0);
	return NULL;
}

static int wake_in_the_end(void *arg)
{
	pthread_create(&thread, NULL, wait_long, NULL);
	while (!flag(&about_to_wait))
		usleep(100);
	usleep(20 * 1000);
	int err = weft_chan_send(chan, NULL, WEFT_FOREVER);
	pthread_join(thread, NULL);
	return err;
}

/* By the virtual clock they are counted from the real one. */
TEST("a deadline at either end of time is one, in the deterministic mode, too", .times = 2)
{
	chan = weft_chan_new(0, 0);
	flag_set(&about_to_wait, 0);
	expect_eq(nth ? weft_sim_run(1, NULL, wake_in_the_end, NULL)
		      : tasks_run(2, wake_in_the_end, NULL),
		  0);
	expect_eq(flag(&absurd), 0);
	weft_chan_unref(chan);
}
