/* SPDX-License-Identifier: MIT */
/*
 * weft/typed.h: channels whose items have a type. Since 0.2.
 *
 *	WEFT_CHAN_TYPE(numbers, int);
 *
 * at the outermost level makes `struct numbers`, the handle of a channel of int, and functions that
 * do what those of weft/chan.h do, and take and return the same:
 *
 *	struct numbers *numbers_new(size_t capacity);
 *	struct numbers *numbers_ref(struct numbers *chan);
 *	void numbers_unref(struct numbers *chan);
 *	int numbers_send(struct numbers *chan, int const *item, int64_t deadline);
 *	int numbers_recv(struct numbers *chan, int *item, int64_t deadline);
 *	int numbers_close(struct numbers *chan);
 *	size_t numbers_len(const struct numbers *chan);
 *	size_t numbers_cap(const struct numbers *chan);
 *	struct weft_chan *numbers_chan(struct numbers *chan);
 *
 * The last one is for weft_select and weft_signal_notify, which take channels of any type: the same
 * channel, no new reference.
 *
 * Another type behind the pointer is an error in C++, in C with -Werror or from GCC 14 on, else a
 * warning. Items are passed by pointer, as an int that is passed by value would become a long, or
 * a long an int, without a word. `type` is anything that `type *` makes a pointer to: an array or a
 * function pointer needs a typedef.
 */
#ifndef WEFT_TYPED_H
#define WEFT_TYPED_H

#include <stddef.h>
#include <stdint.h>

#include "weft/chan.h"

/* A program need not use every one of them. */
#define WEFT_TYPED_INLINE_ static inline __attribute__((__unused__))

/*
 * A semicolon behind the closing brace of a function is an empty declaration, which C++ has, and C
 * as an extension; here it may stand or not.
 */
#ifdef __cplusplus
#define WEFT_TYPED_END_
#else
#define WEFT_TYPED_END_ __extension__
#endif

#define WEFT_CHAN_TYPE(name, type) \
	struct name; \
	WEFT_TYPED_INLINE_ struct weft_chan *name##_chan(struct name *chan) \
	{ \
		return (struct weft_chan *)chan; \
	} \
	WEFT_TYPED_INLINE_ struct name *name##_new(size_t capacity) \
	{ \
		return (struct name *)weft_chan_new(sizeof(type), capacity); \
	} \
	WEFT_TYPED_INLINE_ struct name *name##_ref(struct name *chan) \
	{ \
		return (struct name *)weft_chan_ref(name##_chan(chan)); \
	} \
	WEFT_TYPED_INLINE_ void name##_unref(struct name *chan) \
	{ \
		weft_chan_unref(name##_chan(chan)); \
	} \
	WEFT_MUST_CHECK WEFT_TYPED_INLINE_ int name##_send(struct name *chan, type const *item, \
							   int64_t deadline) \
	{ \
		return weft_chan_send(name##_chan(chan), item, deadline); \
	} \
	WEFT_MUST_CHECK WEFT_TYPED_INLINE_ int name##_recv(struct name *chan, type *item, \
							   int64_t deadline) \
	{ \
		return weft_chan_recv(name##_chan(chan), item, deadline); \
	} \
	WEFT_TYPED_INLINE_ int name##_close(struct name *chan) \
	{ \
		return weft_chan_close(name##_chan(chan)); \
	} \
	WEFT_TYPED_INLINE_ size_t name##_len(const struct name *chan) \
	{ \
		return weft_chan_len((const struct weft_chan *)chan); \
	} \
	WEFT_TYPED_INLINE_ size_t name##_cap(const struct name *chan) \
	{ \
		return weft_chan_cap((const struct weft_chan *)chan); \
	} \
	WEFT_TYPED_END_

#endif
