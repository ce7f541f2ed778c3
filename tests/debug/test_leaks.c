/* SPDX-License-Identifier: MIT */
/*
 * test_leaks.c: exit() in a task: LeakSanitizer reports what no pointer refers to, and nothing that
 * a task holds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "debug_test.h"

enum { LEAKED = 23 };

__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=1:exitcode=23";
}

/* A block to which nothing but the result points. */
static noinline void *new_block(void)
{
	return strdup("a block of the program's");
}

static int hold_on_stack(void *arg)
{
	char *volatile block = new_block();
	weft_sleep(INT64_MAX / 2);
	return block[0];
}

static int never_run(void *arg)
{
	free(arg);
	return 0;
}

static int on_a_parked_stack(void)
{
	struct weft_task *task;
	weft_spawn(&task, NULL, hold_on_stack, NULL);
	return weft_sleep(20 * MS);
}

static int in_a_record_that_never_ran(void)
{
	struct weft_task *task;
	return weft_spawn(&task, NULL, never_run, new_block());
}

static int in_a_member_that_never_ran(void)
{
	struct weft_group *group = weft_group_new();
	return weft_group_go(group, never_run, new_block());
}

static int hold_by_key(void *arg)
{
	unsigned key;
	weft_key_create(&key, free);
	weft_key_set(key, new_block());
	return weft_sleep(INT64_MAX / 2);
}

static int in_a_value_of_a_parked_task(void)
{
	struct weft_task *task;
	weft_spawn(&task, NULL, hold_by_key, NULL);
	return weft_sleep(20 * MS);
}

static int by_nobody(void)
{
	return new_block() == NULL;
}

static int (*hold)(void);

/* The frame in which a block was held for a moment must not hold it for ever. */
static noinline void overwrite_stack(void)
{
	char above[4096];
	memset(above, 0, sizeof(above));
	__asm__ volatile("" : : "r"(above) : "memory");
}

static int hold_and_exit(void *arg)
{
	if (hold())
		_Exit(1);
	overwrite_stack();
	exit(0);
}

static int run_and_exit(void *arg)
{
	struct weft_options options = {.processors = 1};
	return weft_run(&options, hold_and_exit, NULL);
}

TEST("what a task holds is no leak")
{
#ifndef WEFT_ASAN
	skip("there is no LeakSanitizer in this build");
#endif
	static int (*const places[])(void) = {on_a_parked_stack, in_a_record_that_never_ran,
					      in_a_member_that_never_ran,
					      in_a_value_of_a_parked_task};
	for (unsigned i = 0; i < array_len(places); i++) {
		hold = places[i];
		in_child(run_and_exit, NULL);
		expect_that(status == 0, "place %u: status %d: %s", i, status, said);
	}
}

TEST("what nobody holds is a leak")
{
#ifndef WEFT_ASAN
	skip("there is no LeakSanitizer in this build");
#endif
	hold = by_nobody;
	in_child(run_and_exit, NULL);
	assert_status(LEAKED);
	assert_said("LeakSanitizer");
}
