/* SPDX-License-Identifier: MIT */
/*
 * absent.c: no core file. What the silence says, and where this machine would put the next core.
 */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "cli/shell/cli.h"
#include "cli/triage/triage.h"

static const char silence[] =
	"The crash of Go 1.24.0 to 1.24.2 at the end of a locked thread leaves no words behind:\n\n"
	"  - no Go traceback, because the dying thread has blocked all signals: the kernel cannot "
	"run\n"
	"    the handler that would print one;\n"
	"  - no \"segfault at\" line of the kernel, because a handler is installed;\n"
	"  - what is left: \"Segmentation fault\", exit status 139 of a container, "
	"`status=11/SEGV` of a\n"
	"    service, an end of file (EOF) or 137 at its clients, or a silent restart.\n\n"
	"So: a Go program that died of SIGSEGV without a traceback and without a kernel line is "
	"suspect;\n"
	"one that printed a traceback died of something else. `weft scan` on its binary says "
	"whether it\n"
	"has the bug, `weft doctor` whether this host can trigger it. A core file proves it:\n\n";

static const char ways[] =
	"To get one from the next crash:\n"
	"  service      LimitCORE=infinity in its [Service] section (systemctl edit UNIT)\n"
	"  shell        ulimit -c unlimited\n"
	"  docker       docker run --ulimit core=-1 ...; daemon.json: \"default-ulimits\"\n"
	"  containerd, CRI-O, Kubernetes\n"
	"               the runtime's own unit needs LimitCORE=infinity; a container inherits it. "
	"The pattern\n"
	"               in /proc/sys/kernel/core_pattern is the host's: a plain path is looked up "
	"inside the\n"
	"               container's file system, a pipe runs on the host\n"
	"  Go           nothing is needed: GOTRACEBACK=crash does not matter for this one\n\n"
	"Then: weft triage CORE [BINARY]\n";

static void print_pattern(void)
{
	char pattern[512] = "";
	FILE *f = fopen("/proc/sys/kernel/core_pattern", "re");

	if (!f || !fgets(pattern, sizeof(pattern), f))
		snprintf(pattern, sizeof(pattern), "?");
	if (f)
		fclose(f);
	pattern[strcspn(pattern, "\n")] = '\0';
	char *clean = cli_clean(pattern);
	printf("On this machine cores go to: %s\n", clean);
	if (strstr(pattern, "systemd-coredump"))
		printf("  kept by systemd: `coredumpctl list`, then `coredumpctl dump PID "
		       "--output=core`\n");
	else if (strstr(pattern, "apport"))
		printf("  kept by apport: /var/crash, `apport-unpack REPORT DIR`, then "
		       "DIR/CoreDump\n");
	else if (pattern[0] == '|')
		printf("  a program takes them: see its own documentation\n");
	else if (pattern[0] != '/')
		printf("  a file in the crashed program's working directory\n");
	free(clean);
}

static void print_limit(void)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_CORE, &limit) && limit.rlim_cur == 0)
		printf("  this shell's limit is 0: no core file (`ulimit -c`)\n");
	printf("\n");
}

void weft__triage_without_core(void)
{
	fputs(silence, stdout);
	print_pattern();
	print_limit();
	fputs(ways, stdout);
}
