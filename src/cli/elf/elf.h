/* SPDX-License-Identifier: MIT */
/*
 * elf.h: an ELF file as the kernel sees it: by its program headers.
 *
 * Section headers are never read: they are not needed to run a file, tools strip them or leave them
 * wrong (`e_shnum` 0xffff, an offset that wraps), and the kernel runs the file all the same.
 *
 * What holds after weft__elf_open returned 0: every segment's [offset, offset + file_size) lies
 * inside the view, and file_size <= memory_size (a header that says more is cut to what is there,
 * as the kernel would fault beyond it). Segments are kept in file order; where two overlap in
 * memory the later one wins, as in the kernel.
 *
 * Any class and byte order is read; nothing here knows an instruction set.
 */
#ifndef WEFT_CLI_ELF_ELF_H
#define WEFT_CLI_ELF_ELF_H

#include "cli/elf/view.h"

#define ELF_SEGMENTS 256 /* program headers kept; the kernel takes at most 64 KiB of them */

struct elf_segment {
	uint32_t type, flags;
	uint64_t offset, vaddr, file_size, memory_size;
};

struct elf_image {
	struct view *view;
	unsigned width; /* of a pointer: 4 or 8 */
	uint16_t type, machine;
	uint64_t entry;
	bool cut_off; /* a loadable segment reaches beyond the end of the view */
	unsigned segment_count;
	struct elf_segment segments[ELF_SEGMENTS]; /* PT_LOAD, PT_NOTE, PT_DYNAMIC, PT_INTERP */
};

/* True when `head`, the first `length` bytes of a file, begins an ELF file. */
bool weft__elf_magic(const void *head, size_t length);

/*
 * True when UPX has replaced the program by a small loader: what runs is not in the file, and its
 * mark follows the program headers.
 */
bool weft__elf_packed(struct view *view);

/*
 * Reads the headers of `view` (and sets its byte order). -ENOEXEC: not ELF, or headers that no
 * kernel would accept; -E2BIG: more program headers than ELF_SEGMENTS; -errno of a failed read.
 */
int weft__elf_open(struct elf_image *elf, struct view *view);

/*
 * The short name of the machine ("amd64", "arm64", ...), as Go spells it; "machine-N" into `room`
 * when unknown.
 */
const char *weft__elf_arch(const struct elf_image *elf, char room[16]);

/* The view's offset of `length` file-backed bytes at `vaddr`; false when any of them is not. */
bool weft__elf_offset(const struct elf_image *elf, uint64_t vaddr, uint64_t length,
		      uint64_t *offset);
/* The address at which the view's `offset` is loaded; false when it is not. */
bool weft__elf_vaddr(const struct elf_image *elf, uint64_t offset, uint64_t *vaddr);
/* The loadable segment that holds `vaddr` (its memory, file-backed or not), or NULL. */
const struct elf_segment *weft__elf_segment(const struct elf_image *elf, uint64_t vaddr);

/*
 * One relative relocation: the loader stores load bias + `addend` at `where`. `record` is the
 * offset of its entry (Elf64_Rela: the addend is 16 bytes further), 0 for the packed form, whose
 * addends lie at `where`.
 */
struct elf_relative {
	uint64_t where, addend, record;
};
/* Calls `each` for every relative relocation until it returns non-zero; returns that, 0, -errno. */
int weft__elf_each_relative(struct elf_image *elf,
			    int (*each)(const struct elf_relative *r, void *arg), void *arg);
/* Finds the relocation of the pointer at `vaddr`. */
bool weft__elf_relative_at(struct elf_image *elf, uint64_t vaddr, struct elf_relative *found);

/*
 * `count` pointers from `vaddr` on as they will be after loading at bias 0: in place, or by
 * relative relocations.
 */
bool weft__elf_pointers(struct elf_image *elf, uint64_t vaddr, uint64_t *values, unsigned count);
static inline bool elf_pointer(struct elf_image *elf, uint64_t vaddr, uint64_t *value)
{
	return weft__elf_pointers(elf, vaddr, value, 1);
}

/* Looks `tag` up in the dynamic section: the first such entry, or the one at `index` of them. */
bool weft__elf_dynamic(struct elf_image *elf, uint64_t tag, uint64_t *value);
bool weft__elf_dynamic_nth(struct elf_image *elf, uint64_t tag, unsigned index, uint64_t *value);
/* The text that such an entry points at, as weft__view_string reads it. */
bool weft__elf_dynamic_text(struct elf_image *elf, uint64_t tag, unsigned index, char *text,
			    size_t room);

/* A symbol of the dynamic symbol table. */
struct elf_symbol {
	uint64_t value, size;
	uint64_t name_offset;  /* the view's offset of its name in .dynstr */
	uint64_t entry_offset; /* the view's offset of the Elf_Sym */
	unsigned value_at;     /* how far into it `value` stands */
};
/* True when symbol `index` of that table, defined or not, is called `name`. */
bool weft__elf_symbol_is(struct elf_image *elf, uint64_t index, const char *name);
/* True when a relocation refers to a symbol called `name`: the loader fills in its address. */
bool weft__elf_relocates(struct elf_image *elf, const char *name);
/* 0; -ENOENT: not defined there (or no dynamic symbols at all). */
int weft__elf_dynamic_symbol(struct elf_image *elf, const char *name, struct elf_symbol *symbol);

#endif
