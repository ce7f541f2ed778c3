/* SPDX-License-Identifier: MIT */
/*
 * test_module.c: the file behind a range of a dead process's memory, wherever in a segment the
 * range begins: mprotect(2) on a page splits what was one mapping. The dead process is this one.
 */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../kit.h"
#include "cli/triage/module.h"

enum { PIECE = 4096 };

#ifdef __x86_64__
static const struct core core = {.machine = EM_X86_64};
#else
static const struct core core = {.machine = EM_AARCH64};
#endif

static char path[256];

/* The mapping of libc's code. */
static struct core_file code_of_libc(void)
{
	struct core_file code = {.path = path};
	unsigned long start = 0, end = 0, offset = 0;
	uintptr_t inside = (uintptr_t)strtoul;
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "re");
	expect_ne(maps, NULL);
	while (!(start <= inside && inside < end) && fgets(line, sizeof(line), maps))
		sscanf(line, "%lx-%lx %*s %lx %*s %*s %255s", &start, &end, &offset, path);
	fclose(maps);
	code.start = start;
	code.end = end;
	code.offset = offset;
	return code;
}

/* The first bytes of a range, by way of the file that it names, are what this process has there. */
static void expect_found(const struct core_file *range)
{
	unsigned char bytes[64];
	struct module *list = NULL;
	expect_eq(weft__module_add(&list, range), 0);
	struct module *m = weft__module_at(list, &core, range->start);
	expect_eq(m, list);
	expect_that(m->usable, "the range from %#llx on", (unsigned long long)range->offset);
	expect(weft__module_read(m, range->start, bytes, sizeof(bytes)));
	expect_that(!memcmp(bytes, (void *)(uintptr_t)range->start, sizeof(bytes)),
		    "the range from %#llx on has other bytes", (unsigned long long)range->offset);
	weft__modules_free(list);
}

TEST("a range is found wherever in a segment it begins")
{
	struct core_file code = code_of_libc(), part = code;
	expect_gt(code.end - code.start, 2 * PIECE);
	expect_found(&code);
	for (; part.start < code.end; part.start += PIECE, part.offset += PIECE) {
		part.end = part.start + PIECE;
		expect_found(&part);
	}
}

TEST("a range beyond the file, and one of another program, are not believed")
{
	struct core_file code = code_of_libc();
	struct core other = {.machine = EM_RISCV};
	struct module *list = NULL;
	expect_eq(weft__module_add(&list, &code), 0);
	expect(!weft__module_at(list, &other, code.start)->usable);
	weft__modules_free(list);
	list = NULL;
	code.offset += 1u << 30;
	expect_eq(weft__module_add(&list, &code), 0);
	expect(!weft__module_at(list, &core, code.start)->usable);
	expect_eq(weft__module_at(list, &core, code.end), NULL);
	weft__modules_free(list);
}
