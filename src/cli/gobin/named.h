/* SPDX-License-Identifier: MIT */
/* named.h: the functions of one name: the function itself and its assembly wrappers. */
#ifndef WEFT_CLI_GOBIN_NAMED_H
#define WEFT_CLI_GOBIN_NAMED_H

#include "base/attr.h"
#include "cli/gobin/gobin.h"

enum { GO_SAME_NAME = 4 }; /* that are looked at */

struct go_named {
	struct go_function list[GO_SAME_NAME];
	unsigned count;
};

static inline void go_find_named(struct go_image *go, const char *name, struct go_named *n)
{
	n->count = weft__go_functions_named(go, name, n->list, GO_SAME_NAME);
	n->count = min_of(n->count, (unsigned)GO_SAME_NAME);
}

/* True when a call of `target` is one of them. */
static inline bool go_named_enters(const struct go_image *go, const struct go_named *n,
				   uint64_t target)
{
	for (unsigned i = 0; i < n->count; i++)
		if (weft__go_enters(go, &n->list[i], target))
			return true;
	return false;
}

static inline bool go_named_holds(const struct go_named *n, uint64_t pc)
{
	for (unsigned i = 0; i < n->count; i++)
		if (pc >= n->list[i].entry && pc < n->list[i].end)
			return true;
	return false;
}

#endif
