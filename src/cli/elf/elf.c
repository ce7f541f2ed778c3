/* SPDX-License-Identifier: MIT */
/*
 * elf.c: the file header, the program headers, and the way from an address to the bytes of the
 * file.
 */
#include "cli/elf/elf.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/attr.h"

enum { PACKED_HEAD = 1024 };

bool weft__elf_magic(const void *head, size_t length)
{
	return length >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0;
}

bool weft__elf_packed(struct view *v)
{
	size_t length;
	const unsigned char *p = weft__view_piece(v, 0, PACKED_HEAD, &length);
	return p && memmem(p, length, "UPX!", 4);
}

/* Where the two classes keep the same field. */
struct elf_layout {
	uint8_t entry, phoff, phentsize, phnum, ph_size;
	uint8_t p_flags, p_offset, p_vaddr, p_filesz, p_memsz;
};
#define LAYOUT(ehdr, phdr) \
	{ \
		offsetof(ehdr, e_entry), offsetof(ehdr, e_phoff), offsetof(ehdr, e_phentsize), \
			offsetof(ehdr, e_phnum), sizeof(phdr), offsetof(phdr, p_flags), \
			offsetof(phdr, p_offset), offsetof(phdr, p_vaddr), \
			offsetof(phdr, p_filesz), offsetof(phdr, p_memsz) \
	}
static const struct elf_layout layout32 = LAYOUT(Elf32_Ehdr, Elf32_Phdr);
static const struct elf_layout layout64 = LAYOUT(Elf64_Ehdr, Elf64_Phdr);

/*
 * Cuts the segment to the bytes that the file really has; the order of the two cuts does not
 * matter.
 */
static void segment_clip(struct elf_segment *s, uint64_t size)
{
	if (s->offset > size)
		s->file_size = 0;
	else
		s->file_size = min_of(s->file_size, size - s->offset);
	s->file_size = min_of(s->file_size, s->memory_size);
	/* An address range that wraps round is cut at the top. */
	s->memory_size = min_of(s->memory_size, UINT64_MAX - s->vaddr);
	s->file_size = min_of(s->file_size, s->memory_size);
	if (!s->file_size)
		s->offset = 0;
}

static int segment_read(struct elf_image *elf, const struct elf_layout *l, uint64_t at)
{
	struct view *v = elf->view;
	struct elf_segment s;
	if (!weft__view_u32(v, at, &s.type) || !weft__view_u32(v, at + l->p_flags, &s.flags) ||
	    !weft__view_word(v, at + l->p_offset, elf->width, &s.offset) ||
	    !weft__view_word(v, at + l->p_vaddr, elf->width, &s.vaddr) ||
	    !weft__view_word(v, at + l->p_filesz, elf->width, &s.file_size) ||
	    !weft__view_word(v, at + l->p_memsz, elf->width, &s.memory_size))
		return v->error ? v->error : -ENOEXEC;
	if (s.type != PT_LOAD && s.type != PT_NOTE && s.type != PT_DYNAMIC && s.type != PT_INTERP)
		return 0;
	if (elf->segment_count == ELF_SEGMENTS)
		return -E2BIG;
	elf->cut_off |=
		s.type == PT_LOAD && (s.offset > v->size || s.file_size > v->size - s.offset);
	segment_clip(&s, v->size);
	elf->segments[elf->segment_count++] = s;
	return 0;
}

static int read_ident(struct elf_image *elf)
{
	const unsigned char *ident = weft__view_at(elf->view, 0, EI_NIDENT);
	if (!ident)
		return elf->view->error ? elf->view->error : -ENOEXEC;
	if (!weft__elf_magic(ident, EI_NIDENT))
		return -ENOEXEC;
	if (ident[EI_CLASS] != ELFCLASS32 && ident[EI_CLASS] != ELFCLASS64)
		return -ENOEXEC;
	if (ident[EI_DATA] != ELFDATA2LSB && ident[EI_DATA] != ELFDATA2MSB)
		return -ENOEXEC;
	elf->width = ident[EI_CLASS] == ELFCLASS64 ? 8 : 4;
	elf->view->big_endian = ident[EI_DATA] == ELFDATA2MSB;
	return 0;
}

