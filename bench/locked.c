/* SPDX-License-Identifier: MIT */
/*
 * locked.c: what a locked task that takes its thread along costs.
 *
 * Against the floor: a loop of pthread_create, one draw, pthread_join, in the same run, rounds interleaved. One at a
 * time and sixteen in flight. Prints medians and the ratio.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "weft/weft.h"

enum { ROUNDS = 7, ENDS = 2000, FLIGHT_MAX = 16 };

static unsigned flight;

static int lock_draw_end(void *arg)
{
	weft_lock_os_thread();
	weft_random_u32();
	return 0;
}

static int starter(void *arg)
{
	for (unsigned i = 0; i < ENDS / flight; i++) {
		struct weft_task *task;
		if (weft_spawn(&task, NULL, lock_draw_end, NULL) < 0)
			abort();
		weft_join(task, NULL, WEFT_FOREVER);
	}
	return 0;
}

static int tasks(void *arg)
{
	struct weft_task *task[FLIGHT_MAX];
	int64_t start = weft_now();
	for (unsigned i = 0; i < flight; i++)
		if (weft_spawn(&task[i], NULL, starter, NULL) < 0)
			abort();
	for (unsigned i = 0; i < flight; i++)
		weft_join(task[i], NULL, WEFT_FOREVER);
	*(double *)arg = ENDS * 1e9 / (double)(weft_now() - start);
	return 0;
}

static void *draw(void *arg)
{
	weft_random_u32();
	return NULL;
}

static void *pthread_starter(void *arg)
{
	for (unsigned i = 0; i < ENDS / flight; i++) {
		pthread_t thread;
		if (pthread_create(&thread, NULL, draw, NULL))
			abort();
		pthread_join(thread, NULL);
	}
	return NULL;
}

static double pthreads(void)
{
	pthread_t thread[FLIGHT_MAX];
	int64_t start = weft_now();
	for (unsigned i = 0; i < flight; i++)
		if (pthread_create(&thread[i], NULL, pthread_starter, NULL))
			abort();
	for (unsigned i = 0; i < flight; i++)
		pthread_join(thread[i], NULL);
	return ENDS * 1e9 / (double)(weft_now() - start);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *v)
{
	qsort(v, ROUNDS, sizeof(*v), by_value);
	return v[ROUNDS / 2];
}

int main(int argc, char **argv)
{
	struct weft_options options = {.processors = argc > 1 ? (unsigned)atoi(argv[1]) : 0};
	printf("locked tasks ended per second, median of %d\n%-12s %10s %10s %8s\n", ROUNDS, "in flight", "weft", "pthreads",
	       "ratio");
	for (flight = 1; flight <= FLIGHT_MAX; flight *= 16) {
		double ours[ROUNDS], theirs[ROUNDS], ratio[ROUNDS];
		for (int i = 0; i < ROUNDS; i++) {
			if (weft_run(&options, tasks, &ours[i]) < 0)
				abort();
			theirs[i] = pthreads();
			ratio[i] = ours[i] / theirs[i];
		}
		printf("%-12u %10.0f %10.0f %8.2f\n", flight, median(ours), median(theirs), median(ratio));
	}
	return 0;
}
