/* SPDX-License-Identifier: MIT */
/*
 * symbols.h: names for the addresses of a process or a core file.
 *
 * An address belongs to a mapping, the mapping to a file, and the file has a symbol table (.symtab,
 * else .dynsym). An address that no table names gets the name of its file. Nothing here fails: what
 * is not known is "?".
 */
#ifndef WEFT_CLI_PROC_SYMBOLS_H
#define WEFT_CLI_PROC_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct stat;

/*
 * Opens a regular file for reading; devices and pipes are not even touched. The descriptor or
 * -errno.
 */
int weft__open_regular(const char *path, struct stat *st);

struct symbolizer;

/* From /proc/PID/maps. NULL, which the functions below accept, when that cannot be read whole. */
struct symbolizer *weft__symbolizer_of(pid_t pid);
/* Empty, to be filled from a core file's list of mappings. */
struct symbolizer *weft__symbolizer_new(void);
/*
 * [start, end) is `path` from `offset` on. The path is copied; `read_from` (NULL: the path) is
 * opened.
 */
int weft__symbolizer_map(struct symbolizer *s, uint64_t start, uint64_t end, uint64_t offset,
			 const char *path, const char *read_from);
void weft__symbolizer_free(struct symbolizer *s);

/* Where the function that holds `pc` starts; 0 when no table names it. */
uint64_t weft__symbolizer_start(struct symbolizer *s, uint64_t pc);
void weft__symbolizer_name(struct symbolizer *s, uint64_t pc, char *name, size_t size);

#endif
