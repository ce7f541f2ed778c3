/* SPDX-License-Identifier: MIT */
/*
 * test_tid.c: a thread that sleeps is seen to sleep, also when the program has used up its
 * descriptors (tid.c, from inside), and no descriptor of the program's is closed for it.
 */
#include "sched/tid.h"

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../kit.h"

enum { MOST = 64, LOOKS = 100 };

static sem_t told, never;
static pid_t sleeper;

static void *sleep_for_ever(void *arg)
{
	sleeper = (pid_t)syscall(SYS_gettid);
	sem_post(&told);
	sem_wait(&never);
	return arg;
}

/* A thread sleeps from here on, and one descriptor is kept. */
static void begin(void)
{
	pthread_t thread;
	expect_eq(sem_init(&told, 0, 0) + sem_init(&never, 0, 0), 0);
	expect_eq(pthread_create(&thread, NULL, sleep_for_ever, NULL), 0);
	sem_wait(&told);
	weft__tid_begin();
	while (!weft__tid_asleep(sleeper))
		sched_yield();
}

static int open_null(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static struct rlimit before_few;

/* Returns one of those that it has opened. */
static int use_all_descriptors(void)
{
	expect_eq(getrlimit(RLIMIT_NOFILE, &before_few), 0);
	struct rlimit few = {MOST, before_few.rlim_max};
	int last = -1;
	expect_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	for (int fd; (fd = open_null()) >= 0;)
		last = fd;
	return last;
}

/* LeakSanitizer needs one at the end. */
static void leave_descriptors_free(void)
{
	expect_eq(setrlimit(RLIMIT_NOFILE, &before_few), 0);
}

static bool is_null(int fd)
{
	struct stat file, null;
	return fstat(fd, &file) == 0 && stat("/dev/null", &null) == 0 && file.st_ino == null.st_ino;
}

TEST("without a free descriptor a sleeper is seen, again and again")
{
	begin();
	use_all_descriptors();
	for (int i = 0; i < LOOKS; i++)
		expect_eq(weft__tid_letter(sleeper), 'S');
	expect_eq(open_null(), -1);
	weft__tid_end();
	expect_ge(open_null(), 0);
	expect_eq(open_null(), -1);
	leave_descriptors_free();
}

TEST("one descriptor is kept, however many looks there are")
{
	int before = open_null();
	close(before);
	begin();
	for (int i = 0; i < LOOKS; i++)
		expect_eq(weft__tid_letter(sleeper), 'S');
	expect_eq(open_null(), before + 1);
	weft__tid_end();
	expect_eq(open_null(), before);
}

/* As a daemon does that closes all descriptors which it does not know. */
TEST("a number that the program has taken stays the program's")
{
	begin();
	for (int fd = STDERR_FILENO + 1; fd < MOST; fd++)
		close(fd);
	int last = use_all_descriptors();
	expect_eq(weft__tid_letter(sleeper), 0);
	for (int fd = STDERR_FILENO + 1; fd <= last; fd++)
		expect(is_null(fd));
	close(last);
	expect_eq(weft__tid_letter(sleeper), 'S');
	expect_eq(weft__tid_letter(sleeper), 'S');
	leave_descriptors_free();
}

TEST("a number that is closed is no trouble, and standard input may be the one")
{
	close(STDIN_FILENO);
	begin();
	close(STDIN_FILENO);
	expect_eq(weft__tid_letter(sleeper), 'S');
	expect_eq(open_null(), STDIN_FILENO);
	expect(is_null(STDIN_FILENO));
	use_all_descriptors();
	expect_eq(weft__tid_letter(sleeper), 0);
	expect(is_null(STDIN_FILENO));
	leave_descriptors_free();
}
