/* SPDX-License-Identifier: MIT */
/* test_image_paths.c: what an upper layer hides of a lower one. */
#include <stdlib.h>

#include "../kit.h"
#include "cli/scan/image/image.h"

static struct image_paths paths;

static void with_paths(const struct kit_test *test, int nth)
{
	paths = (struct image_paths){0};
	test->body(nth);
	free(paths.slots);
}

static void record(unsigned layer, const char *path, bool directory)
{
	expect_eq(weft__paths_record(&paths, layer, path, directory), 0);
}

TEST("names are made plain", .around = with_paths)
{
	static const char *const pairs[][2] = {
		{"./usr//bin/x", "usr/bin/x"},
		{"/a/./b/../c", "a/c"},
		{"../../etc/x", "etc/x"},
		{"a/..", ""},
		{"", ""},
		{"..a/.b", "..a/.b"},
	};
	for (unsigned i = 0; i < array_len(pairs); i++) {
		char *plain = weft__path_normal(pairs[i][0]);
		expect_eq(plain, pairs[i][1]);
		free(plain);
	}
}

TEST("replaced and deleted names are hidden", .around = with_paths)
{
	record(1, "usr/bin/replaced", false);
	record(1, "usr/bin/.wh.deleted", false);
	record(1, ".wh.top", false);
	expect(weft__paths_hidden(&paths, 1, "usr/bin/replaced"));
	expect(weft__paths_hidden(&paths, 1, "usr/bin/deleted"));
	expect(weft__paths_hidden(&paths, 1, "top"));
	expect(weft__paths_hidden(&paths, 1, "top/below/it"));
	expect(!weft__paths_hidden(&paths, 1, "usr/bin/other"));
	expect(!weft__paths_hidden(&paths, 1, "usr/bin"));
	expect(!weft__paths_hidden(&paths, 2, "usr/bin/replaced"));
}

TEST("opaque directories hide what is below", .around = with_paths)
{
	record(1, "opt", true);
	record(1, "opt/.wh..wh..opq", false);
	expect(weft__paths_hidden(&paths, 1, "opt/a"));
	expect(weft__paths_hidden(&paths, 1, "opt/a/b"));
	expect(!weft__paths_hidden(&paths, 1, "optional/a"));
	record(2, ".wh..wh..opq", false);
	expect(weft__paths_hidden(&paths, 2, "anything"));
}

TEST("a file hides the directory that it replaces", .around = with_paths)
{
	record(1, "data", false);
	record(1, "kept", true);
	expect(weft__paths_hidden(&paths, 1, "data/x/y"));
	expect(!weft__paths_hidden(&paths, 1, "kept/x"));
}

TEST("many names are all remembered", .around = with_paths)
{
	for (unsigned i = 0; i < 50000; i++) {
		char *name = cli_format("d/%u", i);
		record(i % 3, name, false);
		free(name);
	}
	for (unsigned i = 0; i < 50000; i++) {
		char *name = cli_format("d/%u", i);
		expect(weft__paths_hidden(&paths, i % 3, name));
		expect(!weft__paths_hidden(&paths, (i + 1) % 3, name));
		free(name);
	}
}
