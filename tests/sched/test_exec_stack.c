/* SPDX-License-Identifier: MIT */
/*
 * test_exec_stack.c: in a program whose stacks are for code, too (PT_GNU_STACK says so; this one is
 * linked with -z execstack), those of tasks and of the runtime's threads are.
 */
#include <pthread.h>

#include "../tasks.h"

#if defined(__x86_64__)
static const unsigned char return_7[] = {0xb8, 7, 0, 0, 0, 0xc3};
#elif defined(__aarch64__)
static const unsigned char return_7[] = {0xe0, 0x00, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6};
#endif

/* As the trampoline of a nested function: code on the caller's stack. */
static int run_on_stack(void)
{
	char code[sizeof(return_7)] __attribute__((aligned(16)));
	memcpy(code, return_7, sizeof(return_7));
	__builtin___clear_cache(code, code + sizeof(code));
	return ((int (*)(void))(void *)code)();
}

static pthread_key_t key;
static int at_end;

static void at_thread_end(void *value)
{
	at_end = run_on_stack();
}

static int in_task(void *arg)
{
	return run_on_stack();
}

static int in_locked_task(void *arg)
{
	weft_lock_os_thread();
	pthread_setspecific(key, &key);
	return run_on_stack();
}

static int main_task(void *arg)
{
	struct weft_spawn_options small = {.size = sizeof(small), .stack_size = 16384};
	struct weft_task *task;
	expect_eq(weft_spawn(&task, &small, in_task, NULL), 0);
	expect_eq(tasks_join(task), 7);
	expect_eq(tasks_join(tasks_start(in_locked_task, NULL)), 7);
	return run_on_stack();
}

TEST("stacks are for code where the program asks for it")
{
	pthread_key_create(&key, at_thread_end);
	expect_eq(tasks_run(2, main_task, NULL), 7);
	expect_eq(at_end, 7);
}
