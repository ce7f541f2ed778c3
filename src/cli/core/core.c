/* SPDX-License-Identifier: MIT */
/* core.c: headers, segments, memory. See core.h. */
#include "cli/core/core.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "cli/core/notes.h"

struct headers {
	uint64_t offset;
	uint32_t count;
};

/* More headers than 16 bits can count: the true number stands in the first section header. */
static int many_headers(struct view *v, const Elf64_Ehdr *e, uint32_t *count)
{
	if (!e->e_shoff || !weft__view_u32(v, e->e_shoff + offsetof(Elf64_Shdr, sh_info), count))
		return v->error ? v->error : -ENOEXEC;
	return *count > CORE_SEGMENTS ? -E2BIG : 0;
}

static int read_header(struct core *core, struct headers *h)
{
	const unsigned char *p = weft__view_at(core->view, 0, sizeof(Elf64_Ehdr));
	Elf64_Ehdr e;

	if (!p)
		return core->view->error ? core->view->error : -ENOEXEC;
	memcpy(&e, p, sizeof(e));
	if (memcmp(e.e_ident, ELFMAG, SELFMAG) || e.e_type != ET_CORE)
		return -ENOEXEC;
	if (e.e_ident[EI_CLASS] != ELFCLASS64 || e.e_ident[EI_DATA] != ELFDATA2LSB ||
	    (e.e_machine != EM_X86_64 && e.e_machine != EM_AARCH64))
		return -ENOTSUP;
	if (e.e_phentsize != sizeof(Elf64_Phdr))
		return -ENOEXEC;
	core->machine = e.e_machine;
	*h = (struct headers){e.e_phoff, e.e_phnum};
	int error = e.e_phnum == PN_XNUM ? many_headers(core->view, &e, &h->count) : 0;
	if (!error && !view_has(core->view, h->offset, (uint64_t)h->count * sizeof(Elf64_Phdr)))
		error = -ENOEXEC;
	return error;
}

/* A core that was cut short (a full disk, a limit) still holds what comes first. */
static void add_segment(struct core *core, const Elf64_Phdr *p)
{
	uint64_t size = min_of(p->p_filesz, p->p_memsz);

	if (p->p_offset >= core->view->size)
		return;
	size = min_of(size, core->view->size - p->p_offset);
	if (size && p->p_vaddr <= UINT64_MAX - size)
		core->segments[core->segment_count++] =
			(struct core_segment){p->p_vaddr, size, p->p_offset};
}

static int by_start(const void *a, const void *b)
{
	const struct core_segment *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static int read_segments(struct core *core, const struct headers *h)
{
	core->segments = calloc(max_of(h->count, 1u), sizeof(*core->segments));
	if (!core->segments)
		return -ENOMEM;
	for (uint32_t i = 0; i < h->count; i++) {
		const unsigned char *p = weft__view_at(
			core->view, h->offset + i * sizeof(Elf64_Phdr), sizeof(Elf64_Phdr));
		Elf64_Phdr segment;
		if (!p)
			return core->view->error ? core->view->error : -ENOEXEC;
		memcpy(&segment, p, sizeof(segment));
		if (segment.p_type == PT_LOAD)
			add_segment(core, &segment);
		else if (segment.p_type == PT_NOTE)
			weft__core_notes(core, segment.p_offset, segment.p_filesz);
	}
	qsort(core->segments, core->segment_count, sizeof(*core->segments), by_start);
	return 0;
}

int weft__core_open(struct core *core, struct view *view)
{
	struct headers h = {0, 0};

	*core = (struct core){.view = view};
	view->big_endian = false;
	int error = read_header(core, &h);
	if (!error)
		error = read_segments(core, &h);
	if (error)
		weft__core_close(core);
	return error;
}

void weft__core_close(struct core *core)
{
	free(core->segments);
	core->segments = NULL;
	core->segment_count = 0;
}

/* The segment that holds `address`, or NULL. */
static const struct core_segment *segment_of(const struct core *core, uint64_t address)
{
	unsigned low = 0, high = core->segment_count;

	while (low < high) { /* the last that starts at or before it */
		unsigned middle = low + (high - low) / 2;
		if (core->segments[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	const struct core_segment *s = low ? &core->segments[low - 1] : NULL;
	return s && address - s->start < s->size ? s : NULL;
}

bool weft__core_read(const struct core *core, uint64_t address, void *buf, size_t size)
{
	unsigned char *to = buf;

	while (size) {
		const struct core_segment *s = segment_of(core, address);
		size_t piece;
		if (!s)
			return false;
		uint64_t inside = address - s->start;
		const unsigned char *p =
			weft__view_piece(core->view, s->offset + inside,
					 min_of(s->size - inside, (uint64_t)size), &piece);
		if (!p)
			return false;
		piece = min_of(piece, size);
		memcpy(to, p, piece);
		to += piece;
		address += piece;
		size -= piece;
	}
	return true;
}
