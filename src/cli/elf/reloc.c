/* SPDX-License-Identifier: MIT */
/*
 * reloc.c: relative relocations, for position-independent files whose pointers are zero in the
 * file; and those that name a symbol.
 *
 * Three tables may hold them: RELA (the addend in the entry), REL and RELR (the addend in place).
 * The tables are walked in file order; one pass costs a few milliseconds for the largest binaries,
 * so nothing is sorted or kept.
 */
#include <elf.h>
#include <errno.h>

#include "base/attr.h"
#include "cli/elf/elf.h"

struct walk {
	struct elf_image *elf;
	uint32_t type; /* of a relative relocation */
	int (*each)(const struct elf_relative *r, void *arg);
	void *arg;
};

static uint32_t relative_type(uint16_t machine)
{
	static const struct {
		uint16_t machine;
		uint32_t type;
	} types[] = {
		{EM_X86_64, R_X86_64_RELATIVE},
		{EM_AARCH64, R_AARCH64_RELATIVE},
		{EM_386, R_386_RELATIVE},
		{EM_ARM, R_ARM_RELATIVE},
		{EM_PPC64, R_PPC64_RELATIVE},
		{EM_S390, R_390_RELATIVE},
		{EM_RISCV, 3},
		{258, 3}, /* loongarch */
	};
	for (unsigned i = 0; i < array_len(types); i++)
		if (types[i].machine == machine)
			return types[i].type;
	return UINT32_MAX;
}

static bool read_in_place(struct elf_image *elf, uint64_t vaddr, uint64_t *value)
{
	uint64_t offset;
	return weft__elf_offset(elf, vaddr, elf->width, &offset) &&
	       weft__view_word(elf->view, offset, elf->width, value);
}

/* An entry of a REL or RELA table. */
struct entry {
	uint64_t at, where, info;
	unsigned words; /* 2: REL, the addend in place; 3: RELA */
};

/* Calls `each` for every entry of the table that `tag` and `size_tag` describe. */
static int walk_entries(struct elf_image *elf, uint64_t tag, uint64_t size_tag, unsigned words,
			int (*each)(struct elf_image *elf, const struct entry *e, void *arg),
			void *arg)
{
	uint64_t table, size, at;
	if (!weft__elf_dynamic(elf, tag, &table) || !weft__elf_dynamic(elf, size_tag, &size) ||
	    !weft__elf_offset(elf, table, size, &at))
		return 0;
	unsigned length = words * elf->width;
	for (uint64_t end = at + size; end - at >= length; at += length) {
		struct entry e = {.at = at, .words = words};
		if (!weft__view_word(elf->view, at, elf->width, &e.where) ||
		    !weft__view_word(elf->view, at + elf->width, elf->width, &e.info))
			return elf->view->error;
		int result = each(elf, &e, arg);
		if (result)
			return result;
	}
	return 0;
}

static int take_relative(struct elf_image *elf, const struct entry *e, void *arg)
{
	struct walk *w = arg;
	struct elf_relative r = {.where = e->where, .record = e->at};
	if ((uint32_t)(elf->width == 8 ? e->info : e->info & 0xff) != w->type)
		return 0;
	bool have = e->words == 3 ? weft__view_word(elf->view, e->at + 2 * elf->width, elf->width,
						    &r.addend)
				  : read_in_place(elf, e->where, &r.addend);
	return have ? w->each(&r, w->arg) : 0;
}

static int relr_one(struct walk *w, uint64_t where)
{
	struct elf_relative r = {.where = where};
	return read_in_place(w->elf, where, &r.addend) ? w->each(&r, w->arg) : 0;
}

/*
 * RELR: an even word is an address, an odd word says by its bits which of the next 63 (31) words
 * are relocated too.
 */
static int walk_relr(struct walk *w)
{
	struct elf_image *elf = w->elf;
	uint64_t table, size, at, where = 0;
	if (!weft__elf_dynamic(elf, DT_RELR, &table) || !weft__elf_dynamic(elf, DT_RELRSZ, &size) ||
	    !weft__elf_offset(elf, table, size, &at))
		return 0;
	for (uint64_t end = at + size; end - at >= elf->width; at += elf->width) {
		uint64_t word;
		int result = 0;
		if (!weft__view_word(elf->view, at, elf->width, &word))
			return elf->view->error;
		if (!(word & 1)) {
			result = relr_one(w, word);
			where = word + elf->width;
		} else {
			for (unsigned bit = 1; bit < elf->width * 8 && !result; bit++)
				if (word >> bit & 1)
					result = relr_one(w,
							  where + (uint64_t)(bit - 1) * elf->width);
			where += (uint64_t)(elf->width * 8 - 1) * elf->width;
		}
		if (result)
			return result;
	}
	return 0;
}

int weft__elf_each_relative(struct elf_image *elf,
			    int (*each)(const struct elf_relative *r, void *arg), void *arg)
{
	struct walk w = {elf, relative_type(elf->machine), each, arg};
	int result = walk_entries(elf, DT_RELA, DT_RELASZ, 3, take_relative, &w);
	if (!result)
		result = walk_entries(elf, DT_REL, DT_RELSZ, 2, take_relative, &w);
	return result ? result : walk_relr(&w);
}

static int names_symbol(struct elf_image *elf, const struct entry *e, void *arg)
{
	uint64_t index = e->info >> (elf->width == 8 ? 32 : 8);
	return index && weft__elf_symbol_is(elf, index, arg);
}

bool weft__elf_relocates(struct elf_image *elf, const char *name)
{
	static const uint64_t tables[][3] = {
		{DT_RELA, DT_RELASZ, 3}, {DT_REL, DT_RELSZ, 2}, {DT_JMPREL, DT_PLTRELSZ, 0}};
	uint64_t kind;
	for (unsigned i = 0; i < array_len(tables); i++) {
		unsigned words = (unsigned)tables[i][2];
		if (!words)
			words = weft__elf_dynamic(elf, DT_PLTREL, &kind) && kind == DT_REL ? 2 : 3;
		if (walk_entries(elf, tables[i][0], tables[i][1], words, names_symbol,
				 (void *)name) == 1)
			return true;
	}
	return false;
}

struct wanted {
	uint64_t where;
	struct elf_relative *found;
};

static int is_wanted(const struct elf_relative *r, void *arg)
{
	struct wanted *wanted = arg;
	if (r->where != wanted->where)
		return 0;
	*wanted->found = *r;
	return 1;
}

bool weft__elf_relative_at(struct elf_image *elf, uint64_t vaddr, struct elf_relative *found)
{
	struct wanted wanted = {.where = vaddr, .found = found};
	return weft__elf_each_relative(elf, is_wanted, &wanted) == 1;
}

struct pointers {
	uint64_t first;
	unsigned width, count;
	uint64_t *values;
};

/* Linkers that use RELA may leave anything in place; most leave zero, some the addend itself. */
static int pointers_apply(const struct elf_relative *r, void *arg)
{
	struct pointers *p = arg;
	uint64_t into = r->where - p->first;
	if (into % p->width == 0 && into / p->width < p->count)
		p->values[into / p->width] = r->addend;
	return 0;
}

bool weft__elf_pointers(struct elf_image *elf, uint64_t vaddr, uint64_t *values, unsigned count)
{
	struct pointers p = {.first = vaddr, .width = elf->width, .count = count, .values = values};
	for (unsigned i = 0; i < count; i++)
		if (!read_in_place(elf, vaddr + (uint64_t)i * elf->width, &values[i]))
			return false;
	return elf->type != ET_DYN || weft__elf_each_relative(elf, pointers_apply, &p) == 0;
}
