/* SPDX-License-Identifier: MIT */
/*
 * late_load.c LIBRARY: the library arrives by dlopen in a program that has used up the cheap thread
 * keys, and is closed again while threads live.
 *
 * libc keeps the values of 32 keys in the thread's own record and callocs for more. A draw must not
 * allocate, so it stays with the system call there until weft_random_prepare is called.
 */
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "weft/random.h"

enum { KEYS = 40 };

static uint64_t (*random_u64)(void);
static int (*random_prepare)(void);
static int (*random_info)(struct weft_random_info *info);
static pthread_barrier_t closed;

static void require_that(int holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "late_load: not so: %s\n", what);
	exit(EXIT_FAILURE);
}

static struct weft_random_info info_now(void)
{
	struct weft_random_info info = {.size = sizeof(info)};
	require_that(random_info(&info) == 0, "info is to be had");
	return info;
}

static void *draw_without_allocating(void *unused)
{
	size_t before = mallinfo2().uordblks;
	for (int i = 0; i < 1000; i++)
		require_that(random_u64() != 0, "a draw gives a word");
	require_that(mallinfo2().uordblks == before, "draws do not allocate");
	require_that(info_now().states_mapped == 0, "draws take no state with an expensive key");
	return NULL;
}

static void *prepare_and_outlive(void *unused)
{
	struct weft_random_info before = info_now();
	require_that(random_prepare() == 0, "prepare takes a state nevertheless");
	struct weft_random_info after = info_now();
	require_that(after.states_mapped - after.states_free ==
			     before.states_mapped - before.states_free + 1,
		     "and owns it");
	pthread_barrier_wait(&closed);
	pthread_barrier_wait(&closed);
	return NULL;
}

static void on_thread(void *(*fn)(void *arg))
{
	pthread_t thread;
	require_that(pthread_create(&thread, NULL, fn, NULL) == 0, "threads are to be had");
	pthread_join(thread, NULL);
}

static void *load(const char *path)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	require_that(library != NULL, "the library loads");
	random_u64 = (uint64_t(*)(void))dlsym(library, "weft_random_u64");
	random_prepare = (int (*)(void))dlsym(library, "weft_random_prepare");
	random_info = (int (*)(struct weft_random_info *))dlsym(library, "weft_random_info");
	require_that(random_u64 && random_prepare && random_info, "its names are there");
	return library;
}

int main(int argc, char **argv)
{
	pthread_key_t key;
	pthread_t outliving;
	require_that(argc == 2, "the library's path is the one argument");
	for (int i = 0; i < KEYS; i++)
		require_that(pthread_key_create(&key, NULL) == 0, "keys are to be had");
	void *library = load(argv[1]);
	on_thread(draw_without_allocating);
	if (!info_now().vdso) {
		printf("skipped in part: %s\n", info_now().why_not);
		return EXIT_SUCCESS;
	}
	pthread_barrier_init(&closed, NULL, 2);
	require_that(pthread_create(&outliving, NULL, prepare_and_outlive, NULL) == 0, "threads");
	pthread_barrier_wait(&closed);
	require_that(dlclose(library) == 0, "the library closes");
	pthread_barrier_wait(&closed);
	pthread_join(outliving, NULL); /* its destructor runs code of the closed library */
	for (int i = 0; i < 20; i++)
		dlclose(load(argv[1]));
	require_that(info_now().states_free == info_now().states_mapped,
		     "the state was given back");
	return EXIT_SUCCESS;
}
