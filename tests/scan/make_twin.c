/* SPDX-License-Identifier: MIT */
/*
 * make_twin.c: writes one of the small Go-like files of twin_elf.h, for tests that are scripts.
 *
 *   make_twin FILE [caller=NAME] [version=TEXT] [repaired] [patched] [relocated] [no-build-info]
 *     [no-table]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/attr.h"
#include "twin_elf.h"

static void set(struct twin *t, const char *word)
{
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {
		{"repaired", &t->repaired},   {"patched", &t->patched},
		{"relocated", &t->relocated}, {"no-build-info", &t->no_build_info},
		{"no-table", &t->no_table},
	};
	if (strncmp(word, "caller=", 7) == 0)
		t->caller = word + 7;
	else if (strncmp(word, "version=", 8) == 0)
		t->version = word + 8;
	for (unsigned i = 0; i < array_len(flags); i++)
		if (strcmp(word, flags[i].name) == 0)
			*flags[i].flag = true;
}

int main(int argc, char **argv)
{
	struct twin t = {0};
	size_t size;
	if (argc < 2)
		return 2;
	for (int i = 2; i < argc; i++)
		set(&t, argv[i]);
	if (t.repaired)
		t.give_back = "runtime.vgetrandomDestroy";
	unsigned char *bytes = twin_make(&t, &size);
	FILE *f = fopen(argv[1], "wb");
	if (!f || fwrite(bytes, 1, size, f) != size || fclose(f))
		return 1;
	free(bytes);
	return chmod(argv[1], 0755) != 0;
}
