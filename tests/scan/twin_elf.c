/* SPDX-License-Identifier: MIT */
/*
 * twin_elf.c: the file's layout (offsets; the address is the offset plus BASE):
 *
 *   0x0000 headers   0x1000 text   0x2000 a decoy table   0x4000 the table   0x6000 strings,
 *   function value, inline record, dynamic symbols   0x7000 writable: module data, key, build
 *   information   0x7800 dynamic section   0x7900 relocations
 */
#include "twin_elf.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"

enum {
	BASE = 0x400000,
	TEXT = 0x1000,
	TEXT_SIZE = 0x400,
	DECOY = 0x2000,
	TABLE = 0x4000,
	STRINGS = 0x6000,
	VALUE = STRINGS + 0x108,
	INLINED = STRINGS + 0x204,
	DYNAMIC_STRINGS = STRINGS + 0x300,
	SYMBOLS = STRINGS + 0x400,
	HASH = STRINGS + 0x500,
	DATA = 0x7000,
	KEY = DATA + 0x400,
	BUILD_INFO = DATA + 0x500,
	DYNAMIC = 0x7800,
	RELOCATIONS = 0x7900,
	SIZE = 0x8000,
	FUNCTION = 0x80, /* bytes of each function */
	FAR = 1 << 25,	 /* the shortest reach of a call */
	FAR_SIZE = TEXT + FAR,
	LINE = 5339, /* where LockOSThread begins in its source file */
	LOONGARCH = 258,
};

enum { MEXIT, HANDOFF, GIVE_BACK, TRIGGER, CALLER, OTHER, FUNCTIONS };

struct maker {
	const struct twin *t;
	unsigned char *p;
	unsigned width, relocation_count;
};

static void put(struct maker *m, size_t at, unsigned width, uint64_t value)
{
	for (unsigned i = 0; i < width; i++)
		m->p[at + (m->t->big_endian ? width - 1 - i : i)] =
			(unsigned char)(value >> (8 * i));
}

static void put_word(struct maker *m, size_t at, uint64_t value)
{
	put(m, at, m->width, value);
}

/* A pointer to file offset `to`, in place or by relocation. */
static void put_pointer(struct maker *m, size_t at, uint64_t to)
{
	size_t entry = RELOCATIONS + 3 * m->width * m->relocation_count;
	if (!m->t->relocated) {
		put_word(m, at, BASE + to);
		return;
	}
	put_word(m, entry, BASE + at);
	put_word(m, entry + m->width, R_X86_64_RELATIVE);
	put_word(m, entry + 2 * m->width, BASE + to);
	m->relocation_count++;
}

static uint64_t entry_of(unsigned function)
{
	return TEXT + (uint64_t)function * FUNCTION;
}

static void put_call(struct maker *m, uint64_t at, unsigned function)
{
	uint64_t far = entry_of(function) + (m->t->late_entry ? 8 : 0) - at, words = far >> 2;
	switch (m->t->machine) {
	case EM_AARCH64:
		put(m, at, 4, 0x94000000 | (words & 0x03ffffff));
		return;
	case EM_PPC64:
		put(m, at, 4, 0x48000001 | (far & 0x03fffffc));
		return;
	case LOONGARCH:
		put(m, at, 4, 0x54000000 | (words & 0xffff) << 10 | (words >> 16 & 0x3ff));
		return;
	case EM_S390:
		put(m, at, 2, 0xc0e5);
		put(m, at + 2, 4, far >> 1);
		return;
	default:
		m->p[at] = 0xe8;
		put(m, at + 1, 4, far - 5);
	}
}

static void make_text(struct maker *m)
{
	uint64_t first = entry_of(MEXIT) + 0x10, second = entry_of(MEXIT) + 0x20;
	memset(m->p + TEXT, 0x90, TEXT_SIZE);
	put_call(m, m->t->repaired ? second : first, HANDOFF);
	put_call(m, m->t->repaired ? first : second, GIVE_BACK);
	if (m->t->caller)
		put_call(m, entry_of(CALLER) + 8, TRIGGER);
}

static const char *name_of(const struct maker *m, unsigned function, bool decoy)
{
	static const char *const names[FUNCTIONS] = {
		[MEXIT] = "runtime.mexit",
		[HANDOFF] = "runtime.handoffp",
		[TRIGGER] = "runtime.LockOSThread",
		[OTHER] = "main.main",
	};
	if (decoy && function == GIVE_BACK)
		return "runtime.vgetrandomDestroy";
	if (m->t->no_runtime_names)
		return "x";
	if (function == GIVE_BACK)
		return m->t->give_back ? m->t->give_back : "runtime.vgetrandomPutState";
	if (function == CALLER)
		return m->t->caller ? m->t->caller : "main.work";
	if (function == TRIGGER && (m->t->no_trigger || m->t->name_alone))
		return "main.other";
	if (function == OTHER && m->t->both_names)
		return "runtime.vgetrandomDestroy";
	if (function == OTHER && !m->t->other_system)
		return "runtime.vdsoParseSymbols";
	return names[function];
}

