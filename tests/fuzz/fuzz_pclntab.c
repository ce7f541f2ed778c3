/* SPDX-License-Identifier: MIT */
/*
 * fuzz_pclntab.c: the function table of an otherwise valid file. The offsets are those of
 * twin_elf.c.
 */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_part(data, size, 0x4000, 0x2000);
	return 0;
}
