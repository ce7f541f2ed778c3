/* SPDX-License-Identifier: MIT */
/*
 * inspect_run.c [PEAK]: a program to look into: tasks that sleep, tick, compute and block. Prints a
 * line when all do; with an argument after a peak of tasks that have ended.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/attr.h"
#include "weft/weft.h"

enum { MS = 1000 * 1000 };

static noinline void sleep_in_named_function(void *arg)
{
	weft_set_name("resolver");
	weft_sleep(3600ll * 1000 * MS);
	__asm__ volatile(""); /* no tail call: the frame has to be there */
}

static noinline void spin_in_named_function(void *arg)
{
	for (volatile unsigned n = 0;; n++)
		;
}

static void block(void *arg)
{
	sleep(3600);
}

enum { PEAK = 1000 };

static void sleep_shortly(void *arg)
{
	weft_sleep(50 * MS);
	weft_waitgroup_done(arg);
}

/* Many tasks at once, whose stacks are given back later. */
static void make_a_peak(void)
{
	static struct weft_waitgroup tasks;
	weft_waitgroup_add(&tasks, PEAK);
	for (int i = 0; i < PEAK; i++)
		weft_go(sleep_shortly, &tasks);
	weft_waitgroup_wait(&tasks, WEFT_FOREVER);
}

static int main_task(void *peak)
{
	if (peak)
		make_a_peak();
	weft_go(sleep_in_named_function, NULL);
	weft_go(spin_in_named_function, NULL);
	weft_go(block, NULL);
	for (int i = 0; weft_sleep(5 * MS) == 0; i++) {
		if (i == 20) {
			puts("ready");
			fflush(stdout);
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	return weft_run(NULL, main_task, argv[1]);
}
