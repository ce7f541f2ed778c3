/* SPDX-License-Identifier: MIT */
/*
 * callers.c: which functions can reach the rule's trigger.
 *
 *   a direct call     told by the function that it stands in
 *   a function value  a word that holds its address: whoever gets that can call it
 *   inlined code      its body instead of a call; then there may be its name, and no function of it
 *   another file      it is exported (told apart: a library that nobody uses harms nobody), or its
 *                     address comes from the dynamic linker
 *
 * Only the first kind has a name, and so only a direct call can be known to be harmless.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/gobin/judge.h"
#include "cli/gobin/named.h"

/* Both of a function's calling conventions may have a dynamic symbol. */
enum { TRIGGER_SYMBOLS = 3 };
static const char *const conventions[TRIGGER_SYMBOLS] = {"", ".abiinternal", ".abi0"};

struct caller_search {
	struct go_image *go;
	struct go_judgement *j;
	struct go_named trigger;
	struct go_caller **tail;
	unsigned count;
	uint64_t exports[TRIGGER_SYMBOLS]; /* where the dynamic symbol table has its address */
};

static int caller_add(struct caller_search *s, const char *name)
{
	for (struct go_caller *c = s->j->callers; c; c = c->next)
		if (strcmp(c->name, name) == 0)
			return c->calls++, 0;
	if (s->count == GO_CALLERS_MAX)
		return s->j->callers_left_out++, 0;
	struct go_caller *c = calloc(1, sizeof(*c) + strlen(name) + 1);
	if (!c)
		return -ENOMEM;
	strcpy(c->name, name);
	c->calls = 1;
	c->harmless = weft__go_harmless(s->j->rule, name);
	*s->tail = c;
	s->tail = &c->next;
	s->count++;
	return 0;
}

static int caller_call(uint64_t site, uint64_t target, void *arg)
{
	struct caller_search *s = arg;
	struct go_function f;
	char name[GO_NAME_MAX];
	if (!go_named_enters(s->go, &s->trigger, target) || go_named_holds(&s->trigger, site))
		return 0;
	if (!weft__go_function_at(s->go, site, &f) ||
	    !weft__go_function_name(s->go, &f, name, sizeof(name)))
		strcpy(name, "(code without a name)");
	return caller_add(s, name);
}

static int caller_value(uint64_t where, void *arg)
{
	const struct caller_search *s = arg;
	for (unsigned i = 0; i < TRIGGER_SYMBOLS; i++)
		if (where == s->exports[i])
			return 0;
	return caller_add(arg, "(function value)");
}

static int caller_inlined(uint64_t where, void *arg)
{
	return caller_add(arg, "(inlined code)");
}

/* Every direct call in the text. */
static int find_calls(struct go_image *go, struct caller_search *s)
{
	struct go_function last;
	uint64_t end = go->table.text;
	if (weft__go_function_last(go, &last))
		end = last.end;
	return weft__go_each_call(go, go->table.text, end, caller_call, s);
}

/* Callers through the dynamic linker are not seen here: other files, when it is exported. */
static int find_linked(struct caller_search *s)
{
	struct elf_image *elf = s->go->elf;
	for (unsigned i = 0; i < TRIGGER_SYMBOLS; i++) {
		char name[GO_NAME_MAX];
		struct elf_symbol symbol;
		snprintf(name, sizeof(name), "%s%s", s->j->rule->trigger, conventions[i]);
		if (weft__elf_dynamic_symbol(elf, name, &symbol) == 0) {
			s->j->trigger_exported = true;
			weft__elf_vaddr(elf, symbol.entry_offset + symbol.value_at, &s->exports[i]);
		}
		int err = weft__elf_relocates(elf, name) ? caller_add(s, "(by the dynamic linker)")
							 : 0;
		if (err)
			return err;
	}
	return 0;
}

int weft__go_find_callers(struct go_image *go, struct go_judgement *j)
{
	struct caller_search s = {.go = go, .j = j, .tail = &j->callers};
	go_find_named(go, j->rule->trigger, &s.trigger);
	/* Only its name is left: every call was replaced by its body. */
	int err = s.trigger.count ? find_calls(go, &s) : caller_add(&s, "(inlined code)");
	if (!err)
		err = find_linked(&s);
	for (unsigned i = 0; i < s.trigger.count && !err; i++)
		err = weft__go_each_pointer(go, s.trigger.list[i].entry, caller_value, &s);
	for (unsigned i = 0; i < s.trigger.count && !err; i++)
		err = weft__go_each_inlined(go, &s.trigger.list[i], caller_inlined, &s);
	return err;
}

int weft__go_find_imports(struct go_image *go, struct go_judgement *j)
{
	struct caller_search s = {.go = go, .j = j, .tail = &j->callers};
	return find_linked(&s);
}
