/* SPDX-License-Identifier: MIT */
/*
 * rules.h: what is known of each bug of the Go runtime, as data.
 *
 * A rule describes a bug of this kind: the runtime calls a function at a moment when it must not,
 * and the repaired runtime calls it earlier or under another name. Everything that scan and its
 * outputs say of a bug comes from here.
 */
#ifndef WEFT_CLI_GOBIN_RULES_H
#define WEFT_CLI_GOBIN_RULES_H

#include <stdbool.h>

struct go_harmless {
	const char *pattern; /* as of fnmatch, matched against the whole function name */
	const char *why;
};

struct go_rule {
	const char *id;		     /* "golang/go#73141" */
	const char *const *aliases;  /* ends with NULL */
	const char *slug;	     /* for file names and labels */
	const char *title, *summary; /* a line; a paragraph */
	const char *url;

	const char *old_name, *new_name; /* the function before and after the repair */
	const char *within;		 /* the function that calls it ... */
	const char *release;		 /* ... wrongly when after its first call to this one */
	const char *trigger;		 /* it can only happen to programs that call this ... */
	const struct go_harmless
		*harmless;   /* ... from other functions than these; ends with NULL */
	const char *look_up; /* every runtime that looks symbols of the vDSO up has this */
	bool needs_vdso;     /* only where the kernel offers the symbol of weft__go_vdso_symbol */
	const char *const *advice; /* what to do, best first; ends with NULL */
};

extern const struct go_rule go_rules[];
extern const unsigned go_rule_count;

/* Why a call of the rule's trigger from `function` is harmless, or NULL. */
const char *weft__go_harmless(const struct go_rule *rule, const char *function);

#endif
