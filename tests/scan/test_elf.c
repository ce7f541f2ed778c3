/* SPDX-License-Identifier: MIT */
/* test_elf.c: headers that lie, and views that end. */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../kit.h"
#include "base/attr.h"
#include "cli/elf/elf.h"
#include "twin_elf.h"

static unsigned char *bytes;
static size_t size;
static struct view view;
static struct elf_image elf;

static void with_a_file(const struct kit_test *test, int nth)
{
	bytes = twin_make(&(struct twin){0}, &size);
	weft__view_memory(&view, bytes, size);
	test->body(nth);
	free(bytes);
}

TEST("section headers do not matter", .around = with_a_file)
{
	Elf64_Ehdr *e = (Elf64_Ehdr *)bytes;
	e->e_shoff = UINT64_MAX - 8;
	e->e_shnum = 0xffff;
	e->e_shentsize = 3;
	e->e_shstrndx = 0xfffe;
	expect_eq(weft__elf_open(&elf, &view), 0);
	expect_eq(elf.segment_count, 4);
}

TEST("program headers outside the file are refused", .around = with_a_file)
{
	Elf64_Ehdr *e = (Elf64_Ehdr *)bytes;
	static const uint64_t offsets[] = {0x8000, UINT64_MAX, UINT64_MAX - 100, INT64_MAX, 0x7fff};
	for (unsigned i = 0; i < array_len(offsets); i++) {
		e->e_phoff = offsets[i];
		expect_eq(weft__elf_open(&elf, &view), -ENOEXEC);
	}
	e->e_phoff = 64;
	e->e_phentsize = 32;
	expect_eq(weft__elf_open(&elf, &view), -ENOEXEC);
}

TEST("segments are cut to the file", .around = with_a_file)
{
	Elf64_Phdr *p = (Elf64_Phdr *)(bytes + 0x40);
	uint64_t offset;
	p[2].p_filesz = UINT64_MAX;
	p[2].p_memsz = UINT64_MAX;
	p[1].p_offset = UINT64_MAX - 16;
	expect_eq(weft__elf_open(&elf, &view), 0);
	for (unsigned i = 0; i < elf.segment_count; i++)
		expect(view_has(&view, elf.segments[i].offset, elf.segments[i].file_size));
	expect(weft__elf_offset(&elf, 0x407000, 0x1000, &offset));
	expect(!weft__elf_offset(&elf, 0x407000, 0x1001, &offset));
	expect(!weft__elf_offset(&elf, 0x407000, UINT64_MAX, &offset));
	expect(!weft__elf_offset(&elf, 0x402000, 1, &offset));
}

TEST("of two segments the later one is mapped", .around = with_a_file)
{
	Elf64_Phdr *p = (Elf64_Phdr *)(bytes + 0x40);
	uint64_t offset;
	p[3] = p[2];
	p[3].p_offset = 0x1000;
	p[3].p_filesz = p[3].p_memsz = 0x100;
	expect_eq(weft__elf_open(&elf, &view), 0);
	expect(weft__elf_offset(&elf, 0x407000, 8, &offset));
	expect_eq(offset, 0x1000);
}

TEST("too many program headers are told apart from none", .around = with_a_file)
{
	size_t many = 0x40 + 300 * sizeof(Elf64_Phdr);
	unsigned char *big = calloc(1, many);
	memcpy(big, bytes, 64);
	((Elf64_Ehdr *)big)->e_phnum = 300;
	for (unsigned i = 0; i < 300; i++)
		memcpy(big + 0x40 + i * sizeof(Elf64_Phdr), bytes + 0x40, sizeof(Elf64_Phdr));
	weft__view_memory(&view, big, many);
	expect_eq(weft__elf_open(&elf, &view), -E2BIG);
	free(big);
}

TEST("every prefix is survived", .around = with_a_file)
{
	for (size_t length = 0; length < 0x200; length++) {
		unsigned char *copy =
			malloc(length ? length : 1); /* its end is watched by the sanitizers */
		memcpy(copy, bytes, length);
		weft__view_memory(&view, copy, length);
		int result = weft__elf_open(&elf, &view);
		expect(length < 0x40 + 4 * sizeof(Elf64_Phdr) ? result == -ENOEXEC : result == 0);
		free(copy);
	}
}

/* Fills a file with its own offsets, so that every read can be checked. */
static int numbered_file(size_t length)
{
	int fd = memfd_create("view", 0);
	uint32_t *words = malloc(length);
	for (size_t i = 0; i < length / 4; i++)
		words[i] = (uint32_t)(4 * i);
	expect_eq(write(fd, words, length), (ssize_t)length);
	free(words);
	return fd;
}

TEST("windows give the bytes of their offset")
{
	size_t length = 1 << 20;
	int fd = numbered_file(length);
	uint64_t at = 12345;
	uint32_t value;
	expect_eq(weft__view_init(&view), 0);
	weft__view_file(&view, fd, 4096, length - 4096);
	for (unsigned i = 0; i < 100000; i++) {
		at = (at * 2862933555777941757u + 3037000493u) % (length - 4096 - 4);
		at &= ~3ull;
		expect(weft__view_u32(&view, at, &value));
		expect_eq(value, at + 4096);
	}
	expect(!weft__view_u32(&view, length - 4096 - 3, &value));
	expect(!weft__view_u32(&view, UINT64_MAX, &value));
	expect_eq(weft__view_at(&view, 0, VIEW_WINDOW + 1), NULL);
	expect_ne(weft__view_at(&view, 4095, VIEW_WINDOW), NULL);
	expect_eq(view.error, 0);
	weft__view_close(&view);
	close(fd);
}

TEST("a file that shrinks is an error not an answer")
{
	int fd = numbered_file(1 << 20);
	uint32_t value;
	expect_eq(weft__view_init(&view), 0);
	weft__view_file(&view, fd, 0, 1 << 20);
	expect(weft__view_u32(&view, 0, &value));
	expect_eq(ftruncate(fd, 4096), 0);
	expect(!weft__view_u32(&view, 800000, &value));
	expect_eq(view.error, -ENODATA);
	weft__view_close(&view);
	close(fd);
}

TEST("the vdso has symbols")
{
	struct elf_symbol symbol;
	const void *base = (const void *)getauxval(AT_SYSINFO_EHDR);
	if (!base)
		return;
	weft__view_memory(&view, base, 8192);
	expect_eq(weft__elf_open(&elf, &view), 0);
#ifdef __x86_64__
	expect_eq(weft__elf_dynamic_symbol(&elf, "__vdso_clock_gettime", &symbol), 0);
	expect_eq((const char *)base + symbol.name_offset, "__vdso_clock_gettime");
#endif
	expect_eq(weft__elf_dynamic_symbol(&elf, "__vdso_no_such_thing", &symbol), -ENOENT);
}
