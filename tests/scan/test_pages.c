/* SPDX-License-Identifier: MIT */
/* test_pages.c: how many pages the first batch of random states has, by CPUs and size of a page. */
#include <check.h>

#include "cli/scan/process.h"

/* CPUs, page size, pages: as many states as fit into the pages are harmless, one more is not. */
static const unsigned first_batches[][3] = {
	{1, 4096, 1},	{21, 4096, 1},	{22, 4096, 2},	 {42, 4096, 2},	  {43, 4096, 3},
	{85, 16384, 1}, {86, 16384, 2}, {341, 65536, 1}, {342, 65536, 2}, {1024, 4096, 48},
};

START_TEST(the_first_batch_follows_cpus_and_page_size)
{
	const unsigned *batch = first_batches[_i];
	ck_assert_uint_eq(weft__scan_page_limit(batch[0], batch[1]), batch[2]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pages");
	TCase *c = tcase_create("first batch");
	tcase_add_loop_test(c, the_first_batch_follows_cpus_and_page_size, 0,
			    (int)array_len(first_batches));
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
