/* SPDX-License-Identifier: MIT */
/*
 * dynsym.c: names in the dynamic symbol table and in the dynamic section.
 *
 * The table says nowhere how long it is; its hash tables do. The old one states the count; of the
 * new one (DT_GNU_HASH) the name's own chain is followed, as the loader does.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "cli/elf/elf.h"

struct dynsym {
	struct elf_image *elf;
	uint64_t symbols, strings; /* addresses */
	const char *name;
	struct elf_symbol *found;
};

static unsigned symbol_size(const struct elf_image *elf)
{
	return elf->width == 8 ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
}

/* 1: symbol `index` is it and is defined; 0: it is not; -ENOENT: there is no such entry. */
static int symbol_try(struct dynsym *d, uint64_t index)
{
	struct elf_image *elf = d->elf;
	bool wide = elf->width == 8;
	unsigned size = symbol_size(elf);
	uint64_t at, name_at;
	uint32_t name;
	uint16_t section;
	if (index > UINT32_MAX || !weft__elf_offset(elf, d->symbols + index * size, size, &at) ||
	    !weft__view_u32(elf->view, at, &name) ||
	    !weft__view_u16(
		    elf->view,
		    at + (wide ? offsetof(Elf64_Sym, st_shndx) : offsetof(Elf32_Sym, st_shndx)),
		    &section))
		return -ENOENT;
	if (section == SHN_UNDEF ||
	    !weft__elf_offset(elf, d->strings + name, strlen(d->name) + 1, &name_at) ||
	    !weft__view_equals(elf->view, name_at, d->name))
		return 0;
	d->found->entry_offset = at;
	d->found->name_offset = name_at;
	d->found->value_at = wide ? offsetof(Elf64_Sym, st_value) : offsetof(Elf32_Sym, st_value);
	weft__view_word(elf->view, at + d->found->value_at, elf->width, &d->found->value);
	weft__view_word(elf->view,
			at + (wide ? offsetof(Elf64_Sym, st_size) : offsetof(Elf32_Sym, st_size)),
			elf->width, &d->found->size);
	return 1;
}

static bool read_u32(struct elf_image *elf, uint64_t vaddr, uint32_t *value)
{
	uint64_t at;
	return weft__elf_offset(elf, vaddr, 4, &at) && weft__view_u32(elf->view, at, value);
}

/* Every symbol, as many as the old hash table has chain entries. */
static int search_all(struct dynsym *d, uint64_t hash)
{
	uint32_t count;
	if (!read_u32(d->elf, hash + 4, &count))
		return -ENOENT;
	for (uint32_t i = 0; i < count; i++) {
		int result = symbol_try(d, i);
		if (result)
			return result;
	}
	return -ENOENT;
}

static uint32_t gnu_hash(const char *name)
{
	uint32_t h = 5381;
	for (; *name; name++)
		h = h * 33 + (unsigned char)*name;
	return h;
}

static int search_gnu(struct dynsym *d, uint64_t hash)
{
	struct elf_image *elf = d->elf;
	uint32_t buckets, first, bloom, index, chain, wanted = gnu_hash(d->name);
	if (!read_u32(elf, hash, &buckets) || !read_u32(elf, hash + 4, &first) ||
	    !read_u32(elf, hash + 8, &bloom) || !buckets)
		return -ENOENT;
	uint64_t bucket_at = hash + 16 + (uint64_t)bloom * elf->width;
	uint64_t chain_at = bucket_at + (uint64_t)buckets * 4;
	if (!read_u32(elf, bucket_at + (uint64_t)(wanted % buckets) * 4, &index) || index < first)
		return -ENOENT;
	do {
		if (!read_u32(elf, chain_at + (uint64_t)(index - first) * 4, &chain))
			return -ENOENT;
		int result = (chain | 1) == (wanted | 1) ? symbol_try(d, index) : 0;
		if (result)
			return result;
		index++;
	} while (!(chain & 1) && index);
	return -ENOENT;
}

bool weft__elf_symbol_is(struct elf_image *elf, uint64_t index, const char *name)
{
	uint64_t symbols, strings, at;
	uint32_t offset;
	return weft__elf_dynamic(elf, DT_SYMTAB, &symbols) &&
	       weft__elf_dynamic(elf, DT_STRTAB, &strings) &&
	       weft__elf_offset(elf, symbols + index * symbol_size(elf), 4, &at) &&
	       weft__view_u32(elf->view, at, &offset) &&
	       weft__elf_offset(elf, strings + offset, strlen(name) + 1, &at) &&
	       weft__view_equals(elf->view, at, name);
}

bool weft__elf_dynamic_text(struct elf_image *elf, uint64_t tag, unsigned index, char *text,
			    size_t room)
{
	uint64_t strings, offset, at;
	return weft__elf_dynamic(elf, DT_STRTAB, &strings) &&
	       weft__elf_dynamic_nth(elf, tag, index, &offset) &&
	       weft__elf_offset(elf, strings + offset, 1, &at) &&
	       weft__view_string(elf->view, at, text, room);
}

int weft__elf_dynamic_symbol(struct elf_image *elf, const char *name, struct elf_symbol *symbol)
{
	struct dynsym d = {.elf = elf, .name = name, .found = symbol};
	uint64_t hash;
	int result = -ENOENT;
	memset(symbol, 0, sizeof(*symbol));
	if (!weft__elf_dynamic(elf, DT_SYMTAB, &d.symbols) ||
	    !weft__elf_dynamic(elf, DT_STRTAB, &d.strings))
		return -ENOENT;
	if (weft__elf_dynamic(elf, DT_HASH, &hash))
		result = search_all(&d, hash);
	if (result < 0 && weft__elf_dynamic(elf, DT_GNU_HASH, &hash))
		result = search_gnu(&d, hash);
	return result == 1 ? 0 : -ENOENT;
}
