/* SPDX-License-Identifier: MIT */
/*
 * dead.c: a core file and its binary, put together again.
 *
 * Cores hold data, seldom code: bytes that the core does not have are read from the binary, once
 * its first page has proved to be the one that was mapped. Names come from Go's function table,
 * which strip leaves, else from symbol tables.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/proc/symbols.h"
#include "cli/proc/unwind.h"
#include "cli/shell/cli.h"
#include "cli/triage/module.h"
#include "cli/triage/triage.h"

enum { FIRST_PAGE = 4096 };

struct input {
	int fd;
	struct view view;
};

struct autopsy {
	struct memory memory; /* first: the unwinder reads through it */
	struct dead *dead;
	struct input core, binary;
	struct elf_image elf;
	struct go_image go;
	uint64_t entry, bias;
	struct symbolizer *names;
	struct module *libraries;
};

static int input_open(struct input *in, const char *path)
{
	struct stat st;

	in->fd = weft__open_regular(path, &st);
	if (in->fd < 0)
		return in->fd;
	int error = weft__view_init(&in->view);
	if (error) {
		close(in->fd);
		return error;
	}
	weft__view_file(&in->view, in->fd, 0, (uint64_t)st.st_size);
	return 0;
}

static void input_close(struct input *in)
{
	weft__view_close(&in->view);
	close(in->fd);
}

static _Noreturn void refuse_core(struct input *in, const char *path, int error)
{
	uint32_t magic = 0;

	weft__view_u32(&in->view, 0, &magic);
	if (magic == 0xfd2fb528 || magic == 0x184d2204)
		cli_die("%s is compressed: unpack it with `%s`, or let `coredumpctl dump` do it",
			path, magic == 0xfd2fb528 ? "zstd -d" : "lz4 -d");
	if (error == -ENOEXEC)
		cli_die("%s is not a core file", path);
	if (error == -ENOTSUP)
		cli_die("%s is the core of a processor that is not known here", path);
	cli_die("%s cannot be read as a core file: %s", path, strerror(-error));
}

/* The file whose mapping holds the entry point. */
static int is_binary(const struct core_file *f, void *arg)
{
	struct autopsy *a = arg;

	if (a->entry < f->start || a->entry >= f->end)
		return 0;
	snprintf(a->dead->binary, sizeof(a->dead->binary), "%s", f->path);
	return 1;
}

static void no_binary(struct dead *d, const char *reason)
{
	snprintf(d->no_binary, sizeof(d->no_binary), "%s", reason);
}

/*
 * Is the first page in memory that of the file? A core without it proves nothing, and is believed.
 */
static bool same_first_page(struct autopsy *a)
{
	unsigned char mapped[FIRST_PAGE];
	uint64_t vaddr;

	if (!weft__elf_vaddr(&a->elf, 0, &vaddr) || a->binary.view.size < FIRST_PAGE ||
	    !weft__core_read(&a->dead->core, vaddr + a->bias, mapped, sizeof(mapped)))
		return true;
	const unsigned char *p = weft__view_at(&a->binary.view, 0, sizeof(mapped));
	return p && !memcmp(p, mapped, sizeof(mapped));
}

static void read_binary(struct autopsy *a, const char *path)
{
	struct dead *d = a->dead;

	if (weft__elf_open(&a->elf, &a->binary.view) || a->elf.machine != d->core.machine) {
		no_binary(d, "it is no ELF file of that processor");
		return;
	}
	a->bias = a->entry - a->elf.entry;
	if (!same_first_page(a)) {
		no_binary(
			d,
			"it is not the file that crashed: its first page differs from the core's");
		return;
	}
	d->has_binary = true;
	d->is_go = weft__go_open(&a->go, &a->elf) == 0;
	if (d->is_go)
		snprintf(d->go_version, sizeof(d->go_version), "%s", a->go.version);
}

static struct module *library_at(const struct autopsy *a, uint64_t address)
{
	return weft__module_at(a->libraries, &a->dead->core, address);
}

static bool read_memory(const struct memory *m, uint64_t address, void *buf, size_t size)
{
	const struct autopsy *a = (const struct autopsy *)m;
	struct view *view = (struct view *)&a->binary.view;
	uint64_t offset;

	if (weft__core_read(&a->dead->core, address, buf, size))
		return true;
	if (!a->dead->has_binary || !weft__elf_offset(&a->elf, address - a->bias, size, &offset)) {
		struct module *library = library_at(a, address);
		return library && weft__module_read(library, address, buf, size);
	}
	const unsigned char *p = weft__view_at(view, offset, size);
	if (p)
		memcpy(buf, p, size);
	return p != NULL;
}

