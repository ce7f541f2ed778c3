/* SPDX-License-Identifier: MIT */
/*
 * symbols.c: see symbols.h.
 *
 * A file is mapped when the first address in it is looked up. Symbols are not sorted: a dump of
 * many tasks looks up few different addresses, and answers are cached. Rejected: sorting (needs
 * memory), dladdr (locks; no static functions).
 */
#include "debug/symbols.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/atomic.h"
#include "base/attr.h"
#include "base/sys.h"

enum { MODULES = 256, NAMES = 16384, MEMO = 1024 };

struct module {
	uintptr_t start, end; /* executable mapping */
	uint64_t file_offset;
	const char *path;
	bool opened;
	const char *file; /* the whole file, mapped; NULL: it cannot be */
	size_t size;
};

static struct {
	struct module modules[MODULES];
	unsigned count;
	char names[NAMES];
	size_t names_used;
	struct {
		uintptr_t pc;
		struct symbol symbol;
	} memo[MEMO];
} table;

static uint32_t busy;

/* ---- /proc/self/maps ---- */

static uint64_t hex(const char **p)
{
	uint64_t n = 0;
	for (;; (*p)++) {
		char c = **p;
		if (c >= '0' && c <= '9')
			n = n << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			n = n << 4 | (uint64_t)(c - 'a' + 10);
		else
			return n;
	}
}

static const char *keep_name(const char *name)
{
	size_t size = strlen(name) + 1;
	if (size > NAMES - table.names_used)
		return NULL;
	char *kept = memcpy(table.names + table.names_used, name, size);
	table.names_used += size;
	return kept;
}

/* 7f12-7f34 r-xp 0000 08:01 1234   /path */
static void add_line(const char *line)
{
	struct module m = {0};
	m.start = hex(&line);
	line += *line == '-';
	m.end = hex(&line);
	if (strlen(line) < 6 || line[3] != 'x')
		return;
	line += 6;
	m.file_offset = hex(&line);
	const char *path = strchr(line, '/');
	if (!path || table.count == MODULES)
		return;
	m.path = keep_name(path);
	if (m.path)
		table.modules[table.count++] = m;
}

static void add_lines(int fd)
{
	static char text[8192];
	size_t used = 0;
	ssize_t n;
	while ((n = sys_read(fd, text + used, sizeof(text) - 1 - used)) > 0) {
		char *line = text, *end;
		used += (size_t)n;
		text[used] = 0;
		for (; (end = strchr(line, '\n')); line = end + 1) {
			*end = 0;
			add_line(line);
		}
		used = strlen(line);
		if (used == sizeof(text) - 1) /* no path is that long */
			used = 0;
		memmove(text, line, used);
	}
}

bool weft__symbols_open(void)
{
	uint32_t none = 0;
	if (!cas_acq_rel(&busy, &none, 1)) /* pairs with weft__symbols_close */
		return false;
	memset(&table, 0, sizeof(table));
	int fd = sys_openat(AT_FDCWD, "/proc/self/maps", O_RDONLY);
	if (fd < 0)
		return true;
	add_lines(fd);
	sys_close(fd);
	return true;
}

void weft__symbols_close(void)
{
	for (unsigned i = 0; i < table.count; i++)
		if (table.modules[i].file)
			sys_munmap(table.modules[i].file, table.modules[i].size);
	table.count = 0;
	store_release(&busy, 0); /* pairs with weft__symbols_open */
}

/* ---- a file's symbols ---- */

