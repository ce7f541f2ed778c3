/* SPDX-License-Identifier: MIT */
/* fuzz_core.c: a core file: segments, notes, files, memory. */
#include "cli/core/core.h"
#include "fuzz.h"

static int see(const struct core_file *file, void *arg)
{
	*(uint64_t *)arg += file->end - file->start;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view view;
	struct core core;
	unsigned char bytes[64];
	uint64_t sum = 0;
	weft__view_memory(&view, data, size);
	if (weft__core_open(&core, &view))
		return 0;
	weft__core_each_file(&core, see, &sum);
	weft__core_auxiliary(&core, 33);
	weft__core_read(&core, core.sp, bytes, sizeof(bytes));
	weft__core_read(&core, sum, bytes, sizeof(bytes));
	weft__core_close(&core);
	return 0;
}
