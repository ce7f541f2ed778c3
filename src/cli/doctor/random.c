/* SPDX-License-Identifier: MIT */
/*
 * random.c: the vDSO's getrandom, whether libc's own getrandom uses it, and how fast each is.
 *
 * Whether libc enters the kernel is tried, not derived from its version: a child takes the system
 * call away from itself by a seccomp filter and sees whether getrandom() still works.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sys.h"
#include "base/time.h"
#include "cli/doctor/doctor.h"
#include "random/vdso.h"
#include "weft/random.h"

enum { DRAW = 4 }; /* bytes: the size whose cost is all overhead */

static void vdso(struct doctor *d)
{
	struct weft_random_info info = {.size = sizeof(info)};
	weft_random_info(&info);
	doctor_fact(d, "vdso", "image", json_boolean(getauxval(AT_SYSINFO_EHDR)), CLI_PLAIN, "%s",
		    getauxval(AT_SYSINFO_EHDR)
			    ? "yes"
			    : "no: the kernel, a tracer or an emulator hides it");
	if (!info.vdso) {
		doctor_fact(d, "vdso", "getrandom", json_false(), CLI_PLAIN, "no: %s",
			    info.why_not);
		return;
	}
	unsigned per_page = weft__vdso_per_page();
	doctor_fact(d, "vdso", "getrandom", json_true(), CLI_GOOD, "yes");
	doctor_fact(d, "vdso", "state_size", json_integer((json_int_t)info.state_size), CLI_PLAIN,
		    "%zu bytes", info.state_size);
	doctor_fact(d, "vdso", "states_per_page", json_integer(per_page), CLI_PLAIN, "%u",
		    per_page);
	doctor_fact(d, "vdso", "map_flags", json_integer(weft__vdso.map_flags), CLI_PLAIN, "%#x%s",
		    (unsigned)weft__vdso.map_flags,
		    weft__vdso.map_flags & 8 ? ": pages that the kernel may drop" : "");
}

/* From now on getrandom fails with ENOSYS in this process. */
static int take_system_call_away(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getrandom, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = array_len(code), .filter = code};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return -errno;
	char byte;
	return sys_getrandom(&byte, 1, 0) == -ENOSYS ? 0 : -EPERM;
}

enum libc_answer { LIBC_VDSO, LIBC_SYSTEM_CALL, LIBC_UNKNOWN };

static enum libc_answer ask_libc(void)
{
	int status;
	pid_t child = fork();
	if (child == 0) {
		char byte;
		/* The first call lets libc map its state, which takes system calls of its own. */
		if (getrandom(&byte, 1, 0) != 1 || take_system_call_away())
			_exit(LIBC_UNKNOWN);
		_exit(getrandom(&byte, 1, 0) == 1 ? LIBC_VDSO : LIBC_SYSTEM_CALL);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return LIBC_UNKNOWN;
	return (enum libc_answer)WEXITSTATUS(status);
}

static void libc(struct doctor *d)
{
	char name[64] = "";
#ifdef _CS_GNU_LIBC_VERSION
	if (!confstr(_CS_GNU_LIBC_VERSION, name, sizeof(name)))
		name[0] = 0;
#endif
	doctor_fact(d, "libc", "name", name[0] ? cli_json_text(name) : json_null(), CLI_PLAIN, "%s",
		    name[0] ? name : "not glibc");
	switch (ask_libc()) {
	case LIBC_VDSO:
		doctor_fact(d, "libc", "getrandom_uses_vdso", json_true(), CLI_GOOD, "yes");
		break;
	case LIBC_SYSTEM_CALL:
		doctor_fact(d, "libc", "getrandom_uses_vdso", json_false(), CLI_PLAIN,
			    "no: each call enters the kernel");
		break;
	case LIBC_UNKNOWN:
		doctor_fact(d, "libc", "getrandom_uses_vdso", json_null(), CLI_DIM,
			    "unknown: no seccomp filter could be installed to find out");
		break;
	}
}

static void draw_weft(void)
{
	char buf[DRAW];
	weft_getrandom(buf, DRAW, 0);
}

static void draw_libc(void)
{
	char buf[DRAW];
	if (getrandom(buf, DRAW, 0) != DRAW)
		cli_die("libc's getrandom fails here");
}

static void draw_system_call(void)
{
	char buf[DRAW];
	sys_getrandom(buf, DRAW, 0);
}

/* Nanoseconds for one call: the best of five rounds of five milliseconds. */
static double cost(void (*draw)(void))
{
	double best = 1e9;
	draw();
	for (int round = 0; round < 5; round++) {
		int64_t start = weft__clock(), now;
		unsigned calls = 0;
		do {
			for (int i = 0; i < 100; i++)
				draw();
			calls += 100;
			now = weft__clock();
		} while (now - start < MS(5));
		best = min_of(best, (double)(now - start) / calls);
	}
	return best;
}

static void speed(struct doctor *d)
{
	double weft = cost(draw_weft), kernel = cost(draw_system_call), own = cost(draw_libc);
	doctor_fact(d, "speed", "weft_ns", json_real(weft), CLI_PLAIN,
		    "%.0f ns for %d bytes, %.1f x the system call", weft, DRAW, kernel / weft);
	doctor_fact(d, "speed", "libc_ns", json_real(own), CLI_PLAIN, "%.0f ns", own);
	doctor_fact(d, "speed", "system_call_ns", json_real(kernel), CLI_PLAIN, "%.0f ns", kernel);
}

void doctor_random(struct doctor *d)
{
	vdso(d);
	libc(d);
	speed(d);
}