static int take_file(const struct core_file *f, void *arg)
{
	struct autopsy *a = arg;
	const char *known = a->dead->binary;
	bool is_program = f->start <= a->entry && a->entry < f->end;

	if (!is_program)
		weft__module_add(&a->libraries, f);
	/* The binary that was given stands for the path that the core names. */
	return weft__symbolizer_map(a->names, f->start, f->end, f->offset, f->path,
				    is_program && *known ? known : NULL);
}

/* The Go function that holds `pc`, in the program or in a library: where it is, and its table. */
static struct go_image *go_function(struct autopsy *a, uint64_t pc, struct go_function *f,
				    uint64_t *bias)
{
	if (a->dead->has_binary && a->dead->is_go && a->go.has_table &&
	    weft__go_function_at(&a->go, pc - a->bias, f)) {
		*bias = a->bias;
		return &a->go;
	}
	struct module *library = library_at(a, pc);
	if (!library || !weft__module_function(library, pc, f))
		return NULL;
	*bias = library->bias;
	return &library->go;
}

static uint64_t function_start(struct autopsy *a, uint64_t pc)
{
	struct go_function f;
	uint64_t bias;

	return go_function(a, pc, &f, &bias) ? f.entry + bias
					     : weft__symbolizer_start(a->names, pc);
}

/* Code of a file that could be read and is not Go's is told apart without a name. */
static bool is_foreign(struct autopsy *a, uint64_t pc)
{
	struct module *library = library_at(a, pc);

	return library && library->usable && !library->is_go;
}

static void name_frame(struct autopsy *a, struct dead_frame *frame, uint64_t pc)
{
	struct go_function f;
	uint64_t bias;
	struct go_image *go = go_function(a, pc, &f, &bias);

	frame->told = go && weft__go_function_name(go, &f, frame->name, sizeof(frame->name));
	if (frame->told)
		return;
	weft__symbolizer_name(a->names, pc, frame->name, sizeof(frame->name));
	frame->told = weft__symbolizer_start(a->names, pc) || is_foreign(a, pc);
}

/* It died in a library of Go's: which one. */
static void name_library(struct autopsy *a, uint64_t pc)
{
	struct module *library = library_at(a, pc);
	struct dead *d = a->dead;

	if (!library || !library->is_go)
		return;
	snprintf(d->library, sizeof(d->library), "%s", library->path);
	snprintf(d->library_version, sizeof(d->library_version), "%s", library->go.version);
}

static void unwind(struct autopsy *a)
{
	const struct core *c = &a->dead->core;
	struct unwind_start at = {c->machine, c->pc, c->sp, c->fp, c->link, 0};
	uint64_t pcs[DEAD_FRAMES];

	if (!c->has_registers)
		return;
	at.function = function_start(a, c->pc);
	name_library(a, c->pc);
	a->dead->frame_count = weft__watch_unwind(&a->memory, &at, pcs, DEAD_FRAMES);
	for (unsigned i = 0; i < a->dead->frame_count; i++) {
		a->dead->frames[i].pc = pcs[i];
		name_frame(a, &a->dead->frames[i], pcs[i] - (i > 0));
	}
}

static void open_binary(struct autopsy *a, const char *given)
{
	struct dead *d = a->dead;

	weft__core_each_file(&d->core, is_binary, a);
	if (given)
		snprintf(d->binary, sizeof(d->binary), "%s", given);
	if (!d->binary[0]) {
		no_binary(d, "the core does not name it: give it as the second argument");
		return;
	}
	int error = input_open(&a->binary, d->binary);
	if (error)
		no_binary(d, strerror(-error));
	else
		read_binary(a, d->binary);
}

void weft__dead_read(struct dead *d, const char *core_path, const char *binary_path)
{
	struct autopsy a = {
		.memory = {read_memory}, .dead = d, .binary = {.fd = -1}, .core = {.fd = -1}};

	*d = (struct dead){.frame_count = 0};
	int error = input_open(&a.core, core_path);
	if (error)
		cli_die("%s: %s", core_path, strerror(-error));
	error = weft__core_open(&d->core, &a.core.view);
	if (error)
		refuse_core(&a.core, core_path, error);
	a.entry = weft__core_auxiliary(&d->core, AT_ENTRY);
	open_binary(&a, binary_path);
	a.names = weft__symbolizer_new();
	if (a.names)
		weft__core_each_file(&d->core, take_file, &a);
	unwind(&a);
	weft__symbolizer_free(a.names);
	weft__modules_free(a.libraries);
	if (a.binary.fd >= 0)
		input_close(&a.binary);
	weft__core_close(&d->core);
	input_close(&a.core);
}