int weft__elf_open(struct elf_image *elf, struct view *view)
{
	elf->view = view;
	elf->segment_count = 0;
	elf->cut_off = false;
	int err = read_ident(elf);
	if (err)
		return err;

	const struct elf_layout *l = elf->width == 8 ? &layout64 : &layout32;
	uint64_t phoff;
	uint16_t phentsize, phnum;
	if (!weft__view_u16(view, offsetof(Elf64_Ehdr, e_type), &elf->type) ||
	    !weft__view_u16(view, offsetof(Elf64_Ehdr, e_machine), &elf->machine) ||
	    !weft__view_word(view, l->entry, elf->width, &elf->entry) ||
	    !weft__view_word(view, l->phoff, elf->width, &phoff) ||
	    !weft__view_u16(view, l->phentsize, &phentsize) ||
	    !weft__view_u16(view, l->phnum, &phnum))
		return view->error ? view->error : -ENOEXEC;
	if (phnum &&
	    (phentsize != l->ph_size || !view_has(view, phoff, (uint64_t)phnum * phentsize)))
		return -ENOEXEC;
	for (unsigned i = 0; i < phnum && !err; i++)
		err = segment_read(elf, l, phoff + (uint64_t)i * phentsize);
	return err;
}

const char *weft__elf_arch(const struct elf_image *elf, char room[16])
{
	static const struct {
		uint16_t machine;
		const char *little, *big; /* the names for either byte order */
	} names[] = {
		{EM_X86_64, "amd64", NULL},
		{EM_AARCH64, "arm64", "arm64be"},
		{EM_386, "386", NULL},
		{EM_ARM, "arm", "armbe"},
		{EM_PPC64, "ppc64le", "ppc64"},
		{EM_S390, NULL, "s390x"},
		{EM_RISCV, "riscv64", NULL},
		{258, "loong64", NULL}, /* EM_LOONGARCH in newer headers */
	};
	for (unsigned i = 0; i < array_len(names); i++) {
		const char *name = elf->view->big_endian ? names[i].big : names[i].little;
		if (names[i].machine == elf->machine && name)
			return name;
	}
	if (elf->machine == EM_MIPS)
		return elf->width == 8 ? (elf->view->big_endian ? "mips64" : "mips64le")
				       : (elf->view->big_endian ? "mips" : "mipsle");
	snprintf(room, 16, "machine-%u", elf->machine);
	return room;
}

const struct elf_segment *weft__elf_segment(const struct elf_image *elf, uint64_t vaddr)
{
	for (unsigned i = elf->segment_count; i-- > 0;) {
		const struct elf_segment *s = &elf->segments[i];
		if (s->type == PT_LOAD && vaddr >= s->vaddr && vaddr - s->vaddr < s->memory_size)
			return s;
	}
	return NULL;
}

bool weft__elf_offset(const struct elf_image *elf, uint64_t vaddr, uint64_t length,
		      uint64_t *offset)
{
	const struct elf_segment *s = weft__elf_segment(elf, vaddr);
	if (!s)
		return false;
	uint64_t into = vaddr - s->vaddr;
	if (into > s->file_size || length > s->file_size - into)
		return false;
	*offset = s->offset + into;
	return true;
}

bool weft__elf_vaddr(const struct elf_image *elf, uint64_t offset, uint64_t *vaddr)
{
	for (unsigned i = elf->segment_count; i-- > 0;) {
		const struct elf_segment *s = &elf->segments[i];
		if (s->type == PT_LOAD && offset >= s->offset &&
		    offset - s->offset < s->file_size) {
			*vaddr = s->vaddr + (offset - s->offset);
			return true;
		}
	}
	return false;
}

bool weft__elf_dynamic_nth(struct elf_image *elf, uint64_t tag, unsigned index, uint64_t *value)
{
	for (unsigned i = 0; i < elf->segment_count; i++) {
		const struct elf_segment *s = &elf->segments[i];
		if (s->type != PT_DYNAMIC)
			continue;
		for (uint64_t at = 0; s->file_size - at >= 2 * elf->width; at += 2 * elf->width) {
			uint64_t found;
			if (!weft__view_word(elf->view, s->offset + at, elf->width, &found) ||
			    found == DT_NULL)
				return false;
			if (found == tag && !index--)
				return weft__view_word(elf->view, s->offset + at + elf->width,
						       elf->width, value);
		}
	}
	return false;
}

bool weft__elf_dynamic(struct elf_image *elf, uint64_t tag, uint64_t *value)
{
	return weft__elf_dynamic_nth(elf, tag, 0, value);
}
