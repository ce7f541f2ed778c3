/* SPDX-License-Identifier: MIT */
/*
 * fuzz_buildinfo.c: module data, key and build information of an otherwise valid file (offsets:
 * twin_elf.c).
 */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_part(data, size, 0x7000, 0x800);
	return 0;
}
