/* SPDX-License-Identifier: MIT */
/* stress.c: see stress.h. */
#include "stress.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/attr.h"

enum {
	LOOK = 50 * MS,			/* between two looks of the parent */
	SAY = 2000 / (LOOK / MS),	/* looks between two lines of progress */
	HANG = 60000 / (LOOK / MS),	/* looks without a new round, a step or the end of a wait */
	PATIENCE = 10000 / (LOOK / MS), /* for its dump */
	SETTLE = 10000,			/* looks for what must be gone, 1 ms apart */
};

/* Shared by parent and child. */
static struct page {
	uint64_t round; /* that runs now */
	uint64_t rounds, leases, handoffs, threads;
	uint64_t counts[COUNTERS];
} * page;

/* ---- what is drawn ---- */

/* splitmix64, as in sched/sim.c. */
uint64_t draw(struct draw *d)
{
	uint64_t x = d->state += 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

unsigned draw_below(struct draw *d, unsigned bound)
{
	return (unsigned)((draw(d) >> 32) * bound >> 32);
}

bool draw_one_in(struct draw *d, unsigned n)
{
	return draw_below(d, n) == 0;
}

struct draw draw_fork(struct draw *d)
{
	return (struct draw){draw(d)};
}

int64_t draw_deadline(struct draw *d)
{
	switch (draw_below(d, 4)) {
	case 0:
		return 0;
	case 1:
		return 1;
	default:
		return weft_after(draw_below(d, 200 * US));
	}
}

/* ---- counting and failing ---- */

void stress_count(enum counter c, uint64_t n)
{
	add_relaxed(&page->counts[c], n);
}

void stress_result(int result)
{
	switch (result) {
	case 0:
		stress_count(COUNT_DELIVERED, 1);
		break;
	case -EAGAIN:
	case -ETIMEDOUT:
		stress_count(COUNT_TIMEOUTS, 1);
		if (weft_limit(WEFT_FOREVER) <= weft_now())
			weft_limit_end(WEFT_FOREVER);
		break;
	case -ECANCELED:
		stress_count(COUNT_CANCELED, 1);
		weft_cancel_clear();
		break;
	default:
		fprintf(stderr, "result %s\n", weft_error_name(result));
		stress_fail(__FILE__, __LINE__, "a result that means something");
	}
}

void stress_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: required: %s\n", file, line, what);
	weft_dump(STDERR_FILENO);
	abort();
}

/* ---- code that is not weft's ---- */

static int64_t near_a_threshold(struct draw *d)
{
	/*
	 * The monitor's rounds and patience: 20 us, 100 us, 1 ms, and 10 ms of computing
	 * (sched/monitor.c).
	 */
	static const int thresholds[] = {0, 20, 20, 40, 60, 100, 100, 120, 200};
	int us = draw_one_in(d, 200) ? 1000 : thresholds[draw_below(d, array_len(thresholds))];
	return us * US + (int64_t)draw_below(d, 30 * US);
}

static int64_t clock_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static void spin(int64_t ns)
{
	int64_t end = clock_ns() + ns;
	while (clock_ns() < end)
		cpu_relax();
}

/* Now and then a task waits long enough to be woken by the next one that comes here. */
static void wait_for_futex(int64_t ns)
{
	static uint32_t word;
	const struct timespec ts = {0, ns};
	uint32_t seen = add_relaxed(&word, 1);
	syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, seen + 1, &ts, NULL, 0);
}

void pause_somehow(struct draw *d)
{
	int64_t ns = near_a_threshold(d);
	switch (draw_below(d, 8)) {
	case 0:
	case 1:
		spin(draw_one_in(d, 1000) ? 9 * MS + (int64_t)draw_below(d, 3 * MS)
					  : (int64_t)draw_below(d, 60 * US));
		break;
	case 2:
		usleep((useconds_t)(ns / US));
		break;
	case 3:
	case 4:
		nanosleep(&(struct timespec){0, ns}, NULL);
		break;
	case 5:
		sched_yield();
		break;
	case 6:
		wait_for_futex(ns);
		break;
	default:
		break; /* back at once */
	}
}

