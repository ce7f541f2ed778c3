/* SPDX-License-Identifier: MIT */
/*
 * vdsokey.c: the key by which the Go runtime looks up the vDSO's getrandom.
 *
 * An entry is {name pointer, name length, symHash, gnuHash, pointer to the variable}. The two
 * hashes are the mark: eight bytes that were unique in every file that has them. Go compares the
 * hashes first and the name then, so an entry whose name was changed is looked up in vain.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "base/attr.h"
#include "cli/gobin/search.h"

struct vdso_name {
	uint16_t machine;
	const char *symbol;
	uint32_t sym_hash, gnu_hash;
};

static const struct vdso_name vdso_names[] = {
	{EM_X86_64, "__vdso_getrandom", 0x25425d, 0x84a559bf},
	{258, "__vdso_getrandom", 0x25425d, 0x84a559bf}, /* loongarch */
	{EM_AARCH64, "__kernel_getrandom", 0x9800c0d, 0x540d4e24},
	{EM_PPC64, "__kernel_getrandom", 0x9800c0d, 0x540d4e24},
	{EM_S390, "__kernel_getrandom", 0x9800c0d, 0x540d4e24},
};

static const struct vdso_name *name_for(const struct elf_image *elf)
{
	for (unsigned i = 0; i < array_len(vdso_names); i++)
		if (elf->width == 8 && vdso_names[i].machine == elf->machine)
			return &vdso_names[i];
	return NULL;
}

const char *weft__go_vdso_symbol(const struct elf_image *elf)
{
	const struct vdso_name *name = name_for(elf);
	return name ? name->symbol : NULL;
}

struct keys {
	struct elf_image *elf;
	const struct vdso_name *name;
	struct go_vdso_key *keys;
	unsigned room, count;
};

static void key_read(struct keys *k, uint64_t at, struct go_vdso_key *key)
{
	struct elf_image *elf = k->elf;
	struct elf_relative r;
	uint64_t vaddr;
	size_t length = strlen(k->name->symbol);
	memset(key, 0, sizeof(*key));
	key->offset = at;
	if (at < 16 || !weft__elf_vaddr(elf, at - 16, &vaddr) ||
	    !weft__view_u64(elf->view, at - 16, &key->name_vaddr) ||
	    !weft__view_u64(elf->view, at - 8, &key->name_length))
		return;
	if (elf->type == ET_DYN && weft__elf_relative_at(elf, vaddr, &r)) {
		key->name_vaddr = r.addend;
		key->record = r.record;
	}
	key->pointed = key->name_length == length &&
		       weft__elf_offset(elf, key->name_vaddr, length, &key->name_offset);
	if (!key->pointed)
		return;
	const unsigned char *p = weft__view_at(elf->view, key->name_offset, length);
	key->intact = p && memcmp(p, k->name->symbol, length) == 0;
}

static int keys_piece(const unsigned char *p, uint64_t at, size_t length, void *arg)
{
	struct keys *k = arg;
	struct view *v = k->elf->view;
	for (size_t i = -at & 7; i + 8 <= length; i += 8) {
		if (likely(get_u32(p + i, v->big_endian) != k->name->sym_hash ||
			   get_u32(p + i + 4, v->big_endian) != k->name->gnu_hash))
			continue;
		if (k->count && k->count <= k->room && k->keys[k->count - 1].offset == at + i)
			continue; /* seen before the seam */
		if (k->count < k->room)
			key_read(k, at + i, &k->keys[k->count]);
		k->count++;
		p = weft__view_at(v, at, length);
		if (!p)
			return v->error;
	}
	return 0;
}

int weft__go_vdso_keys(struct elf_image *elf, struct go_vdso_key *keys, unsigned room)
{
	struct keys k = {.elf = elf, .name = name_for(elf), .keys = keys, .room = room};
	if (!k.name)
		return 0;
	int err = weft__go_walk(elf, SEARCH_DATA, 0, keys_piece, &k);
	return err ? err : (int)min_of(k.count, (unsigned)INT32_MAX);
}
