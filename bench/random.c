/* SPDX-License-Identifier: MIT */
/*
 * random.c: what a draw costs: weft, the vDSO called bare, the system call, and libc's getrandom.
 *
 * All contenders take turns in short slices within one run, so that whatever else the machine does
 * meets them alike; shown is the median of the rounds, with the fastest and slowest round beside
 * it. Ratios are what travels to other machines. Arguments: sizes in bytes; none: a table of them.
 */
#include <dlfcn.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/attr.h"
#include "random/vdso.h"
#include "weft/random.h"

enum { ROUNDS = 21, CONTENDERS = 4, LARGEST = 65536 };

static unsigned char buffer[LARGEST];
static struct vdso vdso;
static void *state;

static ssize_t by_weft(size_t len)
{
	return weft_getrandom(buffer, len, 0);
}

static ssize_t by_vdso(size_t len)
{
	return vdso.draw(buffer, len, 0, state, vdso.state_size);
}

static ssize_t by_system_call(size_t len)
{
	return syscall(SYS_getrandom, buffer, len, 0);
}

static ssize_t by_libc(size_t len)
{
	return getrandom(buffer, len, 0);
}

static const struct contender {
	const char *name;
	ssize_t (*draw)(size_t len);
} contenders[CONTENDERS] = {
	{"weft", by_weft}, {"vDSO", by_vdso}, {"system call", by_system_call}, {"libc", by_libc}};

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Nanoseconds a draw. */
static double slice(const struct contender *c, size_t len, unsigned draws)
{
	double start = now();
	for (unsigned i = 0; i < draws; i++)
		if (c->draw(len) != (ssize_t)len)
			abort();
	return (now() - start) / draws;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void measure(size_t len, double median[CONTENDERS])
{
	double ns[CONTENDERS][ROUNDS];
	unsigned draws = (unsigned)(2000000 / (40 + 2 * len)) + 1;
	for (int round = -1; round < ROUNDS; round++) /* the first one warms up */
		for (int c = 0; c < CONTENDERS; c++) {
			double cost = contenders[c].draw == by_vdso && !vdso.draw
					      ? 0
					      : slice(&contenders[c], len, draws);
			if (round >= 0)
				ns[c][round] = cost;
		}
	printf("%7zu", len);
	for (int c = 0; c < CONTENDERS; c++) {
		qsort(ns[c], ROUNDS, sizeof(double), by_value);
		median[c] = ns[c][ROUNDS / 2];
		printf(" %9.1f (%.1f-%.1f)", median[c], ns[c][0], ns[c][ROUNDS - 1]);
	}
	printf("  %+6.1f ns %5.1fx %6.1fx\n", median[0] - median[1], median[1] / median[0],
	       median[2] / median[0]);
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = {4,   8,	 16,   32,   64,    128,  256,
				       384, 512, 1024, 4096, 16384, 65536};
	double median[CONTENDERS];
	weft__vdso_probe(&vdso);
	if (vdso.draw) {
		state = mmap(NULL, vdso.page_size, vdso.map_prot, vdso.map_flags, -1, 0);
		if (state == MAP_FAILED)
			return EXIT_FAILURE;
	} else {
		printf("no vDSO column: %s\n", vdso.why_not);
	}
	printf("ns a draw, median (fastest-slowest) of %d rounds\n", ROUNDS);
	printf("%7s %s, %s, %s, %s; weft - vDSO, vDSO / weft, system call / weft\n", "bytes",
	       contenders[0].name, contenders[1].name, contenders[2].name, contenders[3].name);
	for (int i = 1; i < argc; i++)
		measure(min_of(strtoul(argv[i], NULL, 10), LARGEST), median);
	for (size_t i = 0; i < array_len(sizes) && argc == 1; i++)
		measure(sizes[i], median);
	return EXIT_SUCCESS;
}
