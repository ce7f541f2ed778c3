/* SPDX-License-Identifier: MIT */
/*
 * notes.c: the notes that Linux and gdb write into core files.
 *
 * The layouts are those of `struct elf_prstatus`, `struct elf_prpsinfo` and `siginfo_t`, which both
 * processors share up to the registers. The kernel puts the thread that died first; a debugger's
 * core has no dead thread, or marks it by its signal.
 */
#include "cli/core/notes.h"

#include <elf.h>
#include <string.h>

#include "base/attr.h"

#define NT_SIGINFO_ 0x53494749
#define NT_FILE_ 0x46494c45

enum {
	STATUS_SIGNAL = 12, /* pr_cursig */
	STATUS_THREAD = 32, /* pr_pid */
	STATUS_REGISTERS = 112,
	PROCESS_COMMAND = 40,
	PROCESS_ARGUMENTS = 56,
	SIGINFO_CODE = 8,
	SIGINFO_ADDRESS = 16,
	AUXILIARY_PAIR = 16,
	FILE_HEADER = 16,
	FILE_ENTRY = 24,
	PATH_ROOM = 4096,
	AUXILIARY_MAX = 4096,
};

/* Where the registers that matter stand in pr_reg, counted in words. */
struct layout {
	unsigned pc, sp, fp, link;
};

static const struct layout x86_layout = {16, 19, 4, 0}, arm_layout = {32, 31, 29, 30};

static bool read_registers(struct core *core, uint64_t at)
{
	const struct layout *l = core->machine == EM_AARCH64 ? &arm_layout : &x86_layout;
	struct view *v = core->view;
	uint64_t link = 0, regs = at + STATUS_REGISTERS;

	if (!weft__view_u64(v, regs + l->pc * 8, &core->pc) ||
	    !weft__view_u64(v, regs + l->sp * 8, &core->sp) ||
	    !weft__view_u64(v, regs + l->fp * 8, &core->fp) ||
	    (l->link && !weft__view_u64(v, regs + l->link * 8, &link)))
		return false;
	core->link = link;
	return true;
}

static void take_status(struct core *core, uint64_t at)
{
	uint16_t signal;

	core->threads++;
	if (!weft__view_u16(core->view, at + STATUS_SIGNAL, &signal))
		return;
	if (core->has_registers && (core->signal || !signal))
		return;
	core->has_registers = read_registers(core, at);
	weft__view_u32(core->view, at + STATUS_THREAD, &core->thread);
	core->signal = signal;
}

static void take_process(struct core *core, uint64_t at)
{
	const unsigned char *p =
		weft__view_at(core->view, at, PROCESS_ARGUMENTS + sizeof(core->arguments) - 1);

	if (!p)
		return;
	memcpy(core->command, p + PROCESS_COMMAND, sizeof(core->command) - 1);
	memcpy(core->arguments, p + PROCESS_ARGUMENTS, sizeof(core->arguments) - 1);
	for (size_t n = strlen(core->arguments); n && core->arguments[n - 1] == ' '; n--)
		core->arguments[n - 1] = '\0';
}

static void take_siginfo(struct core *core, uint64_t at)
{
	uint32_t signal, code;

	if (core->has_address || !weft__view_u32(core->view, at, &signal) ||
	    !weft__view_u32(core->view, at + SIGINFO_CODE, &code))
		return;
	core->code = (int)code;
	/* Of a signal that a process sent (code <= 0), the same bytes hold the sender. */
	core->has_address =
		core->code > 0 && weft__view_u64(core->view, at + SIGINFO_ADDRESS, &core->address);
}

static void take_note(struct core *core, uint32_t type, uint64_t at, uint32_t size)
{
	struct core_range range = {at, size};

	if (type == NT_PRSTATUS)
		take_status(core, at);
	else if (type == NT_PRPSINFO)
		take_process(core, at);
	else if (type == NT_SIGINFO_)
		take_siginfo(core, at);
	else if (type == NT_FILE_)
		core->files = range;
	else if (type == NT_AUXV)
		core->auxiliary = range;
}

void weft__core_notes(struct core *core, uint64_t offset, uint64_t size)
{
	struct view *v = core->view;
	uint64_t end = view_has(v, offset, size) ? offset + size : v->size;

	for (unsigned i = 0; i < CORE_NOTES && offset < end; i++) {
		uint32_t name, length, type;
		if (!weft__view_u32(v, offset, &name) || !weft__view_u32(v, offset + 4, &length) ||
		    !weft__view_u32(v, offset + 8, &type))
			return;
		uint64_t at = offset + sizeof(Elf64_Nhdr) + round_up((uint64_t)name, 4);
		if (at > end || length > end - at)
			return;
		take_note(core, type, at, length);
		offset = at + round_up((uint64_t)length, 4);
	}
}

uint64_t weft__core_auxiliary(const struct core *core, uint64_t type)
{
	const struct core_range *r = &core->auxiliary;
	uint64_t key, value;

	for (uint64_t at = 0; at + AUXILIARY_PAIR <= r->size && at < AUXILIARY_MAX;
	     at += AUXILIARY_PAIR) {
		if (!weft__view_u64(core->view, r->offset + at, &key) ||
		    !weft__view_u64(core->view, r->offset + at + 8, &value))
			return 0;
		if (key == type)
			return value;
	}
	return 0;
}

/* One entry, its path at `name` of the view; false where the note is broken. */
static bool read_file(const struct core *core, uint64_t index, uint64_t page, uint64_t name,
		      struct core_file *f, char path[PATH_ROOM])
{
	const struct core_range *r = &core->files;
	uint64_t at = r->offset + FILE_HEADER + index * FILE_ENTRY, pages;

	if (name >= r->offset + r->size || !weft__view_u64(core->view, at, &f->start) ||
	    !weft__view_u64(core->view, at + 8, &f->end) ||
	    !weft__view_u64(core->view, at + 16, &pages) ||
	    !weft__view_string(core->view, name, path, PATH_ROOM))
		return false;
	f->path = path;
	return f->start < f->end && !__builtin_mul_overflow(pages, page, &f->offset);
}

int weft__core_each_file(const struct core *core,
			 int (*each)(const struct core_file *file, void *arg), void *arg)
{
	const struct core_range *r = &core->files;
	uint64_t count, page;
	char path[PATH_ROOM];
	int result = 0;

	if (r->size < FILE_HEADER || !weft__view_u64(core->view, r->offset, &count) ||
	    !weft__view_u64(core->view, r->offset + 8, &page))
		return 0;
	if (count > CORE_FILES || count > (r->size - FILE_HEADER) / FILE_ENTRY)
		return 0;
	uint64_t name = r->offset + FILE_HEADER + count * FILE_ENTRY;
	for (uint64_t i = 0; !result && i < count; i++) {
		struct core_file file;
		if (!read_file(core, i, page, name, &file, path))
			return 0;
		name += strlen(path) + 1;
		result = each(&file, arg);
	}
	return result;
}
