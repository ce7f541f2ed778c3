/* SPDX-License-Identifier: MIT */
/*
 * pclntab.c: Go's function table.
 *
 * Header (all numbers of pointer size after the first eight bytes):
 *
 *   magic, 0, 0, quantum, pointer size; number of functions; of files; text start (0 from Go 1.26
 *   on); offsets of names, compilation units, files, pc tables, functions
 *
 * The function table holds pairs {entry - text, offset of the function's record} and one last
 * entry, the end of the text. A record begins with {entry - text, offset of the name}.
 *
 * Since Go 1.26 the header no longer says where the text starts, and in position-independent files
 * it may be zero on disk: the module data says it. They are recognised without knowing a version's
 * layout: a pointer at the table, and soon after it two neighbouring words that are as far apart as
 * the first and the last entry.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "base/attr.h"
#include "cli/gobin/search.h"

enum {
	MAGIC_1_2 = 0xfffffffb,
	MAGIC_1_16 = 0xfffffffa,
	MAGIC_1_18 = 0xfffffff0,
	MAGIC_1_20 = 0xfffffff1,
};

#define FUNCTIONS_MAX (1u << 24)
#define MODULE_TRIES 16
#define MODULE_WORDS \
	64 /* how far behind its first word the module data's text range is looked for */

/* Field `index` of the header, counted in pointers behind the first eight bytes. */
static bool header_word(struct elf_image *elf, const struct go_table *t, unsigned index,
			uint64_t *value)
{
	return weft__view_word(elf->view, t->offset + 8 + (uint64_t)index * t->width, t->width,
			       value);
}

static bool function_entry(struct elf_image *elf, const struct go_table *t, uint64_t index,
			   uint32_t *entry)
{
	return weft__view_u32(elf->view, t->functions + index * 8, entry);
}

/* The first bytes of the range that the table describes, relative to its text start. */
static bool text_range(struct elf_image *elf, const struct go_table *t, uint32_t *first,
		       uint32_t *last)
{
	return function_entry(elf, t, 0, first) && function_entry(elf, t, t->count, last) &&
	       *first < *last;
}

static bool text_fits(struct elf_image *elf, const struct go_table *t, uint64_t text)
{
	uint32_t first, last;
	if (!text_range(elf, t, &first, &last) || text > UINT64_MAX - last)
		return false;
	const struct elf_segment *s = weft__elf_segment(elf, text + first);
	return s && (s->flags & PF_X) && text + last - s->vaddr <= s->memory_size;
}

/* The records of the first and the last function repeat their entries. */
static bool record_agrees(struct elf_image *elf, const struct go_table *t, uint64_t index)
{
	uint32_t entry, record, again;
	return function_entry(elf, t, index, &entry) &&
	       weft__view_u32(elf->view, t->functions + index * 8 + 4, &record) &&
	       weft__view_u32(elf->view, t->functions + record, &again) && again == entry;
}

static bool read_regions(struct elf_image *elf, struct go_table *t)
{
	uint64_t names, next, functions, text, room;
	if (!header_word(elf, t, 0, &t->count) || !header_word(elf, t, 2, &text) ||
	    !header_word(elf, t, 3, &names) || !header_word(elf, t, 4, &next) ||
	    !header_word(elf, t, 7, &functions))
		return false;
	const struct elf_segment *s = weft__elf_segment(elf, t->vaddr);
	if (!s || !t->count || t->count > FUNCTIONS_MAX)
		return false;
	room = s->offset + s->file_size - t->offset;
	if (names > next || next > functions || functions > room ||
	    (t->count + 1) * 8 > room - functions)
		return false;
	t->names = t->offset + names;
	t->names_size = next - names;
	t->functions = t->offset + functions;
	t->text = text;
	return record_agrees(elf, t, 0) && record_agrees(elf, t, t->count - 1);
}

bool weft__go_table_read(struct elf_image *elf, uint64_t at, struct go_table *t)
{
	const unsigned char *head = weft__view_at(elf->view, at, 8);
	if (!head)
		return false;
	memset(t, 0, sizeof(*t));
	t->magic = get_u32(head, elf->view->big_endian);
	t->quantum = head[6];
	t->width = head[7];
	t->offset = at;
	if (t->width != elf->width || (t->quantum != 1 && t->quantum != 2 && t->quantum != 4) ||
	    !weft__elf_vaddr(elf, at, &t->vaddr))
		return false;
	if (t->magic == MAGIC_1_2 || t->magic == MAGIC_1_16) {
		uint64_t count;
		return header_word(elf, t, 0, &count) && count && count <= FUNCTIONS_MAX;
	}
	return (t->magic == MAGIC_1_18 || t->magic == MAGIC_1_20) && read_regions(elf, t);
}

struct confirm {
	struct elf_image *elf;
	struct go_table *table;
	uint32_t first, last;
	unsigned tries;
};