/* ---- the tasks of a round ---- */

bool team_start(struct team *team, int (*fn)(void *arg), void *arg)
{
	require(team->count < TEAM_MAX);
	int err = weft_spawn(&team->tasks[team->count], NULL, fn, arg);
	require(err == 0 || err == -ESHUTDOWN);
	team->count += !err;
	return !err;
}

void team_disturb(struct team *team, struct round *r)
{
	unsigned times = draw_below(&r->draw, 2 * team->count + 2);
	unsigned stop_at = r->stops ? draw_below(&r->draw, times) : times;
	for (unsigned i = 0; i < times; i++) {
		if (draw_one_in(&r->draw, 2))
			pause_somehow(&r->draw);
		else
			weft_sleep(draw_below(&r->draw, 200 * US));
		if (i == stop_at)
			require(weft_stop() == 0);
		if (team->count)
			weft_cancel(team->tasks[draw_below(&r->draw, team->count)]);
	}
}

int join_always(struct weft_task *task)
{
	int result, err;
	while ((err = weft_join(task, &result, WEFT_FOREVER)) != 0)
		stress_result(err);
	return result;
}

void team_join(struct team *team)
{
	for (unsigned i = 0; i < team->count; i++)
		require(join_always(team->tasks[i]) == 0);
	team->count = 0;
}

/* ---- the child: rounds ---- */

static const struct stress *program;

/* weft_stop cancels the main task, too: it has to see the others out. */
static int round_task(void *arg)
{
	struct weft_stats s = {.size = sizeof(s)};
	weft_cancel_mask(1);
	int result = program->main_task(arg);
	require(weft_stats(&s) == 0);
	page->leases += s.leases_taken;
	page->handoffs += s.handoffs;
	page->threads += s.threads_started;
	return result;
}

/* How many entries a folder of /proc has, which are listed when `list` says so. */
static unsigned count_entries(const char *path, bool list)
{
	unsigned n = 0;
	DIR *dir = opendir(path);
	require(dir);
	for (struct dirent *entry; (entry = readdir(dir)); n++)
		if (list)
			fprintf(stderr, "%s/%s\n", path, entry->d_name);
	closedir(dir);
	return n;
}

/* The kernel shows a thread for a moment longer than it can be joined. */
static void await_entries(const char *path, unsigned wanted)
{
	for (int i = 0; i < SETTLE && count_entries(path, false) > wanted; i++)
		usleep(1000);
	require(count_entries(path, false) <= wanted || count_entries(path, true) <= wanted);
}

/* Each locked task holds a thread; the others, however many, can do with one. */
static unsigned few_threads(struct round *r, bool lock_main)
{
	r->may_lock = 1 + draw_below(&r->draw, 3);
	return r->may_lock + lock_main + 1 + draw_below(&r->draw, 3);
}

static void run_round(uint64_t seed, uint64_t number)
{
	static const unsigned processors[] = {1, 2, 2, 4, 4, 16};
	struct draw both = {seed};
	struct round r = {.draw = {draw(&both) ^ number * 0xd1342543de82ef95u}, /* any odd factor */
			  .may_lock = UINT32_MAX};
	r.processors = processors[draw_below(&r.draw, array_len(processors))];
	r.stops = draw_one_in(&r.draw, 12);
	struct weft_options o = {.size = sizeof(o), .processors = r.processors};
	o.flags = draw_one_in(&r.draw, 4) ? WEFT_LOCK_MAIN : 0;
	if (program->few_threads && draw_one_in(&r.draw, 3))
		o.max_threads = few_threads(&r, o.flags & WEFT_LOCK_MAIN);
	require((program->deterministic ? weft_sim_run(draw(&r.draw), &o, round_task, &r)
					: weft_run(&o, round_task, &r)) == 0);
}

