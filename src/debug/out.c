/* SPDX-License-Identifier: MIT */
/*
 * out.c: see out.h. vsnprintf on integers and strings neither allocates nor locks (base/fatal.c).
 */
#include "debug/out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/sys.h"

void weft__out_begin(struct out *o, int fd)
{
	o->fd = fd;
	o->error = 0;
	o->used = 0;
}

int weft__out_flush(struct out *o)
{
	for (size_t done = 0; done < o->used && !o->error;) {
		ssize_t n = sys_write(o->fd, o->buf + done, o->used - done);
		if (n >= 0)
			done += (size_t)n;
		else if (n != -EINTR && n != -EAGAIN)
			o->error = (int)n;
	}
	o->used = 0;
	return o->error;
}

void weft__out(struct out *o, const char *format, ...)
{
	for (int attempt = 0; attempt < 2; attempt++) {
		size_t room = sizeof(o->buf) - o->used;
		va_list args;
		va_start(args, format);
		int n = vsnprintf(o->buf + o->used, room, format, args);
		va_end(args);
		if (n < 0)
			return;
		if ((size_t)n < room) {
			o->used += (size_t)n;
			return;
		}
		weft__out_flush(o); /* did not fit: again, into the empty buffer */
	}
}
