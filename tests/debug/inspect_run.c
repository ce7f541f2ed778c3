/* SPDX-License-Identifier: MIT */
/* inspect_run.c: a program to look into: tasks that sleep, tick, compute and block. Prints a line when all do. */
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

static int main_task(void *arg)
{
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

int main(void)
{
	return weft_run(NULL, main_task, NULL);
}
