/* SPDX-License-Identifier: MIT */
/*
 * symbols.h: names for code addresses of this process, from /proc/self/maps and the files' own
 * symbol tables.
 *
 * It needs only system calls: dladdr and dl_iterate_phdr take the loader's lock, whose holder a
 * dump may have interrupted. Static functions have names, too.
 */
#ifndef WEFT_DEBUG_SYMBOLS_H
#define WEFT_DEBUG_SYMBOLS_H

#include <stdbool.h>
#include <stdint.h>

struct symbol {
	const char *name;   /* of the function; NULL: not known */
	const char *module; /* base name of the file; NULL: no file's code */
	uint64_t offset;    /* from the function's start, or in the file */
};

/*
 * Reads the list of mappings; symbols are valid until weft__symbols_close. False: somebody else
 * uses it.
 */
bool weft__symbols_open(void);
void weft__symbols_close(void);
/* Which function's code is at `pc`? */
struct symbol weft__symbol_at(uintptr_t pc);
/* Does `pc` lie in executable memory that a file backs? */
bool weft__symbol_is_code(uintptr_t pc);

#endif
