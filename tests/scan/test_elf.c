/* SPDX-License-Identifier: MIT */
/* test_elf.c: headers that lie, and views that end. */
#include <check.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/attr.h"
#include "cli/elf/elf.h"
#include "twin_elf.h"

static unsigned char *bytes;
static size_t size;
static struct view view;
static struct elf_image elf;

static void setup(void)
{
	bytes = twin_make(&(struct twin){0}, &size);
	weft__view_memory(&view, bytes, size);
}

static void teardown(void)
{
	free(bytes);
}

START_TEST(section_headers_do_not_matter)
{
	Elf64_Ehdr *e = (Elf64_Ehdr *)bytes;
	e->e_shoff = UINT64_MAX - 8;
	e->e_shnum = 0xffff;
	e->e_shentsize = 3;
	e->e_shstrndx = 0xfffe;
	ck_assert_int_eq(weft__elf_open(&elf, &view), 0);
	ck_assert_uint_eq(elf.segment_count, 4);
}
END_TEST

START_TEST(program_headers_outside_the_file_are_refused)
{
	Elf64_Ehdr *e = (Elf64_Ehdr *)bytes;
	static const uint64_t offsets[] = {0x8000, UINT64_MAX, UINT64_MAX - 100, INT64_MAX, 0x7fff};
	for (unsigned i = 0; i < array_len(offsets); i++) {
		e->e_phoff = offsets[i];
		ck_assert_int_eq(weft__elf_open(&elf, &view), -ENOEXEC);
	}
	e->e_phoff = 64;
	e->e_phentsize = 32;
	ck_assert_int_eq(weft__elf_open(&elf, &view), -ENOEXEC);
}
END_TEST

START_TEST(segments_are_cut_to_the_file)
{
	Elf64_Phdr *p = (Elf64_Phdr *)(bytes + 0x40);
	uint64_t offset;
	p[2].p_filesz = UINT64_MAX;
	p[2].p_memsz = UINT64_MAX;
	p[1].p_offset = UINT64_MAX - 16;
	ck_assert_int_eq(weft__elf_open(&elf, &view), 0);
	for (unsigned i = 0; i < elf.segment_count; i++)
		ck_assert(view_has(&view, elf.segments[i].offset, elf.segments[i].file_size));
	ck_assert(weft__elf_offset(&elf, 0x407000, 0x1000, &offset));
	ck_assert(!weft__elf_offset(&elf, 0x407000, 0x1001, &offset));
	ck_assert(!weft__elf_offset(&elf, 0x407000, UINT64_MAX, &offset));
	ck_assert(!weft__elf_offset(&elf, 0x402000, 1, &offset));
}
END_TEST

START_TEST(of_two_segments_the_later_one_is_mapped)
{
	Elf64_Phdr *p = (Elf64_Phdr *)(bytes + 0x40);
	uint64_t offset;
	p[3] = p[2];
	p[3].p_offset = 0x1000;
	p[3].p_filesz = p[3].p_memsz = 0x100;
	ck_assert_int_eq(weft__elf_open(&elf, &view), 0);
	ck_assert(weft__elf_offset(&elf, 0x407000, 8, &offset));
	ck_assert_uint_eq(offset, 0x1000);
}
END_TEST

START_TEST(too_many_program_headers_are_told_apart_from_none)
{
	size_t many = 0x40 + 300 * sizeof(Elf64_Phdr);
	unsigned char *big = calloc(1, many);
	memcpy(big, bytes, 64);
	((Elf64_Ehdr *)big)->e_phnum = 300;
	for (unsigned i = 0; i < 300; i++)
		memcpy(big + 0x40 + i * sizeof(Elf64_Phdr), bytes + 0x40, sizeof(Elf64_Phdr));
	weft__view_memory(&view, big, many);
	ck_assert_int_eq(weft__elf_open(&elf, &view), -E2BIG);
	free(big);
}
END_TEST

