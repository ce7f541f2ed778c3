/* SPDX-License-Identifier: MIT */
/*
 * kit_run.c: the runner: a process for each run of each test, and what came of it.
 *
 * The runner stays single-threaded and waits by sigtimedwait for SIGCHLD, which it blocks: no alarm
 * that a test could take away, no handler, no thread. A run that has ended stays a zombie until its
 * group has been killed, so the number cannot be another's by then.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kit_run.h"

enum { LAST_WORDS = 5 }; /* seconds for a run that is out of time to dump its tasks */

static struct {
	bool list, here;
	int nth; /* this run of each test alone; -1: all */
	unsigned repeat;
	int seconds;  /* for each run, whatever the test says; 0: what it says */
	char **names; /* parts of names; none: all tests */
	int name_count;
	const char *program;
} asked = {.nth = -1, .repeat = 1};

static struct {
	unsigned good, failed, skipped;
} total;

static sigset_t child_ended, before; /* SIGCHLD; the signal mask that runs get */

static long milliseconds(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- one run ---- */

static void run_body(const struct kit_test *test, int nth)
{
	if (test->around)
		test->around(test, nth);
	else
		test->body(nth);
	kit_report->ended = true;
}

static pid_t start(const struct kit_test *test, int nth)
{
	pid_t child;
	*kit_report = (struct kit_report){0};
	fflush(stdout);
	child = fork();
	if (child == 0) {
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sigprocmask(SIG_SETMASK, &before, NULL);
		run_body(test, nth);
		exit(EXIT_SUCCESS);
	}
	if (child > 0)
		setpgid(child, child); /* whichever of the two comes first */
	return child;
}

/* Returns true when the child has ended, false when its time is over. */
static bool await_end(pid_t child, int seconds)
{
	long end = milliseconds() + seconds * 1000l, left;
	siginfo_t info = {0};
	while (waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT | WNOHANG) == 0 &&
	       info.si_pid == 0) {
		if ((left = end - milliseconds()) <= 0)
			return false;
		struct timespec ts = {left / 1000, left % 1000 * 1000000};
		sigtimedwait(&child_ended, NULL, &ts);
	}
	return true;
}

