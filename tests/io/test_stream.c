/* SPDX-License-Identifier: MIT */
/* test_stream.c: reading and writing sockets, pipes, terminals, files: what weft_read and weft_write promise. */
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io_test.h"

static bool nonblocking(int fd)
{
	return fcntl(fd, F_GETFL) & O_NONBLOCK;
}

/* ---- each kind of descriptor ---- */

static int write_later(void *arg)
{
	weft_sleep(5 * MS);
	return (int)weft_write(*(int *)arg, "hello", 5, WEFT_FOREVER);
}

/* A reader waits for a writer that comes later; flags are as before. */
static void later(int reader, int writer)
{
	char buf[16];
	bool before = nonblocking(reader);
	struct weft_task *task = tasks_start(write_later, &writer);
	ck_assert_int_eq(weft_read(reader, buf, sizeof(buf), WEFT_FOREVER), 5);
	ck_assert_mem_eq(buf, "hello", 5);
	ck_assert_int_eq(tasks_join(task), 5);
	ck_assert_int_eq(nonblocking(reader), before);
	ck_assert_int_eq(nonblocking(writer), before);
}

/* What all kinds promise about time limits. */
static void limits(int reader)
{
	uint64_t buf[1];
	ck_assert_int_eq(weft_read(reader, buf, 8, 0), -EAGAIN);
	ck_assert_int_eq(weft_read(reader, buf, 8, weft_now() - 1), -ETIMEDOUT);
	int64_t begin = weft_now();
	ck_assert_int_eq(weft_read(reader, buf, 8, weft_after(10 * MS)), -ETIMEDOUT);
	ck_assert_int_ge(weft_now() - begin, 10 * MS);
	weft_cancel(weft_self());
	ck_assert_int_eq(weft_read(reader, buf, 8, WEFT_FOREVER), -ECANCELED);
	ck_assert_int_eq(weft_read(reader, buf, 8, WEFT_FOREVER), -ECANCELED);
	weft_cancel_clear();
}

/* What is there is delivered to the cancelled and the late. */
static void delivery_wins(int reader, int writer)
{
	char buf[4];
	ck_assert_int_eq(weft_write(writer, "abc", 3, WEFT_FOREVER), 3);
	weft_cancel(weft_self());
	ck_assert_int_eq(weft_read(reader, buf, 1, WEFT_FOREVER), 1);
	weft_cancel_clear();
	ck_assert_int_eq(weft_read(reader, buf, 1, weft_now() - 1), 1);
	ck_assert_int_eq(weft_read(reader, buf, 1, 0), 1);
	ck_assert_int_eq(buf[0], 'c');
}

static void kind(int reader, int writer)
{
	later(reader, writer);
	limits(reader);
	delivery_wins(reader, writer);
	limits(reader);
	later(reader, writer);
}

static void with_own_tcp(void)
{
	int fd[2];
	tcp_pair(fd);
	kind(fd[0], fd[1]);
	kind(fd[1], fd[0]);
	ck_ok(weft_close(fd[0]));
	ck_ok(weft_close(fd[1]));
}