static void open_file(struct module *m)
{
	struct stat st;
	m->opened = true;
	int fd = sys_openat(AT_FDCWD, m->path, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		return;
	if (sys_fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size > (off_t)sizeof(Elf64_Ehdr)) {
		m->size = (size_t)st.st_size;
		void *file = sys_mmap(m->size, PROT_READ, MAP_PRIVATE, fd);
		m->file = sys_map_error(file) ? NULL : file;
	}
	sys_close(fd);
}

/* `count` records of `size` bytes at `offset` of the file; NULL when they are not all in it. */
static const void *part(const struct module *m, uint64_t offset, uint64_t count, uint64_t size)
{
	if (offset > m->size || (count && size > (m->size - offset) / count))
		return NULL;
	return m->file + offset;
}

static const Elf64_Ehdr *header(const struct module *m)
{
	const Elf64_Ehdr *e = part(m, 0, 1, sizeof(*e));
	return e && memcmp(e->e_ident, ELFMAG, SELFMAG) == 0 && e->e_ident[EI_CLASS] == ELFCLASS64
		       ? e
		       : NULL;
}

/* The address that the file's symbols use for a place in the file. */
static bool link_address(const struct module *m, uint64_t offset, uint64_t *address)
{
	const Elf64_Ehdr *e = header(m);
	const Elf64_Phdr *p = e ? part(m, e->e_phoff, e->e_phnum, sizeof(*p)) : NULL;
	for (unsigned i = 0; p && i < e->e_phnum; i++) {
		if (p[i].p_type != PT_LOAD || offset < p[i].p_offset ||
		    offset - p[i].p_offset >= p[i].p_filesz)
			continue;
		*address = offset - p[i].p_offset + p[i].p_vaddr;
		return true;
	}
	return false;
}

static const Elf64_Shdr *symbol_section(const struct module *m, uint32_t type)
{
	const Elf64_Ehdr *e = header(m);
	const Elf64_Shdr *s = e ? part(m, e->e_shoff, e->e_shnum, sizeof(*s)) : NULL;
	for (unsigned i = 0; s && i < e->e_shnum; i++)
		if (s[i].sh_type == type && s[i].sh_link < e->e_shnum)
			return &s[i];
	return NULL;
}

/*
 * A string of the table that belongs to the symbols in `s`; NULL when it does not end inside the
 * file.
 */
static const char *symbol_name(const struct module *m, const Elf64_Shdr *s, uint32_t name)
{
	const Elf64_Ehdr *e = header(m);
	const Elf64_Shdr *all = part(m, e->e_shoff, e->e_shnum, sizeof(*all));
	const Elf64_Shdr *strings = &all[s->sh_link];
	const char *text = part(m, strings->sh_offset, strings->sh_size, 1);
	if (!text || name >= strings->sh_size || !memchr(text + name, 0, strings->sh_size - name))
		return NULL;
	return text + name;
}

/* Finds the last function that starts at or before `address`. */
static bool search(const struct module *m, const Elf64_Shdr *s, uint64_t address,
		   struct symbol *found)
{
	uint64_t count = s->sh_size / sizeof(Elf64_Sym);
	const Elf64_Sym *symbols = part(m, s->sh_offset, count, sizeof(*symbols));
	const Elf64_Sym *best = NULL;
	for (uint64_t i = 0; symbols && i < count; i++) {
		const Elf64_Sym *y = &symbols[i];
		if (ELF64_ST_TYPE(y->st_info) != STT_FUNC || y->st_shndx == SHN_UNDEF ||
		    y->st_value > address)
			continue;
		if (y->st_size && address - y->st_value >= y->st_size)
			continue;
		if (!best || y->st_value > best->st_value)
			best = y;
	}
	if (!best)
		return false;
	found->name = symbol_name(m, s, best->st_name);
	found->offset = address - best->st_value;
	return found->name != NULL;
}

/* ---- addresses ---- */

static struct module *module_of(uintptr_t pc)
{
	for (unsigned i = 0; i < table.count; i++)
		if (pc >= table.modules[i].start && pc < table.modules[i].end)
			return &table.modules[i];
	return NULL;
}

bool weft__symbol_is_code(uintptr_t pc)
{
	return module_of(pc) != NULL;
}

static struct symbol look_up(uintptr_t pc)
{
	struct symbol found = {0};
	struct module *m = module_of(pc);
	uint64_t address;
	if (!m)
		return found;
	const char *slash = strrchr(m->path, '/');
	found.module = slash ? slash + 1 : m->path;
	found.offset = pc - m->start + m->file_offset;
	if (!m->opened)
		open_file(m);
	if (!m->file || !link_address(m, found.offset, &address))
		return found;
	const Elf64_Shdr *full = symbol_section(m, SHT_SYMTAB);
	if (full && search(m, full, address, &found))
		return found;
	const Elf64_Shdr *dynamic = symbol_section(m, SHT_DYNSYM);
	if (dynamic)
		search(m, dynamic, address, &found);
	return found;
}

struct symbol weft__symbol_at(uintptr_t pc)
{
	unsigned slot =
		(unsigned)((pc * 0x9e3779b97f4a7c15u) >> 54); /* 1024 slots; Knuth's multiplier */
	if (table.memo[slot].pc != pc) {
		table.memo[slot].symbol = look_up(pc);
		table.memo[slot].pc = pc;
	}
	return table.memo[slot].symbol;
}
