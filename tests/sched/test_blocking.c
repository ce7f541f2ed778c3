/* SPDX-License-Identifier: MIT */
/*
 * test_blocking.c: any C code may block. While a task sits in the kernel or computes, a ticking
 * task keeps its beat.
 *
 * Counts and order are tested, never speed: a beat counts only while the blocker is known to be
 * inside, and each blocker is let go by the beats themselves, so a runtime that stalls hangs the
 * test instead of being slow in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../sandbox.h"
#include "../tasks.h"

enum { BEATS = 20 };

/* Waits, in user code and without a weft call, until the ticker has beaten BEATS times more. */
static int beats, ticking;

static int tick(void *arg)
{
	while (flag(&ticking)) {
		weft_sleep(MS);
		__atomic_fetch_add(&beats, 1, __ATOMIC_RELEASE);
	}
	return 0;
}

static struct weft_task *start_ticking(void)
{
	flag_set(&ticking, 1);
	return tasks_start(tick, NULL);
}

static void stop_ticking(struct weft_task *ticker)
{
	flag_set(&ticking, 0);
	expect_eq(tasks_join(ticker), 0);
}

static int enough_beats(int from)
{
	return flag(&beats) - from >= BEATS;
}

/* ---- a thread of the test's own lets the blocker go, once the ticker has beaten ---- */

struct blocker {
	void (*let_go)(void);
	int from;
};

static void *let_go_after_beats(void *arg)
{
	struct blocker *b = arg;
	while (!enough_beats(b->from))
		usleep(500);
	b->let_go();
	return NULL;
}

/*
 * Runs `block` in a task; it returns only when let_go was called, and that happens only after
 * enough beats.
 */
static void beats_go_on_while(int (*block)(void *arg), void *arg, void (*let_go)(void))
{
	pthread_t thread;
	struct weft_task *ticker = start_ticking();
	struct blocker b = {let_go, flag(&beats)};
	pthread_create(&thread, NULL, let_go_after_beats, &b);
	struct weft_task *task = tasks_start(block, arg);
	expect_eq(tasks_join(task), 0);
	pthread_join(thread, NULL);
	expect(enough_beats(b.from));
	stop_ticking(ticker);
}

static int pipe_ends[2];

static int read_pipe(void *arg)
{
	char byte;
	return read(pipe_ends[0], &byte, 1) == 1 ? 0 : -1;
}

static void write_pipe(void)
{
	expect_eq(write(pipe_ends[1], "x", 1), 1);
}

