/* SPDX-License-Identifier: MIT */
/*
 * judge.c: from the facts of one file to a verdict.
 *
 * Three questions, in this order:
 *   1. which order does the runtime have? (the calls inside `within`; the names where calls cannot
 *      be read)
 *   2. is it disarmed? (the key of the vDSO symbol was changed, so that the look-up fails)
 *   3. can it happen? (which functions call the trigger)
 */
#include "cli/gobin/judge.h"

#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/gobin/named.h"

const char *weft__go_verdict_name(enum go_verdict verdict)
{
	static const char *const names[GO_VERDICTS] = {
		[GO_NOT_AFFECTED] = "not-affected", [GO_MITIGATED] = "mitigated",
		[GO_UNKNOWN] = "unknown",	    [GO_DORMANT] = "affected-dormant",
		[GO_AFFECTED] = "affected",
	};
	return names[verdict];
}

void weft__go_evidence(struct go_judgement *j, const char *format, ...)
{
	va_list args;
	if (j->evidence_count == GO_EVIDENCE)
		return;
	va_start(args, format);
	if (vasprintf(&j->evidence[j->evidence_count], format, args) >= 0)
		j->evidence_count++;
	va_end(args);
}

void weft__go_judgement_free(struct go_judgement *j)
{
	for (unsigned i = 0; i < j->evidence_count; i++)
		free(j->evidence[i]);
	for (struct go_caller *c = j->callers, *next; c; c = next) {
		next = c->next;
		free(c);
	}
	memset(j, 0, sizeof(*j));
}

static int decide(struct go_judgement *j, enum go_verdict verdict, const char *format, ...)
	printf_like(3, 4);
static int decide(struct go_judgement *j, enum go_verdict verdict, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(j->reason, sizeof(j->reason), format, args);
	va_end(args);
	j->verdict = verdict;
	return 0;
}

enum order { ORDER_UNSEEN, ORDER_OLD, ORDER_REPAIRED };

struct order_search {
	const struct go_image *go;
	struct go_named subject, release;
	uint64_t released, given_back; /* the first release; the last call of the subject */
};

static int order_call(uint64_t site, uint64_t target, void *arg)
{
	struct order_search *o = arg;
	if (!o->released && go_named_enters(o->go, &o->release, target))
		o->released = site;
	if (go_named_enters(o->go, &o->subject, target))
		o->given_back = site;
	return 0;
}

/* The order of the calls of `subject` and `release` inside the function `within`. */
static enum order order_of(struct go_image *go, struct go_judgement *j, const char *subject)
{
	const struct go_rule *rule = j->rule;
	struct order_search o = {.go = go};
	struct go_named within;
	go_find_named(go, rule->within, &within);
	go_find_named(go, subject, &o.subject);
	go_find_named(go, rule->release, &o.release);
	for (unsigned i = 0; i < within.count; i++) {
		o.released = o.given_back = 0;
		if (weft__go_each_call(go, within.list[i].entry, within.list[i].end, order_call,
				       &o) ||
		    !o.released || !o.given_back)
			continue;
		bool old = o.given_back > o.released;
		weft__go_evidence(
			j,
			"%s at 0x%llx: %s is called at 0x%llx, %s the first call of %s at 0x%llx",
			rule->within, (unsigned long long)within.list[i].entry, subject,
			(unsigned long long)o.given_back, old ? "after" : "before", rule->release,
			(unsigned long long)o.released);
		return old ? ORDER_OLD : ORDER_REPAIRED;
	}
	if (weft__go_calls_known(go))
		weft__go_evidence(
			j, "the calls of %s and %s in %s could not be found: the names decide",
			subject, rule->release, rule->within);
	else
		weft__go_evidence(j,
				  "calls of this architecture are not decoded: the names decide");
	return ORDER_UNSEEN;
}

/* The order is the old one and nothing disarms it: what can make it happen? */
static int judge_trigger(struct go_image *go, struct go_judgement *j)
{
	const struct go_rule *rule = j->rule;
	if (!weft__go_has_name(go, rule->trigger, NULL))
		return decide(j, GO_DORMANT, "old order, but %s is not linked", rule->trigger);
	if (!weft__go_calls_known(go))
		return decide(j, GO_AFFECTED, "old order, and %s is linked", rule->trigger);
	int err = weft__go_find_callers(go, j);
	if (err == -ENOMEM || go->elf->view->error)
		return err;
	if (err)
		return decide(j, GO_AFFECTED, "old order, %s is linked, its callers cannot be read",
			      rule->trigger);
	for (const struct go_caller *c = j->callers; c; c = c->next)
		if (!c->harmless)
			return decide(j, GO_AFFECTED, "old order, and %s calls %s", c->name,
				      rule->trigger);
	if (j->callers_left_out)
		return decide(j, GO_AFFECTED, "old order, and too many functions call %s",
			      rule->trigger);
	if (!weft__go_calls_reach(go))
		return decide(j, GO_AFFECTED,
			      "old order, and so much code that calls of %s may go by trampolines",
			      rule->trigger);
	j->exported_alone = j->trigger_exported;
	if (j->exported_alone)
		return decide(j, GO_AFFECTED, "old order, and %s is exported to other files",
			      rule->trigger);
	return decide(j, GO_DORMANT,
		      j->callers ? "old order, but only harmless callers of %s"
				 : "old order, but nothing calls %s",
		      rule->trigger);
}

