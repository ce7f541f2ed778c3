/* SPDX-License-Identifier: MIT */
/*
 * run.c: one run of the storm, in a child process.
 *
 * Every task locks its thread, makes sure that the thread owns a random state, waits (at a barrier,
 * or for a while) and ends locked, so its thread ends too and returns the state. `alive`
 * starters run at once; each starts one such task after the other and joins it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/sys.h"
#include "base/time.h"
#include "cli/shell/cli.h"
#include "cli/storm/storm.h"
#include "random/faults.h"
#include "random/state.h"
#include "sched/cache.h"
#include "sched/exit.h"
#include "sched/sched.h"
#include "weft/weft.h"

enum { STEPS_MAX = 1 << 22 };

struct run {
	const struct storm_job *job;
	struct storm_result *result;
	uint64_t started, ended, owners;
	int64_t end_at;
	uint32_t arrived;
	struct {
		uint32_t thread, step;
	} * steps;
	uint32_t step_count;
};

static struct run run; /* of this child */

/* The growing list's memory: what a processor is needed for. */
static void *cache_alloc(size_t bytes)
{
	return weft__cache_alloc(weft__thread_self(), bytes);
}

/* The four frames of the crash, by address: what is left of their names in a stripped command. */
static const struct {
	void *start;
	const char *name;
} evident[] = {
	{(void *)weft__cache_alloc, "cache_alloc"},
	{(void *)list_grow, "list_grow"},
	{(void *)weft__state_put, "state_put"},
	{(void *)weft__thread_exit, "thread_exit"},
};
extern const char __start_weft_evidence[], __stop_weft_evidence[]; /* from the linker */

static void name_frame(struct watch_frame *f)
{
	uint64_t nearest = 0;
	if (f->pc < (uint64_t)__start_weft_evidence || f->pc >= (uint64_t)__stop_weft_evidence)
		return;
	for (unsigned i = 0; i < array_len(evident); i++) {
		uint64_t start = (uint64_t)evident[i].start;
		if (start > f->pc || start < nearest)
			continue;
		nearest = start;
		snprintf(f->name, sizeof(f->name), "%s", evident[i].name);
	}
}

static void note_peak(uint64_t owners)
{
	uint64_t peak = load_relaxed(&run.result->peak_owners);
	while (owners > peak && !cas_relaxed(&run.result->peak_owners, &peak, owners))
		;
}

static void on_step(uint32_t thread, uint32_t step)
{
	if (step == 2) /* the state was returned */
		sub_relaxed(&run.owners, 1);
	if (!run.steps)
		return;
	uint32_t i = add_relaxed(&run.step_count, 1);
	if (i < STEPS_MAX) {
		run.steps[i].thread = thread;
		run.steps[i].step = step;
	}
}

static void await_all(void)
{
	add_acq_rel(&run.arrived, 1);			    /* pairs with await_all of the others */
	while (load_acquire(&run.arrived) < run.job->alive) /* pairs with await_all */
		weft_sleep(US(100));
}

static int locked_task(void *arg)
{
	if (weft_lock_os_thread() < 0)
		return 1;
	note_peak(add_relaxed(&run.owners, 1) + 1);
	if (weft__state_acquire() < 0)
		return 1;
	if (run.job->barrier)
		await_all();
	weft_random_u32();
	if (run.job->hold_us)
		weft_sleep(US(run.job->hold_us));
	return 0;
}

static bool more(void)
{
	if (run.job->seconds)
		return weft_now() < run.end_at;
	return add_relaxed(&run.started, 1) < run.job->tasks;
}

static int starter(void *arg)
{
	while (more()) {
		struct weft_task *task;
		int failed = 1;
		if (weft_spawn(&task, NULL, locked_task, NULL) < 0 ||
		    weft_join(task, &failed, WEFT_FOREVER) < 0 || failed)
			cli_die("a task could not own a random state, or could not be started");
		add_relaxed(&run.result->ended, 1);
	}
	return 0;
}

static int start_all(void *arg)
{
	struct weft_task **starters = cli_alloc(run.job->alive * sizeof(*starters));
	for (unsigned i = 0; i < run.job->alive; i++)
		if (weft_spawn(&starters[i], NULL, starter, NULL) < 0)
			cli_die("a task could not be started");
	for (unsigned i = 0; i < run.job->alive; i++)
		weft_join(starters[i], NULL, WEFT_FOREVER);
	free(starters);
	return 0;
}

