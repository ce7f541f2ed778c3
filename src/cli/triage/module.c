/* SPDX-License-Identifier: MIT */
/* module.c: see module.h. A range of a file is a module of its own: two of one library are rare. */
#include "cli/triage/module.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/proc/symbols.h"

enum { FIRST_PAGE = 4096, PAGE_MASK = FIRST_PAGE - 1 };

int weft__module_add(struct module **list, const struct core_file *f)
{
	struct module *m = calloc(1, sizeof(*m) + strlen(f->path) + 1);

	if (!m)
		return -ENOMEM;
	m->start = f->start;
	m->end = f->end;
	m->offset = f->offset;
	m->fd = -1;
	strcpy(m->path, f->path);
	m->next = *list;
	*list = m;
	return 0;
}

/* A range begins where a segment begins, or, split off later, somewhere inside of one. */
static bool find_bias(struct module *m)
{
	for (unsigned i = 0; i < m->elf.segment_count; i++) {
		const struct elf_segment *s = &m->elf.segments[i];
		uint64_t from = s->offset & ~(uint64_t)PAGE_MASK;
		if (s->type != PT_LOAD || m->offset < from || m->offset >= s->offset + s->file_size)
			continue;
		m->bias = m->start - (m->offset - from) - (s->vaddr & ~(uint64_t)PAGE_MASK);
		if ((s->flags & PF_X) || m->offset == from)
			return true;
	}
	return false;
}

static bool same_first_page(struct module *m, const struct core *core)
{
	unsigned char mapped[FIRST_PAGE];
	uint64_t vaddr;

	if (!weft__elf_vaddr(&m->elf, 0, &vaddr) || m->view.size < FIRST_PAGE ||
	    !weft__core_read(core, vaddr + m->bias, mapped, sizeof(mapped)))
		return true;
	const unsigned char *p = weft__view_at(&m->view, 0, sizeof(mapped));
	return p && !memcmp(p, mapped, sizeof(mapped));
}

static void module_open(struct module *m, const struct core *core)
{
	struct stat st;

	m->tried = true;
	m->fd = weft__open_regular(m->path, &st);
	if (m->fd < 0 || weft__view_init(&m->view))
		return;
	weft__view_file(&m->view, m->fd, 0, (uint64_t)st.st_size);
	m->usable = weft__elf_open(&m->elf, &m->view) == 0 && m->elf.machine == core->machine &&
		    find_bias(m) && same_first_page(m, core);
	m->is_go = m->usable && weft__go_open(&m->go, &m->elf) == 0;
}

struct module *weft__module_at(struct module *list, const struct core *core, uint64_t address)
{
	struct module *m = list;

	while (m && (address < m->start || address >= m->end))
		m = m->next;
	if (m && !m->tried)
		module_open(m, core);
	return m;
}

void weft__modules_free(struct module *list)
{
	for (struct module *m = list, *next; m; m = next) {
		next = m->next;
		if (m->view.windows[0].bytes)
			weft__view_close(&m->view);
		if (m->fd >= 0)
			close(m->fd);
		free(m);
	}
}

bool weft__module_read(struct module *m, uint64_t address, void *buf, size_t size)
{
	uint64_t offset;

	if (!m->usable || !weft__elf_offset(&m->elf, address - m->bias, size, &offset))
		return false;
	const unsigned char *p = weft__view_at(&m->view, offset, size);
	if (p)
		memcpy(buf, p, size);
	return p != NULL;
}

bool weft__module_function(struct module *m, uint64_t pc, struct go_function *f)
{
	return m->is_go && m->go.has_table && weft__go_function_at(&m->go, pc - m->bias, f);
}
