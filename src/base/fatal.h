/* SPDX-License-Identifier: MIT */
/*
 * fatal.h: asserts in three levels, and the last words of a program.
 *
 *   require(x, ...)  the user's doing: misuse that no result can answer. Always on; names the call
 * and the way out. check(x)         our own doing, on slow paths: always on, release builds
 * included. debug_check(x)   our own doing, on fast paths: debug builds only.
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
#else
#define debug_check(x) ((void)sizeof(!(x)))
#endif

#ifndef __FILE_NAME__
#define __FILE_NAME__ __FILE__
#endif

#endif
