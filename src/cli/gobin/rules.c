/* SPDX-License-Identifier: MIT */
/* rules.c: the known bugs, one entry each. */
#include "cli/gobin/rules.h"

#include <fnmatch.h>
#include <stddef.h>

#include "base/attr.h"

static const char *const aliases_73141[] = {"golang/go#73577", "golang/go#73144", NULL};

/*
 * Package initialisers run on the main goroutine, which is locked while they run and never ends
 * locked. A closure inside one (`init.0.func1`) may be a goroutine of its own and does not match.
 */
static const struct go_harmless harmless_73141[] = {
	{"runtime.ensureSigM.func1", "the signal mask goroutine never ends"},
	{"*.init.[0-9]", "runs on the main goroutine"},
	{"*.init.[0-9][0-9]", "runs on the main goroutine"},
	{"*.init.[0-9][0-9][0-9]", "runs on the main goroutine"},
	{"github.com/golang/glog.abortProcess", "the process is about to end"},
	{"*/vendor/github.com/golang/glog.abortProcess", "the process is about to end"},
	{"google3/base/go/log.abortProcess", "the process is about to end"},
	{"crypto/subtle.WithDataIndependentTiming", "unlocks before it returns"},
	{"github.com/moby/sys/mountinfo.parseMountTable", "unlocks before it returns"},
	{"*/vendor/github.com/moby/sys/mountinfo.parseMountTable", "unlocks before it returns"},
	{NULL, NULL},
};

static const char *const advice_73141[] = {
	"Upgrade to a build made with Go 1.24.3 or later.",
	"Until then start it under `weft shield` (for a service: `weft shield --install UNIT`).",
	"A daemon that cannot be restarted: `weft shield --pid PID`.",
	"Where the file may change: `weft patch FILE`.",
	"Verify with `weft doctor` and `weft scan --processes`.",
	NULL,
};

const struct go_rule go_rules[] = {
	{
		.id = "golang/go#73141",
		.aliases = aliases_73141,
		.slug = "go-73141",
		.title = "Go 1.24.0-1.24.2 can crash when a locked thread ends (vgetrandom state)",
		.summary = "When a goroutine ends while locked to its thread, the thread dies and "
			   "gives back its state "
			   "of the vDSO's getrandom. These versions do so after the thread gave up "
			   "its processor; once "
			   "more states are given back than the first page holds (21 of them), a "
			   "list has to grow, "
			   "growing allocates, and the process dies of a segmentation fault "
			   "without a traceback.",
		.url = "https://github.com/golang/go/issues/73141",
		.old_name = "runtime.vgetrandomPutState",
		.new_name = "runtime.vgetrandomDestroy",
		.within = "runtime.mexit",
		.release = "runtime.handoffp",
		.trigger = "runtime.LockOSThread",
		.harmless = harmless_73141,
		.look_up = "runtime.vdsoParseSymbols",
		.needs_vdso = true,
		.advice = advice_73141,
	},
};
const unsigned go_rule_count = array_len(go_rules);

const char *weft__go_harmless(const struct go_rule *rule, const char *function)
{
	for (const struct go_harmless *h = rule->harmless; h->pattern; h++)
		if (fnmatch(h->pattern, function, FNM_NOESCAPE) == 0)
			return h->why;
	return NULL;
}
