/* SPDX-License-Identifier: MIT */
/*
 * host.c: what the machine is like: does its vDSO export getrandom?
 *
 * Looked at in our own vDSO, never inferred from the kernel's version: distributions backport, and
 * a shield hides it.
 */
#include <string.h>
#include <sys/auxv.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cpus.h"
#include "cli/scan/process.h"

#define VDSO_MAX (64u << 10) /* more than any vDSO has */
#define STATE_SIZE 192u	     /* a state, rounded up to cache lines, as Go keeps it */
#define LEAST_PAGE 4096u     /* no processor has smaller pages */

/* The size of our vDSO's image: from its first byte to the end of the last loaded one. */
static size_t image_size(const void *base)
{
	struct view head;
	struct elf_image elf;
	uint64_t end = 0;
	/* One page is always mapped; the program headers lie in it. */
	weft__view_memory(&head, base, LEAST_PAGE);
	if (weft__elf_open(&elf, &head))
		return 0;
	for (unsigned i = 0; i < elf.segment_count; i++)
		end = max_of(end, elf.segments[i].vaddr + elf.segments[i].memory_size);
	return min_of((size_t)end, (size_t)VDSO_MAX);
}

enum scan_answer weft__scan_vdso_view(struct view *view)
{
	struct elf_image elf;
	struct elf_symbol symbol;
	if (weft__elf_open(&elf, view))
		return SCAN_NOT_KNOWN;
	const char *name = weft__go_vdso_symbol(&elf);
	if (!name)
		return SCAN_NO;
	return weft__elf_dynamic_symbol(&elf, name, &symbol) == 0 ? SCAN_YES : SCAN_NO;
}

static enum scan_answer own_vdso(void)
{
	const void *base = (const void *)getauxval(AT_SYSINFO_EHDR);
	struct view view;
	size_t size = base ? image_size(base) : 0;
	if (!size)
		return SCAN_NO;
	weft__view_memory(&view, base, size);
	return weft__scan_vdso_view(&view);
}

/* Go maps the first batch for as many states as CPUs, and no state straddles two pages. */
unsigned weft__scan_page_limit(unsigned cpus, unsigned page_size)
{
	return (cpus * STATE_SIZE + page_size - 1) / page_size;
}

void weft__scan_host_read(struct scan_host *host)
{
	struct utsname names;
	memset(host, 0, sizeof(*host));
	if (uname(&names) == 0) {
		snprintf(host->kernel, sizeof(host->kernel), "%s", names.release);
		snprintf(host->machine, sizeof(host->machine), "%s", names.machine);
	}
	int cpus = weft__cpu_count(0);
	host->cpus = (unsigned)max_of(cpus, 0);
	host->page_limit = weft__scan_page_limit(host->cpus, (unsigned)sysconf(_SC_PAGESIZE));
	host->vdso = own_vdso();
}