static void run_rounds(uint64_t seed, uint64_t first, int64_t end)
{
	unsigned threads = 0, files = 0;
	do {
		store_relaxed(&page->round, first + page->rounds);
		run_round(seed, first + page->rounds);
		if (page->rounds ==
		    0) { /* a sanitizer keeps what it opened or started in the first */
			threads = count_entries("/proc/self/task", false);
			files = count_entries("/proc/self/fd", false);
		}
		await_entries("/proc/self/task", threads);
		await_entries("/proc/self/fd", files);
		page->rounds++;
	} while (clock_ns() < end);
}

/* ---- the parent ---- */

static void say(const char *name, const char *end)
{
	printf("%s: %" PRIu64 " rounds, %" PRIu64 " steps, %" PRIu64 " waits delivered, %" PRIu64
	       " timed out, %" PRIu64 " cancelled; %" PRIu64 " leases taken, %" PRIu64
	       " handoffs, %" PRIu64 " threads%s",
	       name, load_relaxed(&page->rounds), load_relaxed(&page->counts[COUNT_STEPS]),
	       load_relaxed(&page->counts[COUNT_DELIVERED]),
	       load_relaxed(&page->counts[COUNT_TIMEOUTS]),
	       load_relaxed(&page->counts[COUNT_CANCELED]), load_relaxed(&page->leases),
	       load_relaxed(&page->handoffs), load_relaxed(&page->threads), end);
	fflush(stdout);
}

/* Grows by whatever the child does. */
static uint64_t progress(void)
{
	uint64_t sum = load_relaxed(&page->round);
	for (unsigned i = 0; i < COUNTERS; i++)
		sum += load_relaxed(&page->counts[i]);
	return sum;
}

/* Waits for the child. Returns its status. */
static int look_after(const char *name, pid_t child)
{
	int status;
	uint64_t seen = 0;
	unsigned looks = 0, quiet = 0;
	const bool terminal = isatty(STDOUT_FILENO);
	while (waitpid(child, &status, WNOHANG) == 0) {
		usleep(LOOK / US);
		uint64_t now = progress();
		quiet = now == seen ? quiet + 1 : 0;
		seen = now;
		if (terminal && ++looks % SAY == 0)
			say(name, "\r");
		if (quiet == HANG)
			fprintf(stderr, "nothing has moved for a minute\n");
		if (quiet >= HANG) /* a dump of all tasks, then the end */
			kill(child,
			     quiet < HANG + PATIENCE ? quiet == HANG ? SIGQUIT : 0 : SIGKILL);
	}
	return status;
}

static int64_t number(const char *text, const char *name)
{
	char *end;
	errno = 0;
	unsigned long long n = strtoull(text, &end, 0);
	if (!*text || *end || errno) {
		fprintf(stderr, "usage: %s SECONDS [SEED [ROUND]]\n", name);
		exit(2);
	}
	return (int64_t)n;
}

int stress_main(const struct stress *stress, int argc, char **argv)
{
	const char *name = stress->name;
	int64_t seconds = number(argc >= 2 && argc <= 4 ? argv[1] : "", name);
	uint64_t seed = argc > 2 ? (uint64_t)number(argv[2], name) : weft_random_u32();
	uint64_t first = argc > 3 ? (uint64_t)number(argv[3], name) : 0;
	page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return 2;
	page->round = first;
	program = stress;
	printf("%s: seed %" PRIu64 "\n", name, seed);
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run_rounds(seed, first, clock_ns() + seconds * 1000 * MS);
		exit(0); /* where leaks are looked for */
	}
	int status = child < 0 ? -1 : look_after(name, child);
	say(name, "\n");
	if (status == 0)
		return 0;
	fprintf(stderr,
		"%s: FAILED (%s %d) in round %" PRIu64 " of seed %" PRIu64 ": %s 1 %" PRIu64
		" %" PRIu64 "\n",
		name, WIFSIGNALED(status) ? "signal" : "status",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), page->round, seed,
		argv[0], seed, page->round);
	return 1;
}
