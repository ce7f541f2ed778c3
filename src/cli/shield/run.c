/* SPDX-License-Identifier: MIT */
/*
 * run.c: `weft shield -- COMMAND`: shield this process, then become the command.
 *
 * It fails closed: a command that cannot be shielded is not run, and the reason is printed, unless
 * --fail-open.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cli/proc/tracee.h"
#include "cli/shell/cli.h"
#include "cli/shield/seccomp.h"
#include "cli/shield/shield.h"
#include "cli/shield/trace.h"
#include "cli/shield/vdso.h"

enum { CAPABILITY_SYS_PTRACE = 19, CAPABILITY_SYS_ADMIN = 21 };

static bool has_capability(unsigned number)
{
	int64_t effective = weft__tracee_status(getpid(), "CapEff", 16);

	return effective < 0 ? geteuid() == 0 : effective >> number & 1;
}

/* The file that execvp would run; false when there is none. */
static bool find_program(const char *name, char path[PATH_MAX])
{
	const char *next = getenv("PATH");

	if (strchr(name, '/') || !next) {
		snprintf(path, PATH_MAX, "%s", name);
		return access(path, X_OK) == 0;
	}
	while (*next) {
		size_t length = strcspn(next, ":");
		snprintf(path, PATH_MAX, "%.*s%s%s", (int)length, next, length ? "/" : "", name);
		if (!access(path, X_OK))
			return true;
		next += length + (next[length] == ':');
	}
	return false;
}

/* Would the command gain privileges by being run? */
static bool gains_privileges(const char *command)
{
	char path[PATH_MAX];
	struct stat st;

	if (!find_program(command, path) || stat(path, &st))
		return false; /* exec will say why */
	return st.st_mode & S_ISUID || (st.st_mode & S_ISGID && st.st_mode & S_IXGRP) ||
	       getxattr(path, "security.capability", NULL, 0) > 0;
}

/* May it be executed and not read? The kernel then lets no tracer into its memory. */
static bool is_unreadable(const char *command)
{
	char path[PATH_MAX];

	return find_program(command, path) && access(path, R_OK);
}

/* What stands in the way of a tracer, in words; the caller frees. */
static char *why_not_traced(int error)
{
	int64_t tracer = weft__tracee_status(getpid(), "TracerPid", 10);
	char yama = '0';

	if (tracer > 0)
		return cli_format("process %d traces this one already, and only one can",
				  (int)tracer);
	FILE *scope = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	if (scope && fread(&yama, 1, 1, scope) != 1)
		yama = '0';
	if (scope)
		fclose(scope);
	if (yama > '0')
		return cli_format("kernel.yama.ptrace_scope is %c", yama);
	if (weft__tracee_status(getpid(), "Seccomp", 10) == 2)
		return cli_format("a seccomp filter is active and may deny ptrace (%s)",
				  strerror(-error));
	return cli_format("its helper could not trace it (%s)", strerror(-error));
}

/* NULL: shielded at the next exec; otherwise the reason why not, which the caller frees. */
static char *shield_by_ptrace(const struct shield_options *options, const char *command)
{
	struct shield_trace trace = {options->follow, options->fail_open};
	int state = weft__shield_vdso_state(getpid());

	if (state < 0)
		return cli_format("its own mappings cannot be read in /proc (%s)",
				  strerror(-state));
	if (state == SHIELD_VDSO_ABSENT)
		return NULL; /* nothing that could crash on this machine */
	/* Changed, and traced: an outer `weft shield --follow` will do the same to the command. */
	if (state == SHIELD_VDSO_HIDDEN && weft__tracee_status(getpid(), "TracerPid", 10) > 0)
		return NULL;
	if (gains_privileges(command) && !has_capability(CAPABILITY_SYS_PTRACE))
		return cli_format("'%s' runs with other privileges, and a traced exec would lose "
				  "them without CAP_SYS_PTRACE",
				  command);
	if (is_unreadable(command) && !has_capability(CAPABILITY_SYS_PTRACE))
		return cli_format("'%s' may be executed and not read, and the memory of such a "
				  "process cannot be changed without CAP_SYS_PTRACE",
				  command);
	int error = weft__shield_trace_start(&trace);
	return error ? why_not_traced(error) : NULL;
}

static char *shield_by_seccomp(const char *command)
{
	bool admin = has_capability(CAPABILITY_SYS_ADMIN);

	if (!weft__shield_seccomp_useful())
		return NULL;
	if (!admin && gains_privileges(command))
		return cli_format("'%s' runs with other privileges, and no_new_privs would lose "
				  "them",
				  command);
	int error = weft__shield_seccomp_install(!admin);
	return error ? cli_format("the seccomp filter is refused: %s", strerror(-error)) : NULL;
}

/*
 * What to try instead: the other method, unless that will refuse the command for the same reason.
 */
static const char *other_way(const struct shield_options *options, const char *command)
{
	unsigned needed = options->seccomp ? CAPABILITY_SYS_PTRACE : CAPABILITY_SYS_ADMIN;

	if (gains_privileges(command) && !has_capability(needed))
		return "as root it keeps its privileges under a shield, and `weft patch` needs "
		       "none";
	return options->seccomp ? "--method=ptrace may do" : "--method=seccomp may do";
}

int weft__shield_run(const struct shield_options *options, char **command)
{
	char *reason = options->seccomp ? shield_by_seccomp(command[0])
					: shield_by_ptrace(options, command[0]);

	if (reason && !options->fail_open)
		cli_die("not run: %s; %s, --fail-open runs it unshielded", reason,
			other_way(options, command[0]));
	if (reason)
		cli_error("runs unshielded: %s", reason);
	free(reason);
	execvp(command[0], command);
	int error = errno;
	cli_error("%s: %s", command[0], strerror(error));
	return error == ENOENT ? 127 : 126;
}
