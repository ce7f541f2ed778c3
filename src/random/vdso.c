/* SPDX-License-Identifier: MIT */
/*
 * vdso.c: finds getrandom in the vDSO that the kernel has mapped into this process.
 *
 * The parser is a pure function over (base, limit), so that tests can feed it images that no kernel
 * makes. The image comes from the kernel and is therefore not expected to be hostile, but it has
 * several forms:
 *
 *   - the hash table may be DT_HASH, DT_GNU_HASH or both (arm64 dropped DT_HASH);
 *   - DT_HASH has entries of 64 bits on s390x;
 *   - version tables may be missing: then the name alone decides;
 *   - addresses may already have the load address added (by checkpoint tools, emulators).
 *
 * Every address goes through at(), which returns NULL for what does not lie in the loaded segment,
 * so that a damaged image leads to "no getrandom" and not to a crash.
 *
 * Rejected: dlsym and dl_iterate_phdr. They need the dynamic linker (static programs have none),
 * take its lock (a signal handler may hold it), and would also find the vDSO's plain `getrandom`,
 * which has another signature.
 */
#include "random/vdso.h"

#include <elf.h>
#include <stdbool.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/attr.h"

#ifndef EM_LOONGARCH
#define EM_LOONGARCH 258
#endif

#if defined(__x86_64__)
#define THIS_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define THIS_MACHINE EM_AARCH64
#endif

/*
 * The names by which the kernel exports it. weft runs on the first two; the others are here for a
 * port.
 */
static const struct symbol {
	unsigned machine;
	const char *name, *version;
} symbols[] = {
	{EM_X86_64, "__vdso_getrandom", "LINUX_2.6"},
	{EM_AARCH64, "__kernel_getrandom", "LINUX_2.6.39"},
	{EM_RISCV, "__vdso_getrandom", "LINUX_4.15"},
	{EM_LOONGARCH, "__vdso_getrandom", "LINUX_5.10"},
	{EM_PPC64, "__kernel_getrandom",
	 "LINUX_2.6.15"}, /* an error sets a condition bit: needs a shim */
	{EM_S390, "__kernel_getrandom", "LINUX_2.6.29"},
};

struct image {
	const char *base;
	size_t size;	/* readable from base on: the loaded segment, cut at the caller's limit */
	uint64_t vaddr; /* the link-time address of base */
	unsigned machine;
	const char *strings;
	size_t strings_size;
	const char *symbols;
	const char *hash;
	const char *gnu_hash;
	const char *versym;
	const char *verdef;
};

/* `len` bytes at the image's address `addr`, link-time or already relocated; NULL when they are not
 * in it. */
static const void *at(const struct image *im, uint64_t addr, uint64_t len)
{
	uint64_t offset = addr - im->vaddr;
	if (offset >= im->size)
		offset = addr - (uintptr_t)im->base;
	if (offset >= im->size || len > im->size - offset)
		return NULL;
	return im->base + offset;
}

static const void *element_at(const struct image *im, const void *table, uint64_t index,
			      size_t size, size_t align)
{
	uint64_t offset = (uint64_t)((const char *)table - im->base);
	if (index > im->size / size || offset + index * size + size > im->size ||
	    offset % align != 0)
		return NULL;
	return im->base + offset + index * size;
}

/* Element `index` of the table at `table` in the image; NULL when it is not completely in it, or
 * not aligned. */
#define element(im, table, index, type) \
	((const type *)element_at(im, table, index, sizeof(type), _Alignof(type)))

static bool string_is(const struct image *im, uint64_t offset, const char *want)
{
	size_t len = strlen(want) + 1;
	if (offset >= im->strings_size || len > im->strings_size - offset)
		return false;
	return memcmp(im->strings + offset, want, len) == 0;
}

/* Does version number `index` of the version definitions have that name? */
static bool version_is(const struct image *im, unsigned index, const char *want)
{
	uint64_t offset = (uint64_t)(im->verdef - im->base);
	for (;;) {
		const Elf64_Verdef *def = element(im, im->base + offset, 0, Elf64_Verdef);
		if (!def)
			return false;
		if (!(def->vd_flags & VER_FLG_BASE) && (def->vd_ndx & 0x7fff) == (index & 0x7fff)) {
			if (def->vd_aux >= im->size)
				return false;
			const Elf64_Verdaux *aux =
				element(im, (const char *)def + def->vd_aux, 0, Elf64_Verdaux);
			return aux && string_is(im, aux->vda_name, want);
		}
		if (def->vd_next == 0 || def->vd_next >= im->size)
			return false;
		offset += def->vd_next;
	}
}

