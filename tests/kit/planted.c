/* SPDX-License-Identifier: MIT */
/* planted.c: a program of every way in which a run can end, each run alone by test_kit.py. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kit.h"
#include "../tasks.h"

static const char *nothing;

TEST("good: values")
{
	char text[] = "same";
	expect(true);
	expect_eq(1 + 1, 2);
	expect_eq((size_t)3, 3);
	expect_lt(-1, 0u);
	expect_gt(UINT64_MAX, -1);
	expect_ne(UINT64_MAX, -1);
	expect_eq(text, "same");
	expect_ne(text, NULL);
	expect_eq(nothing, NULL);
	expect_mem_eq("abc", "abd", 2);
	expect_mem_ne("abc", "abd", 3);
}

TEST("good: three times", .times = 3)
{
	expect(nth >= 0 && nth < 3);
	printf("run %d, seed %d\n", nth, (int)kit_seed());
}

static int on_a_task(void *arg)
{
	expect_eq(*(int *)arg, 5);
	return 0;
}

TASK_TEST("good: on a task")
{
	int five = 5;
	expect_ne(weft_self(), NULL);
	expect_eq(tasks_join(tasks_start(on_a_task, &five)), 0);
}

TASK_TEST("bad: on a task")
{
	int four = 4;
	tasks_join(tasks_start(on_a_task, &four));
}

TEST("bad: numbers")
{
	expect_eq(6 * 7, 41);
}

TEST("bad: texts")
{
	expect_eq("left", "right");
}

TEST("bad: memory")
{
	expect_mem_eq("abc", "abd", 3);
}

TEST("bad: words")
{
	expect_that(false, "%d is not %s", 3, "four");
}

TEST("bad: exits before its end")
{
	exit(0);
}

TEST("bad: crashes")
{
	kit_doing("step %d", 9);
	raise(SIGKILL);
}

TEST("bad: hangs", .seconds = 1)
{
	pause();
}

static void *fails(void *arg)
{
	fail("on a thread");
}

TEST("bad: on a thread")
{
	pthread_t thread;
	pthread_create(&thread, NULL, fails, NULL);
	pthread_join(thread, NULL);
}

TEST("bad: in a child that nobody asks")
{
	pid_t child = fork();
	if (child == 0)
		fail("in a child");
	waitpid(child, NULL, 0);
}

TEST("bad: status after its end")
{
	atexit((void (*)(void))abort);
}

TEST("good: dies as it should", .ends = DIES(SIGKILL))
{
	raise(SIGKILL);
}

TEST("bad: does not die", .ends = DIES(SIGKILL))
{
}

TEST("good: exits as it should", .ends = EXITS(0))
{
	_exit(0);
}

TEST("bad: exits otherwise", .ends = EXITS(3))
{
	_exit(4);
}

static void among(const struct kit_test *test, int nth)
{
	puts("prepared");
	test->body(nth);
	puts("cleared away");
}

TEST("good: among others", .around = among)
{
	puts("body");
}

/* What it leaves must not be there when the next one runs. */
TEST("good: leaves a child behind")
{
	if (fork() == 0)
		for (;;)
			pause();
	printf("group %d\n", (int)getpgrp());
}

TEST("skip: nothing to test with")
{
	skip("no %s here", "tool");
}
