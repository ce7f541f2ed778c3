/* SPDX-License-Identifier: MIT */
/*
 * plan.c: which byte of a Go binary makes it safe.
 *
 * The runtime finds the vDSO's getrandom by a key: two hashes, and a pointer to a name. With
 * another last byte in the name the look-up fails, and the runtime always uses the system call.
 * Everything the key says must agree before a byte is named: one place with the hashes, a pointer
 * that leads to the very name (or to what we made of it).
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/gobin/judge.h"
#include "cli/patch/patch.h"

/* In no symbol of any vDSO, and in no identifier of C. */
#define MARK '!'

static void decide(struct patch_plan *plan, enum patch_state state, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void decide(struct patch_plan *plan, enum patch_state state, const char *format, ...)
{
	va_list args;

	plan->state = state;
	va_start(args, format);
	vsnprintf(plan->reason, sizeof(plan->reason), format, args);
	va_end(args);
}

/* Does the key's name differ from the symbol in the last byte only, and by our mark? */
static bool is_marked(struct elf_image *elf, const struct go_vdso_key *key, const char *symbol)
{
	size_t length = strlen(symbol);
	const unsigned char *p =
		key->pointed ? weft__view_at(elf->view, key->name_offset, length) : NULL;

	return p && !memcmp(p, symbol, length - 1) && p[length - 1] == MARK;
}

static void plan_key(struct elf_image *elf, struct patch_plan *plan)
{
	struct go_vdso_key key;
	int count = weft__go_vdso_keys(elf, &key, 1);

	plan->symbol = weft__go_vdso_symbol(elf);
	if (!plan->symbol)
		decide(plan, PATCH_NOT_NEEDED, "Go uses no vDSO getrandom on this processor");
	else if (count < 0)
		decide(plan, PATCH_REFUSED, "it cannot be read: %s", strerror(-count));
	else if (count != 1)
		decide(plan, PATCH_REFUSED, "the key of %s is there %d times, not once",
		       plan->symbol, count);
	else if (!key.intact && !is_marked(elf, &key, plan->symbol))
		decide(plan, PATCH_REFUSED, "the key of %s at %#llx does not point at that name",
		       plan->symbol, (unsigned long long)key.offset);
	else
		decide(plan, key.intact ? PATCH_NEEDED : PATCH_DONE, "%s", "");
	if (plan->state > PATCH_DONE)
		return;
	size_t length = strlen(plan->symbol);
	plan->offset = key.name_offset + length - 1;
	plan->old = (unsigned char)plan->symbol[length - 1];
	plan->new = MARK;
}

static void plan_go(struct go_image *go, bool force, struct patch_plan *plan)
{
	struct go_judgement j;
	int error = weft__go_judge(go, &go_rules[0], &j);

	if (error)
		decide(plan, PATCH_REFUSED, "it cannot be judged: %s", strerror(-error));
	else if (j.verdict == GO_NOT_AFFECTED)
		decide(plan, PATCH_NOT_NEEDED, "%s", j.reason);
	else if (j.verdict == GO_UNKNOWN && !force)
		decide(plan, PATCH_REFUSED, "%s (--force patches it if the key is there)",
		       j.reason);
	else
		plan_key(go->elf, plan);
	weft__go_judgement_free(&j);
}

static void plan_view(struct view *view, bool force, struct patch_plan *plan)
{
	struct elf_image elf;
	struct go_image go;
	int error = weft__elf_open(&elf, view);

	if (error) {
		decide(plan, PATCH_REFUSED, "not an ELF file that could run");
		return;
	}
	error = weft__go_open(&go, &elf);
	if (!error)
		plan_go(&go, force, plan);
	else if (error == -ENOENT && force)
		plan_key(&elf, plan);
	else if (error == -ENOENT)
		decide(plan, PATCH_REFUSED,
		       "no sign of Go in it (--force patches it if the key is there)");
	else
		decide(plan, PATCH_REFUSED, "it cannot be searched: %s", strerror(-error));
}

void weft__patch_plan(int fd, uint64_t size, bool force, struct patch_plan *plan)
{
	struct view view;
	int error = weft__view_init(&view);

	*plan = (struct patch_plan){0};
	if (error) {
		decide(plan, PATCH_REFUSED, "%s", strerror(-error));
		return;
	}
	weft__view_file(&view, fd, 0, size);
	plan_view(&view, force, plan);
	if (view.error)
		decide(plan, PATCH_REFUSED, "it cannot be read to its end: %s",
		       strerror(-view.error));
	weft__view_close(&view);
}
