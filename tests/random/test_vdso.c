/* SPDX-License-Identifier: MIT */
/*
 * test_vdso.c: the parser of the vDSO on images that no kernel makes, and on the one that this
 * kernel made.
 */
#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/attr.h"
#include "random/vdso.h"
#include "random_test.h"

#ifndef EM_LOONGARCH
#define EM_LOONGARCH 258
#endif

enum {
	PAGE = 4096,
	SYMBOLS = 256,
	STRINGS = 512,
	HASH = 768,
	GNU_HASH = 896,
	VERSYM = 1024,
	VERDEF = 1056,
	DYNAMIC = 1280,
	CODE = 2048,
	OTHER_CODE = 2560,
};

/* What an image is made like; all-zero is the plain one of x86-64. */
struct recipe {
	unsigned machine;
	bool no_hash, no_gnu_hash, no_versions, relocated, wrong_version, undefined, local, object;
	uint64_t linked_at;
	const char *name, *version;
};

static _Alignas(PAGE) unsigned char image[PAGE];

static unsigned put_string(unsigned *end, const char *s)
{
	unsigned at = *end;
	strcpy((char *)image + STRINGS + at, s);
	*end += (unsigned)strlen(s) + 1;
	return at;
}

static uint32_t gnu_hash(const char *s)
{
	uint32_t h = 5381;
	for (; *s; s++)
		h = h * 33 + (unsigned char)*s;
	return h;
}

static void put_hash_tables(const struct recipe *r)
{
	uint32_t *gnu = (uint32_t *)(image + GNU_HASH);
	if (r->machine == EM_S390) {
		uint64_t wide[] = {1, 3, 2, 0, 0, 1};
		memcpy(image + HASH, wide, sizeof(wide));
	} else {
		uint32_t words[] = {1, 3, 2, 0, 0, 1};
		memcpy(image + HASH, words, sizeof(words));
	}
	uint32_t tables[] = {
		1, 1, 1, 0, ~0u, ~0u, 1, gnu_hash("getrandom") & ~1u, gnu_hash(r->name) | 1};
	memcpy(gnu, tables, sizeof(tables));
}

static void put_versions(unsigned base_name, unsigned version_name)
{
	Elf64_Half versym[] = {0, 2, 2};
	Elf64_Verdef base = {1, VER_FLG_BASE, 1, 1, 0, sizeof(Elf64_Verdef), 28},
		     def = {1, 0, 2, 1, 0, 20, 0};
	Elf64_Verdaux base_aux = {base_name, 0}, aux = {version_name, 0};
	memcpy(image + VERSYM, versym, sizeof(versym));
	memcpy(image + VERDEF, &base, 20);
	memcpy(image + VERDEF + 20, &base_aux, 8);
	memcpy(image + VERDEF + 28, &def, 20);
	memcpy(image + VERDEF + 48, &aux, 8);
}

static void put_dynamic(const struct recipe *r, uint64_t bias, unsigned strings_size)
{
	Elf64_Dyn *d = (Elf64_Dyn *)(image + DYNAMIC);
#define ENTRY(tag, value) *d++ = (Elf64_Dyn){.d_tag = (tag), .d_un.d_val = (value)}
	ENTRY(DT_STRTAB, bias + STRINGS);
	ENTRY(DT_STRSZ, strings_size);
	ENTRY(DT_SYMTAB, bias + SYMBOLS);
	if (!r->no_hash)
		ENTRY(DT_HASH, bias + HASH);
	if (!r->no_gnu_hash)
		ENTRY(DT_GNU_HASH, bias + GNU_HASH);
	if (!r->no_versions) {
		ENTRY(DT_VERSYM, bias + VERSYM);
		ENTRY(DT_VERDEF, bias + VERDEF);
	}
	ENTRY(DT_NULL, 0);
#undef ENTRY
}

