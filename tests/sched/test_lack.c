/* SPDX-License-Identifier: MIT */
/*
 * test_lack.c: there is no memory for one more stack. A task that has started and finds none is
 * tried again as long as anything could still run or be woken, whatever that is, and keeps nobody
 * else from it; only where nothing could, the program ends. Who is told, and what a kernel that
 * once said no is asked again.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../tasks.h"
#include "base/attr.h"
#include "base/fatal.h"
#include "sched/record.h"
#include "sched/sched.h"
#include "sched/stack.h"

/* More tries than schedule.c makes before it gives up, on each processor. */
enum { MANY_TRIES = 2 * 10000, GUARD_INSTALL = 102, LATE = 16 };

/* ---- the kernel: the linker brings these calls of libweft.a here ---- */

static int no_guards; /* from now on; and pauses take no time */
static int no_address_space;
static int tries;		  /* pauses, each after a try in vain */
static int tries_by;		  /* the thread of the last one */
static int others_blind;	  /* no other thread sees a descriptor become ready */
static int tries_at_most;	  /* 0: any number */
static int wake_after;		  /* so many tries; 0: never */
static void (*wake)(void);	  /* what happens then */
static int advised, advice_error; /* calls of process_madvise for memory; how the first one fails */

int __real_madvise(void *address, size_t size, int advice);
int __wrap_madvise(void *address, size_t size, int advice);
int __real_mprotect(void *address, size_t size, int protection);
int __wrap_mprotect(void *address, size_t size, int protection);
long __real_weft__syscall(long number, long a, long b, long c, long d, long e, long f);
long __wrap_weft__syscall(long number, long a, long b, long c, long d, long e, long f);

int __wrap_madvise(void *address, size_t size, int advice)
{
	if (!flag(&no_guards) || advice != GUARD_INSTALL)
		return __real_madvise(address, size, advice);
	errno = ENOMEM;
	return -1;
}

int __wrap_mprotect(void *address, size_t size, int protection)
{
	if (!flag(&no_guards) || protection != PROT_NONE)
		return __real_mprotect(address, size, protection);
	errno = ENOMEM;
	return -1;
}

static long note_try(void)
{
	int n = __atomic_add_fetch(&tries, 1, __ATOMIC_ACQ_REL);
	flag_set(&tries_by, gettid());
	if (tries_at_most)
		expect_le(n, tries_at_most);
	if (n == flag(&wake_after))
		wake();
	return 0;
}

static long advise(long number, long a, long b, long c, long d, long e, long f)
{
	if (flag(&no_guards) && d == GUARD_INSTALL)
		return -ENOMEM;
	if (c && __atomic_fetch_add(&advised, 1, __ATOMIC_RELAXED) == 0 && advice_error)
		return -advice_error;
	return __real_weft__syscall(number, a, b, c, d, e, f);
}

long __wrap_weft__syscall(long number, long a, long b, long c, long d, long e, long f)
{
	if (number == SYS_process_madvise)
		return advise(number, a, b, c, d, e, f);
	if (number == SYS_nanosleep && flag(&no_guards))
		return note_try();
	if (number == SYS_mremap && flag(&no_address_space))
		return -ENOMEM;
	if (number == SYS_epoll_pwait2 && flag(&others_blind) && flag(&tries_by) != gettid())
		return 0;
	return __real_weft__syscall(number, a, b, c, d, e, f);
}

static void guards_again(void)
{
	flag_set(&no_guards, 0);
	flag_set(&others_blind, 0);
}

static void await_tries(void)
{
	while (flag(&tries) < flag(&wake_after))
		usleep(1000);
}

/* ---- what ends a wait after many tries ---- */

static int pipe_fd[2];
static struct weft_sem gate = WEFT_SEM_INIT(0), never = WEFT_SEM_INIT(0);
static struct weft_chan *signals;
static int begun;

static void begin(void)
{
	flag_set(&begun, 1);
}

static void write_byte(void)
{
	expect_eq(write(pipe_fd[1], "x", 1), 1);
}

static int wait_for_descriptor(void *arg)
{
	char byte;
	begin();
	return (int)weft_read(*pipe_fd, &byte, 1, WEFT_FOREVER) - 1;
}

/* Longer than many tries take; where they take longer, nothing is shown. */
static int wait_for_timer(void *arg)
{
	begin();
	return weft_sleep(3000 * (int64_t)MS);
}

static int wait_in_user_code(void *arg)
{
	begin();
	await_tries();
	return 0;
}

static int compute(void *arg)
{
	begin();
	while (flag(&tries) < flag(&wake_after))
		;
	return 0;
}

static void *release_gate(void *arg)
{
	await_tries();
	weft_sem_release(&gate, 1);
	return NULL;
}

static int wait_for_foreign_thread(void *arg)
{
	pthread_t thread;
	expect_eq(pthread_create(&thread, NULL, release_gate, NULL), 0);
	expect_eq(pthread_detach(thread), 0);
	begin();
	return weft_sem_acquire(&gate, 1, WEFT_FOREVER);
}

static void raise_signal(void)
{
	kill(getpid(), SIGUSR1);
}

static int wait_for_signal(void *arg)
{
	int signo;
	signals = weft_chan_new(sizeof(int), 1);
	expect_eq(weft_signal_notify(signals, SIGUSR1), 0);
	begin();
	return weft_chan_recv(signals, &signo, WEFT_FOREVER);
}

static const struct waker {
	int (*wait)(void *arg);
	void (*wake)(void);
} wakers[] = {
	{wait_for_descriptor, write_byte}, {wait_for_timer, NULL},
	{wait_in_user_code, NULL},	   {compute, NULL},
	{wait_for_foreign_thread, NULL},   {wait_for_signal, raise_signal},
};

