/* SPDX-License-Identifier: MIT */
/*
 * test_core.c: the core reader, on cores that are made here: well-formed, cut short, and damaged at
 * random.
 *
 * The damaged ones check nothing but the promise of bounds: run under AddressSanitizer they are the
 * test of it.
 */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../kit.h"
#include "base/attr.h"
#include "cli/core/core.h"

enum { STATUS = 336, PROCESS = 136, PAGE = 4096, MUTATIONS = 100000 };

struct image {
	unsigned char bytes[16384];
	size_t size;
};

static void put(struct image *i, const void *bytes, size_t size)
{
	expect_le(i->size + size, sizeof(i->bytes));
	memcpy(i->bytes + i->size, bytes, size);
	i->size += size;
}

static void put_note(struct image *i, uint32_t type, const void *bytes, uint32_t size)
{
	Elf64_Nhdr head = {5, size, type};

	put(i, &head, sizeof(head));
	put(i, "CORE\0\0\0", 8);
	put(i, bytes, size);
	i->size = round_up(i->size, 4);
}

/* Word `index` of the registers is 0x1000 + index. */
static void put_status(struct image *i, uint16_t signal, uint32_t thread)
{
	unsigned char status[112 + 34 * 8 + 8] = {0};

	memcpy(status + 12, &signal, sizeof(signal));
	memcpy(status + 32, &thread, sizeof(thread));
	for (uint64_t k = 0; k < 34; k++)
		memcpy(status + 112 + k * 8, &(uint64_t){0x1000 + k}, 8);
	put_note(i, NT_PRSTATUS, status, sizeof(status));
}

static void put_notes(struct image *i)
{
	unsigned char process[PROCESS] = {0}, info[128] = {SIGSEGV, [8] = 1 /* SEGV_MAPERR */};
	struct {
		uint64_t count, page, start[2], offset0, start1[2], offset1;
		char paths[16];
	} files = {2, PAGE, {0x400000, 0x402000}, 0, {0x7000, 0x8000}, 3, "/bin/a\0/lib/b"};
	uint64_t auxiliary[] = {AT_PAGESZ, PAGE, AT_ENTRY, 0x401000, AT_NULL, 0};

	strcpy((char *)process + 40, "twin");
	strcpy((char *)process + 56, "twin crash ");
	put_status(i, SIGSEGV, 77);
	put_note(i, NT_PRPSINFO, process, sizeof(process));
	put_note(i, 0x53494749, info, sizeof(info));
	put_note(i, NT_AUXV, auxiliary, sizeof(auxiliary));
	put_note(i, 0x46494c45, &files, sizeof(files));
	put_status(i, SIGSEGV, 78);
}

static void make_core(struct image *i, uint16_t machine)
{
	Elf64_Ehdr e = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
			.e_type = ET_CORE,
			.e_machine = machine,
			.e_phoff = sizeof(e),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 3};
	Elf64_Phdr p[3] = {{.p_type = PT_NOTE}, {.p_type = PT_LOAD}, {.p_type = PT_LOAD}};

	*i = (struct image){.size = sizeof(e) + sizeof(p)};
	p[0].p_offset = i->size;
	put_notes(i);
	p[0].p_filesz = i->size - p[0].p_offset;
	/* the second address first, and one that continues it: a read may cross the seam */
	p[1] = (Elf64_Phdr){.p_type = PT_LOAD,
			    .p_offset = i->size,
			    .p_vaddr = 0x5100,
			    .p_filesz = 256,
			    .p_memsz = 256};
	p[2] = (Elf64_Phdr){.p_type = PT_LOAD,
			    .p_offset = i->size + 256,
			    .p_vaddr = 0x5000,
			    .p_filesz = 256,
			    .p_memsz = PAGE};
	for (unsigned k = 0; k < 512; k++)
		put(i, &(unsigned char){(unsigned char)(k / 2)}, 1);
	memcpy(i->bytes, &e, sizeof(e));
	memcpy(i->bytes + sizeof(e), p, sizeof(p));
}

static int open_image(struct core *core, struct view *view, const struct image *i)
{
	weft__view_memory(view, i->bytes, i->size);
	return weft__core_open(core, view);
}

TEST("which thread died of what and where")
{
	struct image i;
	struct core core;
	struct view view;

	make_core(&i, EM_X86_64);
	expect_eq(open_image(&core, &view, &i), 0);
	expect_eq(core.command, "twin");
	expect_eq(core.arguments, "twin crash");
	expect_eq(core.signal, SIGSEGV);
	expect(core.has_address);
	expect_eq(core.address, 0);
	expect_eq(core.thread, 77);
	expect_eq(core.threads, 2);
	expect_eq(core.pc, 0x1010);
	expect_eq(core.sp, 0x1013);
	expect_eq(core.fp, 0x1004);
	expect_eq(weft__core_auxiliary(&core, AT_ENTRY), 0x401000);
	expect_eq(weft__core_auxiliary(&core, AT_BASE), 0);
	weft__core_close(&core);
}

