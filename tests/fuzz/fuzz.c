/* SPDX-License-Identifier: MIT */
/* fuzz.c: the reading that a scan does, on bytes in memory. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "cli/gobin/judge.h"
#include "twin_elf.h"

void fuzz_judge(const uint8_t *data, size_t size)
{
	static struct elf_image elf;
	static struct go_image go;
	struct view view;
	struct go_judgement j;
	weft__view_memory(&view, data, size);
	if (weft__elf_open(&elf, &view) || weft__go_open(&go, &elf))
		return;
	weft__go_judge(&go, &go_rules[0], &j);
	weft__go_judgement_free(&j);
}

void fuzz_part(const uint8_t *data, size_t size, size_t offset, size_t room)
{
	/* The first byte chooses the kind of file around the part. */
	size_t whole;
	uint8_t kind = size ? data[0] : 0;
	struct twin t = {.caller = "main.work",
			 .relocated = kind & 1,
			 .no_text_start = kind & 2,
			 .repaired = kind & 4};
	unsigned char *file = twin_make(&t, &whole);
	if (size > 1)
		memcpy(file + offset, data + 1, size - 1 < room ? size - 1 : room);
	fuzz_judge(file, whole);
	free(file);
}
