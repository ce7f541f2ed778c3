/* SPDX-License-Identifier: MIT */
/*
 * wipe.h: zeroing that the compiler keeps and that ThreadSanitizer does not see.
 *
 * A state belongs to an OS thread; with tasks, the sanitizer sees one OS thread as several fibers,
 * and knows no order between them. memset would be intercepted and reported.
 */
#ifndef WEFT_RANDOM_WIPE_H
#define WEFT_RANDOM_WIPE_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* `len` is a multiple of eight, `area` aligned to eight. */
static inline no_tsan void wipe(void *area, size_t len)
{
	volatile uint64_t *word = area;
	for (size_t i = 0; i < len / sizeof(*word); i++)
		word[i] = 0;
}

#endif