static uint64_t resident(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	if (f && fscanf(f, "%*u %lu", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void take_walls_down(const struct storm_walls *walls)
{
	weft__faults.processor_first = walls->processor_first;
	weft__faults.no_check = walls->no_check;
	weft__faults.on_step = on_step;
	weft__random_faults.grow_alloc = walls->grows ? cache_alloc : NULL;
	if (!storm_states_per_page())
		weft__random_stand_in();
}

static void write_trace(void)
{
	FILE *f = fopen(run.job->trace, "we");
	if (!f)
		cli_die("cannot write %s: %s", run.job->trace, strerror(errno));
	for (uint32_t i = 0; i < min_of(run.step_count, (uint32_t)STEPS_MAX); i++)
		fprintf(f, "exit %u %u\n", run.steps[i].thread, run.steps[i].step);
	bool failed = ferror(f); /* of an earlier flush, which fclose does not tell */
	if (fclose(f) || failed)
		cli_die("cannot write %s: %s", run.job->trace, strerror(errno));
}

static int64_t threads_alive(void)
{
	unsigned n;
	int64_t alive = STORM_UNSEEN;
	char line[128];
	FILE *f = fopen("/proc/self/status", "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Threads: %u", &n) == 1)
			alive = n;
	if (f)
		fclose(f);
	return alive;
}

/*
 * Other threads than this one. A joined thread may still be on its way out of the kernel: it gets
 * 100 ms. STORM_UNSEEN where /proc is missing or masked.
 */
static int64_t threads_left(void)
{
#ifdef WEFT_TSAN
	enum { STAY = 3 }; /* this one, and the two that the sanitizer gives a forked child */
#else
	enum { STAY = 1 };
#endif
	for (int ms = 0; ms < 100 && threads_alive() > STAY; ms++)
		usleep(1000);
	int64_t n = threads_alive();
	return n == STORM_UNSEEN ? n : max_of(n, (int64_t)STAY) - STAY;
}

static int child(void *arg)
{
	const struct storm_job *job = run.job;
	struct weft_options options = {.processors = job->processors, .flags = WEFT_NO_SIGNALS};
	struct weft_random_info info = {.size = sizeof(info)};
	take_walls_down(&job->walls);
	if (job->trace)
		run.steps = cli_alloc(STEPS_MAX * sizeof(*run.steps));
	run.result->rss_start = resident();
	int64_t start = weft_now();
	run.end_at = start + SECONDS(job->seconds);
	int err = weft_run(&options, start_all, NULL);
	if (err)
		cli_die("the runtime did not start: %s", weft_error_text(err));
	run.result->nanoseconds = (uint64_t)(weft_now() - start);
	run.result->rss_end = resident();
	run.result->threads_left = threads_left();
	run.result->threads_started = sched.counts.threads_started;
	run.result->exit_allocations = weft__faults.exit_allocations;
	weft_random_info(&info);
	run.result->states_mapped = info.states_mapped;
	run.result->states_free = info.states_free;
	if (job->trace)
		write_trace();
	return 0;
}

/* The child's stderr, so that its last words can be told apart from ours. */
static int child_with_stderr(void *arg)
{
	dup2(*(int *)arg, STDERR_FILENO);
	return child(NULL);
}

static void read_last_line(int fd, char *line, size_t size)
{
	char text[4096];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	text[max_of(n, 0)] = 0;
	char *end = strchr(text, '\n');
	if (end)
		*end = 0;
	snprintf(line, size, "%.*s", (int)size - 1, text);
}

unsigned storm_states_per_page(void)
{
	return weft__state_per_page();
}

int storm_run(const struct storm_job *job, struct storm_outcome *out)
{
	memset(out, 0, sizeof(*out));
	int fd = memfd_create("stderr", MFD_CLOEXEC);
	struct storm_result *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
					   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (fd < 0 || shared == MAP_FAILED)
		return -errno;
	memset(&run, 0, sizeof(run));
	run.job = job;
	run.result = shared;
	fflush(NULL);
	int err = weft__watch_spawn(child_with_stderr, &fd, &out->watch);
	for (unsigned i = 0; i < out->watch.frame_count; i++)
		name_frame(&out->watch.frames[i]);
	out->result = *shared;
	read_last_line(fd, out->last_line, sizeof(out->last_line));
	munmap(shared, sizeof(*shared));
	close(fd);
	return err;
}

bool storm_lived(const struct storm_outcome *out)
{
	return WIFEXITED(out->watch.status) && WEXITSTATUS(out->watch.status) == 0;
}
