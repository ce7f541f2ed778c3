/* SPDX-License-Identifier: MIT */
/*
 * debug_test.h: what the tests of dumps, reports and counters share.
 *
 * Most of what they test ends the process: it runs in a child whose stderr is kept. The tests are
 * linked with the static library, so that tasks can wait for nothing at all.
 */
#ifndef DEBUG_TEST_H
#define DEBUG_TEST_H

#include <stdbool.h>
#include <stddef.h>

#include "../kit.h"
#include "weft/weft.h"

enum { MS = 1000 * 1000, TEXT = 1 << 22 };

/* Of the last child: what it wrote to stderr, and how it ended: its status, or minus its signal. */
extern char *said;
extern int status;

/* Runs fn(arg) in a child process, whose exit status is what fn returns, and waits for its end. */
void in_child(int (*fn)(void *arg), void *arg);
/* The same for weft_run(options, main_task, NULL). */
void run_in_child(const struct weft_options *options, int (*main_task)(void *arg));

/* Waits until the task is cancelled. */
int wait_forever(void *arg);
void go_wait_forever(void *arg);
/* Computes for ever, in a function of its own. */
void spin_for_ever(void *arg);

/* weft_dump into memory; the text is good until the next call. */
char *dump_text(void);
/* How often `word` occurs. */
unsigned count_of(const char *text, const char *word);

#define assert_status(expected) \
	expect_that(status == (expected), "status %d, not %d; it said:\n%s", status, \
		    (int)(expected), said)
#define assert_said(word) \
	expect_that(strstr(said, (word)) != NULL, "'%s' is not in:\n%s", (word), said)
#define assert_not_said(word) \
	expect_that(strstr(said, (word)) == NULL, "'%s' is in:\n%s", (word), said)

#endif
