/* SPDX-License-Identifier: MIT */
/*
 * judge.h: does a rule hold for a file? The verdict and what it rests on.
 *
 * The verdict rests on structure: which of the two functions is linked, and in which order the
 * runtime calls it. The version never decides. Where the facts do not suffice the verdict is
 * `unknown`, never a clean one.
 */
#ifndef WEFT_CLI_GOBIN_JUDGE_H
#define WEFT_CLI_GOBIN_JUDGE_H

#include "base/attr.h"
#include "cli/gobin/gobin.h"
#include "cli/gobin/rules.h"

/* In rising order of worry. */
enum go_verdict { GO_NOT_AFFECTED, GO_MITIGATED, GO_UNKNOWN, GO_DORMANT, GO_AFFECTED, GO_VERDICTS };

const char *weft__go_verdict_name(enum go_verdict verdict); /* "affected-dormant" */

#define GO_EVIDENCE 10
#define GO_CALLERS_MAX 1000 /* distinct functions kept; more are counted as `callers_left_out` */

struct go_caller {
	struct go_caller *next;
	unsigned calls;
	const char *harmless; /* why, or NULL; lives as long as the rule */
	char name[];
};

struct go_judgement {
	const struct go_rule *rule;
	enum go_verdict verdict;
	char reason[160];	/* one sentence */
	bool trigger_exported;	/* other files may call it by the dynamic linker ... */
	bool exported_alone;	/* ... and that alone makes this one `affected` */
	bool runtime_elsewhere; /* in a library that the file needs: see weft__go_take_runtime */
	char *evidence[GO_EVIDENCE];
	unsigned evidence_count;
	/*
	 * Of the rule's trigger, in order of address; filled when the order is the old one, or
	 * unknown because the runtime is elsewhere.
	 */
	struct go_caller *callers;
	unsigned callers_left_out;
};

/*
 * Judges an image that weft__go_open accepted. 0, -ENOMEM, or -errno of a failed read; the caller
 * frees the judgement in every case.
 */
int weft__go_judge(struct go_image *go, const struct go_rule *rule, struct go_judgement *j);
/* Completes the judgement of a file whose runtime is elsewhere by that of the library at `path`. */
void weft__go_take_runtime(struct go_judgement *j, const struct go_judgement *library,
			   const char *path);
void weft__go_judgement_free(struct go_judgement *j);
/*
 * Fills j->callers with whoever can reach the rule's trigger in a program that has it. 0, -ENOMEM,
 * -errno of a failed read, or another error when the code is not where the table says.
 */
int weft__go_find_callers(struct go_image *go, struct go_judgement *j);
/* The same for a file that takes the trigger from another one. */
int weft__go_find_imports(struct go_image *go, struct go_judgement *j);
/* Adds a line of evidence; drops it when there is no room left. */
void weft__go_evidence(struct go_judgement *j, const char *format, ...) printf_like(2, 3);

#endif