/* 1 when module data begin at `where`; -E2BIG after too many pointers that are not module data. */
static int is_module(struct confirm *c, uint64_t where)
{
	struct elf_image *elf = c->elf;
	uint64_t words[MODULE_WORDS];
	if (++c->tries > MODULE_TRIES)
		return -E2BIG;
	if (!weft__elf_pointers(elf, where, words, MODULE_WORDS))
		return 0;
	for (unsigned i = 2; i < MODULE_WORDS; i++) {
		uint64_t low = words[i - 1], high = words[i];
		if (low < c->first || high - low != c->last - c->first ||
		    !text_fits(elf, c->table, low - c->first))
			continue;
		c->table->text = low - c->first;
		c->table->confirmed = true;
		return 1;
	}
	return 0;
}

static int module_in_place(uint64_t where, void *arg)
{
	return is_module(arg, where);
}

void weft__go_table_confirm(struct elf_image *elf, struct go_table *t)
{
	struct confirm c = {.elf = elf, .table = t};
	struct go_image go = {.elf = elf};
	uint64_t text;
	if (!t->count || !text_range(elf, t, &c.first, &c.last))
		return;
	if (weft__go_each_pointer(&go, t->vaddr, module_in_place, &c) == 1)
		return;
	/* The header's own word, if the loader fills it in. */
	if (!text_fits(elf, t, t->text) && elf_pointer(elf, t->vaddr + 8 + 2 * t->width, &text))
		t->text = text;
}

bool weft__go_has_name(struct go_image *go, const char *name, uint32_t *offset)
{
	const struct go_table *t = &go->table;
	size_t length = strlen(name) + 1, got;
	for (uint64_t at = 0; at < t->names_size;) {
		const unsigned char *p =
			weft__view_piece(go->elf->view, t->names + at, t->names_size - at, &got);
		if (!p)
			return false;
		const unsigned char *hit = p;
		while ((hit = memmem(hit, got - (size_t)(hit - p), name, length))) {
			/*
			 * Names follow each other, each with its NUL: a hit that a NUL does not
			 * precede is a tail.
			 */
			uint64_t index = at + (uint64_t)(hit - p);
			if (!index || (hit > p && !hit[-1])) {
				if (offset)
					*offset = (uint32_t)index;
				return true;
			}
			hit++;
		}
		if (got >= t->names_size - at)
			return false;
		/* One byte more than the name: the NUL before it has to be seen. */
		at += got > length + 1 ? got - length - 1 : got;
	}
	return false;
}

/* The function at `index` of the table; false at the end or where the table is broken. */
static bool function_read(struct go_image *go, uint64_t index, struct go_function *f)
{
	const struct go_table *t = &go->table;
	uint32_t entry, end, record;
	if (index >= t->count || !function_entry(go->elf, t, index, &entry) ||
	    !function_entry(go->elf, t, index + 1, &end) ||
	    !weft__view_u32(go->elf->view, t->functions + index * 8 + 4, &record) ||
	    !weft__view_u32(go->elf->view, t->functions + record + 4, &f->name))
		return false;
	f->record = t->functions + record;
	f->entry = t->text + entry;
	f->end = t->text + max_of(entry, end);
	return true;
}

unsigned weft__go_functions_named(struct go_image *go, const char *name, struct go_function *found,
				  unsigned room)
{
	unsigned count = 0;
	uint32_t offset;
	struct go_function f;
	if (!weft__go_has_name(go, name, &offset))
		return 0;
	for (uint64_t i = 0; i < go->table.count; i++) {
		if (!function_read(go, i, &f))
			break;
		if (f.name != offset)
			continue;
		if (count < room)
			found[count] = f;
		count++;
	}
	return count;
}

bool weft__go_function_at(struct go_image *go, uint64_t pc, struct go_function *found)
{
	const struct go_table *t = &go->table;
	uint64_t low = 0, high = t->count;
	uint32_t entry;
	if (pc < t->text)
		return false;
	/* The last function whose entry is not behind pc. */
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		if (!function_entry(go->elf, t, middle, &entry))
			return false;
		if (t->text + entry <= pc)
			low = middle + 1;
		else
			high = middle;
	}
	return low && function_read(go, low - 1, found) && pc < found->end;
}

bool weft__go_function_last(struct go_image *go, struct go_function *found)
{
	return go->table.count && function_read(go, go->table.count - 1, found);
}

bool weft__go_function_name(struct go_image *go, const struct go_function *f, char *name,
			    size_t room)
{
	const struct go_table *t = &go->table;
	size_t length;
	if (f->name >= t->names_size)
		return false;
	const unsigned char *p =
		weft__view_piece(go->elf->view, t->names + f->name,
				 min_of(t->names_size - f->name, (uint64_t)room), &length);
	if (!p)
		return false;
	length = strnlen((const char *)p, min_of(length, room - 1));
	memcpy(name, p, length);
	name[length] = '\0';
	return true;
}