static void nothing(void)
{
}

static int wait_then_leave_memory(void *arg)
{
	const struct waker *waker = arg;
	int result = waker->wait(NULL);
	guards_again();
	return result;
}

static int run_late(void *arg)
{
	return weft_sem_acquire(&gate, 1, WEFT_FOREVER);
}

static int join(struct weft_task *task)
{
	int result = -1;
	expect_eq(weft_join(task, &result, WEFT_FOREVER), 0); /* no timer of ours */
	return result;
}

static void start_late(struct weft_task **late)
{
	for (int i = 0; i < LATE; i++)
		late[i] = tasks_start(run_late, NULL);
}

static void end_late(struct weft_task **late)
{
	weft_sem_release(&gate, LATE);
	for (int i = 0; i < LATE; i++)
		expect_eq(join(late[i]), 0);
}

static int lack_until_woken(void *arg)
{
	struct weft_task *late[LATE];
	struct weft_task *task = tasks_start(wait_then_leave_memory, arg);
	while (!flag(&begun))
		weft_yield();
	tasks_settle();
	flag_set(&no_guards, 1);
	start_late(late);
	expect_eq(join(task), 0);
	end_late(late);
	return 42;
}

TEST("who lacks a stack is tried again while anything may wake another",
     .times = 3 * array_len(wakers))
{
	const struct waker *waker = &wakers[nth / 3];
	unsigned processors = tasks_processors[nth % 3];
	expect_eq(pipe(pipe_fd), 0);
	wake = waker->wake ? waker->wake : nothing;
	flag_set(&wake_after, MANY_TRIES * (int)processors);
	expect_eq(tasks_run(processors, lack_until_woken, (void *)waker), 42);
}

/* ---- the end ---- */

enum { HOPELESS = 3 };

static void expect_hopeless(void)
{
	_exit(HOPELESS);
}

static int wait_without_end(void *arg)
{
	return weft_sem_acquire(&never, 1, WEFT_FOREVER);
}

static int start_more_than_have_stacks(void *arg)
{
	flag_set(&no_guards, 1);
	weft__fatal_hook = expect_hopeless;
	for (int i = 0; i < 100; i++)
		weft_detach(tasks_start(wait_without_end, NULL));
	return wait_without_end(NULL);
}

TEST("who waits for a stack that nobody can give ends the program", .times = 3,
     .ends = EXITS(HOPELESS))
{
#ifdef EMULATED
	skip("an emulator has threads of its own, which may wake a task");
#endif
	tasks_run(tasks_processors[nth], start_more_than_have_stacks, NULL);
}

/* ---- the poller ---- */

TEST("the poller is looked at before each further try")
{
	static const struct waker waker = {wait_for_descriptor, write_byte};
	expect_eq(pipe(pipe_fd), 0);
	wake = waker.wake;
	flag_set(&others_blind, 1);
	flag_set(&wake_after, 200);
	flag_set(&tries_at_most, 200 + 4 * LATE); /* those that are older may go first */
	expect_eq(tasks_run(1, lack_until_woken, (void *)&waker), 42);
}

/* ---- the deterministic mode ---- */

static int sleep_for_an_hour(void *arg)
{
	begin();
	return weft_sleep(3600 * 1000 * (int64_t)MS);
}

TEST("virtual time goes on to the next timer while tasks lack a stack", .times = 10)
{
	static const struct waker waker = {sleep_for_an_hour, NULL};
	flag_set(&tries_at_most, 100 * LATE);
	expect_eq(weft_sim_run((uint64_t)nth + 1, NULL, lack_until_woken, (void *)&waker), 42);
}

/* ---- who is told ---- */

static off_t said(void)
{
	struct stat st;
	expect_eq(fstat(STDERR_FILENO, &st), 0);
	return st.st_size;
}

/* 3, 6, 12, 24 and 48 records are used, of 64 in the first region. */
static int take_records_to_the_end(void *arg)
{
	struct task *got[256];
	struct stack_class *class = weft__stack_class(1024 * 1024);
	for (int i = 0; i < 3; i++)
		expect_eq(weft__record_take(class, got, 1), 1);
	for (int n = 3; n < 48; n *= 2)
		expect_eq(weft__record_take(class, got, array_len(got)), n);
	flag_set(&no_address_space, 1);
	expect_eq(weft__record_take(class, got, array_len(got)), 16);
	expect_eq(said(), 0);
	expect_eq(weft__record_take(class, got, array_len(got)), -ENOMEM);
	expect_gt(said(), 0);
	return 42;
}

TEST("a lack of address space is told to who gets nothing alone")
{
	expect_ge(dup2(fileno(tmpfile()), STDERR_FILENO), 0);
	expect_eq(tasks_run(1, take_records_to_the_end, NULL), 42);
}

/* ---- one refusal is not for ever ---- */

enum { CROWD = 200 };

static int use_many_stacks(void *arg)
{
	struct weft_task *tasks[CROWD];
	for (int i = 0; i < CROWD; i++)
		tasks[i] = tasks_start(run_late, NULL);
	tasks_settle();
	weft_sem_release(&gate, CROWD);
	for (int i = 0; i < CROWD; i++)
		expect_eq(join(tasks[i]), 0);
	return 42;
}

TEST("stacks are guarded many at a time again after one call has failed", .times = 2)
{
	static const int errors[] = {ENOMEM, EINVAL};
	if (syscall(SYS_process_madvise, -10000, NULL, 0, GUARD_INSTALL, 0) < 0)
		skip("the kernel has no process_madvise for a process itself");
	advice_error = errors[nth];
	expect_eq(tasks_run(1, use_many_stacks, NULL), 42);
	expect_gt(advised, 1);
}
