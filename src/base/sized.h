/* SPDX-License-Identifier: MIT */
/*
 * sized.h: structs of the public headers that may grow. Their first member is `size`, by which the
 * caller says against which version it was compiled; `first` is the size in the version that
 * introduced the struct, and never changes.
 *
 *   read     0 means `first`. What the caller's version does not have is zero; what it has and this
 *            one does not must be zero: an option is refused rather than ignored
 *   filled   what fits; what the caller's version has and this one does not becomes zero
 *
 * No version has a size below `first`: -EINVAL.
 */
#ifndef WEFT_BASE_SIZED_H
#define WEFT_BASE_SIZED_H

#include <stddef.h>

/*
 * Reads `from` (NULL: all zero) into `to`, which has `known` bytes. Returns 0, -EINVAL, or -E2BIG:
 * a byte that this version does not know is not zero, or there are far too many of them.
 */
int weft__sized_read(void *to, size_t known, const void *from, size_t first);

/* Fills `to` from `from`, which has `known` bytes. Returns 0, or -EINVAL (`to` is NULL, too). */
int weft__sized_fill(void *to, const void *from, size_t known, size_t first);

#endif
