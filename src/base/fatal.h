/* SPDX-License-Identifier: MIT */
/*
 * fatal.h: checks of what must hold, and the last message of a program.
 *
 *   require(x, ...)   always on, with a message of its own
 *   check(x)          always on, where the expression says enough
 *   debug_check(x)    debug builds only: for paths where a check costs too much
 *   debug_run(call)   debug builds only: calls a function that walks a structure and checks it with
 *                     the first two; other builds compile it, and drop it
 *
 * All four find our own mistakes. Misuse by the program that no result can report goes to
 * weft__misuse (api/call.h), which names the call and the task.
 *
 * weft__fatal writes one line to stderr with write(2) alone, runs the hook (the runtime's dump of
 * all tasks, once) and aborts. It may be called from a signal handler.
 */
#ifndef WEFT_BASE_FATAL_H
#define WEFT_BASE_FATAL_H

#include "base/attr.h"

_Noreturn cold void weft__fatal(const char *format, ...) printf_like(1, 2);
/* One line to stderr, "weft: " before it; no allocation, no lock, no errno. */
cold void weft__warn(const char *format, ...) printf_like(1, 2);
/* What weft__fatal calls between the line and abort(); NULL for nothing. */
extern void (*weft__fatal_hook)(void);

#define require(x, ...) \
	do { \
		if (unlikely(!(x))) \
			weft__fatal(__VA_ARGS__); \
	} while (0)

#define check(x) \
	do { \
		if (unlikely(!(x))) \
			weft__fatal("internal check failed: %s (%s:%d)", #x, __FILE_NAME__, \
				    __LINE__); \
	} while (0)

#ifdef WEFT_DEBUG
#define debug_check(x) check(x)
#define debug_run(call) (call)
#else
#define debug_check(x) ((void)sizeof(!(x)))
#define debug_run(call) (0 ? (call) : (void)0)
#endif

#ifndef __FILE_NAME__
#define __FILE_NAME__ __FILE__
#endif

#endif
