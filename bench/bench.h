/* SPDX-License-Identifier: MIT */
/*
 * bench.h: what every C program of the benchmarks shares: the contract with run.py.
 *
 *   PROGRAM ROW PROCESSORS SIZE     does SIZE operations of the row, after a warm-up
 *
 * and prints lines "name value": `wall_ns` and `cpu_ns` for the measured part, and what the row
 * itself notes. A row counts the operations that really happened and returns that number; another
 * number than SIZE ends the program with status 1, so that a fast wrong answer is no answer. Go's
 * and Boost's programs keep the same contract.
 */
#ifndef WEFT_BENCH_BENCH_H
#define WEFT_BENCH_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct bench {
	uint64_t size;
	unsigned processors;
};

struct row {
	const char *name;
	uint64_t (*work)(const struct bench *b); /* returns the number of operations done */
	unsigned warm_up;			 /* the warm-up does one part in so many; 0: none */
	size_t stack_size;
};

__attribute__((noreturn)) static inline void bench_fail(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	exit(EXIT_FAILURE);
}

static inline void bench_note(const char *name, double value)
{
	printf("%s %.3f\n", name, value);
}

static inline int64_t bench_clock(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline void bench_do(const struct row *row, const struct bench *b)
{
	if (row->work(b) != b->size)
		bench_fail("wrong result");
}

static inline void bench_measure(const struct row *row, const struct bench *b)
{
	if (row->warm_up) {
		struct bench less = {b->size / row->warm_up + 1, b->processors};
		bench_do(row, &less);
	}
	int64_t wall = bench_clock(CLOCK_MONOTONIC), cpu = bench_clock(CLOCK_PROCESS_CPUTIME_ID);
	bench_do(row, b);
	bench_note("wall_ns", (double)(bench_clock(CLOCK_MONOTONIC) - wall));
	bench_note("cpu_ns", (double)(bench_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu));
}

/* The row and the sizes that the command line names. */
static inline const struct row *bench_arguments(int argc, char **argv, const struct row *rows,
						struct bench *b)
{
	if (argc != 4)
		bench_fail("usage: PROGRAM ROW PROCESSORS SIZE");
	b->processors = (unsigned)strtoul(argv[2], NULL, 10);
	b->size = strtoull(argv[3], NULL, 10);
	for (; rows->name; rows++)
		if (strcmp(rows->name, argv[1]) == 0)
			return rows;
	bench_fail("no such row");
}

#endif