/* Was the one key changed so that the look-up fails? */
static bool is_disarmed(struct go_image *go, struct go_judgement *j)
{
	struct go_vdso_key keys[GO_KEYS];
	const char *symbol = weft__go_vdso_symbol(go->elf);
	int count = j->rule->needs_vdso && symbol ? weft__go_vdso_keys(go->elf, keys, GO_KEYS) : 0;
	if (count <= 0 || count > GO_KEYS)
		return false;
	for (int i = 0; i < count; i++)
		if (!keys[i].pointed || keys[i].intact)
			return false;
	weft__go_evidence(j, "the key at file offset 0x%llx no longer names %s: the look-up fails",
			  (unsigned long long)keys[0].offset, symbol);
	return true;
}

static int judge_old(struct go_image *go, struct go_judgement *j)
{
	if (is_disarmed(go, j))
		return decide(j, GO_MITIGATED,
			      "old order, but the look-up of the vDSO symbol is disabled");
	return judge_trigger(go, j);
}

/* The libraries that the file asks for, as one line. */
static void list_needed(struct elf_image *elf, char *list, size_t room)
{
	char name[64];
	size_t used = 0;
	list[0] = '\0';
	for (unsigned i = 0; weft__elf_dynamic_text(elf, DT_NEEDED, i, name, sizeof(name)); i++) {
		int n = snprintf(list + used, room - used, "%s%s", i ? ", " : "", name);
		if (n < 0 || used + (size_t)n >= room)
			return;
		used += (size_t)n;
	}
}

/* Go code without a runtime: that is a shared library's, or its names were taken away. */
static int judge_elsewhere(struct go_image *go, struct go_judgement *j)
{
	char list[96];
	int err = weft__go_find_imports(go, j);
	if (err)
		return err;
	list_needed(go->elf, list, sizeof(list));
	j->runtime_elsewhere = list[0];
	if (!list[0])
		return decide(j, GO_UNKNOWN, "neither the runtime's functions nor its key of %s",
			      weft__go_vdso_symbol(go->elf));
	return decide(j, GO_UNKNOWN, "its runtime is a shared library, which was not found: %s",
		      list);
}

/* The runtime is in the file, and so is what it looks up: that is what decides. */
static int judge_older(struct go_image *go, struct go_judgement *j)
{
	const struct go_rule *rule = j->rule;
	weft__go_evidence(j, "neither %s nor %s is linked, and no key of the vDSO symbol",
			  rule->old_name, rule->new_name);
	if (!weft__go_has_name(go, rule->look_up, NULL))
		return decide(j, GO_NOT_AFFECTED,
			      "its runtime does not use Linux's vDSO: it is another system's");
	return decide(j, GO_NOT_AFFECTED, "older than the code that has the bug");
}

/* Neither name is there. That alone says nothing. */
static int judge_nameless(struct go_image *go, struct go_judgement *j)
{
	const struct go_rule *rule = j->rule;
	struct go_vdso_key keys[GO_KEYS];
	int count = weft__go_vdso_keys(go->elf, keys, GO_KEYS);
	if (count < 0)
		return count;
	if (count)
		return decide(j, GO_UNKNOWN,
			      "looks up %s, but the runtime's functions have other names",
			      weft__go_vdso_symbol(go->elf));
	return weft__go_has_name(go, rule->within, NULL) ? judge_older(go, j)
							 : judge_elsewhere(go, j);
}

static int judge_table(struct go_image *go, struct go_judgement *j)
{
	const struct go_rule *rule = j->rule;
	/* There the old function may be linked as well, with nothing in it. */
	if (rule->needs_vdso && !weft__go_vdso_symbol(go->elf))
		return decide(j, GO_NOT_AFFECTED,
			      "Go does not use the vDSO's getrandom on this architecture");
	bool old = weft__go_has_name(go, rule->old_name, NULL);
	bool repaired = weft__go_has_name(go, rule->new_name, NULL);
	if (go->elf->view->error)
		return go->elf->view->error;
	if (!old && !repaired)
		return judge_nameless(go, j);
	if (old)
		weft__go_evidence(j, "%s is linked", rule->old_name);
	if (repaired)
		weft__go_evidence(j, "%s is linked", rule->new_name);

	enum order order = order_of(go, j, old ? rule->old_name : rule->new_name);
	if (old && repaired && order == ORDER_UNSEEN)
		return decide(j, GO_UNKNOWN, "both the old and the repaired function are linked");
	if (order == ORDER_OLD || (order == ORDER_UNSEEN && old))
		return judge_old(go, j);
	return decide(j, GO_NOT_AFFECTED, "the runtime is repaired");
}

int weft__go_judge(struct go_image *go, const struct go_rule *rule, struct go_judgement *j)
{
	memset(j, 0, sizeof(*j));
	j->rule = rule;
	j->verdict = GO_UNKNOWN;
	if (!go->has_table)
		return decide(j, GO_UNKNOWN, "signs of Go, but no function table was found");
	if (!go->table.count)
		return decide(j, GO_NOT_AFFECTED, "function table of a Go before 1.18");
	int err = judge_table(go, j);
	if (err)
		return err;
	if (!go->table.confirmed)
		weft__go_evidence(j, "no module data point at the function table");
	if (go->rivals && j->verdict < GO_UNKNOWN)
		return decide(j, GO_UNKNOWN, "%u more function tables that cannot be told apart",
			      go->rivals);
	return 0;
}

void weft__go_take_runtime(struct go_judgement *j, const struct go_judgement *library,
			   const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	weft__go_evidence(j, "its runtime is %s: %s", path, library->reason);
	if (library->verdict >= GO_DORMANT && j->callers)
		decide(j, GO_AFFECTED, "old order in its runtime %.40s, and it calls %s", name,
		       j->rule->trigger);
	else if (library->exported_alone)
		decide(j, GO_DORMANT, "old order in its runtime %.40s, but it does not call %s",
		       name, j->rule->trigger);
	else
		decide(j, library->verdict, "its runtime is %.40s: %s", name, library->reason);
}
