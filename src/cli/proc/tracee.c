/* SPDX-License-Identifier: MIT */
/* tracee.c: see tracee.h. Nothing here stops or resumes a thread. */
#include "cli/proc/tracee.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "base/attr.h"
#include "cli/proc/unwind.h"

int weft__tracee_read(pid_t pid, uint64_t address, void *buf, size_t len)
{
	struct iovec here = {buf, len}, there = {(void *)(uintptr_t)address, len};
	ssize_t n = process_vm_readv(pid, &here, 1, &there, 1, 0);

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EFAULT;
}

/*
 * PTRACE_POKEDATA writes where even the owner may not, and keeps doing so where /proc/PID/mem is
 * locked down.
 */
int weft__tracee_write(pid_t thread, uint64_t address, const void *bytes, size_t len)
{
	const unsigned char *from = bytes;

	while (len) {
		unsigned skip = address % sizeof(long);
		size_t n = min_of(len, sizeof(long) - skip);
		void *at = (void *)(uintptr_t)(address - skip);
		errno = 0;
		long word = ptrace(PTRACE_PEEKDATA, thread, at, NULL);
		if (errno)
			return -errno;
		memcpy((char *)&word + skip, from, n);
		if (ptrace(PTRACE_POKEDATA, thread, at, (void *)word))
			return -errno;
		address += n;
		from += n;
		len -= n;
	}
	return 0;
}

int weft__tracee_registers(pid_t thread, struct unwind_start *at)
{
	struct user_regs_struct regs;
	struct iovec iov = {&regs, sizeof(regs)};

	if (ptrace(PTRACE_GETREGSET, thread, (void *)NT_PRSTATUS, &iov))
		return -errno;
#if defined(__x86_64__)
	*at = (struct unwind_start){EM_X86_64, regs.rip, regs.rsp, regs.rbp, 0, 0};
#elif defined(__aarch64__)
	*at = (struct unwind_start){EM_AARCH64, regs.pc, regs.sp, regs.regs[29], regs.regs[30], 0};
#else
	return -ENOTSUP;
#endif
	return 0;
}

int weft__tracee_mappings(pid_t pid, int (*each)(const struct tracee_mapping *m, void *arg),
			  void *arg)
{
	char name[64], *line = NULL;
	size_t size = 0;
	int result = 0;

	snprintf(name, sizeof(name), "/proc/%d/maps", pid);
	FILE *maps = fopen(name, "re");
	if (!maps)
		return -errno;
	while (!result && getline(&line, &size, maps) > 0) {
		struct tracee_mapping m = {0};
		unsigned major, minor;
		char permissions[8];
		int path = 0;
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %x:%x %" SCNu64 " %n",
			   &m.start, &m.end, permissions, &m.offset, &major, &minor, &m.inode,
			   &path) < 7 ||
		    !path)
			continue;
		m.device = makedev(major, minor);
		m.executable = strchr(permissions, 'x');
		m.path = line + path;
		result = each(&m, arg);
	}
	free(line);
	fclose(maps);
	return result;
}

int64_t weft__tracee_status(pid_t pid, const char *name, int base)
{
	char path[64], line[256];
	size_t length = strlen(name);
	int64_t value = -ENOENT;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	FILE *status = fopen(path, "re");
	if (!status)
		return -errno;
	while (value == -ENOENT && fgets(line, sizeof(line), status)) {
		if (!strncmp(line, name, length) && line[length] == ':')
			value = (int64_t)strtoull(line + length + 1, NULL, base);
	}
	fclose(status);
	return value;
}
