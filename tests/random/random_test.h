/* SPDX-License-Identifier: MIT */
/*
 * random_test.h: what the tests of libweft-random share.
 *
 * The tests are linked with the static library and may look at its insides. Most of them need a
 * process of their own, in which the kit runs each.
 */
#ifndef RANDOM_TEST_H
#define RANDOM_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../kit.h"
#include "base/attr.h"
#include "weft/random.h"

/* What the sanitizers cannot live with, or answer in their own way, is left out under them. */
#ifdef WEFT_ASAN
enum { UNDER_ASAN = 1 };
#else
enum { UNDER_ASAN = 0 };
#endif
#ifdef WEFT_TSAN
enum { UNDER_TSAN = 1 };
#else
enum { UNDER_TSAN = 0 };
#endif
enum { UNDER_SANITIZER = UNDER_ASAN | UNDER_TSAN };

/* weft_random_info, whose success is checked. */
struct weft_random_info info_now(void);

/* Does this process have a vDSO getrandom to test? */
bool has_vdso(void);
/* Skips the test, with the reason, when it has none. */
void needs_vdso(void);

/* Are all words different from each other and from zero? Sorts them. Four bytes would collide by
 * chance. */
bool all_distinct(uint64_t *words, size_t count);

/* Runs fn on a new thread and waits for its end. */
void on_thread(void *(*fn)(void *arg), void *arg);

/*
 * From now on this process's system call `nr` returns -error; with `droppable`, only mappings as
 * states need them.
 */
void refuse(long nr, int error, bool droppable);
/* The same, but SIGSYS is raised instead. */
void trap(long nr, bool droppable);

/* Waits for a child: its exit status, or minus the signal that ended it. */
int end_of(pid_t child);

/* Fewer repetitions where a sanitizer makes everything slow. */
unsigned scaled(unsigned count);

#endif
