/* SPDX-License-Identifier: MIT */
/*
 * module.h: the files that a dead process had mapped, beside its program: opened when an address in
 * them is asked for.
 *
 * A library is believed when its first page is the one that was mapped, or when the core does not
 * have that page.
 */
#ifndef WEFT_CLI_TRIAGE_MODULE_H
#define WEFT_CLI_TRIAGE_MODULE_H

#include "cli/core/core.h"
#include "cli/gobin/gobin.h"

struct module {
	struct module *next;
	uint64_t start, end, offset; /* the range that it was found by */
	uint64_t bias;		     /* how far the process's addresses are from the file's */
	bool tried, usable, is_go;
	int fd;
	struct view view;
	struct elf_image elf;
	struct go_image go;
	char path[];
};

/* Adds what `f` says to the list. 0 or -ENOMEM. */
int weft__module_add(struct module **list, const struct core_file *f);
/* The module that `address` lies in, opened when that is possible (`usable`); NULL: none. */
struct module *weft__module_at(struct module *list, const struct core *core, uint64_t address);
void weft__modules_free(struct module *list);

/* Reads bytes of the file that were at `address`. */
bool weft__module_read(struct module *m, uint64_t address, void *buf, size_t size);
/* The Go function that holds `pc`, at the file's addresses. */
bool weft__module_function(struct module *m, uint64_t pc, struct go_function *f);

#endif
