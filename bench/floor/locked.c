/* SPDX-License-Identifier: MIT */
/*
 * locked.c: the floor under the storm of locked tasks: a thread is created, draws through the bare
 * vDSO (the system call where there is none), and is joined; by one starter or by sixteen at once.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../bench.h"
#include "random/vdso.h"

enum { FLIGHT_MAX = 16 };

static struct vdso vdso;

struct starter {
	pthread_t thread;
	void *state;
	uint64_t ends, done;
};

static void *draw(void *arg)
{
	uint32_t number;
	ssize_t n = vdso.draw ? vdso.draw(&number, sizeof(number), 0, arg, vdso.state_size)
			      : syscall(SYS_getrandom, &number, sizeof(number), 0);
	return (void *)(intptr_t)n;
}

static void *starter(void *arg)
{
	struct starter *s = arg;
	for (; s->done < s->ends; s->done++) {
		pthread_t thread;
		void *drawn;
		if (pthread_create(&thread, NULL, draw, s->state))
			bench_fail("cannot start a thread");
		pthread_join(thread, &drawn);
		if ((intptr_t)drawn != sizeof(uint32_t))
			bench_fail("wrong draw");
	}
	return NULL;
}

static void *new_state(void)
{
	if (!vdso.draw)
		return NULL;
	void *state = mmap(NULL, vdso.page_size, vdso.map_prot, vdso.map_flags, -1, 0);
	if (state == MAP_FAILED)
		bench_fail("no memory for a state");
	return state;
}

static uint64_t storm(uint64_t ends, unsigned flight)
{
	struct starter s[FLIGHT_MAX];
	uint64_t done = 0;
	for (unsigned i = 0; i < flight; i++) {
		s[i] = (struct starter){.state = new_state(),
					.ends = ends / flight + (i < ends % flight)};
		if (pthread_create(&s[i].thread, NULL, starter, &s[i]))
			bench_fail("cannot start a thread");
	}
	for (unsigned i = 0; i < flight; i++) {
		pthread_join(s[i].thread, NULL);
		done += s[i].done;
		if (s[i].state)
			munmap(s[i].state, vdso.page_size);
	}
	return done;
}

static uint64_t locked_1(const struct bench *b)
{
	return storm(b->size, 1);
}

static uint64_t locked_16(const struct bench *b)
{
	return storm(b->size, FLIGHT_MAX);
}

static const struct row rows[] = {
	{"locked-1", locked_1, 16, 0}, {"locked-16", locked_16, 16, 0}, {.name = NULL}};

int main(int argc, char **argv)
{
	struct bench b;
	const struct row *row = bench_arguments(argc, argv, rows, &b);
	weft__vdso_probe(&vdso);
	bench_measure(row, &b);
	return EXIT_SUCCESS;
}