static uint64_t text_size(const struct maker *m)
{
	return m->t->far_text ? FAR : FUNCTIONS * FUNCTION;
}

/* What Go keeps of a call that was replaced by the function's body. */
static void make_inlined(struct maker *m, size_t name)
{
	put(m, INLINED + 4, 4, name);
	put(m, INLINED + 8, 4, 0x10);
	put(m, INLINED + 12, 4, LINE);
}

static void make_table(struct maker *m, size_t at, bool decoy)
{
	size_t names = 0x60, functions = 0x400, records = functions + 8 * (FUNCTIONS + 1), used = 0;
	size_t quantum = m->t->machine == EM_S390 ? 2 : m->t->machine ? 4 : 1;
	put(m, at, 4, m->t->magic ? m->t->magic : 0xfffffff1);
	m->p[at + 6] = (unsigned char)quantum;
	m->p[at + 7] = (unsigned char)m->width;
	const uint64_t words[] = {FUNCTIONS, 1,	       m->t->no_text_start ? 0 : BASE + TEXT,
				  names,     0x300,    0x300,
				  0x300,     functions};
	for (unsigned i = 0; i < 8; i++)
		put_word(m, at + 8 + (size_t)i * m->width, words[i]);
	for (unsigned f = 0; f < FUNCTIONS; f++) {
		size_t record = records + 64 * f;
		put(m, at + functions + 8 * f, 4, (uint64_t)f * FUNCTION);
		put(m, at + functions + 8 * f + 4, 4, record - functions);
		put(m, at + record, 4, (uint64_t)f * FUNCTION);
		put(m, at + record + 4, 4, used);
		put(m, at + record + 36, 4, f == TRIGGER ? LINE : 1);
		if (f == TRIGGER && m->t->inlined && !decoy)
			make_inlined(m, used);
		strcpy((char *)m->p + at + names + used, name_of(m, f, decoy));
		used += strlen(name_of(m, f, decoy)) + 1;
	}
	if (m->t->name_alone)
		strcpy((char *)m->p + at + names + used, "runtime.LockOSThread");
	put(m, at + functions + 8 * FUNCTIONS, 4, text_size(m));
}

static void make_module(struct maker *m)
{
	put_pointer(m, DATA, TABLE);
	put_pointer(m, DATA + 20 * m->width, TEXT);
	put_pointer(m, DATA + 21 * m->width, TEXT + text_size(m));
	if (m->t->value)
		put_pointer(m, VALUE, entry_of(TRIGGER));
}

static void make_key(struct maker *m)
{
	bool kernel = m->t->machine && m->t->machine != EM_X86_64 && m->t->machine != LOONGARCH;
	const char *name = kernel ? "__kernel_getrandom" : "__vdso_getrandom";
	strcpy((char *)m->p + STRINGS, name);
	if (m->t->patched)
		m->p[STRINGS + strlen(name) - 1] = 'X';
	put_pointer(m, KEY, STRINGS);
	put(m, KEY + 8, 8, strlen(name));
	put(m, KEY + 16, 4, kernel ? 0x9800c0d : 0x25425d);
	put(m, KEY + 20, 4, kernel ? 0x540d4e24 : 0x84a559bf);
}

static void make_build_info(struct maker *m)
{
	const char *version = m->t->version ? m->t->version : "go1.24.1";
	memcpy(m->p + BUILD_INFO, "\xff Go buildinf:\x08\x02", 16);
	m->p[BUILD_INFO + 32] = (unsigned char)strlen(version);
	memcpy(m->p + BUILD_INFO + 33, version, strlen(version));
}

/* The dynamic strings: "", the library's name, the trigger's. */
enum { NEEDED_NAME = 1, SYMBOL_NAME = 0x40 };

