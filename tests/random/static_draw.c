/* SPDX-License-Identifier: MIT */
/*
 * static_draw.c: a program without a dynamic linker draws, in threads and in a child of fork, and
 * its threads give back what they took.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kit.h"
#include "weft/random.h"

enum { THREADS = 24, WORDS = 500, COUNT = (THREADS + 1) * WORDS };

static uint64_t *words;

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
	expect_eq(waitpid(child, &status, 0), child);
	expect_eq(status, 0);
}

static void draw_in_threads(void)
{
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++)
		expect_eq(pthread_create(&threads[i], NULL, draw, words + i * WORDS), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

TEST("a static program draws in threads and in a child")
{
	struct weft_random_info info = {.size = sizeof(info)};
	words = mmap(NULL, COUNT * sizeof(*words), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	expect_ne(words, MAP_FAILED);
	weft_random_u32();
	draw_in_child();
	draw_in_threads();
	qsort(words, COUNT, sizeof(*words), by_value);
	expect_ne(words[0], 0);
	for (int i = 1; i < COUNT; i++)
		expect_ne(words[i], words[i - 1]);
	expect_eq(weft_random_info(&info), 0);
	if (info.vdso)
		expect_eq(info.states_free, info.states_mapped - 1);
	printf("static program: %s\n", info.vdso ? "vDSO" : info.why_not);
}