/* What is wrong with how the run ended, into `text`; false: nothing. */
static bool ended_badly(const struct kit_test *test, int status, char *text, size_t room)
{
	int ends = WIFSIGNALED(status) ? DIES(WTERMSIG(status)) : EXITS(WEXITSTATUS(status));
	if (kit_report->failed)
		snprintf(text, room, "see above");
	else if (test->ends ? ends == test->ends && !kit_report->ended
			    : ends == EXITS(0) && kit_report->ended)
		return false;
	else if (WIFSIGNALED(status))
		snprintf(text, room, "signal %d: %s", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(text, room, "exit status %d %s the end of its body", WEXITSTATUS(status),
			 kit_report->ended ? "after" : "before");
	return true;
}

static void say_failed(const struct kit_test *test, int nth, const char *how)
{
	char seed[32] = "";
	if (kit_report->drew)
		snprintf(seed, sizeof(seed), " --seed %llu", (unsigned long long)kit_given_seed);
	printf("FAILED: %s: %s\n", test->name, how);
	if (kit_report->doing[0])
		printf("\twhile: %s\n", kit_report->doing);
	printf("\tat %s:%d; again: %s --nth %d%s '%s'\n", test->file, test->line, asked.program,
	       nth, seed, test->name);
}

static int seconds_for(const struct kit_test *test)
{
	if (asked.seconds)
		return asked.seconds;
	return test->seconds ? test->seconds : KIT_SECONDS;
}

static void judge(const struct kit_test *test, int nth, bool in_time, int status)
{
	char how[128];
	if (!in_time)
		snprintf(how, sizeof(how), "no end after %d seconds", seconds_for(test));
	if (WIFEXITED(status) && WEXITSTATUS(status) == KIT_SKIPPED && kit_report->skipped[0]) {
		printf("skipped: %s: %s\n", test->name, kit_report->skipped);
		total.skipped++;
	} else if (!in_time || ended_badly(test, status, how, sizeof(how))) {
		say_failed(test, nth, how);
		total.failed++;
	} else {
		total.good++;
	}
}

static void run_once(const struct kit_test *test, int nth)
{
	int status = 0;
	pid_t child = start(test, nth);
	if (child < 0) {
		printf("FAILED: %s: no process: %s\n", test->name, strerror(errno));
		total.failed++;
		return;
	}
	bool in_time = await_end(child, seconds_for(test));
	if (!in_time) {
		kill(child, SIGQUIT); /* a weft runtime says what all its tasks do */
		await_end(child, LAST_WORDS);
	}
	kill(-child, SIGKILL);
	waitpid(child, &status, 0);
	judge(test, nth, in_time, status);
}

/* A failure ends the runner. */
static void run_here(const struct kit_test *test, int nth)
{
	run_body(test, nth);
	total.good++;
}

/* ---- which ---- */

static bool is_whole_name(const char *name)
{
	for (const struct kit_test *test = kit_tests; test; test = test->next)
		if (strcmp(test->name, name) == 0)
			return true;
	return false;
}

static bool named(const struct kit_test *test, const char *name)
{
	return is_whole_name(name) ? strcmp(test->name, name) == 0
				   : strstr(test->name, name) != NULL;
}

static bool wanted(const struct kit_test *test)
{
	for (int i = 0; i < asked.name_count; i++)
		if (named(test, asked.names[i]))
			return true;
	return asked.name_count == 0;
}

static void run_test(const struct kit_test *test)
{
	long began = milliseconds();
	unsigned bad = total.failed + total.skipped;
	int times = test->times ? test->times : 1;
	for (int nth = 0; nth < times; nth++) {
		if (asked.nth >= 0 && nth != asked.nth)
			continue;
		if (asked.here)
			run_here(test, nth);
		else
			run_once(test, nth);
	}
	if (bad == total.failed + total.skipped)
		printf("ok %6ld ms  %s\n", milliseconds() - began, test->name);
}

static unsigned each_wanted(void (*fn)(const struct kit_test *test))
{
	unsigned count = 0;
	for (const struct kit_test *test = kit_tests; test; test = test->next)
		if (wanted(test)) {
			fn(test);
			count++;
		}
	return count;
}

static void list(const struct kit_test *test)
{
	printf("%s\n", test->name);
}

/* A copy whose name was not changed. */
static const char *name_that_came_twice(void)
{
	for (const struct kit_test *a = kit_tests; a; a = a->next)
		for (const struct kit_test *b = a->next; b; b = b->next)
			if (strcmp(a->name, b->name) == 0)
				return a->name;
	return NULL;
}

/* ---- the command line ---- */

static _Noreturn void usage(int status)
{
	fprintf(status ? stderr : stdout,
		"usage: %s [OPTION]... [NAME]... [-- ARGUMENT...]\n"
		"NAME is a test, or part of the names of several. Without one all are run.\n"
		"  --list      print the names instead\n"
		"  --repeat N  N times, with seeds that follow each other\n"
		"  --seed N    for tests that draw (1)\n"
		"  --seconds N for each run, in the place of its own limit\n"
		"  --nth N     of a test that runs several times that run alone, from 0\n"
		"  --here      in this process, for a debugger\n"
		"Status: 0 good, 1 failed, 2 usage, 77 all skipped.\n",
		asked.program);
	exit(status);
}

static uint64_t number(const char *text)
{
	char *end = NULL;
	uint64_t value = text ? strtoull(text, &end, 0) : 0;
	if (!text || end == text || *end)
		usage(KIT_USAGE);
	return value;
}

static void parse(char **argv)
{
	asked.program = *argv++;
	for (; *argv && strncmp(*argv, "--", 2) == 0 && (*argv)[2]; argv++) {
		if (strcmp(*argv, "--list") == 0)
			asked.list = true;
		else if (strcmp(*argv, "--here") == 0)
			asked.here = true;
		else if (strcmp(*argv, "--repeat") == 0)
			asked.repeat = (unsigned)number(*++argv);
		else if (strcmp(*argv, "--seconds") == 0)
			asked.seconds = (int)number(*++argv);
		else if (strcmp(*argv, "--seed") == 0)
			kit_given_seed = number(*++argv);
		else if (strcmp(*argv, "--nth") == 0)
			asked.nth = (int)number(*++argv);
		else
			usage(strcmp(*argv, "--help") == 0 ? 0 : KIT_USAGE);
	}
	for (asked.names = argv; *argv && strcmp(*argv, "--") != 0; argv++)
		asked.name_count++;
	kit_arguments = *argv ? argv + 1 : argv;
}

static void prepare(void)
{
	kit_report = mmap(NULL, sizeof(*kit_report), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (kit_report == MAP_FAILED)
		exit(KIT_FAILED);
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&child_ended);
	sigaddset(&child_ended, SIGCHLD);
	if (!asked.here)
		sigprocmask(SIG_BLOCK, &child_ended, &before);
}

static int sum(void)
{
	printf("%u runs good, %u failed, %u skipped\n", total.good, total.failed, total.skipped);
	if (total.good + total.failed + total.skipped == 0)
		return KIT_USAGE;
	if (total.failed)
		return KIT_FAILED;
	return total.skipped && !total.good ? KIT_SKIPPED : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	const char *twice = name_that_came_twice();
	parse(argv);
	prepare();
	if (twice)
		fprintf(stderr, "%s: two tests are called '%s'\n", asked.program, twice);
	if (twice)
		return KIT_USAGE;
	if (asked.list)
		return each_wanted(list) ? EXIT_SUCCESS : KIT_USAGE;
	for (unsigned i = 0; i < asked.repeat; i++, kit_given_seed++)
		each_wanted(run_test);
	return sum();
}
