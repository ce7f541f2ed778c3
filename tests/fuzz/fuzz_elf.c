/* SPDX-License-Identifier: MIT */
/*
 * fuzz_elf.c: a whole file: headers, segments, relocations, dynamic symbols, keys, and everything
 * behind them.
 */
#include "cli/gobin/gobin.h"
#include "fuzz.h"

static int count(const struct elf_relative *r, void *arg)
{
	++*(unsigned *)arg;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct elf_image elf;
	struct view view;
	struct elf_symbol symbol;
	struct go_vdso_key keys[GO_KEYS];
	unsigned relocations = 0;
	weft__view_memory(&view, data, size);
	if (weft__elf_open(&elf, &view))
		return 0;
	weft__elf_each_relative(&elf, count, &relocations);
	weft__elf_dynamic_symbol(&elf, "__vdso_getrandom", &symbol);
	weft__go_vdso_keys(&elf, keys, GO_KEYS);
	fuzz_judge(data, size);
	return 0;
}
