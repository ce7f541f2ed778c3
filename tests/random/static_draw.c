/* SPDX-License-Identifier: MIT */
/*
 * static_draw.c: a program without a dynamic linker draws, in threads and in a child of fork, and
 * its threads give back what they took. No test library: that is the point of it.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "weft/random.h"

enum { THREADS = 24, WORDS = 500, COUNT = (THREADS + 1) * WORDS };

static uint64_t *words;

static void fail(const char *what)
{
	fprintf(stderr, "static_draw: %s\n", what);
	exit(EXIT_FAILURE);
}

static void *draw(void *part)
{
	for (uint64_t *word = part; word < (uint64_t *)part + WORDS; word++)
		*word = weft_random_u64();
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static void draw_in_child(void)
{
	pid_t child = fork();
	int status = -1;
	if (child == 0) {
		draw(words + THREADS * WORDS);
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child || status != 0)
		fail("the child of fork failed");
}

static void draw_in_threads(void)
{
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, draw, words + i * WORDS) != 0)
			fail("no threads");
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

int main(void)
{
	struct weft_random_info info = {.size = sizeof(info)};
	words = mmap(NULL, COUNT * sizeof(*words), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (words == MAP_FAILED)
		fail("no memory");
	weft_random_u32();
	draw_in_child();
	draw_in_threads();
	qsort(words, COUNT, sizeof(*words), by_value);
	for (int i = 1; i < COUNT; i++)
		if (words[i] == words[i - 1] || words[i - 1] == 0)
			fail("a word came twice, or is zero");
	if (weft_random_info(&info) != 0 ||
	    (info.vdso && info.states_free != info.states_mapped - 1))
		fail("states were not given back");
	printf("static program: %s\n", info.vdso ? "vDSO" : info.why_not);
	return EXIT_SUCCESS;
}
