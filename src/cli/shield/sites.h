/* SPDX-License-Identifier: MIT */
/*
 * sites.h: the two places in a running Go runtime whose change makes its thread exit safe.
 *
 * A dying thread's `mexit` must not return its random state, and no thread must get a new one: two
 * branches become unconditional. The code is known byte for byte (Go 1.24.0, .1 and .2 share it;
 * only addresses differ); anything else is not touched.
 */
#ifndef WEFT_CLI_SHIELD_SITES_H
#define WEFT_CLI_SHIELD_SITES_H

#include <sys/types.h>

#include "cli/gobin/gobin.h"

enum { SHIELD_SITES = 2, SHIELD_SITE_MAX = 4 };

struct shield_site {
	const char *function;
	uint64_t address; /* in the file (load bias 0), or in a process */
	unsigned length;
	unsigned char old[SHIELD_SITE_MAX], new[SHIELD_SITE_MAX];
};

/*
 * Finds both in the file of a program or library. 0; -ENOENT: not of the affected kind, or nothing
 * in it draws; -ENOTSUP: of the affected kind, but its code is not the known one. `why` (a static
 * text) says more whenever it is not 0.
 */
int weft__shield_sites(struct go_image *go, struct shield_site sites[SHIELD_SITES],
		       const char **why);

/* Those of every Go runtime in a process: of its program, or of a library that it has mapped. */
struct shield_places {
	struct shield_place {
		struct shield_site site;
		char *file;
	} * list;
	unsigned count;
	const char *why; /* a static text, whenever the result is not 0 */
	char file[256];	 /* that it is about; "" for the whole process */
};

/*
 * Finds them. 0; -ENOENT: nothing of the affected kind; another -errno: one of the files cannot be
 * looked into, or is of the affected kind and its code is not the known one. To be freed in every
 * case.
 */
int weft__shield_find(pid_t pid, struct shield_places *places);
void weft__shield_places_free(struct shield_places *places);

#endif
