/* SPDX-License-Identifier: MIT */
/* fuzz_core.c: any bytes as a core file: segments, notes, files, memory, and the call chain. */
#include <elf.h>

#include "cli/core/core.h"
#include "cli/proc/unwind.h"
#include "fuzz.h"

enum { FRAMES = 64, SEGMENTS_READ = 16 };

struct core_memory {
	struct memory memory;
	const struct core *core;
};

static bool read_core(const struct memory *m, uint64_t address, void *buf, size_t size)
{
	return weft__core_read(((const struct core_memory *)m)->core, address, buf, size);
}

static int see(const struct core_file *file, void *arg)
{
	*(uint64_t *)arg += file->end - file->start;
	return 0;
}

static void ask(const struct core *core)
{
	struct core_memory m = {{read_core}, core};
	struct unwind_start at = {core->machine, core->pc,   core->sp,
				  core->fp,	 core->link, core->pc};
	uint64_t pcs[FRAMES], sum = 0;
	unsigned char bytes[64];

	weft__core_each_file(core, see, &sum);
	weft__core_auxiliary(core, AT_ENTRY);
	for (unsigned i = 0; i < core->segment_count && i < SEGMENTS_READ; i++)
		weft__core_read(core, core->segments[i].start, bytes, sizeof(bytes));
	weft__core_read(core, sum, bytes, sizeof(bytes));
	weft__watch_unwind(&m.memory, &at, pcs, FRAMES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view view;
	struct core core;

	weft__view_memory(&view, data, size);
	if (!weft__core_open(&core, &view)) {
		ask(&core);
		weft__core_close(&core);
	}
	return 0;
}
