/* SPDX-License-Identifier: MIT */
/*
 * buildinfo.c: the compiler's version in Go's build information.
 *
 * 14 bytes of magic, the pointer's size, flags; since Go 1.18 (flag 2) two strings follow at offset
 * 32, each with its length as a varint; before, two pointers to string headers (flag 1: big-endian)
 * at offset 16.
 */
#include <string.h>

#include "base/attr.h"
#include "cli/gobin/search.h"

enum { FLAG_INLINE = 2 };

/* Go versions are short and plain; anything else is not shown. */
static bool plain(const char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

static bool copy_text(struct elf_image *elf, uint64_t at, uint64_t length, char *text, size_t room)
{
	if (!length || length >= room)
		return false;
	const unsigned char *p = weft__view_at(elf->view, at, (size_t)length);
	if (!p)
		return false;
	memcpy(text, p, (size_t)length);
	text[length] = '\0';
	return plain(text);
}

static bool inline_version(struct elf_image *elf, uint64_t at, char *version, size_t room)
{
	uint64_t length = 0;
	for (unsigned i = 0; i < 4; i++) {
		const unsigned char *p = weft__view_at(elf->view, at + 32 + i, 1);
		if (!p)
			return false;
		length |= (uint64_t)(*p & 0x7f) << (7 * i);
		if (!(*p & 0x80))
			return copy_text(elf, at + 33 + i, length, version, room);
	}
	return false;
}

static bool pointed_version(struct elf_image *elf, uint64_t at, char *version, size_t room)
{
	uint64_t vaddr, header, string, length, text;
	return weft__elf_vaddr(elf, at, &vaddr) && elf_pointer(elf, vaddr + 16, &header) &&
	       elf_pointer(elf, header, &string) &&
	       weft__elf_offset(elf, header + elf->width, elf->width, &text) &&
	       weft__view_word(elf->view, text, elf->width, &length) && length < room &&
	       weft__elf_offset(elf, string, length, &text) &&
	       copy_text(elf, text, length, version, room);
}

bool weft__go_build_version(struct elf_image *elf, uint64_t at, char *version, size_t room)
{
	const unsigned char *head = weft__view_at(elf->view, at, 16);
	if (!head || memcmp(head, "\xff Go buildinf:", 14) != 0)
		return false;
	return head[15] & FLAG_INLINE ? inline_version(elf, at, version, room)
				      : pointed_version(elf, at, version, room);
}
