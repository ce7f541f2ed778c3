/* SPDX-License-Identifier: MIT */
/*
 * calls.c: which function calls which, from the bytes of direct calls; and what holds the address
 * of a function.
 *
 * amd64: E8 and a signed 32-bit distance from the end of the instruction. arm64: BL, a signed
 * 26-bit distance in words.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "base/attr.h"
#include "cli/gobin/search.h"

struct calls {
	int (*each)(uint64_t site, uint64_t target, void *arg);
	void *arg;
};

/* The calls that begin in p[0..length); `vaddr` is the address of p[0]. */
static int calls_amd64(const unsigned char *p, size_t length, uint64_t vaddr, const struct calls *c)
{
	const unsigned char *at = p, *end = p + length;
	while (end - at >= 5 && (at = memchr(at, 0xe8, (size_t)(end - at) - 4))) {
		uint64_t site = vaddr + (uint64_t)(at - p);
		int32_t distance = (int32_t)get_u32(at + 1, false);
		int result = c->each(site, site + 5 + (uint64_t)(int64_t)distance, c->arg);
		if (result)
			return result;
		at++;
	}
	return 0;
}

static int calls_arm64(const unsigned char *p, size_t length, uint64_t vaddr, const struct calls *c)
{
	for (size_t i = -vaddr & 3; i + 4 <= length; i += 4) {
		uint32_t word = get_u32(p + i, false);
		if ((word & 0xfc000000) != 0x94000000)
			continue;
		int64_t distance = (int64_t)((uint64_t)(word & 0x03ffffff) << 38) >> 36;
		int result = c->each(vaddr + i, vaddr + i + (uint64_t)distance, c->arg);
		if (result)
			return result;
	}
	return 0;
}

static bool is_amd64(const struct elf_image *elf)
{
	return elf->machine == EM_X86_64 && elf->width == 8 && !elf->view->big_endian;
}

static bool is_arm64(const struct elf_image *elf)
{
	return elf->machine == EM_AARCH64 && elf->width == 8 && !elf->view->big_endian;
}

bool weft__go_calls_known(const struct go_image *go)
{
	return is_amd64(go->elf) || is_arm64(go->elf);
}

/* The callbacks read the view, and with it the window may change: each piece is copied first. */
int weft__go_each_call(struct go_image *go, uint64_t from, uint64_t to,
		       int (*each)(uint64_t site, uint64_t target, void *arg), void *arg)
{
	struct calls c = {.each = each, .arg = arg};
	unsigned char copy[16 << 10];
	uint64_t offset;
	if (!weft__go_calls_known(go))
		return -ENOTSUP;
	if (to < from || !weft__elf_offset(go->elf, from, to - from, &offset))
		return -EINVAL;
	while (from < to) {
		size_t length = (size_t)min_of((uint64_t)sizeof(copy), to - from);
		const unsigned char *p = weft__view_at(go->elf->view, offset, length);
		if (!p)
			return go->elf->view->error ? go->elf->view->error : -EINVAL;
		memcpy(copy, p, length);
		int result = is_amd64(go->elf) ? calls_amd64(copy, length, from, &c)
					       : calls_arm64(copy, length, from, &c);
		if (result || length == to - from)
			return result;
		/* A call may straddle the seam: the last four bytes begin no whole call yet. */
		from += length - 4;
		offset += length - 4;
	}
	return 0;
}

struct pointers {
	struct elf_image *elf;
	uint64_t value;
	int (*each)(uint64_t where, void *arg);
	void *arg;
};

static int pointers_piece(const unsigned char *p, uint64_t at, size_t length, void *arg)
{
	struct pointers *q = arg;
	struct view *v = q->elf->view;
	unsigned width = q->elf->width;
	for (size_t i = -at & (width - 1); i + width <= length; i += width) {
		uint64_t value =
			width == 8 ? get_u64(p + i, v->big_endian) : get_u32(p + i, v->big_endian);
		uint64_t where;
		if (likely(value != q->value) || !weft__elf_vaddr(q->elf, at + i, &where))
			continue;
		int result = q->each(where, q->arg);
		if (result)
			return result;
		p = weft__view_at(v, at, length); /* `each` may have reused the window */
		if (!p)
			return v->error;
	}
	return 0;
}

static int pointers_relative(const struct elf_relative *r, void *arg)
{
	struct pointers *q = arg;
	uint64_t offset, value;
	if (r->addend != q->value)
		return 0;
	/* What is in place already was found by the walk. */
	if (weft__elf_offset(q->elf, r->where, q->elf->width, &offset) &&
	    weft__view_word(q->elf->view, offset, q->elf->width, &value) && value == q->value)
		return 0;
	return q->each(r->where, q->arg);
}

int weft__go_each_pointer(struct go_image *go, uint64_t value,
			  int (*each)(uint64_t where, void *arg), void *arg)
{
	struct pointers q = {.elf = go->elf, .value = value, .each = each, .arg = arg};
	int result = weft__go_walk(go->elf, SEARCH_DATA, 8, pointers_piece, &q);
	if (result || go->elf->type != ET_DYN)
		return result;
	return weft__elf_each_relative(go->elf, pointers_relative, &q);
}
