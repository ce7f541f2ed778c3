/* SPDX-License-Identifier: MIT */
/* sized.c: see sized.h. */
#include "base/sized.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/attr.h"

enum { SIZE_MAX_SANE = 4096 };

static bool all_zero(const char *p, size_t size)
{
	while (size && !*p) {
		p++;
		size--;
	}
	return size == 0;
}

int weft__sized_read(void *to, size_t known, const void *from, size_t first)
{
	memset(to, 0, known);
	if (!from)
		return 0;
	size_t size = *(const size_t *)from;
	if (!size)
		size = first;
	if (size < first)
		return -EINVAL;
	if (size > SIZE_MAX_SANE ||
	    (size > known && !all_zero((const char *)from + known, size - known)))
		return -E2BIG;
	memcpy(to, from, min_of(size, known));
	return 0;
}

int weft__sized_fill(void *to, const void *from, size_t known, size_t first)
{
	size_t size = to ? *(size_t *)to : 0;
	if (size < first)
		return -EINVAL;
	memset(to, 0, size);
	memcpy(to, from, min_of(size, known));
	*(size_t *)to = size;
	return 0;
}