/* Symbol 1 is LockOSThread; a hash table of one bucket says that there are two symbols. */
static void make_symbols(struct maker *m)
{
	put(m, SYMBOLS + sizeof(Elf64_Sym), 4, SYMBOL_NAME);
	if (m->t->exports) {
		put(m, SYMBOLS + sizeof(Elf64_Sym) + 6, 2, 1);
		put(m, SYMBOLS + sizeof(Elf64_Sym) + 8, 8, BASE + entry_of(TRIGGER));
	}
	put(m, HASH, 4, 1);
	put(m, HASH + 4, 4, 2);
	strcpy((char *)m->p + DYNAMIC_STRINGS + SYMBOL_NAME, "runtime.LockOSThread");
	if (m->t->needed)
		strcpy((char *)m->p + DYNAMIC_STRINGS + NEEDED_NAME, m->t->needed);
}

/* A relocation by name: the loader fills in the address of symbol 1. */
static void put_import(struct maker *m)
{
	size_t entry = RELOCATIONS + 3 * m->width * m->relocation_count++;
	put_word(m, entry, BASE + VALUE);
	put_word(m, entry + m->width, 1ull << 32 | R_X86_64_GLOB_DAT);
}

static void make_dynamic(struct maker *m)
{
	if (m->t->imports)
		put_import(m);
	make_symbols(m);
	const uint64_t tags[][2] = {{DT_STRTAB, BASE + DYNAMIC_STRINGS},
				    {DT_SYMTAB, BASE + SYMBOLS},
				    {DT_HASH, BASE + HASH},
				    {m->t->needed ? DT_NEEDED : DT_DEBUG, NEEDED_NAME},
				    {DT_RELA, BASE + RELOCATIONS},
				    {DT_RELASZ, 3ull * m->width * m->relocation_count},
				    {DT_NULL, 0}};
	for (unsigned i = 0; i < array_len(tags); i++)
		for (unsigned k = 0; k < 2; k++)
			put_word(m, DYNAMIC + (2 * i + k) * m->width, tags[i][k]);
}

static void put_segment(struct maker *m, unsigned index, uint32_t type, uint32_t flags, size_t from,
			size_t to)
{
	bool wide = m->width == 8;
	size_t at = 0x40 + index * (wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr));
	const size_t words[] = {from, BASE + from, BASE + from, to - from, to - from, 0x1000};
	put(m, at, 4, type);
	put(m, at + (wide ? 4 : 24), 4, flags);
	at += wide ? 8 : 4;
	for (unsigned i = 0; i < 6; i++) {
		put_word(m, at, words[i]);
		at += m->width;
		if (!wide && i == 4)
			at += 4; /* the flags */
	}
}

static void make_headers(struct maker *m)
{
	bool wide = m->width == 8, one = m->t->one_segment;
	size_t at = 16;
	memcpy(m->p, ELFMAG, SELFMAG);
	m->p[EI_CLASS] = wide ? ELFCLASS64 : ELFCLASS32;
	m->p[EI_DATA] = m->t->big_endian ? ELFDATA2MSB : ELFDATA2LSB;
	m->p[EI_VERSION] = EV_CURRENT;
	put(m, at, 2, m->t->type ? m->t->type : m->t->relocated ? ET_DYN : ET_EXEC);
	put(m, at + 2, 2, m->t->machine ? m->t->machine : EM_X86_64);
	put(m, at + 4, 4, EV_CURRENT);
	put_word(m, at + 8, BASE + TEXT);
	put_word(m, at + 8 + m->width, 0x40);
	at += 8 + 3 * m->width + 4;
	put(m, at, 2, wide ? 64 : 52);
	put(m, at + 2, 2, wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr));
	put(m, at + 4, 2, 4);
	/* Far text goes on behind everything else: later segments win where they overlap. */
	put_segment(m, 0, PT_LOAD, PF_R | PF_X, 0, m->t->far_text ? FAR_SIZE : one ? DATA : DECOY);
	put_segment(m, 1, one ? PT_NULL : PT_LOAD, PF_R, DECOY, DATA);
	put_segment(m, 2, PT_LOAD, PF_R | PF_W, DATA, SIZE);
	put_segment(m, 3, PT_DYNAMIC, PF_R | PF_W, DYNAMIC, DYNAMIC + 0x100);
}

unsigned char *twin_make(const struct twin *t, size_t *size)
{
	*size = t->far_text ? FAR_SIZE : SIZE;
	struct maker m = {.t = t, .p = calloc(1, *size), .width = t->width ? t->width : 8};
	make_text(&m);
	if (t->decoy)
		make_table(&m, DECOY, true);
	if (!t->no_table)
		make_table(&m, TABLE, false);
	if (!t->no_module && !t->no_table)
		make_module(&m);
	if (!t->no_key)
		make_key(&m);
	if (!t->no_build_info)
		make_build_info(&m);
	make_dynamic(&m);
	make_headers(&m);
	return m.p;
}
