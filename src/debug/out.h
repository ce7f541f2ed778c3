/* SPDX-License-Identifier: MIT */
/*
 * out.h: text to a descriptor through a buffer, for signal handlers and last messages: write(2)
 * alone, no allocation, no lock. The first error is kept and everything after it is dropped.
 */
#ifndef WEFT_DEBUG_OUT_H
#define WEFT_DEBUG_OUT_H

#include <stddef.h>

#include "base/attr.h"

struct out {
	int fd;
	int error; /* -errno of the first write that failed */
	size_t used;
	char buf[4096];
};

void weft__out_begin(struct out *o, int fd);
void weft__out(struct out *o, const char *format, ...) printf_like(2, 3);
/* Writes what is left; returns o->error. */
int weft__out_flush(struct out *o);

#endif
