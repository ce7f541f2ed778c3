/* SPDX-License-Identifier: MIT */
/*
 * view.c: windows over a descriptor, and numbers in either byte order.
 *
 * A request that no window holds fills the least recently used one from the request's offset
 * rounded down to VIEW_ALIGN: two tables read side by side each keep a window, and a search
 * backwards over a short distance hits.
 */
#include "cli/elf/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/attr.h"

#define VIEW_ALIGN 4096u
/* A request of a whole window may start anywhere in a page. */
#define VIEW_ROOM (VIEW_WINDOW + VIEW_ALIGN)

void weft__view_memory(struct view *v, const void *bytes, size_t size)
{
	memset(v, 0, sizeof(*v));
	v->bytes = bytes ? bytes : (const void *)"";
	v->size = size;
	v->fd = -1;
}

int weft__view_init(struct view *v)
{
	memset(v, 0, sizeof(*v));
	v->fd = -1;
	unsigned char *room = malloc((size_t)VIEW_WINDOWS * VIEW_ROOM);
	if (!room)
		return -ENOMEM;
	for (unsigned i = 0; i < VIEW_WINDOWS; i++)
		v->windows[i].bytes = room + (size_t)i * VIEW_ROOM;
	return 0;
}

void weft__view_file(struct view *v, int fd, uint64_t base, uint64_t size)
{
	v->fd = fd;
	v->base = base;
	/* Offsets of pread are signed. */
	v->size = base > INT64_MAX ? 0 : min_of(size, (uint64_t)INT64_MAX - base);
	v->error = 0;
	v->big_endian = false;
	v->sparse = false;
	v->clock = 0;
	for (unsigned i = 0; i < VIEW_WINDOWS; i++) {
		v->windows[i].length = 0;
		v->windows[i].used = 0;
	}
}

void weft__view_close(struct view *v)
{
	free(v->windows[0].bytes);
	memset(v, 0, sizeof(*v));
	v->fd = -1;
}

static struct view_window *window_holding(struct view *v, uint64_t offset, size_t length)
{
	for (unsigned i = 0; i < VIEW_WINDOWS; i++) {
		struct view_window *w = &v->windows[i];
		if (offset >= w->offset && offset - w->offset <= w->length &&
		    length <= w->length - (offset - w->offset))
			return w;
	}
	return NULL;
}

static struct view_window *window_oldest(struct view *v)
{
	struct view_window *oldest = &v->windows[0];
	for (unsigned i = 1; i < VIEW_WINDOWS; i++)
		if (v->windows[i].used < oldest->used)
			oldest = &v->windows[i];
	return oldest;
}

/*
 * Fills `w` from `offset` on; what could not be read is told by v->error and by the window's
 * length.
 */
static void window_fill(struct view *v, struct view_window *w, uint64_t offset)
{
	size_t want = min_of((uint64_t)VIEW_ROOM, v->size - offset);
	w->offset = offset;
	w->length = 0;
	while (w->length < want) {
		ssize_t n = pread(v->fd, w->bytes + w->length, want - w->length,
				  (off_t)(v->base + offset + w->length));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (!v->error)
				v->error = n < 0 ? -errno : -ENODATA;
			return;
		}
		w->length += (size_t)n;
		count_owned(&v->fills, 1);
	}
}

const unsigned char *weft__view_at(struct view *v, uint64_t offset, size_t length)
{
	if (!view_has(v, offset, length) || length > VIEW_WINDOW)
		return NULL;
	if (v->bytes)
		return v->bytes + offset;
	if (v->fd < 0)
		return NULL;
	struct view_window *w = window_holding(v, offset, length);
	if (!w) {
		w = window_oldest(v);
		window_fill(v, w, offset & ~(uint64_t)(VIEW_ALIGN - 1));
		if (offset - w->offset > w->length || length > w->length - (offset - w->offset))
			return NULL;
	}
	w->used = ++v->clock;
	return w->bytes + (offset - w->offset);
}

const unsigned char *weft__view_piece(struct view *v, uint64_t offset, uint64_t limit,
				      size_t *length)
{
	if (offset >= v->size || !limit)
		return NULL;
	*length = (size_t)min_of(min_of((uint64_t)VIEW_WINDOW, limit), v->size - offset);
	return weft__view_at(v, offset, *length);
}

uint64_t weft__view_data(struct view *v, uint64_t offset)
{
	if (!v->sparse || offset >= v->size)
		return offset;
	off_t data = lseek(v->fd, (off_t)(v->base + offset), SEEK_DATA);
	if (data < 0)
		return errno == ENXIO ? v->size : offset;
	return min_of((uint64_t)data - v->base, v->size);
}

bool weft__view_u16(struct view *v, uint64_t offset, uint16_t *value)
{
	const unsigned char *p = weft__view_at(v, offset, sizeof(*value));
	if (p)
		*value = get_u16(p, v->big_endian);
	return p;
}

bool weft__view_u32(struct view *v, uint64_t offset, uint32_t *value)
{
	const unsigned char *p = weft__view_at(v, offset, sizeof(*value));
	if (p)
		*value = get_u32(p, v->big_endian);
	return p;
}

bool weft__view_u64(struct view *v, uint64_t offset, uint64_t *value)
{
	const unsigned char *p = weft__view_at(v, offset, sizeof(*value));
	if (p)
		*value = get_u64(p, v->big_endian);
	return p;
}

bool weft__view_word(struct view *v, uint64_t offset, unsigned width, uint64_t *value)
{
	uint32_t narrow;
	if (width == 8)
		return weft__view_u64(v, offset, value);
	if (width != 4 || !weft__view_u32(v, offset, &narrow))
		return false;
	*value = narrow;
	return true;
}

bool weft__view_string(struct view *v, uint64_t offset, char *string, size_t room)
{
	size_t length;
	const unsigned char *p = weft__view_piece(v, offset, room, &length);
	const unsigned char *end = p ? memchr(p, 0, length) : NULL;
	if (!end)
		return false;
	memcpy(string, p, (size_t)(end - p) + 1);
	return true;
}

bool weft__view_equals(struct view *v, uint64_t offset, const char *string)
{
	size_t length = strlen(string) + 1;
	const unsigned char *p = weft__view_at(v, offset, length);
	return p && memcmp(p, string, length) == 0;
}