/* The function's address when symbol `index` is the wanted one, else NULL. */
static const void *symbol_matches(const struct image *im, uint64_t index, const struct symbol *want)
{
	const Elf64_Sym *sym = element(im, im->symbols, index, Elf64_Sym);
	if (!sym || sym->st_shndx == SHN_UNDEF || ELF64_ST_TYPE(sym->st_info) != STT_FUNC)
		return NULL;
	if (ELF64_ST_BIND(sym->st_info) != STB_GLOBAL && ELF64_ST_BIND(sym->st_info) != STB_WEAK)
		return NULL;
	if (!string_is(im, sym->st_name, want->name))
		return NULL;
	if (im->versym && im->verdef) {
		const Elf64_Half *version = element(im, im->versym, index, Elf64_Half);
		if (!version || !version_is(im, *version, want->version))
			return NULL;
	}
	return at(im, sym->st_value, 1);
}

/* The layout of the head of DT_GNU_HASH. Bloom filter words of 64 bits follow, then the buckets,
 * and one hash for each symbol from first_symbol on. */
struct gnu_hash {
	uint32_t buckets, first_symbol, bloom_words, bloom_shift;
};

static uint32_t gnu_hash_of(const char *name)
{
	uint32_t h = 5381;
	for (; *name; name++)
		h = h * 33 + (unsigned char)*name;
	return h;
}

static const void *look_in_gnu_hash(const struct image *im, const struct symbol *want)
{
	const struct gnu_hash *head = element(im, im->gnu_hash, 0, struct gnu_hash);
	if (!head || head->buckets == 0)
		return NULL;
	uint32_t hash = gnu_hash_of(want->name), count = head->buckets, first = head->first_symbol;
	uint64_t buckets = 4 + (uint64_t)head->bloom_words *
				       2; /* counted in 32-bit words from the header on */
	const uint32_t *bucket = element(im, im->gnu_hash, buckets + hash % count, uint32_t);
	if (!bucket || *bucket < first)
		return NULL;
	for (uint64_t index = *bucket;; index++) {
		const uint32_t *link =
			element(im, im->gnu_hash, buckets + count + index - first, uint32_t);
		if (!link)
			return NULL;
		if ((*link | 1) == (hash | 1)) {
			const void *found = symbol_matches(im, index, want);
			if (found)
				return found;
		}
		if (*link & 1)
			return NULL;
	}
}

/* The second entry of DT_HASH is the number of symbols. */
static uint64_t count_in_hash(const struct image *im)
{
	if (im->machine == EM_S390) {
		const uint64_t *wide = element(im, im->hash, 1, uint64_t);
		return wide ? *wide : 0;
	}
	const uint32_t *count = element(im, im->hash, 1, uint32_t);
	return count ? *count : 0;
}

/* All symbols instead of one chain: there are a dozen, and the chains of a damaged table may be
 * circular. */
static const void *look_in_hash(const struct image *im, const struct symbol *want)
{
	uint64_t count = count_in_hash(im);
	for (uint64_t i = 0; i < count && element(im, im->symbols, i, Elf64_Sym); i++) {
		const void *found = symbol_matches(im, i, want);
		if (found)
			return found;
	}
	return NULL;
}

/* The dynamic section names the tables. */
static bool read_dynamic(struct image *im, uint64_t addr, uint64_t size)
{
	const void *table = at(im, addr, size);
	const Elf64_Dyn *dyn;
	for (uint64_t i = 0; table && i < size / sizeof(*dyn); i++) {
		dyn = element(im, table, i, Elf64_Dyn);
		if (!dyn || dyn->d_tag == DT_NULL)
			break;
		uint64_t value = dyn->d_un.d_val;
		switch (dyn->d_tag) {
		case DT_STRTAB:
			im->strings = at(im, value, 1);
			break;
		case DT_STRSZ:
			im->strings_size = value;
			break;
		case DT_SYMTAB:
			im->symbols = at(im, value, 1);
			break;
		case DT_HASH:
			im->hash = at(im, value, 1);
			break;
		case DT_GNU_HASH:
			im->gnu_hash = at(im, value, 1);
			break;
		case DT_VERSYM:
			im->versym = at(im, value, 1);
			break;
		case DT_VERDEF:
			im->verdef = at(im, value, 1);
			break;
		}
	}
	if (!im->strings || !im->symbols)
		return false;
	im->strings_size = min_of(im->strings_size, im->size - (size_t)(im->strings - im->base));
	return true;
}

