/* SPDX-License-Identifier: MIT */
/*
 * weft/attr.h: what the declarations of the other headers tell the compiler. Since 0.2.
 *
 * They follow one rule about NULL. The objects of weft/sync.h are memory of the caller: a pointer
 * to one must not be NULL, and the compiler warns (WEFT_NONNULL). For everything that weft
 * allocates (channels, groups, tasks, timers) NULL is allowed, and means the same everywhere: a
 * call that returns an error returns -EINVAL, one that frees or takes a reference does nothing, and
 * a channel that is NULL is never ready. Other pointers may be NULL where the comment of the call
 * says so.
 */
#ifndef WEFT_ATTR_H
#define WEFT_ATTR_H

/* These parameters, counted from 1, must not be NULL. */
#define WEFT_NONNULL(...) __attribute__((__nonnull__(__VA_ARGS__)))

/* Returns memory that no other pointer refers to, or NULL. */
#define WEFT_MALLOC __attribute__((__malloc__))

/* Parameter `format`, counted from 1, is printf's, and its values begin with parameter `first`. */
#define WEFT_PRINTF(format, first) __attribute__((__format__(__printf__, format, first)))

/*
 * Ignoring the result is a mistake. As with libc's own calls, the compiler warns in programs that
 * ask for checks: those compiled with _FORTIFY_SOURCE.
 */
#if defined(_FORTIFY_SOURCE) && _FORTIFY_SOURCE > 0
#define WEFT_MUST_CHECK __attribute__((__warn_unused_result__))
#else
#define WEFT_MUST_CHECK
#endif

#endif
