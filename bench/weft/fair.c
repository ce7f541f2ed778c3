/* SPDX-License-Identifier: MIT */
/*
 * fair.c: how long others wait beside three tasks that compute: a reader that is written to every
 * ten milliseconds, and a task that sleeps a millisecond at a time.
 */
#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rows.h"

enum { MILLISECOND = 1000 * 1000, COMPUTING = 3, BURST = 30, STEPS = 1000 * 1000, MOST = 1 << 16 };

struct waits {
	const char *name;
	uint64_t count;
	int64_t wait[MOST];
};

static struct waits reader = {.name = "reader"}, sleeper = {.name = "sleeper"};
static uint64_t stop, written;
static int pair[2];

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static void add(struct waits *w, int64_t since)
{
	if (w->count < MOST)
		w->wait[w->count++] = bench_clock(CLOCK_MONOTONIC) - since;
}

static void note(const struct waits *w, const char *what, uint64_t i)
{
	char name[32];
	snprintf(name, sizeof(name), "%s_%s_ms", w->name, what);
	bench_note(name, (double)w->wait[i] / MILLISECOND);
}

static void note_all(struct waits *w)
{
	if (w->count == 0)
		bench_fail("a waiting task never ran");
	qsort(w->wait, w->count, sizeof(*w->wait), by_value);
	note(w, "p50", w->count / 2);
	note(w, "p90", w->count * 9 / 10);
	note(w, "worst", w->count - 1);
}

static bool stopped(void)
{
	return __atomic_load_n(&stop, __ATOMIC_RELAXED);
}

static void compute(uint64_t steps)
{
	for (volatile uint64_t i = 0; i < steps && !stopped(); i++)
		;
}

static int computes(void *arg)
{
	(void)arg;
	while (!stopped())
		compute(STEPS);
	return 0;
}

/* As many steps as take about `BURST` milliseconds of a CPU. */
static uint64_t steps_of_burst(void)
{
	int64_t began = bench_clock(CLOCK_THREAD_CPUTIME_ID);
	compute(STEPS);
	int64_t one = bench_clock(CLOCK_THREAD_CPUTIME_ID) - began;
	return (uint64_t)STEPS * BURST * MILLISECOND / (uint64_t)(one + 1);
}

static int computes_and_calls(void *arg)
{
	while (!stopped()) {
		compute(*(const uint64_t *)arg);
		weft_yield();
	}
	return 0;
}

static int sleeps(void *arg)
{
	(void)arg;
	while (!stopped()) {
		int64_t due = bench_clock(CLOCK_MONOTONIC) + MILLISECOND;
		weft_sleep(MILLISECOND);
		add(&sleeper, due);
	}
	return 0;
}

static int reads(void *arg)
{
	int64_t stamp;
	for (uint64_t n = *(const uint64_t *)arg; n; n--) {
		if (weft_read(pair[0], &stamp, sizeof(stamp), WEFT_FOREVER) != sizeof(stamp))
			bench_fail("cannot read");
		add(&reader, stamp);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	return 0;
}

/* A thread that the runtime does not know, so that nothing delays what it writes. */
static void *writes(void *arg)
{
	const struct timespec pause = {0, 10 * MILLISECOND};
	for (uint64_t n = *(const uint64_t *)arg; n; n--, written++) {
		nanosleep(&pause, NULL);
		int64_t stamp = bench_clock(CLOCK_MONOTONIC);
		if (write(pair[1], &stamp, sizeof(stamp)) != sizeof(stamp))
			bench_fail("cannot write");
	}
	return NULL;
}

static uint64_t beside(int (*fn)(void *arg), const struct bench *b)
{
	uint64_t size = b->size, steps = steps_of_burst();
	struct weft_task *task[COMPUTING + 2];
	pthread_t writer;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		bench_fail("cannot make a pair of sockets");
	task[0] = start(reads, &size);
	task[1] = start(sleeps, NULL);
	for (unsigned i = 0; i < COMPUTING; i++)
		task[2 + i] = start(fn, &steps);
	if (pthread_create(&writer, NULL, writes, &size) != 0)
		bench_fail("cannot start a thread");
	for (unsigned i = 0; i < COMPUTING + 2; i++)
		finish(task[i]);
	pthread_join(writer, NULL);
	note_all(&reader);
	note_all(&sleeper);
	bench_note("leases", (double)stats().leases_taken);
	return written;
}

/* They never call the runtime. */
uint64_t row_fair(const struct bench *b)
{
	return beside(computes, b);
}

/* They yield after each burst. */
uint64_t row_fair_calls(const struct bench *b)
{
	return beside(computes_and_calls, b);
}
