/* SPDX-License-Identifier: MIT */
/*
 * test_mutants.c: 100,000 twisted files, none of which may crash the readers, hang them or make
 * them allocate.
 *
 * Each mutant is a valid file with a few bytes changed, preferably in headers and tables,
 * preferably to values at the edges of what a number can be; some are cut short. Its bytes end
 * where its memory ends, so that the sanitizers see every read beyond. A file that takes longer
 * than five seconds ends the test by alarm. Another seed has other mutants.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../kit.h"
#include "cli/gobin/judge.h"
#include "twin_elf.h"

enum { MUTANTS = 100000, FIRST_SEED = 20250505 };

static uint64_t state;

static uint64_t draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static const struct twin kinds[] = {
	{.caller = "main.work"},
	{.caller = "main.work", .relocated = true, .no_text_start = true},
	{.machine = EM_AARCH64, .caller = "pkg.init.0"},
	{.machine = EM_S390, .big_endian = true},
	{.machine = EM_386, .width = 4},
	{.machine = EM_MIPS, .width = 4, .big_endian = true},
	{.repaired = true, .decoy = true},
};

static const uint64_t edges[] = {
	0,	    1,		0x7f,	   0xff,       0x7fff,	       0xffff,	   0x7fffffff,
	0x80000000, 0xffffffff, INT64_MAX, UINT64_MAX, UINT64_MAX - 7, 0xfffffff0, 0x8000};

/* Where the interesting bytes are: headers, tables, module data and key, relocations. */
static size_t place(size_t size)
{
	static const struct {
		size_t from, length;
	} parts[] = {{0, 0x140}, {0x4000, 0x500}, {0x7000, 0x600}, {0x7800, 0x200}, {0, 0x8000}};
	unsigned i = draw() % array_len(parts);
	return (parts[i].from + draw() % parts[i].length) % size;
}

static void mutate(unsigned char *bytes, size_t size)
{
	for (unsigned n = 1 + draw() % 8; n; n--) {
		size_t at = place(size), width = (size_t)1 << draw() % 4;
		uint64_t value = draw() % 2 ? edges[draw() % array_len(edges)] : draw();
		at &= ~(width - 1);
		if (at + width <= size)
			memcpy(bytes + at, &value, width);
	}
}

static void read_everything(struct view *view)
{
	static struct elf_image elf;
	static struct go_image go;
	struct go_judgement j;
	struct go_vdso_key keys[GO_KEYS];
	struct elf_symbol symbol;
	struct go_function f;
	if (weft__elf_open(&elf, view))
		return;
	weft__go_vdso_keys(&elf, keys, GO_KEYS);
	weft__elf_dynamic_symbol(&elf, "getrandom", &symbol);
	if (weft__go_open(&go, &elf))
		return;
	weft__go_function_at(&go, elf.entry, &f);
	weft__go_judge(&go, &go_rules[0], &j);
	weft__go_judgement_free(&j);
}

/* Every eighth mutant is read through a descriptor, in windows. */
static void read_mutant(const unsigned char *bytes, size_t size, struct view *windows, int fd)
{
	struct view view;
	if (draw() % 8) {
		weft__view_memory(&view, bytes, size);
		read_everything(&view);
		return;
	}
	expect_eq(ftruncate(fd, 0), 0);
	expect_eq(pwrite(fd, bytes, size, 0), size);
	weft__view_file(windows, fd, 0, size + draw() % 100);
	read_everything(windows);
}

static void make_and_read(unsigned long number, struct view *windows, int fd)
{
	size_t size;
	kit_doing("mutant %lu", number);
	state = (FIRST_SEED + kit_seed() + number) * 0x9e3779b97f4a7c15u | 1;
	unsigned char *whole = twin_make(&kinds[number % array_len(kinds)], &size);
	if (draw() % 16 == 0)
		size = draw() % size + 1;
	unsigned char *bytes = malloc(size);
	memcpy(bytes, whole, size);
	mutate(bytes, size);
	alarm(5);
	read_mutant(bytes, size, windows, fd);
	free(bytes);
	free(whole);
}

TEST("a hundred thousand mutants are read", .seconds = 300)
{
	struct view windows;
	int fd = memfd_create("mutant", 0);
	expect_ge(fd, 0);
	expect_eq(weft__view_init(&windows), 0);
	for (unsigned long i = 0; i < MUTANTS; i++)
		make_and_read(i, &windows, fd);
	weft__view_close(&windows);
}
