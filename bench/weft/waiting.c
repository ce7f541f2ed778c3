/* SPDX-License-Identifier: MIT */
/*
 * waiting.c: many tasks that wait: for time, for a channel; and a runtime in which nothing happens.
 */
#include <sys/resource.h>

#include "rows.h"

enum { SLEEPS = 10, MILLISECOND = 1000 * 1000 };

static struct weft_waitgroup group;
static struct weft_chan *gate;
static uint64_t done;

static void count_done(void)
{
	__atomic_fetch_add(&done, 1, __ATOMIC_RELAXED);
	weft_waitgroup_done(&group);
}

static void sleeper(void *arg)
{
	for (int i = 0; i < SLEEPS; i++)
		weft_sleep((intptr_t)arg * MILLISECOND);
	count_done();
}

/* Each task sleeps ten times the same 1 to 100 ms: at best a second in all. */
uint64_t row_sleepers(const struct bench *b)
{
	weft_waitgroup_add(&group, (int)b->size);
	for (uint64_t i = 0; i < b->size; i++)
		if (weft_go(sleeper, (void *)(intptr_t)(1 + i % 100)) < 0)
			bench_fail("cannot start a task");
	weft_waitgroup_wait(&group, WEFT_FOREVER);
	return done;
}

/* Resident memory and page tables of this process in bytes. */
static double memory(void)
{
	char line[128];
	double bytes = 0;
	FILE *f = fopen("/proc/self/status", "r");
	if (!f)
		bench_fail("no /proc/self/status");
	for (long kib; fgets(line, sizeof(line), f);)
		if (sscanf(line, "VmRSS: %ld", &kib) == 1 || sscanf(line, "VmPTE: %ld", &kib) == 1)
			bytes += (double)kib * 1024;
	fclose(f);
	return bytes;
}

static void parked(void *arg)
{
	weft_chan_recv(gate, NULL, WEFT_FOREVER);
	count_done();
}

/* What a task costs that waits for a channel. */
uint64_t row_parked(const struct bench *b)
{
	gate = channel(0, 0);
	weft_waitgroup_add(&group, (int)b->size);
	uint64_t before = stats().parks;
	double empty = memory();
	for (uint64_t i = 0; i < b->size; i++)
		if (weft_go(parked, NULL) < 0)
			bench_fail("cannot start a task");
	while (stats().parks - before < b->size)
		weft_sleep(MILLISECOND);
	bench_note("bytes", (memory() - empty) / (double)b->size);
	weft_chan_close(gate);
	weft_waitgroup_wait(&group, WEFT_FOREVER);
	weft_chan_unref(gate);
	return done;
}

static uint64_t switches(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (uint64_t)u.ru_nvcsw;
}

/*
 * One task sleeps for so many milliseconds: CPU time, and how often any thread of the process woke
 * up meanwhile. The end of the sleep wakes the poller and the monitor, however long it was.
 */
uint64_t row_idle(const struct bench *b)
{
	weft_sleep(200 * MILLISECOND); /* the monitor falls asleep */
	uint64_t woken = switches();
	int64_t cpu = bench_clock(CLOCK_PROCESS_CPUTIME_ID);
	weft_sleep((int64_t)b->size * MILLISECOND);
	bench_note("idle_cpu_us", (double)(bench_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu) / 1000);
	bench_note("wakeups", (double)(switches() - woken));
	return b->size;
}