/* The header and the program headers: how much of the image is loaded, and where its dynamic
 * section is. */
static bool open_image(struct image *im, const void *base, size_t limit, unsigned machine)
{
	const Elf64_Ehdr *eh = base;
	if (limit < sizeof(*eh) || memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0 ||
	    eh->e_ident[EI_CLASS] != ELFCLASS64)
		return false;
	if (eh->e_machine != machine || eh->e_phentsize != sizeof(Elf64_Phdr))
		return false;
	if (eh->e_phoff >= limit || eh->e_phnum * sizeof(Elf64_Phdr) > limit - eh->e_phoff ||
	    eh->e_phoff % _Alignof(Elf64_Phdr) != 0)
		return false;
	*im = (struct image){.base = base, .machine = machine};
	const Elf64_Phdr *ph = (const void *)(im->base + eh->e_phoff), *dynamic = NULL;
	for (unsigned i = 0; i < eh->e_phnum; i++) {
		if (ph[i].p_type == PT_DYNAMIC)
			dynamic = &ph[i];
		if (ph[i].p_type != PT_LOAD || im->size != 0 || ph[i].p_offset >= limit)
			continue;
		im->vaddr = ph[i].p_vaddr - ph[i].p_offset;
		im->size = ph[i].p_offset + min_of(ph[i].p_memsz, limit - ph[i].p_offset);
	}
	return dynamic && im->size != 0 && read_dynamic(im, dynamic->p_vaddr, dynamic->p_memsz);
}

const void *weft__vdso_lookup(const void *base, size_t limit, unsigned machine)
{
	const struct symbol *want = symbols;
	struct image im;
	while (want < symbols + array_len(symbols) && want->machine != machine)
		want++;
	if (want == symbols + array_len(symbols) || !open_image(&im, base, limit, machine))
		return NULL;
	const void *found = im.gnu_hash ? look_in_gnu_hash(&im, want) : NULL;
	return found || !im.hash ? found : look_in_hash(&im, want);
}

/* What the query fills in: struct vgetrandom_opaque_params of <linux/random.h>, which older headers
 * lack. */
struct state_params {
	uint32_t size, prot, flags, reserved[13];
};

static const char *query(struct vdso *v, vdso_getrandom_fn *draw)
{
	struct state_params params = {0};
	if (draw(NULL, 0, 0, &params, ~(size_t)0) != 0)
		return "the vDSO's getrandom refuses to work on this processor";
	v->state_size = params.size;
	v->stride = round_up((size_t)params.size, (size_t)CACHE_LINE);
	v->map_prot = (int)params.prot;
	v->map_flags = (int)params.flags;
	if (params.size == 0 || v->stride > v->page_size)
		return "the vDSO's random states do not fit into a page";
	v->draw = draw;
	return NULL;
}

void weft__vdso_probe(struct vdso *v)
{
	const void *base = (const void *)getauxval(AT_SYSINFO_EHDR);
	*v = (struct vdso){.page_size = getauxval(AT_PAGESZ)};
	if (!base) {
		v->why_not = "this process has no vDSO";
		return;
	}
	const void *found = weft__vdso_lookup(base, ~(uintptr_t)0 - (uintptr_t)base, THIS_MACHINE);
	if (!found) {
		v->why_not = "this kernel's vDSO does not export getrandom";
		return;
	}
	v->why_not = query(v, (vdso_getrandom_fn *)(uintptr_t)found);
}

struct vdso weft__vdso = {.why_not = "called before the library's constructor"};

unsigned weft__vdso_per_page(void)
{
	return weft__vdso.draw ? (unsigned)(weft__vdso.page_size / weft__vdso.stride) : 0;
}
