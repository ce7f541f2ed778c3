/* SPDX-License-Identifier: MIT */
/*
 * fatal.c: see fatal.h.
 *
 * vsnprintf on a fixed buffer with integers and strings does not allocate in glibc or musl, which
 * is why it may be used here although POSIX does not list it as async-signal-safe.
 */
#include "base/fatal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/atomic.h"

void (*weft__fatal_hook)(void);

static void write_line(const char *format, va_list args)
{
	char line[512] = "weft: ";
	int saved = errno;
	int room = (int)sizeof(line) - 7;
	int n = vsnprintf(line + 6, (size_t)room, format, args);
	n = 6 + (n < 0 ? 0 : min_of(n, room - 1));
	line[n++] = '\n';
	for (int done = 0; done < n;) {
		ssize_t w = write(STDERR_FILENO, line + done, (size_t)(n - done));
		if (w <= 0 && errno != EINTR)
			break;
		done += w > 0 ? (int)w : 0;
	}
	errno = saved;
}

void weft__warn(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	write_line(format, args);
	va_end(args);
}

void weft__fatal(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	write_line(format, args);
	va_end(args);
	/* pairs with observe.c:weft__observe_begin, observe.c:weft__observe_end */
	void (*hook)(void) = swap_acq_rel(&weft__fatal_hook, NULL);
	if (hook)
		hook();
	abort();
}
