/* SPDX-License-Identifier: MIT */
/*
 * inlined.c: copies of a function inside of others.
 *
 * For its tracebacks Go keeps a record of every call that the compiler has replaced by the
 * function's body: {kind: 1 byte, 0, 0, 0; offset of the function's name; where; the function's
 * first line}, four bytes each. The line is the one that the function's own record has, so three
 * words are known, and the records are searched for like pointers.
 *
 * Rejected: to walk the trees from the functions that own them. The way there (module data, a table
 * of offsets in each function's record) differs between Go versions; the records do not.
 */
#include "base/attr.h"
#include "cli/gobin/search.h"

enum { RECORD_SIZE = 16, RECORD_NAME = 4, RECORD_LINE = 12 };
enum { FUNCTION_LINE = 36 }; /* in a function's record */

struct inlined {
	struct go_image *go;
	uint32_t name, line;
	int (*each)(uint64_t where, void *arg);
	void *arg;
};

static bool is_record(const struct inlined *s, const unsigned char *p)
{
	bool big_endian = s->go->elf->view->big_endian;
	return get_u32(p + RECORD_NAME, big_endian) == s->name && !p[1] && !p[2] && !p[3] &&
	       get_u32(p + RECORD_LINE, big_endian) == s->line;
}

static int inlined_piece(const unsigned char *p, uint64_t at, size_t length, void *arg)
{
	struct inlined *s = arg;
	for (size_t i = -at & 3; i + RECORD_SIZE <= length; i += 4) {
		uint64_t where;
		if (likely(!is_record(s, p + i)) || !weft__elf_vaddr(s->go->elf, at + i, &where))
			continue;
		int result = s->each(where, s->arg);
		if (result)
			return result;
		p = weft__view_at(s->go->elf->view, at, length); /* `each` may have moved it */
		if (!p)
			return s->go->elf->view->error;
	}
	return 0;
}

int weft__go_each_inlined(struct go_image *go, const struct go_function *f,
			  int (*each)(uint64_t where, void *arg), void *arg)
{
	struct inlined s = {.go = go, .name = f->name, .each = each, .arg = arg};
	if (!weft__view_u32(go->elf->view, f->record + FUNCTION_LINE, &s.line))
		return go->elf->view->error;
	return weft__go_walk(go->elf, SEARCH_DATA | SEARCH_CODE, RECORD_SIZE - 4, inlined_piece,
			     &s);
}
