/* SPDX-License-Identifier: MIT */
/*
 * search.h: walking the loadable bytes of a file, and what the parts of gobin/ tell each other.
 */
#ifndef WEFT_CLI_GOBIN_SEARCH_H
#define WEFT_CLI_GOBIN_SEARCH_H

#include "cli/gobin/gobin.h"

/* Which loadable segments a walk covers. What is writable is data, executable or not. */
enum { SEARCH_DATA = 1, SEARCH_CODE = 2 };

/*
 * Calls `piece` with consecutive pieces (at most VIEW_WINDOW bytes) of the segments: `at` is the
 * view offset of `p`. Consecutive pieces of a segment overlap by `overlap` bytes, so that nothing
 * shorter is missed at a seam; holes of sparse files are skipped. Ends when `piece` returns
 * non-zero; returns that, 0, -EFBIG or -errno. The piece may be overwritten once `piece` reads the
 * view itself.
 */
int weft__go_walk(struct elf_image *elf, unsigned which, size_t overlap,
		  int (*piece)(const unsigned char *p, uint64_t at, size_t length, void *arg),
		  void *arg);

/* Reads the table that may begin at view offset `at`; true when everything in it agrees. */
bool weft__go_table_read(struct elf_image *elf, uint64_t at, struct go_table *table);
/* Looks for the module data of the table; sets text and confirmed. */
void weft__go_table_confirm(struct elf_image *elf, struct go_table *table);
/*
 * Reads the compiler's version from the build information at view offset `at`; true when it could
 * be read.
 */
bool weft__go_build_version(struct elf_image *elf, uint64_t at, char *version, size_t room);

#endif
