/* SPDX-License-Identifier: MIT */
/*
 * symbols.c: mappings, and one sorted table of function symbols per file, read when it is first
 * needed.
 *
 * The files may be anybody's (a core file names them), so every size is checked against a cap and
 * every offset against what was read. What does not fit is left out: a frame without a name is
 * still a frame.
 */
#include "cli/proc/symbols.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "cli/proc/tracee.h"

enum { TABLE_MAX = 64 << 20, MAPPINGS_MAX = 1 << 16 };

struct function {
	uint64_t start, size;
	uint32_t name;
};

struct table {
	Elf64_Phdr *segments;
	unsigned segment_count;
	struct function *functions;
	size_t function_count;
	char *strings; /* ends in a NUL */
};

struct mapping {
	uint64_t start, end, offset;
	char *path, *read_from;
	struct table *table;
};

struct symbolizer {
	struct mapping *mappings;
	size_t count;
};

/*
 * `count` objects of `size` bytes at `offset` of the file, NULL when they are not all there;
 * `extra` zero bytes follow.
 */
static void *read_array(int fd, uint64_t offset, uint64_t count, size_t size, size_t extra)
{
	if (!count || count > TABLE_MAX / size || offset > INT64_MAX)
		return NULL;
	char *data = calloc(1, count * size + extra);
	if (data && pread(fd, data, count * size, (off_t)offset) != (ssize_t)(count * size)) {
		free(data);
		return NULL;
	}
	return data;
}

