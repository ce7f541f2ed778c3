/* SPDX-License-Identifier: MIT */
/*
 * gobin.h: what can be read from a Go program or library without running it.
 *
 * Three things survive stripping, because the Go runtime itself needs them:
 *   - the function table (pclntab): every function's entry and name;
 *   - the module data, which points at that table and says where the text begins;
 *   - the keys by which the runtime looks up symbols of the vDSO.
 *
 * The build information (the compiler's version) survives too, but versions lie in both directions:
 * it is reported, nothing is decided by it.
 *
 * All of it is found by searching the loadable segments for the magic numbers and validating every
 * hit, never by section names. Addresses are those of the file (load bias 0).
 *
 * What holds after weft__go_open returned 0: the chosen table's regions lie inside the view, and
 * its text range inside one executable segment. Everything read later is checked again where it is
 * read.
 */
#ifndef WEFT_CLI_GOBIN_GOBIN_H
#define WEFT_CLI_GOBIN_GOBIN_H

#include "cli/elf/elf.h"

#define GO_NAME_MAX 512 /* longer function names are cut in reports, never in comparisons */
#define GO_KEYS 4

struct go_table {
	uint32_t magic;
	unsigned width, quantum;    /* of a pointer; of the program counter */
	uint64_t vaddr, offset;	    /* where the table lies */
	uint64_t count;		    /* of functions; 0: an older format than Go 1.18 */
	uint64_t text;		    /* what the functions' entries are relative to */
	uint64_t names, names_size; /* view offset of the name table */
	uint64_t functions;	    /* view offset of the function table */
	bool confirmed;		    /* module data points at the table */
};

struct go_image {
	struct elf_image *elf;
	bool has_table;
	struct go_table table;
	unsigned rivals;     /* further tables that look real and that no module data tells apart */
	bool has_build_info; /* it was there, whether a version could be read or not */
	bool has_build_note; /* a "Go" note among the program headers */
	char version[96];    /* "" when unknown */
};

/*
 * Searches `elf` for what Go leaves behind. 0: it is Go (any of the three signs); -ENOENT: no sign
 * of Go; -EFBIG: more bytes than the search is willing to read; -E2BIG: too many decoys; -errno of
 * a failed read.
 */
int weft__go_open(struct go_image *go, struct elf_image *elf);

struct go_function {
	uint64_t entry, end; /* end: the next function's entry */
	uint32_t name;	     /* offset in the name table */
	uint64_t record;     /* view offset of what else the table says of it */
};

/* True when the name table holds `name`; its offset in *offset (may be NULL). */
bool weft__go_has_name(struct go_image *go, const char *name, uint32_t *offset);
/*
 * The functions called `name` (an assembly wrapper shares its function's name): how many, the first
 * `room` of them.
 */
unsigned weft__go_functions_named(struct go_image *go, const char *name, struct go_function *found,
				  unsigned room);
/* The function that holds `pc`. */
bool weft__go_function_at(struct go_image *go, uint64_t pc, struct go_function *found);
/* The last function of the table: its end is the end of the text. */
bool weft__go_function_last(struct go_image *go, struct go_function *found);
/* A function's name, cut to `room`; false when it cannot be read. */
bool weft__go_function_name(struct go_image *go, const struct go_function *f, char *name,
			    size_t room);

/* Direct calls (calls.c): of every instruction set whose Go looks the vDSO's getrandom up. */

bool weft__go_calls_known(const struct go_image *go); /* is this instruction set decoded? */
/* True when every call inside the text can be a direct one; else some may go by trampolines. */
bool weft__go_calls_reach(struct go_image *go);
/* True when a call of `target` is one of `f`. */
bool weft__go_enters(const struct go_image *go, const struct go_function *f, uint64_t target);
/*
 * Calls `each` for every direct call in [from, to) until it returns non-zero; returns that, 0, or
 * -errno. On amd64 and s390x the bytes are searched, not disassembled: a target that is no
 * function's entry is noise.
 */
int weft__go_each_call(struct go_image *go, uint64_t from, uint64_t to,
		       int (*each)(uint64_t site, uint64_t target, void *arg), void *arg);
/*
 * Calls `each` for every aligned word of a pointer's size that holds `value` (function values,
 * tables). Code is searched like data: some linkers put read-only data into its segment.
 */
int weft__go_each_pointer(struct go_image *go, uint64_t value,
			  int (*each)(uint64_t where, void *arg), void *arg);

/* Calls `each` for every place where the compiler put the body of `f` instead of a call. */
int weft__go_each_inlined(struct go_image *go, const struct go_function *f,
			  int (*each)(uint64_t where, void *arg), void *arg);

/* Keys of vDSO symbols (vdsokey.c) */

/* An entry of Go's vdsoSymbolKeys: {name pointer, name length, symHash, gnuHash, *variable}. */
struct go_vdso_key {
	uint64_t offset;      /* view offset of the two hashes */
	uint64_t name_vaddr;  /* what the entry's name pointer says, relocation applied */
	uint64_t name_offset; /* view offset of those bytes; 0 when they are not in the file */
	uint64_t name_length;
	uint64_t record; /* view offset of the pointer's RELA entry; 0: it is in place */
	bool intact;	 /* the name belongs to the hashes: the look-up will succeed */
	bool pointed;	 /* name_offset is valid, and the length is the symbol's */
};

/*
 * The vDSO symbol that returns random bytes on this machine, or NULL when Go looks for none there.
 */
const char *weft__go_vdso_symbol(const struct elf_image *elf);
/*
 * All places with the hashes of that symbol: their number, the first `room` of them; or -errno of a
 * failed read.
 */
int weft__go_vdso_keys(struct elf_image *elf, struct go_vdso_key *keys, unsigned room);

#endif
