/* SPDX-License-Identifier: MIT */
/* test_mutex.c: exclusion, fairness, deadlines, misuse. */
#include <pthread.h>

#include "misuse.h"

static struct weft_mutex mutex = WEFT_MUTEX_INIT;
static int shared, inside;

static void enter_once(void)
{
	expect_eq(inside++, 0);
	shared++;
	if (shared % 7 == 0)
		weft_yield(); /* others run while it is held, and must not come in */
	expect_eq(--inside, 0);
}

enum { TASKS = 8, ROUNDS = 2000 };

static int lock_often(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		if (i % 3 == 0)
			while (weft_mutex_trylock(&mutex) != 0)
				weft_yield();
		else if (i % 3 == 1)
			expect_eq(weft_mutex_lock_until(&mutex, soon()), 0);
		else
			weft_mutex_lock(&mutex);
		enter_once();
		weft_mutex_unlock(&mutex);
	}
	return 0;
}

static void *lock_often_thread(void *arg)
{
	lock_often(arg);
	return NULL;
}

TASK_TEST("one at a time tasks and threads")
{
	struct weft_task *tasks[TASKS];
	pthread_t threads[2];
	for (int i = 0; i < TASKS; i++)
		tasks[i] = tasks_start(lock_often, NULL);
	for (int i = 0; i < 2; i++)
		expect_eq(pthread_create(&threads[i], NULL, lock_often_thread, NULL), 0);
	for (int i = 0; i < TASKS; i++)
		tasks_join(tasks[i]);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	expect_eq(shared, (TASKS + 2) * ROUNDS);
	expect_eq(weft_mutex_trylock(&mutex), 0); /* nothing of it all is left in the word */
	expect_eq(mutex.weft_private[1], 0);
	weft_mutex_unlock(&mutex);
	expect_eq(mutex.weft_private[0], 0);
}

