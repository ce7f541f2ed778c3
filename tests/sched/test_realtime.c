/* SPDX-License-Identifier: MIT */
/*
 * test_realtime.c: a real-time thread that waits for a few instructions of a thread below it, on
 * the same CPU, lets that one run: it sleeps. A thread that only yields burns its CPU until
 * RLIMIT_RTTIME, which counts CPU time between two sleeps, ends the process.
 */
#include "../../src/api/task.c"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#include "../tasks.h"

enum { WITHOUT_A_SLEEP_US = 200 * 1000 };

static struct task ending;
static struct waiter waiter = {.word = WAIT_OPEN | WAIT_CLAIMED};

static void *ends_the_wait(void *arg)
{
	wait_publish(&waiter, WAKE_USER);
	return arg;
}

static void *ends_the_task(void *arg)
{
	store_release(&ending.join, JOIN_ENDED);
	return arg;
}

/* This thread becomes a real-time one; the other, which is not, can run on the same CPU alone. */
static pthread_t above(void *(*fn)(void *arg))
{
	const struct rlimit limit = {WITHOUT_A_SLEEP_US, WITHOUT_A_SLEEP_US};
	const struct sched_param first = {.sched_priority = 1}, none = {0};
	pthread_attr_t attr;
	pthread_t thread;
	cpu_set_t one;
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	expect_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	expect_eq(setrlimit(RLIMIT_RTTIME, &limit), 0);
	if (sched_setscheduler(0, SCHED_FIFO, &first) < 0)
		kit_skip("real-time scheduling is not allowed here");
	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_OTHER);
	pthread_attr_setschedparam(&attr, &none);
	expect_eq(pthread_create(&thread, &attr, fn, NULL), 0);
	pthread_attr_destroy(&attr);
	return thread;
}

TEST("a wait that somebody else is ending")
{
	pthread_t other = above(ends_the_wait);
	weft__wait_abandon(&waiter);
	expect_eq(wait_reason(&waiter), WAKE_USER);
	pthread_join(other, NULL);
}

TEST("a join that was given up while the task ends")
{
	ending.join = JOIN_CLAIMING;
	pthread_t other = above(ends_the_task);
	expect(!weft__join_unqueue(&ending, &waiter));
	pthread_join(other, NULL);
}
