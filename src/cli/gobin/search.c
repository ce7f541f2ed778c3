/* SPDX-License-Identifier: MIT */
/*
 * search.c: finds Go's tables by their magic numbers in the loadable segments.
 *
 * The tables lie in data that is never executed, except under linkers that put read-only data and
 * code into one segment: code is searched only when a first search found no table that module data
 * point at and the layout is of that kind, or when another sign says that this is Go.
 *
 * Several tables may be there: an embedded Go program, a decoy. The real one is the one that module
 * data points at.
 */
#include "cli/gobin/search.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/attr.h"

#define SEARCH_MAX (8ull << 30) /* bytes read of one file */
#define TABLES_MAX 8		/* valid tables kept */
#define DECOYS_MAX 10000	/* headers that look right and are not */

static int walk_segment(struct elf_image *elf, const struct elf_segment *s, size_t overlap,
			uint64_t *budget,
			int (*piece)(const unsigned char *p, uint64_t at, size_t length, void *arg),
			void *arg)
{
	uint64_t at = s->offset, end = s->offset + s->file_size;
	while (at < end) {
		size_t length;
		at = max_of(at, weft__view_data(elf->view, at));
		const unsigned char *p =
			at < end ? weft__view_piece(elf->view, at, end - at, &length) : NULL;
		if (!p)
			return elf->view->error;
		if (*budget < length)
			return -EFBIG;
		*budget -= length;
		int result = piece(p, at, length, arg);
		if (result || length >= end - at)
			return result;
		at += length > overlap ? length - overlap : length;
	}
	return 0;
}

int weft__go_walk(struct elf_image *elf, unsigned which, size_t overlap,
		  int (*piece)(const unsigned char *p, uint64_t at, size_t length, void *arg),
		  void *arg)
{
	uint64_t budget = SEARCH_MAX;
	for (unsigned i = 0; i < elf->segment_count; i++) {
		const struct elf_segment *s = &elf->segments[i];
		unsigned kind = s->flags & PF_X && !(s->flags & PF_W) ? SEARCH_CODE : SEARCH_DATA;
		if (s->type != PT_LOAD || !(which & kind))
			continue;
		int result = walk_segment(elf, s, overlap, &budget, piece, arg);
		if (result)
			return result;
	}
	return 0;
}

struct search {
	struct go_image *go;
	struct go_table tables[TABLES_MAX];
	unsigned count, decoys;
};

static const char build_info_magic[] = "\xff Go buildinf:";

/*
 * The magic alone is no table: a program that looks for tables has it among its constants, as this
 * one does.
 */
static void found_build_info(struct search *s, const unsigned char *p, uint64_t at)
{
	struct go_image *go = s->go;
	unsigned width = p[14], flags = p[15];
	if (at % 16 || (width != 4 && width != 8) || flags > 3)
		return;
	go->has_build_info = true;
	if (!go->version[0] &&
	    !weft__go_build_version(go->elf, at, go->version, sizeof(go->version)))
		go->version[0] = '\0';
}

static int found_table(struct search *s, uint64_t at)
{
	for (unsigned i = 0; i < s->count; i++)
		if (s->tables[i].offset == at)
			return 0;
	if (!weft__go_table_read(s->go->elf, at, &s->tables[s->count]))
		return ++s->decoys > DECOYS_MAX ? -E2BIG : 0;
	return ++s->count == TABLES_MAX ? -E2BIG : 0;
}

#define BLOCK_WORDS 64

/*
 * Could one of the words in this block be what the search is for? Nearly always no; without
 * branches, so that the compiler looks at several words at once. `low_bits` are the bits of the
 * magic number that differ between versions.
 */
static bool block_may_hold(const unsigned char *p, uint32_t low_bits, uint32_t build_info)
{
	uint32_t hits = 0;
	for (unsigned i = 0; i < BLOCK_WORDS; i++) {
		uint32_t word;
		memcpy(&word, p + i * sizeof(word), sizeof(word));
		hits |= (word | low_bits) == UINT32_MAX;
		hits |= word == build_info;
	}
	return hits;
}

/* What lies at view offset `at`, of which p holds the first 16 bytes? 0 or -errno. */
static int search_word(struct search *s, const unsigned char *p, uint64_t at)
{
	bool big = s->go->elf->view->big_endian;
	if (memcmp(p, build_info_magic, sizeof(build_info_magic) - 1) == 0)
		found_build_info(s, p, at);
	else if (get_u32(p, big) >= 0xfffffff0 && !p[4] && !p[5] && (p[7] == 4 || p[7] == 8))
		return found_table(s, at);
	return 0;
}

/* Tables and build information begin at a multiple of four, in memory and so in the file. */
static int search_piece(const unsigned char *p, uint64_t at, size_t length, void *arg)
{
	struct search *s = arg;
	struct view *v = s->go->elf->view;
	uint32_t build_info, low_bits = v->big_endian ? htobe32(0xf) : htole32(0xf);
	memcpy(&build_info, build_info_magic, sizeof(build_info));
	for (size_t i = -at & 3; i + 16 <= length;) {
		size_t block = BLOCK_WORDS * sizeof(uint32_t);
		if (i + block <= length && likely(!block_may_hold(p + i, low_bits, build_info))) {
			i += block;
			continue;
		}
		for (size_t end = min_of(i + block, length); i < end && i + 16 <= length; i += 4) {
			int result = search_word(s, p + i, at + i);
			if (result)
				return result;
			/* Reading what was found may have reused the window. */
			p = weft__view_at(v, at, length);
			if (!p)
				return v->error;
		}
	}
	return 0;
}

static bool has_go_note(struct elf_image *elf)
{
	for (unsigned i = 0; i < elf->segment_count; i++) {
		const struct elf_segment *s = &elf->segments[i];
		uint32_t size;
		if (s->type == PT_NOTE && weft__view_u32(elf->view, s->offset, &size) &&
		    size == 4 && weft__view_equals(elf->view, s->offset + 12, "Go"))
			return true;
	}
	return false;
}

/* Do read-only data share a segment with code? */
static bool code_holds_data(const struct elf_image *elf)
{
	for (unsigned i = 0; i < elf->segment_count; i++) {
		const struct elf_segment *s = &elf->segments[i];
		if (s->type == PT_LOAD && !(s->flags & (PF_W | PF_X)))
			return false;
	}
	return true;
}

static void choose_table(struct search *s)
{
	struct go_image *go = s->go;
	unsigned best = 0, confirmed = 0;
	for (unsigned i = 0; i < s->count; i++) {
		weft__go_table_confirm(go->elf, &s->tables[i]);
		if (s->tables[i].confirmed && !confirmed++)
			best = i;
	}
	go->has_table = s->count > 0;
	go->table = s->tables[best];
	go->rivals = confirmed ? confirmed - 1 : s->count ? s->count - 1 : 0;
}

int weft__go_open(struct go_image *go, struct elf_image *elf)
{
	struct search s = {.go = go};
	memset(go, 0, sizeof(*go));
	go->elf = elf;
	go->has_build_note = has_go_note(elf);
	int err = weft__go_walk(elf, SEARCH_DATA, 32, search_piece, &s);
	if (!err)
		choose_table(&s);
	if (!err && !go->table.confirmed &&
	    (code_holds_data(elf) || go->has_build_note || go->has_build_info)) {
		err = weft__go_walk(elf, SEARCH_CODE, 32, search_piece, &s);
		choose_table(&s);
	}
	if (err)
		return err;
	return go->has_table || go->has_build_info || go->has_build_note ? 0 : -ENOENT;
}
