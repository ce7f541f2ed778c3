/* SPDX-License-Identifier: MIT */
/* seccomp.c: see seccomp.h. */
#include "cli/shield/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/attr.h"

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif
#define MAP_KIND 0x0f /* MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE, MAP_DROPPABLE */

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#endif

bool weft__shield_seccomp_useful(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_DROPPABLE | MAP_ANONYMOUS, -1, 0);

	if (p != MAP_FAILED)
		munmap(p, page);
	return p != MAP_FAILED || (errno != EINVAL && errno != EOPNOTSUPP);
}

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define UNLESS_EQUAL_SKIP(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (skip))
#define GIVE(action) BPF_STMT(BPF_RET | BPF_K, (action))

static int install(void)
{
#ifdef NATIVE_ARCH
	struct sock_filter code[] = {
		LOAD(arch),
		UNLESS_EQUAL_SKIP(NATIVE_ARCH, 7), /* 32-bit programs: no vDSO getrandom there */
		LOAD(nr),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K,
			 ~0x40000000u), /* x32 has the same numbers with this bit */
		UNLESS_EQUAL_SKIP(SYS_mmap, 4),
		LOAD(args[3]), /* the low half: both processors are little-endian */
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, MAP_KIND),
		UNLESS_EQUAL_SKIP(MAP_DROPPABLE, 1),
		GIVE(SECCOMP_RET_ERRNO | EOPNOTSUPP),
		GIVE(SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {array_len(code), code};

	/*
	 * The filter keeps nothing secret: it needs none of the slow mitigations that kernels used
	 * to tie to seccomp.
	 */
	if (!syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &filter))
		return 0;
	return -errno;
#else
	return -ENOTSUP;
#endif
}

int weft__shield_seccomp_install(bool no_new_privs)
{
	int error = install();

	if (error != -EACCES || !no_new_privs)
		return error;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return install();
}