TASK_TEST("a read of a pipe that nobody writes stalls nobody")
{
	expect_eq(pipe(pipe_ends), 0);
	beats_go_on_while(read_pipe, NULL, write_pipe);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static int lock_mutex(void *arg)
{
	pthread_mutex_lock(&mutex);
	return pthread_mutex_unlock(&mutex);
}

static pthread_barrier_t mutex_held;

static void *hold_mutex(void *arg)
{
	pthread_mutex_lock(&mutex);
	pthread_barrier_wait(&mutex_held);
	while (!enough_beats(*(int *)arg))
		usleep(500);
	pthread_mutex_unlock(&mutex);
	return NULL;
}

static void nothing(void)
{
}

TASK_TEST("a pthread mutex held by another thread stalls nobody")
{
	pthread_t holder;
	int from = flag(&beats);
	pthread_barrier_init(&mutex_held, NULL, 2);
	pthread_create(&holder, NULL, hold_mutex, &from);
	pthread_barrier_wait(&mutex_held);
	beats_go_on_while(lock_mutex, NULL, nothing);
	pthread_join(holder, NULL);
}

static char lock_path[64];
static int lock_holder;

static int lock_file(void *arg)
{
	int fd = open(lock_path, O_RDWR | O_CLOEXEC);
	int err = flock(fd, LOCK_EX);
	close(fd);
	return err;
}

static void unlock_file(void)
{
	flock(lock_holder, LOCK_UN);
}

TASK_TEST("a flock on a held file stalls nobody")
{
	snprintf(lock_path, sizeof(lock_path), "/tmp/weft-flock-%d", getpid());
	lock_holder = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	expect_eq(flock(lock_holder, LOCK_EX), 0);
	beats_go_on_while(lock_file, NULL, unlock_file);
	close(lock_holder);
	unlink(lock_path);
}

static int computing;

static int compute(void *arg)
{
	while (flag(&computing))
		;
	return 0;
}

static void stop_computing(void)
{
	flag_set(&computing, 0);
}

TASK_TEST("a computation stalls nobody")
{
	flag_set(&computing, 1);
	beats_go_on_while(compute, NULL, stop_computing);
}

/* ---- with one processor, and a sandbox that refuses membarrier ---- */

static int block_twice(void *arg)
{
	expect_eq(pipe(pipe_ends), 0);
	beats_go_on_while(read_pipe, NULL, write_pipe);
	if (arg)
		sandbox_refuse(SYS_membarrier, EPERM);
	beats_go_on_while(read_pipe, NULL, write_pipe);
	flag_set(&computing, 1);
	beats_go_on_while(compute, NULL, stop_computing);
	return 42;
}

TEST("membarrier refused from the start stalls nobody")
{
	sandbox_refuse(SYS_membarrier, EPERM);
	expect_eq(tasks_run(1, block_twice, NULL), 42);
}

TEST("membarrier refused in mid-run stalls nobody")
{
	expect_eq(tasks_run(1, block_twice, ""), 42);
}

static int run_system(void *arg)
{
	return system("sleep 0.2");
}

TASK_TEST("system stalls nobody")
{
	beats_go_on_while(run_system, NULL, nothing);
}

static int look_up(void *arg)
{
	struct addrinfo *list;
	if (getaddrinfo("localhost", "80", NULL, &list) == 0)
		freeaddrinfo(list);
	return 0;
}

TASK_TEST("getaddrinfo runs on a tasks stack")
{
	beats_go_on_while(look_up, NULL, nothing);
}

/* ---- many ---- */

/*
 * The crowd's reads end only when all of it is inside: a runtime that lets fewer block at once
 * hangs the test, and the machine's speed means nothing.
 */
static int inside;

static int read_in_a_crowd(void *arg)
{
	__atomic_fetch_add(&inside, 1, __ATOMIC_RELEASE);
	return read_pipe(NULL);
}

static struct weft_stats start_crowd(struct weft_task **crowd, int count)
{
	struct weft_stats stats = {.size = sizeof(stats)};
	expect_eq(pipe(pipe_ends), 0);
	for (int i = 0; i < count; i++)
		crowd[i] = tasks_start(read_in_a_crowd, NULL);
	while (flag(&inside) < count)
		weft_sleep(MS);
	expect_eq(weft_stats(&stats), 0);
	return stats;
}

static void end_crowd(struct weft_task **crowd, int count)
{
	for (int i = 0; i < count; i++)
		write_pipe();
	for (int i = 0; i < count; i++)
		expect_eq(tasks_join(crowd[i]), 0);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
}

TASK_TEST("four hundred tasks block at once")
{
	enum { N = 400 };
	static struct weft_task *crowd[N];
	struct weft_stats stats = start_crowd(crowd, N);
	/* Each but the last few, which keep the processors that no other task wants. */
	expect_ge(stats.leases_taken, N - tasks_processors[nth]);
	expect_ge(stats.threads, N);
	end_crowd(crowd, N);
}

static int hog_until_stopped(void *arg)
{
	while (flag(&computing))
		;
	return 0;
}

static int sleeper(void *arg)
{
	for (int i = 0; i < 5; i++)
		weft_sleep(5 * MS);
	__atomic_fetch_add((int *)arg, 1, __ATOMIC_RELAXED);
	return 0;
}

TASK_TEST("hogs do not starve sleepers")
{
	struct weft_task *hog[4], *task[100];
	int woken = 0;
	flag_set(&computing, 1);
	for (int i = 0; i < 4; i++)
		hog[i] = tasks_start(hog_until_stopped, NULL);
	for (int i = 0; i < 100; i++)
		task[i] = tasks_start(sleeper, &woken);
	for (int i = 0; i < 100; i++)
		expect_eq(tasks_join(task[i]), 0);
	flag_set(&computing, 0);
	for (int i = 0; i < 4; i++)
		expect_eq(tasks_join(hog[i]), 0);
	expect_eq(woken, 100);
}

static int yield_many(void *arg)
{
	for (int i = 0; i < 200000 && flag(&ticking); i++)
		weft_yield();
	return 0;
}

TASK_TEST("a pair that yields for ever does not starve timers or new tasks")
{
	flag_set(&ticking, 1);
	struct weft_task *a = tasks_start(yield_many, NULL), *b = tasks_start(yield_many, NULL);
	struct weft_task *ticker = tasks_start(tick, NULL);
	int from = flag(&beats);
	while (!enough_beats(from))
		weft_sleep(MS);
	stop_ticking(ticker);
	expect_eq(tasks_join(a), 0);
	expect_eq(tasks_join(b), 0);
}

/* ---- the hint ---- */

static int hinted_sleep(void *arg)
{
	expect_eq(weft_blocking_end(), -EPERM);
	expect_eq(weft_blocking_begin(), 0);
	expect_eq(weft_blocking_begin(), 0);
	usleep(20 * 1000);
	expect_eq(weft_blocking_end(), 0);
	expect_eq(weft_blocking_end(), 0);
	return 0;
}

TASK_TEST("the hint hands the processor on and takes one back")
{
	struct weft_task *task[50];
	for (int i = 0; i < 50; i++)
		task[i] = tasks_start(hinted_sleep, NULL);
	for (int i = 0; i < 50; i++)
		expect_eq(tasks_join(task[i]), 0);
}

/* ---- tasks that come back at the very moment their processor is taken ---- */

static int come_and_go(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	for (int i = 0; i < 300; i++) {
		struct timespec nap = {0, 20000 + (long)(rand_r(&seed) % 200000)};
		nanosleep(&nap, NULL);
		weft_yield();
	}
	return 0;
}

TASK_TEST("coming back while the processor is being taken is safe")
{
	struct weft_task *task[16];
	for (uintptr_t i = 0; i < 16; i++)
		task[i] = tasks_start(come_and_go, (void *)(i + 1));
	for (int i = 0; i < 16; i++)
		expect_eq(tasks_join(task[i]), 0);
}

static int locked_come_and_go(void *arg)
{
	weft_lock_os_thread();
	return come_and_go(arg);
}

TASK_TEST("a locked task may lose its processor and come back")
{
	struct weft_task *task[8];
	for (uintptr_t i = 0; i < 8; i++)
		task[i] = tasks_start(locked_come_and_go, (void *)(i + 1));
	for (int i = 0; i < 8; i++)
		expect_eq(tasks_join(task[i]), 0);
}

/* ---- threads come and go ---- */

TASK_TEST("threads that a peak left behind go again")
{
	enum { N = 100 };
	struct weft_task *crowd[N];
	struct weft_stats stats = start_crowd(crowd, N);
	expect_ge(stats.threads, N);
	end_crowd(crowd, N);
	while (stats.threads > 15) {
		weft_sleep(100 * MS);
		weft_stats(&stats);
	}
}

static int lock_and_wait(void *arg)
{
	weft_lock_os_thread();
	return weft_sleep_until(WEFT_FOREVER);
}

static int exhaust_threads(void *arg)
{
	for (int i = 0; i < 20; i++)
		tasks_start(lock_and_wait, NULL);
	weft_sleep(1000 * (int64_t)MS);
	return 0;
}

TEST("running out of threads is fatal and says who holds them")
{
	struct weft_options o = {.processors = 2, .max_threads = 10};
	char line[256] = "";
	FILE *err = tmpfile();
	expect_ge(dup2(fileno(err), STDERR_FILENO), 0);
	pid_t pid = fork();
	if (pid == 0)
		_exit(weft_run(&o, exhaust_threads, NULL));
	int status = 0;
	waitpid(pid, &status, 0);
	rewind(err);
	expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	expect_ne(fgets(line, sizeof(line), err), NULL);
	expect_ne(strstr(line, "the limit of 10 threads is reached"), NULL);
	expect_ne(strstr(line, "belong to locked tasks"), NULL);
}