static void with_borrowed_sockets(void)
{
	int fd[2];
	ck_ok(socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	kind(fd[0], fd[1]);
	close(fd[0]);
	close(fd[1]);
}

static void with_own_unix(void)
{
	int listener = weft_unix_listen("@weft-test-stream", 0);
	ck_assert_int_ge(listener, 0);
	int a = weft_unix_dial("@weft-test-stream", WEFT_FOREVER);
	int b = weft_accept(listener, NULL, NULL, WEFT_FOREVER);
	kind(a, b);
	ck_ok(weft_close(a));
	ck_ok(weft_close(b));
	ck_ok(weft_close(listener));
}

static void with_pipes(void)
{
	int fd[2];
	ck_ok(pipe(fd));
	kind(fd[0], fd[1]);
	close(fd[0]);
	close(fd[1]);
}

static void with_nonblocking_pipes(void)
{
	int fd[2];
	ck_ok(pipe2(fd, O_NONBLOCK));
	kind(fd[0], fd[1]);
	close(fd[0]);
	close(fd[1]);
}

static void with_named_pipes(void)
{
	char path[] = "/tmp/weft-fifo-XXXXXX";
	ck_assert_ptr_nonnull(mkdtemp(path));
	char name[64];
	snprintf(name, sizeof(name), "%s/pipe", path);
	ck_ok(mkfifo(name, 0600));
	int reader = open(name, O_RDWR), writer = open(name, O_WRONLY);
	kind(reader, writer);
	close(reader);
	close(writer);
	unlink(name);
	rmdir(path);
}

static void with_terminals(void)
{
	int master, slave;
	struct termios raw;
	cfmakeraw(&raw);
	if (openpty(&master, &slave, NULL, NULL, NULL) < 0)
		return; /* no pseudo-terminals here */
	tcgetattr(slave, &raw);
	cfmakeraw(&raw);
	tcsetattr(slave, TCSANOW, &raw);
	kind(slave, master);
	kind(master, slave);
	close(master);
	close(slave);
}

TEST_TASKS(every_kind_of_descriptor_waits_without_changing_it)
{
	with_own_tcp();
	with_borrowed_sockets();
	with_own_unix();
	with_pipes();
	with_nonblocking_pipes();
	with_named_pipes();
	with_terminals();
}

static int post_later(void *arg)
{
	uint64_t three = 3;
	weft_sleep(5 * MS);
	return (int)weft_write(*(int *)arg, &three, sizeof(three), WEFT_FOREVER);
}

static void with_eventfd(void)
{
	uint64_t value;
	int fd = eventfd(0, 0);
	limits(fd);
	struct weft_task *task = tasks_start(post_later, &fd);
	ck_assert_int_eq(weft_read(fd, &value, sizeof(value), WEFT_FOREVER), 8);
	ck_assert_uint_eq(value, 3);
	ck_assert_int_eq(tasks_join(task), 8);
	close(fd);
}

static void with_files(void)
{
	char path[] = "/tmp/weft-file-XXXXXX", buf[8];
	int fd = mkstemp(path);
	unlink(path);
	ck_assert_int_eq(weft_write(fd, "abcdef", 6, 0), 6);
	ck_assert_int_eq(weft_read(fd, buf, 8, WEFT_FOREVER), 0);
	ck_assert_int_eq(lseek(fd, 2, SEEK_SET), 2);
	ck_assert_int_eq(weft_read(fd, buf, 8, 0), 4);
	ck_assert_mem_eq(buf, "cdef", 4);
	ck_assert_int_eq(weft_wait_fd(fd, POLLIN | POLLOUT, WEFT_FOREVER), POLLIN | POLLOUT);
	ck_ok(weft_close(fd));
	ck_assert_int_eq(weft_read(fd, buf, 8, WEFT_FOREVER), -EBADF);
	int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR);
	ck_assert_int_eq(weft_read(null, buf, 8, WEFT_FOREVER), 0);
	ck_assert_int_eq(weft_write(null, buf, 8, WEFT_FOREVER), 8);
	ck_assert_int_eq(weft_read(zero, buf, 8, WEFT_FOREVER), 8);
	close(null);
	close(zero);
}

TEST_TASKS(event_counters_files_and_devices_are_read_and_written)
{
	with_eventfd();
	with_files();
}

/* ---- how much ---- */

enum { LARGE = 3 << 20 };

static int write_large(void *arg)
{
	char *data = malloc(LARGE);
	for (int i = 0; i < LARGE; i++)
		data[i] = (char)(i * 7);
	struct iovec v[40];
	for (int i = 0; i < 40; i++)
		v[i] = (struct iovec){data + (size_t)i * (LARGE / 40), LARGE / 40};
	v[39].iov_len += LARGE % 40;
	ck_assert_int_eq(weft_writev(*(int *)arg, v, 40, WEFT_FOREVER), LARGE);
	ck_assert_int_eq(weft_write(*(int *)arg, data, LARGE, WEFT_FOREVER), LARGE);
	free(data);
	return 0;
}

static void check_large(int reader)
{
	static char buf[10007];
	struct iovec v[2] = {{buf, 7}, {buf + 7, 10000}};
	int place = 0;
	while (place < LARGE) {
		ssize_t n = weft_readv(reader, v, 2, WEFT_FOREVER);
		ck_assert_int_gt(n, 0);
		for (int i = 0; i < n; i++)
			if (buf[i] != (char)((place + i) % LARGE * 7))
				ck_abort_msg("byte %d is wrong", place + i);
		place += (int)n;
	}
	ck_assert_int_ge(place, LARGE);
	while (place < 2 * LARGE) {
		ssize_t n = weft_read(reader, buf, sizeof(buf), WEFT_FOREVER);
		ck_assert_int_gt(n, 0);
		place += (int)n;
	}
	ck_assert_int_eq(place, 2 * LARGE);
}

static void large_through(int reader, int writer)
{
	struct weft_task *task = tasks_start(write_large, &writer);
	check_large(reader);
	ck_ok(tasks_join(task));
}