TEST("threads alone before any runtime")
{
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		expect_eq(pthread_create(&threads[i], NULL, lock_often_thread, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	expect_eq(shared, 4 * ROUNDS);
}

static int try_lock(void *arg)
{
	int64_t deadline = *(int64_t *)arg;
	int err = deadline == -1 ? weft_mutex_trylock(&mutex)
				 : weft_mutex_lock_until(&mutex, deadline);
	if (!err)
		weft_mutex_unlock(&mutex);
	return err;
}

static int try_in_task(int64_t deadline)
{
	return tasks_join(tasks_start(try_lock, &deadline));
}

TASK_TEST("deadlines say which one it was")
{
	weft_mutex_lock(&mutex);
	expect_eq(try_in_task(-1), -EAGAIN);
	expect_eq(try_in_task(0), -EAGAIN);
	expect_eq(try_in_task(1), -ETIMEDOUT);
	int64_t until = weft_after(3 * MS);
	expect_eq(try_in_task(until), -ETIMEDOUT);
	expect_ge(weft_now(), until);
	weft_mutex_unlock(&mutex);
	expect_eq(try_in_task(-1), 0);
	expect_eq(try_in_task(0), 0);
	expect_eq(try_in_task(1), 0);
	expect_eq(mutex.weft_private[0], 0);
}

static int lock_and_tell(void *arg)
{
	weft_mutex_lock(&mutex);
	int got = shared++;
	weft_mutex_unlock(&mutex);
	return got + (weft_cancelled() ? 100 : 0);
}

TASK_TEST("locking is not cancellable")
{
	weft_mutex_lock(&mutex);
	struct weft_task *task = tasks_start(lock_and_tell, NULL);
	tasks_settle();
	expect_eq(weft_cancel(task), 0);
	tasks_settle();
	expect_eq(weft_join(task, NULL, 0), -EAGAIN);
	weft_mutex_unlock(&mutex);
	expect_eq(tasks_join(task), 100);
}

/* Holds the mutex almost always: it has to be handed to the one that wants it in between. */
static int hog(void *arg)
{
	int *rounds = arg;
	while (!weft_cancelled()) {
		weft_mutex_lock(&mutex);
		for (int64_t until = weft_after(200 * 1000); weft_now() < until;)
			;
		__atomic_fetch_add(rounds, 1, __ATOMIC_RELAXED);
		weft_mutex_unlock(&mutex);
	}
	return 0;
}

TASK_TEST("a waiter of a millisecond is next")
{
	int rounds = 0;
	struct weft_task *task = tasks_start(hog, &rounds);
	while (__atomic_load_n(&rounds, __ATOMIC_RELAXED) == 0)
		weft_sleep(MS);
	for (int i = 0; i < 10; i++) {
		int before = __atomic_load_n(&rounds, __ATOMIC_RELAXED);
		weft_mutex_lock(&mutex);
		int after = __atomic_load_n(&rounds, __ATOMIC_RELAXED);
		weft_mutex_unlock(&mutex);
		/*
		 * 5 rounds are a millisecond; before the waiter's thread is woken or it gets a
		 * processor 50 may pass.
		 */
		expect_lt(after - before, 500);
		weft_sleep(MS);
	}
	weft_cancel(task);
	tasks_join(task);
}

/* All wait for one that has just lost its processor and is on its way back: that is no deadlock. */
static int lock_for_a_while(void *arg)
{
	for (int64_t until = weft_after(300 * MS); weft_now() < until;) {
		for (int i = 0; i < 1000; i++) {
			weft_mutex_lock(&mutex);
			shared++;
			weft_mutex_unlock(&mutex);
		}
	}
	return 0;
}

TASK_TEST("contenders that compute are no deadlock")
{
	struct weft_task *tasks[TASKS];
	for (int i = 0; i < TASKS; i++)
		tasks[i] = tasks_start(lock_for_a_while, NULL);
	for (int i = 0; i < TASKS; i++)
		tasks_join(tasks[i]);
}

/* Waiters that give up at all moments take no wake-up with them. */
static int lock_briefly(void *arg)
{
	int locked = 0;
	for (int i = 0; i < 300; i++) {
		if (weft_mutex_lock_until(&mutex, weft_after((i % 50) * 1000)) == 0) {
			enter_once();
			locked++;
			weft_mutex_unlock(&mutex);
		}
	}
	return locked;
}

TASK_TEST("waiters that give up take nothing with them")
{
	struct weft_task *tasks[TASKS];
	int locked = 0;
	for (int i = 0; i < TASKS; i++)
		tasks[i] = tasks_start(lock_briefly, NULL);
	for (int i = 0; i < TASKS; i++)
		locked += tasks_join(tasks[i]);
	expect_eq(shared, locked);
	expect_gt(locked, 0);
	weft_mutex_lock(&mutex);
	weft_mutex_unlock(&mutex);
	expect_eq(mutex.weft_private[0], 0);
}

/* The holder's last touch of a mutex is letting go: the next one may free it. */
static int unlock_shared(void *arg)
{
	struct weft_mutex *m = arg;
	weft_mutex_lock(m);
	weft_mutex_unlock(m);
	return 0;
}

TASK_TEST("a mutex may be freed by the one that locked it last")
{
	for (int i = 0; i < 200; i++) {
		struct weft_mutex *m = calloc(1, sizeof(*m));
		weft_mutex_lock(m);
		struct weft_task *task = tasks_start(unlock_shared, m);
		if (i % 2)
			weft_yield();
		weft_mutex_unlock(m);
		tasks_join(task);
		weft_mutex_lock(m);
		weft_mutex_unlock(m);
		free(m);
	}
}

static int unlock_unlocked(void *arg)
{
	weft_mutex_unlock(&mutex);
	return 0;
}

static int unlock_anothers(void *arg)
{
	struct weft_task *task;
	weft_mutex_lock(&mutex);
	weft_spawn(&task, NULL, unlock_unlocked, NULL);
	weft_join(task, NULL, WEFT_FOREVER);
	return 0;
}

TEST("unlocking what one does not hold is misuse")
{
	expect_misuse("weft_mutex_unlock", unlock_unlocked);
	expect_misuse("weft_mutex_unlock", unlock_anothers);
}