START_TEST(every_prefix_is_survived)
{
	for (size_t length = 0; length < 0x200; length++) {
		unsigned char *copy =
			malloc(length ? length : 1); /* its end is watched by the sanitizers */
		memcpy(copy, bytes, length);
		weft__view_memory(&view, copy, length);
		int result = weft__elf_open(&elf, &view);
		ck_assert(length < 0x40 + 4 * sizeof(Elf64_Phdr) ? result == -ENOEXEC
								 : result == 0);
		free(copy);
	}
}
END_TEST

/* Fills a file with its own offsets, so that every read can be checked. */
static int numbered_file(size_t length)
{
	int fd = memfd_create("view", 0);
	uint32_t *words = malloc(length);
	for (size_t i = 0; i < length / 4; i++)
		words[i] = (uint32_t)(4 * i);
	ck_assert_int_eq(write(fd, words, length), (ssize_t)length);
	free(words);
	return fd;
}

START_TEST(windows_give_the_bytes_of_their_offset)
{
	size_t length = 1 << 20;
	int fd = numbered_file(length);
	uint64_t at = 12345;
	uint32_t value;
	ck_assert_int_eq(weft__view_init(&view), 0);
	weft__view_file(&view, fd, 4096, length - 4096);
	for (unsigned i = 0; i < 100000; i++) {
		at = (at * 2862933555777941757u + 3037000493u) % (length - 4096 - 4);
		at &= ~3ull;
		ck_assert(weft__view_u32(&view, at, &value));
		ck_assert_uint_eq(value, at + 4096);
	}
	ck_assert(!weft__view_u32(&view, length - 4096 - 3, &value));
	ck_assert(!weft__view_u32(&view, UINT64_MAX, &value));
	ck_assert_ptr_null(weft__view_at(&view, 0, VIEW_WINDOW + 1));
	ck_assert_ptr_nonnull(weft__view_at(&view, 4095, VIEW_WINDOW));
	ck_assert_int_eq(view.error, 0);
	weft__view_close(&view);
	close(fd);
}
END_TEST

START_TEST(a_file_that_shrinks_is_an_error_not_an_answer)
{
	int fd = numbered_file(1 << 20);
	uint32_t value;
	ck_assert_int_eq(weft__view_init(&view), 0);
	weft__view_file(&view, fd, 0, 1 << 20);
	ck_assert(weft__view_u32(&view, 0, &value));
	ck_assert_int_eq(ftruncate(fd, 4096), 0);
	ck_assert(!weft__view_u32(&view, 800000, &value));
	ck_assert_int_eq(view.error, -ENODATA);
	weft__view_close(&view);
	close(fd);
}
END_TEST

START_TEST(the_vdso_has_symbols)
{
	struct elf_symbol symbol;
	const void *base = (const void *)getauxval(AT_SYSINFO_EHDR);
	if (!base)
		return;
	weft__view_memory(&view, base, 8192);
	ck_assert_int_eq(weft__elf_open(&elf, &view), 0);
#ifdef __x86_64__
	ck_assert_int_eq(weft__elf_dynamic_symbol(&elf, "__vdso_clock_gettime", &symbol), 0);
	ck_assert_str_eq((const char *)base + symbol.name_offset, "__vdso_clock_gettime");
#endif
	ck_assert_int_eq(weft__elf_dynamic_symbol(&elf, "__vdso_no_such_thing", &symbol), -ENOENT);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("elf");
	TCase *c = tcase_create("headers");
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, section_headers_do_not_matter);
	tcase_add_test(c, program_headers_outside_the_file_are_refused);
	tcase_add_test(c, segments_are_cut_to_the_file);
	tcase_add_test(c, of_two_segments_the_later_one_is_mapped);
	tcase_add_test(c, too_many_program_headers_are_told_apart_from_none);
	tcase_add_test(c, every_prefix_is_survived);
	suite_add_tcase(s, c);
	c = tcase_create("views");
	tcase_add_test(c, windows_give_the_bytes_of_their_offset);
	tcase_add_test(c, a_file_that_shrinks_is_an_error_not_an_answer);
	tcase_add_test(c, the_vdso_has_symbols);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
