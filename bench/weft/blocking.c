/* SPDX-License-Identifier: MIT */
/*
 * blocking.c: tasks that block in the kernel or compute, with no word to the runtime, beside a task
 * that ticks.
 */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rows.h"

enum {
	MILLISECOND = 1000 * 1000,
	TICKS = 1 << 16,
	HOGS = 2,
	BURST = 2 * MILLISECOND,
	BURSTERS = 8
};

static uint64_t done;

struct ticker {
	int stop;
	unsigned count;
	int64_t gap[TICKS];
};

/* Notes how long each sleep of a millisecond really took. */
static int ticker(void *arg)
{
	struct ticker *t = arg;
	int64_t last = weft_now();
	while (!__atomic_load_n(&t->stop, __ATOMIC_RELAXED) && t->count < TICKS) {
		weft_sleep(MILLISECOND);
		int64_t now = weft_now();
		t->gap[t->count++] = now - last;
		last = now;
	}
	return 0;
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static void note_gaps(struct ticker *t)
{
	qsort(t->gap, t->count, sizeof(*t->gap), by_value);
	if (t->count == 0)
		bench_fail("the ticker never ran");
	bench_note("gap_p99_us", (double)t->gap[t->count * 99 / 100] / 1000);
	bench_note("gap_worst_us", (double)t->gap[t->count - 1] / 1000);
}

static uint64_t beside_ticker(uint64_t n, int (*fn)(void *arg))
{
	static struct ticker t;
	struct weft_task **task = malloc(n * sizeof(struct weft_task *));
	struct weft_stats before = stats();
	struct weft_task *ticking = start(ticker, &t);
	int64_t began = weft_now();
	for (uint64_t i = 0; i < n; i++)
		task[i] = start(fn, NULL);
	for (uint64_t i = 0; i < n; i++)
		finish(task[i]);
	bench_note("all_ms", (double)(weft_now() - began) / MILLISECOND);
	struct weft_stats after = stats();
	__atomic_store_n(&t.stop, 1, __ATOMIC_RELAXED);
	finish(ticking);
	note_gaps(&t);
	bench_note("threads", (double)(after.threads_started - before.threads_started));
	bench_note("leases", (double)(after.leases_taken - before.leases_taken));
	free(task);
	return done;
}

static int system_call(void *arg)
{
	struct timespec ten_ms = {0, 10 * MILLISECOND};
	if (nanosleep(&ten_ms, NULL) == 0)
		__atomic_fetch_add(&done, 1, __ATOMIC_RELAXED);
	return 0;
}

uint64_t row_nanosleep(const struct bench *b)
{
	return beside_ticker(b->size, system_call);
}

static int library_call(void *arg)
{
	if (usleep(50 * 1000) == 0)
		__atomic_fetch_add(&done, 1, __ATOMIC_RELAXED);
	return 0;
}

uint64_t row_usleep(const struct bench *b)
{
	return beside_ticker(b->size, library_call);
}

static void compute(int64_t ns)
{
	int64_t end = bench_clock(CLOCK_THREAD_CPUTIME_ID) + ns;
	while (bench_clock(CLOCK_THREAD_CPUTIME_ID) < end)
		;
}

static pid_t hog(void)
{
	pid_t parent = getpid(), pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (getppid() == parent)
			for (volatile int i = 0; i < 1000000; i++)
				;
		_exit(0);
	}
	return pid;
}

static int burster(void *arg)
{
	for (uint64_t i = 0; i < (uintptr_t)arg; i++) {
		compute(BURST);
		__atomic_fetch_add(&done, 1, __ATOMIC_RELAXED);
		weft_yield();
	}
	return 0;
}

/* Bursts of pure computation beside two busy processes: a burst is too short to lose its lease. */
uint64_t row_bursts(const struct bench *b)
{
	pid_t pid[HOGS];
	struct weft_task *task[BURSTERS];
	for (unsigned i = 0; i < HOGS; i++)
		pid[i] = hog();
	uint64_t before = stats().leases_taken;
	for (unsigned i = 0; i < BURSTERS; i++)
		task[i] = start(burster, (void *)(uintptr_t)SHARE(b->size, BURSTERS, i));
	for (unsigned i = 0; i < BURSTERS; i++)
		finish(task[i]);
	bench_note("wrong_percent",
		   100.0 * (double)(stats().leases_taken - before) / (double)b->size);
	for (unsigned i = 0; i < HOGS; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
	}
	return done;
}
