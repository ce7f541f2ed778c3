/* SPDX-License-Identifier: MIT */
/*
 * main.c: the weft side of the benchmarks: picks a row, and runs it as the first task.
 *
 * Built twice: as it is, and (bench-weft-no-lease) with the lease compiled out of the scheduler,
 * which shows what the lease costs.
 */
#include "rows.h"

enum { SMALL_STACK = 64 * 1024 };

static const struct row rows[] = {
	{"yield", row_yield, 16, 0},
	{"spawn", row_spawn, 16, 0},
	{"pingpong", row_pingpong, 16, 0},
	{"buffered", row_buffered, 16, 0},
	{"select", row_select, 16, 0},
	{"mutex", row_mutex, 16, 0},
	{"skynet", row_skynet, 0, SMALL_STACK},
	{"sleepers", row_sleepers, 0, SMALL_STACK},
	{"parked", row_parked, 0, SMALL_STACK},
	{"nanosleep", row_nanosleep, 0, SMALL_STACK},
	{"usleep", row_usleep, 0, SMALL_STACK},
	{"locked-1", row_locked_1, 16, 0},
	{"locked-16", row_locked_16, 16, 0},
	{"idle", row_idle, 0, 0},
	{"bursts", row_bursts, 0, 0},
	{"fair", row_fair, 0, 0},
	{"fair-calls", row_fair_calls, 0, 0},
	{"echo", row_echo, 0, SMALL_STACK},
	{.name = NULL},
};

static const struct row *chosen;

struct weft_task *start(int (*fn)(void *arg), void *arg)
{
	struct weft_task *task;
	if (weft_spawn(&task, NULL, fn, arg) < 0)
		bench_fail("cannot start a task");
	return task;
}

void finish(struct weft_task *task)
{
	int result;
	if (weft_join(task, &result, WEFT_FOREVER) < 0 || result < 0)
		bench_fail("a task failed");
}

struct weft_chan *channel(size_t item_size, size_t capacity)
{
	struct weft_chan *c = weft_chan_new(item_size, capacity);
	if (!c)
		bench_fail("no memory for a channel");
	return c;
}

struct weft_stats stats(void)
{
	struct weft_stats s = {.size = sizeof(s)};
	if (weft_stats(&s) < 0)
		bench_fail("no statistics");
	return s;
}

static int first_task(void *arg)
{
	bench_measure(chosen, arg);
	return 0;
}

int main(int argc, char **argv)
{
	struct bench b;
	chosen = bench_arguments(argc, argv, rows, &b);
	struct weft_options options = {.size = sizeof(options),
				       .processors = b.processors,
				       .stack_size = chosen->stack_size};
	return weft_run(&options, first_task, &b) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