static void make(struct recipe r)
{
	if (!r.machine)
		r.machine = EM_X86_64;
	if (!r.name)
		r.name = "__vdso_getrandom";
	if (!r.version)
		r.version = r.wrong_version ? "LINUX_9.9" : "LINUX_2.6";
	uint64_t bias = r.relocated ? (uintptr_t)image : r.linked_at;
	unsigned end = 1;
	memset(image, 0, sizeof(image));
	unsigned plain = put_string(&end, "getrandom"), name = put_string(&end, r.name);
	unsigned base = put_string(&end, "linux-vdso.so.1"), version = put_string(&end, r.version);
	Elf64_Ehdr eh = {.e_ident = ELFMAG,
			 .e_type = ET_DYN,
			 .e_machine = (Elf64_Half)r.machine,
			 .e_phoff = 64,
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_phnum = 2};
	eh.e_ident[EI_CLASS] = ELFCLASS64;
	memcpy(image, &eh, sizeof(eh));
	Elf64_Phdr ph[2] = {{.p_type = PT_LOAD, .p_vaddr = r.linked_at, .p_memsz = PAGE},
			    {.p_type = PT_DYNAMIC,
			     .p_vaddr = r.linked_at + DYNAMIC,
			     .p_memsz = 8 * sizeof(Elf64_Dyn)}};
	memcpy(image + 64, ph, sizeof(ph));
	unsigned char info =
		ELF64_ST_INFO(r.local ? STB_LOCAL : STB_GLOBAL, r.object ? STT_OBJECT : STT_FUNC);
	Elf64_Sym symbols[3] = {
		{0},
		{plain, ELF64_ST_INFO(STB_WEAK, STT_FUNC), 0, 1, bias + OTHER_CODE, 16},
		{name, info, 0, r.undefined ? SHN_UNDEF : 1, bias + CODE, 16}};
	memcpy(image + SYMBOLS, symbols, sizeof(symbols));
	put_hash_tables(&r);
	put_versions(base, version);
	put_dynamic(&r, bias, end);
}

static const void *lookup(void)
{
	return weft__vdso_lookup(image, sizeof(image), EM_X86_64);
}

TEST("both hash tables")
{
	make((struct recipe){0});
	expect_eq(lookup(), image + CODE);
}

TEST("dt hash only")
{
	make((struct recipe){.no_gnu_hash = true});
	expect_eq(lookup(), image + CODE);
}

TEST("dt gnu hash only")
{
	make((struct recipe){.no_hash = true});
	expect_eq(lookup(), image + CODE);
}

TEST("without hash tables there is nothing")
{
	make((struct recipe){.no_hash = true, .no_gnu_hash = true});
	expect_eq(lookup(), NULL);
}

TEST("no version table means that the name decides")
{
	make((struct recipe){.no_versions = true});
	expect_eq(lookup(), image + CODE);
}

TEST("another version is not ours")
{
	make((struct recipe){.wrong_version = true});
	expect_eq(lookup(), NULL);
}

TEST("addresses relocated by somebody are understood")
{
	make((struct recipe){.relocated = true});
	expect_eq(lookup(), image + CODE);
}

TEST("an image linked elsewhere than at zero")
{
	make((struct recipe){.linked_at = 0xffffffffff700000});
	expect_eq(lookup(), image + CODE);
}

TEST("undefined local and data symbols do not count")
{
	make((struct recipe){.undefined = true});
	expect_eq(lookup(), NULL);
	make((struct recipe){.local = true});
	expect_eq(lookup(), NULL);
	make((struct recipe){.object = true});
	expect_eq(lookup(), NULL);
}

TEST("the plain getrandom is never taken")
{
	make((struct recipe){.name = "__vdso_gettimeofday"});
	expect_eq(lookup(), NULL);
}

