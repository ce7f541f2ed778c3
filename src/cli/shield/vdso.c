/* SPDX-License-Identifier: MIT */
/*
 * vdso.c: see vdso.h.
 *
 * The copy of the image is read like any other ELF file: a process may have mapped something else
 * under that name.
 */
#include "cli/shield/vdso.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "cli/elf/elf.h"
#include "cli/proc/tracee.h"

enum { VDSO_MAX = 256 << 10 };

/* What the kernels call it, and what we make of that: it differs in the first byte. */
static const struct {
	const char *name, *hidden;
} symbols[] = {
	{"__vdso_getrandom", "#_vdso_getrandom"},
	{"__kernel_getrandom", "#_kernel_getrandom"},
};

struct image {
	uint64_t start;
	size_t size; /* 0: there is none */
	unsigned char *bytes;
};

static int is_vdso(const struct tracee_mapping *m, void *arg)
{
	struct image *image = arg;

	if (strcmp(m->path, "[vdso]") || m->end - m->start > VDSO_MAX)
		return 0;
	image->start = m->start;
	image->size = m->end - m->start;
	return 1;
}

static int read_image(pid_t pid, struct image *image)
{
	*image = (struct image){0};
	int error = weft__tracee_mappings(pid, is_vdso, image);
	if (error < 0 || !image->size)
		return error;
	image->bytes = malloc(image->size);
	if (!image->bytes)
		return -ENOMEM;
	error = weft__tracee_read(pid, image->start, image->bytes, image->size);
	if (error)
		free(image->bytes);
	return error;
}

/* Where in the image the name of the symbol stands that is called `name`; 0: nowhere. */
static uint64_t find_name(const struct image *image, const char *name)
{
	struct elf_symbol symbol;
	struct elf_image elf;
	struct view view;

	weft__view_memory(&view, image->bytes, image->size);
	if (weft__elf_open(&elf, &view) || weft__elf_dynamic_symbol(&elf, name, &symbol))
		return 0;
	return symbol.name_offset;
}

int weft__shield_vdso_hide(pid_t pid)
{
	struct image image;
	int result = read_image(pid, &image);

	if (result || !image.size)
		return result;
	for (unsigned i = 0; !result && i < array_len(symbols); i++) {
		uint64_t offset = find_name(&image, symbols[i].name);
		if (!offset)
			continue;
		result = weft__tracee_write(pid, image.start + offset, symbols[i].hidden, 1);
		if (!result)
			result = 1;
	}
	free(image.bytes);
	return result;
}

/* A look-up by name never finds what a hash table hides: the hidden name is looked for as bytes. */
static bool holds(const struct image *image, const char *name)
{
	return memmem(image->bytes, image->size, name, strlen(name) + 1) != NULL;
}

int weft__shield_vdso_state(pid_t pid)
{
	int state = SHIELD_VDSO_ABSENT;
	struct image image;
	int error = read_image(pid, &image);

	if (error || !image.size)
		return error < 0 ? error : state;
	for (unsigned i = 0; i < array_len(symbols); i++) {
		if (find_name(&image, symbols[i].name))
			state = SHIELD_VDSO_PRESENT;
		else if (holds(&image, symbols[i].hidden))
			state = SHIELD_VDSO_HIDDEN;
	}
	free(image.bytes);
	return state;
}