TEST("the other processor has other registers")
{
	struct image i;
	struct core core;
	struct view view;

	make_core(&i, EM_AARCH64);
	expect_eq(open_image(&core, &view, &i), 0);
	expect_eq(core.pc, 0x1020);
	expect_eq(core.sp, 0x101f);
	expect_eq(core.fp, 0x101d);
	expect_eq(core.link, 0x101e);
	weft__core_close(&core);
	make_core(&i, EM_386);
	expect_eq(open_image(&core, &view, &i), -ENOTSUP);
}

TEST("memory is read across segments and not beyond")
{
	unsigned char bytes[512];
	struct image i;
	struct core core;
	struct view view;

	make_core(&i, EM_X86_64);
	expect_eq(open_image(&core, &view, &i), 0);
	expect(weft__core_read(&core, 0x5000, bytes, 512));
	expect_eq(bytes[0], 128);
	expect_eq(bytes[256], 0);
	expect(!weft__core_read(&core, 0x5000, bytes, 513));
	expect(!weft__core_read(&core, 0x4fff, bytes, 2));
	expect(!weft__core_read(&core, UINT64_MAX - 1, bytes, 8));
	weft__core_close(&core);
}

struct seen {
	unsigned count;
	struct core_file last;
	char path[32];
};

static int see(const struct core_file *f, void *arg)
{
	struct seen *seen = arg;

	seen->count++;
	seen->last = *f;
	snprintf(seen->path, sizeof(seen->path), "%s", f->path);
	return 0;
}

TEST("mapped files are listed")
{
	struct seen seen = {0};
	struct image i;
	struct core core;
	struct view view;

	make_core(&i, EM_X86_64);
	expect_eq(open_image(&core, &view, &i), 0);
	expect_eq(weft__core_each_file(&core, see, &seen), 0);
	expect_eq(seen.count, 2);
	expect_eq(seen.path, "/lib/b");
	expect_eq(seen.last.offset, 3 * PAGE);
	weft__core_close(&core);
}

TEST("more headers than sixteen bits count are found in the section")
{
	Elf64_Shdr section = {.sh_info = 3};
	Elf64_Ehdr e;
	struct image i;
	struct core core;
	struct view view;

	make_core(&i, EM_X86_64);
	memcpy(&e, i.bytes, sizeof(e));
	e.e_phnum = PN_XNUM;
	e.e_shoff = i.size;
	memcpy(i.bytes, &e, sizeof(e));
	put(&i, &section, sizeof(section));
	expect_eq(open_image(&core, &view, &i), 0);
	expect_eq(core.segment_count, 2);
	weft__core_close(&core);
	section.sh_info = CORE_SEGMENTS + 1;
	memcpy(i.bytes + e.e_shoff, &section, sizeof(section));
	expect_eq(open_image(&core, &view, &i), -E2BIG);
}

/* Everything that can be asked of a core. */
static void ask(const struct image *i)
{
	unsigned char bytes[64];
	struct seen seen = {0};
	struct core core;
	struct view view;

	if (open_image(&core, &view, i))
		return;
	weft__core_each_file(&core, see, &seen);
	weft__core_auxiliary(&core, AT_ENTRY);
	for (unsigned k = 0; k < core.segment_count; k++)
		weft__core_read(&core, core.segments[k].start, bytes, sizeof(bytes));
	weft__core_read(&core, core.sp, bytes, sizeof(bytes));
	weft__core_close(&core);
}

TEST("a core that was cut short is read as far as it goes")
{
	struct image whole, cut;

	make_core(&whole, EM_X86_64);
	for (size_t size = 0; size < whole.size; size++) {
		cut = whole;
		cut.size = size;
		ask(&cut);
	}
}

TEST("damaged cores do no harm")
{
	struct image whole, damaged;
	unsigned seed = 1;

	make_core(&whole, EM_X86_64);
	for (unsigned n = 0; n < MUTATIONS; n++) {
		damaged = whole;
		for (unsigned k = 0; k <= n % 7; k++) {
			/* every other one hits the headers, where the offsets and counts are */
			size_t at = (size_t)rand_r(&seed) % (k % 2 ? damaged.size : 1024);
			damaged.bytes[at] = (unsigned char)(rand_r(&seed) >> 4);
		}
		ask(&damaged);
	}
}
