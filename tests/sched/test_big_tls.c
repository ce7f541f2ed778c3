/* SPDX-License-Identifier: MIT */
/*
 * test_big_tls.c: a program with BYTES of thread-local variables runs its tasks, on every kind of
 * thread that the runtime starts, and key destructors at such a thread's end.
 */
#include <pthread.h>
#include <unistd.h>

#include "../tasks.h"

static _Thread_local char big[BYTES];

/* Not inlined: the address of a thread-local variable belongs to the thread of this moment. By a
 * loop that does not become memset: ThreadSanitizer looks at libc's wherever it is called. */
static __attribute__((noinline)) int fill(char value)
{
	for (size_t i = 0; i < sizeof(big); i++)
		*(volatile char *)&big[i] = value;
	return big[0] + big[sizeof(big) - 1];
}

static int computes(void *arg)
{
	return fill(1);
}

static int blocks(void *arg)
{
	usleep(20000); /* the processor goes to another thread, which there may not be yet */
	return fill(1);
}

static pthread_key_t key;
static int destroyed;

static void at_thread_end(void *value)
{
	__atomic_fetch_add(&destroyed, fill(1) / 2, __ATOMIC_RELAXED);
}

static int ends_locked(void *arg)
{
	expect_eq(weft_lock_os_thread(), 0);
	pthread_setspecific(key, &key);
	weft_sleep(MS);
	return fill(1);
}

static int all_kinds(void *arg)
{
	static int (*const kinds[])(void *) = {computes, blocks, ends_locked};
	struct weft_task *tasks[24];
	for (int i = 0; i < 24; i++)
		tasks[i] = tasks_start(kinds[i % 3], NULL);
	for (int i = 0; i < 24; i++)
		expect_eq(tasks_join(tasks[i]), 2);
	return fill(1);
}

TEST("tasks run on threads with room for all variables")
{
	pthread_key_create(&key, at_thread_end);
	for (int flags = 0; flags <= WEFT_LOCK_MAIN; flags += WEFT_LOCK_MAIN) {
		struct weft_options o = {.size = sizeof(o), .processors = 2, .flags = flags};
		destroyed = 0;
		expect_eq(weft_run(&o, all_kinds, NULL), 2);
		expect_eq(destroyed, 8);
	}
}
