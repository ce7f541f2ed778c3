/* SPDX-License-Identifier: MIT */
/* known.c: chains of frames that are known, as data, innermost first. */
#include <fnmatch.h>
#include <signal.h>
#include <string.h>

#include "base/attr.h"
#include "cli/triage/triage.h"

enum { CHAIN_MAX = 8, NULL_PAGE = 4096 };

struct link {
	const char *pattern;  /* as of fnmatch; NULL ends the chain */
	unsigned least, most; /* how many frames of it follow each other */
};

struct chain {
	const char *rule; /* id of the rule; NULL: weft's own demonstration */
	struct link links[CHAIN_MAX];
};

static const struct chain chains[] = {
	{"golang/go#73141",
	 {{"runtime.mallocgc*", 1, 4},
	  {"runtime.growslice", 1, 1},
	  {"runtime.vgetrandomPutState", 1, 1},
	  {"runtime.mdestroy", 0, 1}, /* inlined as a rule */
	  {"runtime.mexit", 1, 1}}},
	{NULL,
	 {{"cache_alloc", 1, 1}, {"list_grow", 1, 1}, {"state_put", 1, 1}, {"thread_exit", 1, 1}}},
};

/* Frames without a name are passed over: the unwinder may have taken data for one. */
static unsigned next_named(const struct dead *d, unsigned at)
{
	while (at < d->frame_count && !strcmp(d->frames[at].name, "?"))
		at++;
	return at;
}

static bool follows(const struct dead *d, const struct chain *chain)
{
	unsigned at = next_named(d, 0);

	for (const struct link *l = chain->links; l->pattern; l++) {
		unsigned seen = 0;
		while (seen < l->most && at < d->frame_count &&
		       !fnmatch(l->pattern, d->frames[at].name, 0)) {
			at = next_named(d, at + 1);
			seen++;
		}
		if (seen < l->least)
			return false;
	}
	return true;
}

static const struct go_rule *rule_of(const char *id)
{
	for (unsigned i = 0; i < go_rule_count; i++) {
		if (!strcmp(go_rules[i].id, id))
			return &go_rules[i];
	}
	return NULL;
}

/* Enough to say that it is something else? */
static bool is_readable(const struct dead *d)
{
	return d->frame_count > 1 && d->frames[0].told && d->frames[1].told;
}

enum crash weft__dead_judge(const struct dead *d, const struct go_rule **rule)
{
	const struct core *c = &d->core;

	*rule = NULL;
	if (c->signal && c->signal != SIGSEGV)
		return CRASH_OTHER;
	if (c->has_address && c->address >= NULL_PAGE)
		return CRASH_OTHER;
	for (unsigned i = 0; i < array_len(chains); i++) {
		if (!follows(d, &chains[i]))
			continue;
		*rule = chains[i].rule ? rule_of(chains[i].rule) : NULL;
		return chains[i].rule ? CRASH_RULE : CRASH_REPLAY;
	}
	return is_readable(d) ? CRASH_OTHER : CRASH_UNKNOWN;
}
