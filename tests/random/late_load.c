/* SPDX-License-Identifier: MIT */
/*
 * late_load.c -- LIBRARY: the library arrives by dlopen in a program that has used up the cheap
 * thread keys, and is closed again while threads live.
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

#include "../kit.h"
#include "weft/random.h"

enum { KEYS = 40 };

static uint64_t (*random_u64)(void);
static int (*random_prepare)(void);
static int (*random_info)(struct weft_random_info *info);
static pthread_barrier_t closed;

static struct weft_random_info info_now(void)
{
	struct weft_random_info info = {.size = sizeof(info)};
	expect_eq(random_info(&info), 0);
	return info;
}

static void *draw_without_allocating(void *unused)
{
	size_t before = mallinfo2().uordblks;
	for (int i = 0; i < 1000; i++)
		expect_ne(random_u64(), 0);
	expect_eq(mallinfo2().uordblks, before);
	expect_eq(info_now().states_mapped, 0); /* none is taken with an expensive key */
	return NULL;
}

static void *prepare_and_outlive(void *unused)
{
	struct weft_random_info before = info_now();
	expect_eq(random_prepare(), 0); /* takes a state nevertheless */
	struct weft_random_info after = info_now();
	expect_eq(after.states_mapped - after.states_free,
		  before.states_mapped - before.states_free + 1);
	pthread_barrier_wait(&closed);
	pthread_barrier_wait(&closed);
	return NULL;
}

static void *load(void)
{
	void *library = dlopen(kit_arguments[0], RTLD_NOW | RTLD_LOCAL);
	expect_that(library != NULL, "%s", dlerror());
	random_u64 = (uint64_t(*)(void))dlsym(library, "weft_random_u64");
	random_prepare = (int (*)(void))dlsym(library, "weft_random_prepare");
	random_info = (int (*)(struct weft_random_info *))dlsym(library, "weft_random_info");
	expect(random_u64 && random_prepare && random_info);
	return library;
}

static void *load_late(void)
{
	pthread_key_t key;
	for (int i = 0; i < KEYS; i++)
		expect_eq(pthread_key_create(&key, NULL), 0);
	return load();
}

TEST("draws of a late library allocate nothing and take no state")
{
	pthread_t thread;
	load_late();
	expect_eq(pthread_create(&thread, NULL, draw_without_allocating, NULL), 0);
	pthread_join(thread, NULL);
}

TEST("a state outlives the closing of its library and is given back")
{
	pthread_t outliving;
	void *library = load_late();
	if (!info_now().vdso)
		skip("no getrandom in the vDSO: %s", info_now().why_not);
	pthread_barrier_init(&closed, NULL, 2);
	expect_eq(pthread_create(&outliving, NULL, prepare_and_outlive, NULL), 0);
	pthread_barrier_wait(&closed);
	expect_eq(dlclose(library), 0);
	pthread_barrier_wait(&closed);
	pthread_join(outliving, NULL); /* its destructor runs code of the closed library */
	for (int i = 0; i < 20; i++)
		dlclose(load());
	expect_eq(info_now().states_free, info_now().states_mapped);
}
