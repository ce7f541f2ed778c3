/* SPDX-License-Identifier: MIT */
/* test_image_paths.c: what an upper layer hides of a lower one. */
#include <check.h>
#include <stdlib.h>

#include "cli/scan/image/image.h"

static struct image_paths paths;

static void setup(void)
{
	paths = (struct image_paths){0};
}

static void teardown(void)
{
	free(paths.slots);
}

static void record(unsigned layer, const char *path, bool directory)
{
	ck_assert_int_eq(weft__paths_record(&paths, layer, path, directory), 0);
}

START_TEST(names_are_made_plain)
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
		ck_assert_str_eq(plain, pairs[i][1]);
		free(plain);
	}
}
END_TEST

START_TEST(replaced_and_deleted_names_are_hidden)
{
	record(1, "usr/bin/replaced", false);
	record(1, "usr/bin/.wh.deleted", false);
	record(1, ".wh.top", false);
	ck_assert(weft__paths_hidden(&paths, 1, "usr/bin/replaced"));
	ck_assert(weft__paths_hidden(&paths, 1, "usr/bin/deleted"));
	ck_assert(weft__paths_hidden(&paths, 1, "top"));
	ck_assert(weft__paths_hidden(&paths, 1, "top/below/it"));
	ck_assert(!weft__paths_hidden(&paths, 1, "usr/bin/other"));
	ck_assert(!weft__paths_hidden(&paths, 1, "usr/bin"));
	ck_assert(!weft__paths_hidden(&paths, 2, "usr/bin/replaced"));
}
END_TEST

START_TEST(opaque_directories_hide_what_is_below)
{
	record(1, "opt", true);
	record(1, "opt/.wh..wh..opq", false);
	ck_assert(weft__paths_hidden(&paths, 1, "opt/a"));
	ck_assert(weft__paths_hidden(&paths, 1, "opt/a/b"));
	ck_assert(!weft__paths_hidden(&paths, 1, "optional/a"));
	record(2, ".wh..wh..opq", false);
	ck_assert(weft__paths_hidden(&paths, 2, "anything"));
}
END_TEST

START_TEST(a_file_hides_the_directory_that_it_replaces)
{
	record(1, "data", false);
	record(1, "kept", true);
	ck_assert(weft__paths_hidden(&paths, 1, "data/x/y"));
	ck_assert(!weft__paths_hidden(&paths, 1, "kept/x"));
}
END_TEST

START_TEST(many_names_are_all_remembered)
{
	for (unsigned i = 0; i < 50000; i++) {
		char *name = cli_format("d/%u", i);
		record(i % 3, name, false);
		free(name);
	}
	for (unsigned i = 0; i < 50000; i++) {
		char *name = cli_format("d/%u", i);
		ck_assert(weft__paths_hidden(&paths, i % 3, name));
		ck_assert(!weft__paths_hidden(&paths, (i + 1) % 3, name));
		free(name);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("image_paths");
	TCase *c = tcase_create("layers");
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, names_are_made_plain);
	tcase_add_test(c, replaced_and_deleted_names_are_hidden);
	tcase_add_test(c, opaque_directories_hide_what_is_below);
	tcase_add_test(c, a_file_hides_the_directory_that_it_replaces);
	tcase_add_test(c, many_names_are_all_remembered);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
