/* SPDX-License-Identifier: MIT */
/* test_pages.c: how many pages the first batch of random states has, by CPUs and size of a page. */

#include "../kit.h"
#include "cli/scan/process.h"

/* CPUs, page size, pages: as many states as fit into the pages are harmless, one more is not. */
static const unsigned first_batches[][3] = {
	{1, 4096, 1},	{21, 4096, 1},	{22, 4096, 2},	 {42, 4096, 2},	  {43, 4096, 3},
	{85, 16384, 1}, {86, 16384, 2}, {341, 65536, 1}, {342, 65536, 2}, {1024, 4096, 48},
};

TEST("the first batch follows cpus and page size", .times = (int)array_len(first_batches))
{
	const unsigned *batch = first_batches[nth];
	expect_eq(weft__scan_page_limit(batch[0], batch[1]), batch[2]);
}