static int by_start(const void *a, const void *b)
{
	const struct function *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static void take_functions(struct table *t, const Elf64_Sym *symbols, size_t count,
			   size_t string_size)
{
	t->functions = calloc(count, sizeof(*t->functions));
	for (size_t i = 0; t->functions && i < count; i++) {
		const Elf64_Sym *s = &symbols[i];
		if (ELF64_ST_TYPE(s->st_info) != STT_FUNC || !s->st_value ||
		    s->st_name >= string_size)
			continue;
		t->functions[t->function_count++] =
			(struct function){s->st_value, s->st_size, s->st_name};
	}
	if (t->functions)
		qsort(t->functions, t->function_count, sizeof(*t->functions), by_start);
}

static void read_symbols(int fd, struct table *t, const Elf64_Shdr *symbols,
			 const Elf64_Shdr *strings)
{
	size_t count = symbols->sh_size / sizeof(Elf64_Sym);
	Elf64_Sym *array = read_array(fd, symbols->sh_offset, count, sizeof(Elf64_Sym), 0);

	t->strings = read_array(fd, strings->sh_offset, strings->sh_size, 1, 1);
	if (array && t->strings)
		take_functions(t, array, count, strings->sh_size);
	free(array);
}

static void read_sections(int fd, const Elf64_Ehdr *e, struct table *t)
{
	const Elf64_Shdr *best = NULL;
	Elf64_Shdr *sections;

	if (e->e_shentsize != sizeof(Elf64_Shdr))
		return;
	sections = read_array(fd, e->e_shoff, e->e_shnum, sizeof(Elf64_Shdr), 0);
	for (unsigned i = 0; sections && i < e->e_shnum; i++) {
		const Elf64_Shdr *s = &sections[i];
		if (s->sh_link < e->e_shnum &&
		    (s->sh_type == SHT_SYMTAB || (s->sh_type == SHT_DYNSYM && !best)))
			best = s;
	}
	if (best)
		read_symbols(fd, t, best, &sections[best->sh_link]);
	free(sections);
}

int weft__open_regular(const char *path, struct stat *st)
{
	/* First without opening: to open a device may already do something. */
	if (stat(path, st))
		return -errno;
	int fd = S_ISREG(st->st_mode) ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
	if (fd < 0)
		return S_ISREG(st->st_mode) ? -errno : -EINVAL;
	if (fstat(fd, st) || !S_ISREG(st->st_mode)) {
		close(fd);
		return -EINVAL;
	}
	return fd;
}

static void read_table(int fd, struct table *t)
{
	Elf64_Ehdr e;

	if (pread(fd, &e, sizeof(e), 0) != sizeof(e) || memcmp(e.e_ident, ELFMAG, SELFMAG) ||
	    e.e_ident[EI_CLASS] != ELFCLASS64 || e.e_ident[EI_DATA] != ELFDATA2LSB ||
	    e.e_phentsize != sizeof(Elf64_Phdr))
		return;
	t->segments = read_array(fd, e.e_phoff, e.e_phnum, sizeof(Elf64_Phdr), 0);
	t->segment_count = t->segments ? e.e_phnum : 0;
	read_sections(fd, &e, t);
}

static struct table *table_open(const char *path)
{
	struct table *t = calloc(1, sizeof(*t));
	struct stat st;
	int fd = t ? weft__open_regular(path, &st) : -1;

	if (fd >= 0) {
		read_table(fd, t);
		close(fd);
	}
	return t;
}

static void table_free(struct table *t)
{
	if (!t)
		return;
	free(t->segments);
	free(t->functions);
	free(t->strings);
	free(t);
}

/* The address, in the symbol table's terms, of the byte at `offset` of the file; 0: none. */
static uint64_t table_address(const struct table *t, uint64_t offset)
{
	for (unsigned i = 0; i < t->segment_count; i++) {
		const Elf64_Phdr *p = &t->segments[i];
		if (p->p_type == PT_LOAD && offset >= p->p_offset &&
		    offset - p->p_offset < p->p_filesz)
			return offset - p->p_offset + p->p_vaddr;
	}
	return 0;
}

static const struct function *table_function(const struct table *t, uint64_t address)
{
	size_t low = 0, high = t->function_count;

	while (low < high) { /* the last that starts at or before `address` */
		size_t middle = low + (high - low) / 2;
		if (t->functions[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	const struct function *f = &t->functions[low - 1];
	return address - f->start < max_of(f->size, 1u) ? f : NULL;
}

struct symbolizer *weft__symbolizer_new(void)
{
	return calloc(1, sizeof(struct symbolizer));
}

int weft__symbolizer_map(struct symbolizer *s, uint64_t start, uint64_t end, uint64_t offset,
			 const char *path, const char *read_from)
{
	if (s->count == MAPPINGS_MAX)
		return -E2BIG;
	struct mapping *grown = reallocarray(s->mappings, s->count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	s->mappings = grown;
	struct mapping m = {start, end, offset, strdup(path), strdup(read_from ? read_from : path),
			    NULL};
	if (!m.path || !m.read_from) {
		free(m.path);
		free(m.read_from);
		return -ENOMEM;
	}
	s->mappings[s->count++] = m;
	return 0;
}

void weft__symbolizer_free(struct symbolizer *s)
{
	for (size_t i = 0; s && i < s->count; i++) {
		free(s->mappings[i].path);
		free(s->mappings[i].read_from);
		table_free(s->mappings[i].table);
	}
	if (s)
		free(s->mappings);
	free(s);
}

struct maps_reader {
	struct symbolizer *s;
	pid_t pid;
};

/* The link in map_files opens what the name no longer does (deleted, another root). */
static int take_mapping(const struct tracee_mapping *m, void *arg)
{
	struct maps_reader *reader = arg;
	char link[64];

	if (!m->path[0])
		return 0;
	snprintf(link, sizeof(link), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, reader->pid,
		 m->start, m->end);
	return weft__symbolizer_map(reader->s, m->start, m->end, m->offset, m->path,
				    access(link, R_OK) ? NULL : link);
}

struct symbolizer *weft__symbolizer_of(pid_t pid)
{
	struct maps_reader reader = {weft__symbolizer_new(), pid};

	if (!reader.s || weft__tracee_mappings(pid, take_mapping, &reader) >= 0)
		return reader.s;
	weft__symbolizer_free(reader.s);
	return NULL;
}

static struct mapping *mapping_of(struct symbolizer *s, uint64_t pc)
{
	for (size_t i = 0; s && i < s->count; i++) {
		if (pc >= s->mappings[i].start && pc < s->mappings[i].end)
			return &s->mappings[i];
	}
	return NULL;
}

/* The function that holds `pc`, and how far its table's addresses are from those of the process. */
static const struct function *find(struct mapping *m, uint64_t pc, uint64_t *bias)
{
	if (!m->table)
		m->table = table_open(m->read_from);
	if (!m->table)
		return NULL;
	uint64_t address = table_address(m->table, pc - m->start + m->offset);
	*bias = pc - address;
	return address ? table_function(m->table, address) : NULL;
}

uint64_t weft__symbolizer_start(struct symbolizer *s, uint64_t pc)
{
	struct mapping *m = mapping_of(s, pc);
	uint64_t bias = 0;
	const struct function *f = m ? find(m, pc, &bias) : NULL;

	return f ? f->start + bias : 0;
}

void weft__symbolizer_name(struct symbolizer *s, uint64_t pc, char *name, size_t size)
{
	struct mapping *m = mapping_of(s, pc);
	uint64_t bias;
	const struct function *f = m ? find(m, pc, &bias) : NULL;
	const char *text = f ? m->table->strings + f->name : m ? strrchr(m->path, '/') : NULL;

	if (text && !f)
		text++;
	snprintf(name, size, "%s", text ? text : m ? m->path : "?");
}
