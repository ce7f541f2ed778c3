/* SPDX-License-Identifier: MIT */
/*
 * sites.h: the two places in a running Go program whose change makes its thread exit safe.
 *
 * A dying thread's `mexit` must not return its random state, and no thread must get a new one: two
 * branches become unconditional. The code is known byte for byte (Go 1.24.0, .1 and .2 share it;
 * only addresses differ); anything else is not touched.
 */
#ifndef WEFT_CLI_SHIELD_SITES_H
#define WEFT_CLI_SHIELD_SITES_H

#include "cli/gobin/gobin.h"

enum { SHIELD_SITES = 2, SHIELD_SITE_MAX = 4 };

struct shield_site {
	const char *function;
	uint64_t address; /* load bias 0 */
	unsigned length;
	unsigned char old[SHIELD_SITE_MAX], new[SHIELD_SITE_MAX];
};

/*
 * Finds both in the program's file. 0; -ENOENT: not a program of the affected kind; -ENOTSUP: of
 * the affected kind, but its code is not the known one. `why` (a static text) says more whenever it
 * is not 0.
 */
int weft__shield_sites(struct go_image *go, struct shield_site sites[SHIELD_SITES],
		       const char **why);

#endif
