/* SPDX-License-Identifier: MIT */
/*
 * calls.c: which function calls which, from the bytes of direct calls; and what holds the address
 * of a function.
 *
 *   amd64         E8, a signed 32-bit distance from the end of the instruction
 *   arm64         BL, a signed 26-bit distance in words
 *   ppc64, -le    bl, the same; a caller of the same module skips the two instructions with which
 *                 position-independent code finds its data
 *   loong64       BL, the same, with the upper 10 bits of the distance in the lower place
 *   s390x         BRASL %r14, a signed 32-bit distance in halfwords
 *
 * A linker sends a call that is farther than its instruction reaches through code of its own, which
 * is not followed: text that is larger is told by weft__go_calls_reach.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "base/attr.h"
#include "cli/gobin/search.h"

enum { LOONGARCH = 258 }; /* EM_LOONGARCH in newer headers */
enum { PPC64_PROLOGUE = 8 };

struct calls {
	const struct calls_machine *machine;
	bool big_endian;
	int (*each)(uint64_t site, uint64_t target, void *arg);
	void *arg;
};

struct calls_machine {
	uint16_t machine;
	bool little, big;	/* the byte orders whose instructions are known */
	unsigned length, align; /* of a call, of any instruction */
	unsigned skip;		/* bytes of its target that a call may leave out */
	uint64_t reach;		/* the largest distance */
	/* Calls c->each for what begins in p[0..length); `vaddr` is the address of p[0]. */
	int (*find)(const unsigned char *p, size_t length, uint64_t vaddr, const struct calls *c);
	bool (*distance)(const unsigned char *p, bool big_endian, int64_t *distance);
};

/* The signed number in the low `bits` bits of `value`, times `unit`. */
static int64_t signed_times(uint64_t value, unsigned bits, int64_t unit)
{
	return (int64_t)(value << (64 - bits)) / (int64_t)(1ull << (64 - bits)) * unit;
}

static bool distance_arm64(const unsigned char *p, bool big_endian, int64_t *distance)
{
	uint32_t word = get_u32(p, big_endian);
	*distance = signed_times(word & 0x03ffffff, 26, 4);
	return (word & 0xfc000000) == 0x94000000;
}

static bool distance_ppc64(const unsigned char *p, bool big_endian, int64_t *distance)
{
	uint32_t word = get_u32(p, big_endian);
	*distance = signed_times(word & 0x03fffffc, 26, 1);
	return (word & 0xfc000003) == 0x48000001;
}

static bool distance_loong64(const unsigned char *p, bool big_endian, int64_t *distance)
{
	uint32_t word = get_u32(p, big_endian);
	*distance = signed_times((word & 0x3ff) << 16 | (word >> 10 & 0xffff), 26, 4);
	return (word & 0xfc000000) == 0x54000000;
}

static bool distance_s390x(const unsigned char *p, bool big_endian, int64_t *distance)
{
	*distance = signed_times(get_u32(p + 2, big_endian), 32, 2);
	return p[0] == 0xc0 && p[1] == 0xe5;
}

static int find_aligned(const unsigned char *p, size_t length, uint64_t vaddr,
			const struct calls *c)
{
	const struct calls_machine *m = c->machine;
	for (size_t i = -vaddr & (m->align - 1); i + m->length <= length; i += m->align) {
		int64_t distance;
		if (likely(!m->distance(p + i, c->big_endian, &distance)))
			continue;
		int result = c->each(vaddr + i, vaddr + i + (uint64_t)distance, c->arg);
		if (result)
			return result;
	}
	return 0;
}

/* Instructions of any length: the opcode is searched for. */
static int find_amd64(const unsigned char *p, size_t length, uint64_t vaddr, const struct calls *c)
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

static const struct calls_machine machines[] = {
	{EM_X86_64, true, false, 5, 1, 0, 1ull << 31, find_amd64, NULL},
	{EM_AARCH64, true, false, 4, 4, 0, 1ull << 27, find_aligned, distance_arm64},
	{EM_PPC64, true, true, 4, 4, PPC64_PROLOGUE, 1ull << 25, find_aligned, distance_ppc64},
	{LOONGARCH, true, false, 4, 4, 0, 1ull << 27, find_aligned, distance_loong64},
	{EM_S390, false, true, 6, 2, 0, 1ull << 32, find_aligned, distance_s390x},
};

static const struct calls_machine *machine_of(const struct elf_image *elf)
{
	for (unsigned i = 0; i < array_len(machines); i++) {
		const struct calls_machine *m = &machines[i];
		if (m->machine == elf->machine && elf->width == 8 &&
		    (elf->view->big_endian ? m->big : m->little))
			return m;
	}
	return NULL;
}

bool weft__go_calls_known(const struct go_image *go)
{
	return machine_of(go->elf);
}

bool weft__go_calls_reach(struct go_image *go)
{
	const struct calls_machine *m = machine_of(go->elf);
	struct go_function last;
	return m && weft__go_function_last(go, &last) && last.end - go->table.text < m->reach;
}

bool weft__go_enters(const struct go_image *go, const struct go_function *f, uint64_t target)
{
	const struct calls_machine *m = machine_of(go->elf);
	return target == f->entry || (m && m->skip && target == f->entry + m->skip);
}

/* The callbacks read the view, and with it the window may change: each piece is copied first. */
int weft__go_each_call(struct go_image *go, uint64_t from, uint64_t to,
		       int (*each)(uint64_t site, uint64_t target, void *arg), void *arg)
{
	const struct calls_machine *m = machine_of(go->elf);
	struct calls c = {m, go->elf->view->big_endian, each, arg};
	unsigned char copy[16 << 10];
	uint64_t offset;
	if (!m)
		return -ENOTSUP;
	if (to < from || !weft__elf_offset(go->elf, from, to - from, &offset))
		return -EINVAL;
	while (from < to) {
		size_t length = (size_t)min_of((uint64_t)sizeof(copy), to - from);
		const unsigned char *p = weft__view_at(go->elf->view, offset, length);
		if (!p)
			return go->elf->view->error ? go->elf->view->error : -EINVAL;
		memcpy(copy, p, length);
		int result = m->find(copy, length, from, &c);
		if (result || length == to - from)
			return result;
		/* A call may straddle the seam: the last bytes begin no whole call yet. */
		from += length - (m->length - 1);
		offset += length - (m->length - 1);
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
	/* Linkers put read-only data into segments of their own, or in front of the code. */
	int result = weft__go_walk(go->elf, SEARCH_DATA, 8, pointers_piece, &q);
	if (!result)
		result = weft__go_walk(go->elf, SEARCH_CODE, 8, pointers_piece, &q);
	if (result || go->elf->type != ET_DYN)
		return result;
	return weft__elf_each_relative(go->elf, pointers_relative, &q);
}
