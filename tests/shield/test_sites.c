/* SPDX-License-Identifier: MIT */
/*
 * test_sites.c -- PLACE...: the branches that `weft shield --pid` would change in these programs,
 * and that the changed branch goes where the compiled one went, by a decoder of its own.
 *
 * Every program below the places is tried, of any processor: those of a processor whose code is not
 * known are refused, with that reason.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../kit.h"
#include "base/attr.h"
#include "cli/shield/sites.h"

static unsigned found_amd64, found_arm64, refused;

/* Where a conditional or unconditional branch at `at` goes; 0: no branch. */
static uint64_t amd64_target(const unsigned char *p, uint64_t at)
{
	int32_t distance;

	if (p[0] == 0x74 || p[0] == 0xeb) /* je rel8, jmp rel8 */
		return at + 2 + (uint64_t)(int8_t)p[1];
	memcpy(&distance, p + 2, sizeof(distance));
	if ((p[0] == 0x0f && p[1] == 0x84) ||
	    (p[0] == 0x90 && p[1] == 0xe9)) /* je rel32; nop, jmp rel32 */
		return at + 6 + (uint64_t)distance;
	return 0;
}

static uint64_t arm64_target(const unsigned char *p, uint64_t at)
{
	uint32_t code;

	memcpy(&code, p, sizeof(code));
	if (code >> 24 == 0xb4) /* cbz x, imm19 */
		return at + (uint64_t)((int64_t)((uint64_t)code << 40) >> 45) * 4;
	if (code >> 26 == 0x05) /* b imm26 */
		return at + (uint64_t)((int64_t)((uint64_t)code << 38) >> 38) * 4;
	return 0;
}

static bool is_unconditional(unsigned machine, const unsigned char *p)
{
	return machine == EM_AARCH64 ? p[3] >> 2 == 0x05
				     : p[0] == 0xeb || (p[0] == 0x90 && p[1] == 0xe9);
}

static void check_site(struct elf_image *elf, const struct shield_site *site)
{
	uint64_t (*target)(const unsigned char *, uint64_t) =
		elf->machine == EM_AARCH64 ? arm64_target : amd64_target;
	unsigned char old[8], new[8];
	uint64_t offset;

	expect(weft__elf_offset(elf, site->address, sizeof(old), &offset));
	const unsigned char *p = weft__view_at(elf->view, offset, sizeof(old));
	expect(p && !memcmp(p, site->old, site->length));
	memcpy(old, p, sizeof(old));
	memcpy(new, old, sizeof(new));
	memcpy(new, site->new, site->length);
	expect(target(old, site->address) > site->address);
	expect(target(old, site->address) == target(new, site->address));
	expect(!is_unconditional(elf->machine, old) && is_unconditional(elf->machine, new));
}

static void check_reason(int error, const char *why)
{
	expect(!error == !why);
	if (error != -ENOTSUP)
		return;
	expect(!strcmp(why, "its processor's code is not known here"));
	refused++;
}

static void check_program(struct view *view)
{
	struct shield_site sites[SHIELD_SITES];
	struct elf_image elf;
	struct go_image go;
	const char *why;

	if (weft__elf_open(&elf, view) || weft__go_open(&go, &elf))
		return;
	/* The second is left out of a program that draws nothing. */
	bool old = weft__go_has_name(&go, "runtime.vgetrandomPutState", NULL) &&
		   weft__go_has_name(&go, "runtime.vgetrandom", NULL);
	bool known = elf.machine == EM_X86_64 || elf.machine == EM_AARCH64;
	int error = weft__shield_sites(&go, sites, &why);
	expect(error == (!old ? -ENOENT : known ? 0 : -ENOTSUP));
	check_reason(error, why);
	for (unsigned i = 0; !error && i < SHIELD_SITES; i++)
		check_site(&elf, &sites[i]);
	if (!error && elf.machine == EM_AARCH64)
		found_arm64++;
	else if (!error)
		found_amd64++;
}

static int check_file(const char *path, const struct stat *st, int type, struct FTW *where)
{
	struct view view;

	if (type != FTW_F || weft__view_init(&view))
		return 0;
	kit_doing("%s", path);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		weft__view_file(&view, fd, 0, (uint64_t)st->st_size);
		check_program(&view);
		close(fd);
	}
	weft__view_close(&view);
	return 0;
}

TEST("the code that would be changed is known and goes where it went")
{
	for (char **place = kit_arguments; *place; place++)
		nftw(*place, check_file, 8, FTW_PHYS);
	printf("can be changed as they run: %u programs of amd64, %u of arm64; cannot: %u others\n",
	       found_amd64, found_arm64, refused);
	expect_gt(found_amd64 + found_arm64, 0);
}
