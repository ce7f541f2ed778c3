/* SPDX-License-Identifier: MIT */
/*
 * sites.c: the known code, where it is in a file, and where in a process.
 *
 *   amd64, mexit        test rax, rax; JE over; nop; call PutState; mov rcx, [rsp+16];
 *                       mov [rcx+0x518], 0; over:
 *   amd64, vgetrandom   cmp [state size], 0; nop; JE unsupported; mov rdx, [r14+48];
 *                       cmp [rdx+0x518], 0; jne
 *   arm64, mexit        ldr x1, [x0, 1304]; CBZ x1, over; mov x0, x1; bl PutState;
 *                       ldr x1, [sp, 32]; str xzr, [x1, 1304]
 *   arm64, vgetrandom   adrp x27; ldr x5, [x27, state size]; CBZ x5, unsupported;
 *                       ldr x5, [x28, 48]; ldr x6, [x5, 1304]; cbnz
 *
 * The branch in capitals is the one that changes; its target stays.
 */
#include "cli/shield/sites.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "cli/proc/mapped.h"

struct known_code {
	uint16_t machine;
	const char *function;
	const char *bytes;     /* hexadecimal, "??" for what differs from program to program */
	unsigned change;       /* where the branch stands */
	const char *old, *new; /* the branch before and after */
	int call;	       /* where the call of PutState stands; -1: there is none */
};

static const struct known_code known[] = {
	{EM_X86_64, "runtime.mexit",
	 "48 85 c0 74 16 90 e8 ?? ?? ?? ?? 48 8b 4c 24 10 48 c7 81 18 05 00 00 00 00 00 00", 3,
	 "74", "eb", 6},
	{EM_X86_64, "runtime.vgetrandom",
	 "48 83 3d ?? ?? ?? ?? 00 90 0f 84 8a 00 00 00 49 8b 56 30 48 83 ba 18 05 00 00 00 75 49",
	 9, "0f 84", "90 e9", -1},
	{EM_AARCH64, "runtime.mexit",
	 "01 8c 42 f9 c1 00 00 b4 e0 03 01 aa ?? ?? ?? ?? e1 13 40 f9 3f 8c 02 f9 e0 03 01 aa", 4,
	 "c1 00 00 b4", "06 00 00 14", 12},
	{EM_AARCH64, "runtime.vgetrandom",
	 "?? ?? ?? ?? 65 ?? ?? f9 a5 04 00 b4 85 1b 40 f9 a6 8c 42 f9 66 02 00 b5", 8,
	 "a5 04 00 b4", "25 00 00 14", -1},
};

enum { CODE_MAX = 64, FUNCTION_MAX = 16 << 10 };

struct code {
	unsigned length;
	unsigned char bytes[CODE_MAX], mask[CODE_MAX];
};

static void read_code(const char *text, struct code *c)
{
	*c = (struct code){0};
	for (; *text; text += 2 + (text[2] == ' ')) {
		c->mask[c->length] = *text == '?' ? 0 : 0xff;
		c->bytes[c->length++] = (unsigned char)strtoul(text, NULL, 16);
	}
}

static bool code_at(const struct code *c, const unsigned char *p)
{
	for (unsigned i = 0; i < c->length; i++) {
		if ((p[i] & c->mask[i]) != c->bytes[i])
			return false;
	}
	return true;
}

struct call_check {
	uint64_t site, target;
};

static int is_call(uint64_t site, uint64_t target, void *arg)
{
	const struct call_check *wanted = arg;

	return site == wanted->site && target == wanted->target;
}

static bool calls_put_state(struct go_image *go, uint64_t site)
{
	struct go_function put;

	if (weft__go_functions_named(go, "runtime.vgetrandomPutState", &put, 1) != 1)
		return false;
	struct call_check wanted = {site, put.entry};
	return weft__go_each_call(go, site, site + 5, is_call, &wanted) == 1;
}

/* The address of the only place in the function that has the code; 0: none, or several. */
static uint64_t find_code(struct go_image *go, const struct go_function *f, const struct code *c)
{
	size_t length = min_of(f->end - f->entry, (uint64_t)FUNCTION_MAX);
	unsigned char bytes[FUNCTION_MAX];
	uint64_t offset, found = 0;

	if (!weft__elf_offset(go->elf, f->entry, length, &offset))
		return 0;
	const unsigned char *p = weft__view_at(go->elf->view, offset, length);
	if (!p)
		return 0;
	memcpy(bytes, p, length);
	for (size_t i = 0; i + c->length <= length; i++) {
		if (!code_at(c, bytes + i))
			continue;
		if (found)
			return 0;
		found = f->entry + i;
	}
	return found;
}

static int find_site(struct go_image *go, const struct known_code *k, struct shield_site *site)
{
	struct code code, old, new;
	struct go_function f;

	read_code(k->bytes, &code);
	read_code(k->old, &old);
	read_code(k->new, &new);
	if (weft__go_functions_named(go, k->function, &f, 1) != 1)
		return -ENOTSUP;
	uint64_t at = find_code(go, &f, &code);
	if (!at || (k->call >= 0 && !calls_put_state(go, at + (unsigned)k->call)))
		return -ENOTSUP;
	*site = (struct shield_site){k->function, at + k->change, old.length, {0}, {0}};
	memcpy(site->old, old.bytes, old.length);
	memcpy(site->new, new.bytes, new.length);
	return 0;
}

