/* SPDX-License-Identifier: MIT */
/* test_lost.c: a task that ends its thread, in any way and any place, is named, and nothing hangs.
 * */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/attr.h"
#include "debug_test.h"

/* ---- ways to end a thread ---- */

static void by_pthread_exit(void)
{
	pthread_exit(NULL);
}

static void by_thrd_exit(void)
{
	thrd_exit(0);
}

static void by_cancellation_point(void)
{
	pthread_cancel(pthread_self());
	for (;;)
		pause();
}

static void by_asynchronous_cancellation(void)
{
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	pthread_cancel(pthread_self());
	for (;;)
		;
}

static void by_system_call(void)
{
	syscall(SYS_exit, 0);
}

static void (*const ways[])(void) = {by_pthread_exit, by_thrd_exit, by_cancellation_point,
				     by_asynchronous_cancellation, by_system_call};
static void (*way)(void);

/* ---- places to do it in ---- */

static int in_task(void *arg)
{
	way();
	return 0;
}

static int in_locked_task(void *arg)
{
	weft_lock_os_thread();
	way();
	return 0;
}

static int call_way(const void *a, const void *b)
{
	way();
	return 0;
}

static int in_callback(void *arg)
{
	int numbers[] = {2, 1};
	qsort(numbers, array_len(numbers), sizeof(*numbers), call_way);
	return 0;
}

static void destroy(void *value)
{
	way();
}

static int in_key_destructor(void *arg)
{
	unsigned key;
	weft_key_create(&key, destroy);
	weft_key_set(key, arg);
	return 0;
}

static int after_its_processor_went(void *arg)
{
	weft_blocking_begin();
	way();
	return 0;
}

static const struct place {
	const char *name;
	int (*task)(void *arg);
} places[] = {
	{"task", in_task},
	{"locked", in_locked_task},
	{"callback", in_callback},
	{"destructor", in_key_destructor},
	{"blocking", after_its_processor_went},
};

static int start_named(void *arg)
{
	const struct place *place = arg;
	struct weft_spawn_options options = {.size = sizeof(options), .name = place->name};
	struct weft_task *task;
	weft_spawn(&task, &options, place->task, arg);
	return weft_join(task, NULL, WEFT_FOREVER);
}

static struct place chosen;

static int run_chosen(void *arg)
{
	return weft_run(arg, start_named, &chosen);
}

static void end_by(unsigned i, struct weft_options *options)
{
	char who[48];
	way = ways[i];
	in_child(run_chosen, options);
	snprintf(who, sizeof(who), "'%s' has ended its thread", chosen.name);
	expect_that(status == -SIGABRT && strstr(said, who), "way %u in %s: status %d: %s", i,
		    chosen.name, status, said);
}

TEST("a task that ends its thread is named", .times = array_len(places), .seconds = 600)
{
#if defined(WEFT_ASAN) || defined(WEFT_TSAN)
	skip("sanitizers end such a program by themselves, with a report of their own");
#endif
	chosen = places[nth];
	for (unsigned i = 0; i < array_len(ways); i++)
		end_by(i, NULL);
}

/* ---- by another ---- */

static pthread_t sleeping_thread;
static int asleep;

static int sleep_locked(void *arg)
{
	weft_lock_os_thread();
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	sleeping_thread = pthread_self();
	store_release(&asleep, 1);
	return weft_sleep_until(WEFT_FOREVER);
}

static void cancel_sleeper(void *arg)
{
	while (!load_acquire(&asleep))
		weft_yield();
	weft_sleep(5 * MS);
	pthread_cancel(sleeping_thread);
}

static int sleep_beside_canceller(void *arg)
{
	weft_go(cancel_sleeper, NULL);
	return start_named(arg);
}

static int run_beside_canceller(void *arg)
{
	return weft_run(NULL, sleep_beside_canceller, arg);
}

TEST("a locked task whose thread is cancelled while it sleeps is named", .seconds = 600)
{
#if defined(WEFT_ASAN) || defined(WEFT_TSAN)
	skip("sanitizers end such a program by themselves, with a report of their own");
#endif
	chosen = (struct place){"sleeper", sleep_locked};
	in_child(run_beside_canceller, &chosen);
	assert_status(-SIGABRT);
	assert_said("'sleeper' has ended its thread");
}

/* ---- when it is named ---- */

static void say_so(void *value)
{
	fputs("a destructor has run\n", stderr);
}

/* The first key of the process is the runtime's, so libc runs this destructor after that one's. */
static int in_task_with_key(void *arg)
{
	static pthread_key_t key;
	pthread_key_create(&key, say_so);
	pthread_setspecific(key, &key);
	way();
	return 0;
}

TEST("it is named before the program's destructors run on a thread that is no task's any more",
     .seconds = 600)
{
#if defined(WEFT_ASAN) || defined(WEFT_TSAN)
	skip("sanitizers end such a program by themselves, with a report of their own");
#endif
	chosen = (struct place){"destructor", in_task_with_key};
	for (unsigned i = 0; i < array_len(ways); i++) {
		end_by(i, NULL);
		assert_not_said("a destructor has run");
	}
}

static int run_main_task(void *arg)
{
	struct weft_options options = {.flags = WEFT_LOCK_MAIN};
	return weft_run(&options, in_task, NULL);
}

TEST("the main task on the first thread is named", .seconds = 600)
{
#if defined(WEFT_ASAN) || defined(WEFT_TSAN)
	skip("sanitizers end such a program by themselves, with a report of their own");
#endif
	for (unsigned i = 0; i < array_len(ways); i++) {
		way = ways[i];
		in_child(run_main_task, NULL);
		expect_that(status == -SIGABRT && strstr(said, "'main' has ended its thread"),
			    "way %u: status %d: %s", i, status, said);
	}
}

/* ---- what is no misuse ---- */

static void *end_itself(void *arg)
{
	way();
	return NULL;
}

/* A thread of the program's, and a forked child, end as they like. */
static int others_end(void *arg)
{
	pthread_t thread;
	int how = -1;
	way = by_pthread_exit;
	pthread_create(&thread, NULL, end_itself, NULL);
	pthread_join(thread, NULL);
	pid_t child = fork();
	if (child == 0)
		pthread_exit(NULL);
	weft_wait_pid(child, &how, WEFT_FOREVER);
	return how;
}

TEST("others end as they like", .seconds = 600)
{
#if defined(WEFT_ASAN) || defined(WEFT_TSAN)
	skip("sanitizers end such a program by themselves, with a report of their own");
#endif
	run_in_child(NULL, others_end);
	assert_status(0);
	expect_eq(said, "");
}

static void end_late(void *value)
{
	pthread_exit(NULL);
}

static int end_locked_with_key(void *arg)
{
	static pthread_key_t key;
	pthread_key_create(&key, end_late);
	pthread_setspecific(key, &key);
	return weft_lock_os_thread();
}

static int end_locked(void *arg)
{
	struct weft_task *task;
	weft_spawn(&task, NULL, end_locked_with_key, NULL);
	return weft_join(task, NULL, WEFT_FOREVER);
}

TEST("a thread that has left ends as it likes", .seconds = 600)
{
#if defined(WEFT_ASAN) || defined(WEFT_TSAN)
	skip("sanitizers end such a program by themselves, with a report of their own");
#endif
	run_in_child(NULL, end_locked);
	assert_status(0);
}