static void large(void)
{
	int fd[2];
	tcp_pair(fd);
	large_through(fd[0], fd[1]);
	weft_close(fd[0]);
	weft_close(fd[1]);
	ck_ok(pipe(fd));
	large_through(fd[0], fd[1]);
	close(fd[0]);
	close(fd[1]);
	ck_ok(socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	large_through(fd[0], fd[1]);
	close(fd[0]);
	close(fd[1]);
}

TEST_TASKS(write_writes_all_however_little_fits)
{
	large();
}

static void partial(void)
{
	int fd[2];
	char *data = calloc(1, LARGE);
	ck_ok(pipe(fd));
	ssize_t n = weft_write(fd[1], data, LARGE, weft_after(5 * MS));
	ck_assert_int_gt(n, 0);
	ck_assert_int_lt(n, LARGE);
	ck_assert_int_eq(weft_write(fd[1], data, LARGE, weft_after(5 * MS)), -ETIMEDOUT);
	ck_assert_int_eq(weft_write(fd[1], data, LARGE, 0), -EAGAIN);
	close(fd[0]);
	ck_assert_int_eq(weft_write(fd[1], data, 1, WEFT_FOREVER), -EPIPE);
	close(fd[1]);
	free(data);
}

TEST_TASKS(write_tells_how_much_went_before_the_error)
{
	partial();
}

static void nothing(void)
{
	int fd[2];
	ck_ok(socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	ck_assert_int_eq(weft_read(fd[0], NULL, 0, WEFT_FOREVER), 0);
	ck_assert_int_eq(weft_readv(fd[0], NULL, 0, WEFT_FOREVER), 0);
	ck_assert_int_eq(weft_write(fd[0], NULL, 0, WEFT_FOREVER), 0);
	ck_assert_int_eq(weft_readv(fd[0], NULL, -1, WEFT_FOREVER), -EINVAL);
	ck_assert_int_eq(weft_writev(fd[0], NULL, 5000, WEFT_FOREVER), -EINVAL);
	close(fd[0]);
	close(fd[1]);
	ck_assert_int_eq(weft_read(fd[0], NULL, 0, WEFT_FOREVER), -EBADF);
	ck_assert_int_eq(weft_read(-1, NULL, 0, WEFT_FOREVER), -EBADF);
	ck_assert_int_eq(weft_close(-1), -EBADF);
	ck_assert_int_eq(weft_close(fd[0]), -EBADF);
}

TEST_TASKS(lengths_of_zero_and_wrong_arguments_never_wait)
{
	nothing();
}

/* ---- the end of a stream ---- */

static void ends(void)
{
	int fd[2];
	char buf[4];
	tcp_pair(fd);
	ck_assert_int_eq(weft_write(fd[0], "ab", 2, WEFT_FOREVER), 2);
	ck_ok(shutdown(fd[0], SHUT_WR)); /* half-close: the other direction lives */
	ck_assert_int_eq(weft_read(fd[1], buf, 4, WEFT_FOREVER), 2);
	ck_assert_int_eq(weft_read(fd[1], buf, 4, WEFT_FOREVER), 0);
	ck_assert_int_eq(weft_read(fd[1], buf, 4, WEFT_FOREVER), 0);
	ck_assert_int_eq(weft_write(fd[1], "cd", 2, WEFT_FOREVER), 2);
	ck_assert_int_eq(weft_read(fd[0], buf, 4, WEFT_FOREVER), 2);
	ck_ok(weft_close(fd[0]));
	ck_ok(weft_close(fd[1]));
}

TEST_TASKS(half_close_ends_one_direction)
{
	ends();
}

static void broken(void)
{
	int fd[2];
	ck_ok(socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	close(fd[0]);
	ck_assert_int_eq(weft_write(fd[1], "x", 1, WEFT_FOREVER), -EPIPE);
	ck_assert_int_eq(weft_send(fd[1], "x", 1, 0, WEFT_FOREVER), -EPIPE);
	close(fd[1]);
	ck_ok(pipe(fd));
	close(fd[0]);
	ck_assert_int_eq(weft_write(fd[1], "x", 1, WEFT_FOREVER), -EPIPE);
	close(fd[1]);
	sigset_t pending, blocked;
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, NULL, &blocked);
	ck_assert(!sigismember(&pending, SIGPIPE) && !sigismember(&blocked, SIGPIPE));
}

TEST_TASKS(broken_pipes_give_an_error_and_no_signal)
{
	signal(SIGPIPE, SIG_DFL); /* would end the test */
	broken();
}

START_TEST(outside_of_tasks_everything_is_refused)
{
	char buf[4];
	ck_assert_int_eq(weft_read(0, buf, 4, 0), -EINVAL);
	ck_assert_int_eq(weft_write(0, buf, 4, 0), -EINVAL);
	ck_assert_int_eq(weft_accept(0, NULL, NULL, 0), -EINVAL);
	ck_assert_int_eq(weft_wait_fd(0, POLLIN, 0), -EINVAL);
	ck_assert_int_eq(weft_close(0), -EINVAL);
	ck_assert_int_eq(weft_tcp_listen(NULL, "0", 0), -EINVAL);
	ck_assert_int_eq(weft_tcp_dial("127.0.0.1", "1", 0), -EINVAL);
}
END_TEST

static void add_all(TCase *t)
{
	add_tasks_test(t, every_kind_of_descriptor_waits_without_changing_it);
	add_tasks_test(t, event_counters_files_and_devices_are_read_and_written);
	add_tasks_test(t, write_writes_all_however_little_fits);
	add_tasks_test(t, write_tells_how_much_went_before_the_error);
	add_tasks_test(t, lengths_of_zero_and_wrong_arguments_never_wait);
	add_tasks_test(t, half_close_ends_one_direction);
	add_tasks_test(t, broken_pipes_give_an_error_and_no_signal);
	tcase_add_test(t, outside_of_tasks_everything_is_refused);
}

TESTS_MAIN("stream", add_all)