/* The linker leaves out what nothing calls, and then no thread of the program has a state. */
static bool never_draws(struct go_image *go)
{
	struct go_function f;

	return weft__go_functions_named(go, "runtime.mexit", &f, 1) == 1 &&
	       weft__go_functions_named(go, "runtime.vgetrandom", &f, 1) == 0;
}

int weft__shield_sites(struct go_image *go, struct shield_site sites[SHIELD_SITES],
		       const char **why)
{
	unsigned found = 0;

	if (!go->has_table) {
		*why = "its function table cannot be found: packed, or not Go";
		return -ENOTSUP;
	}
	if (!weft__go_has_name(go, "runtime.vgetrandomPutState", NULL)) {
		*why = "its Go runtime does not have the bug";
		return -ENOENT;
	}
	if (never_draws(go)) {
		*why = "nothing in it asks the vDSO for random bytes";
		return -ENOENT;
	}
	for (unsigned i = 0; i < array_len(known); i++) {
		if (known[i].machine != go->elf->machine)
			continue;
		if (found == SHIELD_SITES || find_site(go, &known[i], &sites[found++])) {
			*why = "its code is not that of Go 1.24.0, 1.24.1 or 1.24.2 as the Go "
			       "project's compiler made it";
			return -ENOTSUP;
		}
	}
	*why = found ? NULL : "its processor's code is not known here";
	return found ? 0 : -ENOTSUP;
}

/* A process that is being looked through, and the file of it that is at hand. */
struct finder {
	struct shield_places *places;
	unsigned go_files;
	struct view view;
	struct elf_image elf;
	struct go_image go;
};

static int fail(struct finder *f, const struct mapped_file *m, int error, const char *why)
{
	f->places->why = why;
	snprintf(f->places->file, sizeof(f->places->file), "%s", m->path);
	return error;
}

/* How far the process's addresses are from the file's. */
static bool mapping_bias(const struct elf_image *elf, const struct mapped_file *m, uint64_t *bias)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	for (unsigned i = 0; i < elf->segment_count; i++) {
		const struct elf_segment *s = &elf->segments[i];
		if (s->type != PT_LOAD || !(s->flags & PF_X) || (s->offset & -page) != m->offset)
			continue;
		*bias = m->start - (s->vaddr & -page);
		return true;
	}
	return false;
}

static int add_sites(struct finder *f, const struct mapped_file *m, uint64_t bias,
		     const struct shield_site sites[SHIELD_SITES])
{
	struct shield_places *p = f->places;
	struct shield_place *grown =
		reallocarray(p->list, p->count + SHIELD_SITES, sizeof(*p->list));

	if (!grown)
		return fail(f, m, -ENOMEM, "there is no memory");
	p->list = grown;
	for (unsigned i = 0; i < SHIELD_SITES; i++) {
		struct shield_place *place = &p->list[p->count];
		*place = (struct shield_place){sites[i], strdup(m->path)};
		place->site.address += bias;
		if (!place->file)
			return fail(f, m, -ENOMEM, "there is no memory");
		p->count++;
	}
	return 0;
}

static int look_into(struct finder *f, const struct mapped_file *m)
{
	struct shield_site sites[SHIELD_SITES];
	const char *why;
	uint64_t bias;
	int error = weft__elf_open(&f->elf, &f->view);

	if (error == -ENOEXEC)
		return 0;
	if (!error)
		error = weft__go_open(&f->go, &f->elf);
	if (error == -ENOENT && weft__elf_packed(&f->view))
		return fail(f, m, -ENOTSUP, "it is packed by UPX: nothing is seen on disk");
	if (error)
		return error == -ENOENT ? 0 : fail(f, m, error, "it cannot be read");
	f->go_files++;
	error = weft__shield_sites(&f->go, sites, &why);
	if (error)
		return error == -ENOENT ? 0 : fail(f, m, error, why);
	if (!mapping_bias(&f->elf, m, &bias))
		return fail(f, m, -ENOTSUP, "its code is not mapped as its file says");
	return add_sites(f, m, bias, sites);
}

static int take_file(const struct mapped_file *m, void *arg)
{
	struct finder *f = arg;
	struct stat st;

	if (m->fd < 0)
		return fail(f, m, m->fd, "it cannot be opened");
	if (fstat(m->fd, &st))
		return fail(f, m, -errno, "it cannot be read");
	weft__view_file(&f->view, m->fd, 0, (uint64_t)st.st_size);
	return look_into(f, m);
}

int weft__shield_find(pid_t pid, struct shield_places *places)
{
	struct finder *f = calloc(1, sizeof(*f));

	*places = (struct shield_places){.why = "there is no memory"};
	if (!f || weft__view_init(&f->view)) {
		free(f);
		return -ENOMEM;
	}
	f->places = places;
	places->why = NULL;
	int error = weft__mapped_each(pid, take_file, f);
	if (error && !places->why)
		places->why = "what it has mapped cannot be listed";
	if (!error && !places->count) {
		error = -ENOENT;
		places->why = f->go_files ? "no Go runtime in it has the bug"
					  : "it is not a Go program, and has no Go library";
	}
	weft__view_close(&f->view);
	free(f);
	return error;
}

void weft__shield_places_free(struct shield_places *places)
{
	for (unsigned i = 0; i < places->count; i++)
		free(places->list[i].file);
	free(places->list);
	*places = (struct shield_places){0};
}
