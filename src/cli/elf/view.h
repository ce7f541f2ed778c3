/* SPDX-License-Identifier: MIT */
/*
 * view.h: a bounded, random-access view of bytes that may be hostile.
 *
 * Every parser of hostile input reads through a view and through nothing else. A view is either a
 * block of memory or a range of a file descriptor (a file, a spooled archive member,
 * /proc/PID/mem), read by pread into a few windows.
 *
 * What holds:
 *   - offsets count from the view's start; no call reads outside [0, size), whatever it is asked
 *     for;
 *   - memory use is fixed (VIEW_WINDOWS * VIEW_WINDOW bytes), whatever the file's size;
 *   - what weft__view_at returns stays valid until the next call on the same view, no longer;
 *   - the first failed read (input/output error, or a file that shrank) stays in `error`, so a
 *     caller can tell "the file does not say so" from "the file could not be read".
 *
 * Rejected: mmap of the file. A file that shrinks while it is mapped kills the reader by SIGBUS,
 * and resident memory would follow the size of the file.
 */
#ifndef WEFT_CLI_ELF_VIEW_H
#define WEFT_CLI_ELF_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VIEW_WINDOW (64u << 10)
#define VIEW_WINDOWS 4

struct view_window {
	uint64_t offset;
	size_t length;
	uint64_t used; /* the view's clock at the last use: the oldest window is filled next */
	unsigned char *bytes;
};

struct view {
	uint64_t size;
	bool big_endian; /* set by the parser that knows the format */
	bool sparse;	 /* set by the opener: the file has holes, which a search may skip */
	int error; /* 0, or the first -errno of a read; -ENODATA: the file ends before its size */
	const unsigned char *bytes; /* the memory of a memory view, else NULL */
	int fd;
	uint64_t base; /* where the view starts in `fd` */
	uint64_t clock;
	uint64_t fills; /* reads that succeeded: rises as long as the file answers */
	struct view_window windows[VIEW_WINDOWS];
};

/* A view of `size` bytes of memory, which must outlive it. Needs no weft__view_close. */
void weft__view_memory(struct view *v, const void *bytes, size_t size);

/* Allocates the windows of a view that is pointed at one file after another. 0 or -ENOMEM. */
int weft__view_init(struct view *v);
/* Points the view at `size` bytes of `fd` from `base` on; the descriptor stays the caller's. */
void weft__view_file(struct view *v, int fd, uint64_t base, uint64_t size);
void weft__view_close(struct view *v);

/* True when [offset, offset + length) lies inside the view. */
static inline bool view_has(const struct view *v, uint64_t offset, uint64_t length)
{
	return offset <= v->size && length <= v->size - offset;
}

/*
 * `length` (at most VIEW_WINDOW) bytes at `offset`, or NULL when they are outside or cannot be
 * read.
 */
const unsigned char *weft__view_at(struct view *v, uint64_t offset, size_t length);
/*
 * As many bytes at `offset` as one window can give, at most `limit`; their number in *length. NULL
 * at the end or on error. For walking a long range piece by piece.
 */
const unsigned char *weft__view_piece(struct view *v, uint64_t offset, uint64_t limit,
				      size_t *length);
/* The first offset from `offset` on that is not in a hole; the view's size when none is. */
uint64_t weft__view_data(struct view *v, uint64_t offset);

/* Numbers in the view's byte order. False: outside or unreadable. */
bool weft__view_u16(struct view *v, uint64_t offset, uint16_t *value);
bool weft__view_u32(struct view *v, uint64_t offset, uint32_t *value);
bool weft__view_u64(struct view *v, uint64_t offset, uint64_t *value);
/* A number of `width` bytes, 4 or 8. */
bool weft__view_word(struct view *v, uint64_t offset, unsigned width, uint64_t *value);
/*
 * Copies a NUL-terminated string of at most `room` - 1 bytes; false when it does not end in time.
 */
bool weft__view_string(struct view *v, uint64_t offset, char *string, size_t room);
/* True when the bytes at `offset` are those of `string` with its ending NUL. */
bool weft__view_equals(struct view *v, uint64_t offset, const char *string);

/* The same numbers from bytes at hand. */
static inline bool get_swapped(bool big_endian)
{
	return big_endian != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

static inline uint16_t get_u16(const unsigned char *p, bool big_endian)
{
	uint16_t value;
	memcpy(&value, p, sizeof(value));
	return get_swapped(big_endian) ? __builtin_bswap16(value) : value;
}

static inline uint32_t get_u32(const unsigned char *p, bool big_endian)
{
	uint32_t value;
	memcpy(&value, p, sizeof(value));
	return get_swapped(big_endian) ? __builtin_bswap32(value) : value;
}

static inline uint64_t get_u64(const unsigned char *p, bool big_endian)
{
	uint64_t value;
	memcpy(&value, p, sizeof(value));
	return get_swapped(big_endian) ? __builtin_bswap64(value) : value;
}

#endif