TEST("every architecture has its name and version")
{
	static const struct recipe rows[] = {
		{.machine = EM_X86_64, .name = "__vdso_getrandom", .version = "LINUX_2.6"},
		{.machine = EM_AARCH64, .name = "__kernel_getrandom", .version = "LINUX_2.6.39"},
		{.machine = EM_RISCV, .name = "__vdso_getrandom", .version = "LINUX_4.15"},
		{.machine = EM_LOONGARCH, .name = "__vdso_getrandom", .version = "LINUX_5.10"},
		{.machine = EM_PPC64, .name = "__kernel_getrandom", .version = "LINUX_2.6.15"},
		{.machine = EM_S390,
		 .name = "__kernel_getrandom",
		 .version = "LINUX_2.6.29",
		 .no_gnu_hash = true},
	};
	for (size_t i = 0; i < array_len(rows); i++) {
		make(rows[i]);
		expect_eq(weft__vdso_lookup(image, sizeof(image), rows[i].machine), image + CODE);
		expect_eq(weft__vdso_lookup(image, sizeof(image), EM_ARM), NULL);
	}
}

/* The image at the end of a readable page, so that one byte too far is a fault. */
TEST("truncated at every length")
{
	char *area =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	expect(area != MAP_FAILED && mprotect(area + PAGE, PAGE, PROT_NONE) == 0);
	make((struct recipe){0});
	for (size_t len = 0; len <= PAGE; len += 8) {
		unsigned char *at = (unsigned char *)area + PAGE - len;
		memcpy(at, image, len);
		const void *found = weft__vdso_lookup(at, len, EM_X86_64);
		expect_eq(found, len > CODE ? at + CODE : NULL);
	}
}

/* Every word replaced by values that hurt; a fault or an endless loop fails the test. */
TEST("damaged in every word")
{
	static const uint64_t hurts[] = {0,	     1,	    7,		0x7fffffff, 0xffffffff,
					 0xfffffff8, ~0ull, 1ull << 63, PAGE - 1,   PAGE};
	char *area =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	expect(area != MAP_FAILED && mprotect(area + PAGE, PAGE, PROT_NONE) == 0);
	for (unsigned variant = 0; variant < 4; variant++) {
		make((struct recipe){.no_hash = variant & 1, .no_gnu_hash = variant & 2});
		for (size_t at = 4; at + 8 <= CODE; at += 4)
			for (size_t i = 0; i < 2 * array_len(hurts); i++) {
				memcpy(area, image, PAGE);
				memcpy(area + at, &hurts[i / 2], i % 2 ? 4 : 8);
				const char *found = weft__vdso_lookup(area, PAGE, EM_X86_64);
				expect(!found || (found >= area && found < area + PAGE));
			}
	}
}

/* Random damage all over, from a fixed seed. */
TEST("damaged at random")
{
	uint64_t seed = 88172645463325252ull;
	char *area =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	expect(area != MAP_FAILED && mprotect(area + PAGE, PAGE, PROT_NONE) == 0);
	make((struct recipe){0});
	for (unsigned round = 0; round < scaled(200000); round++) {
		memcpy(area, image, CODE);
		for (unsigned n = 0; n < 6; n++) {
			seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
			area[16 + seed % (CODE - 16)] = (char)(seed >> 32);
		}
		const char *found = weft__vdso_lookup(area, PAGE, EM_X86_64);
		expect(!found || (found >= area && found < area + PAGE));
	}
}

TEST("this kernels vdso is read as the kernel says")
{
	struct vdso v;
	weft__vdso_probe(&v);
	if (!v.draw) {
		expect_ne(v.why_not, NULL);
		printf("skipped in part: %s\n", v.why_not);
		return;
	}
	struct {
		uint32_t size, prot, flags, reserved[13];
	} params;
	expect_eq(v.draw(NULL, 0, 0, &params, ~(size_t)0), 0);
	expect_eq(v.state_size, params.size);
	expect_eq(v.map_prot, (int)params.prot);
	expect_eq(v.map_flags, (int)params.flags);
	expect_ge(v.stride, v.state_size);
	expect_eq(v.stride % CACHE_LINE, 0);
	expect_eq(v.page_size, (size_t)sysconf(_SC_PAGESIZE));
	expect_eq(weft__vdso_per_page(), v.page_size / v.stride);
}
