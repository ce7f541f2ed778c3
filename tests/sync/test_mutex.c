/* SPDX-License-Identifier: MIT */
/* test_mutex.c: exclusion, fairness, deadlines, misuse. */
#include <pthread.h>

#include "misuse.h"

static struct weft_mutex mutex = WEFT_MUTEX_INIT;
static int shared, inside;

static void enter_once(void)
{
	ck_assert_int_eq(inside++, 0);
	shared++;
	if (shared % 7 == 0)
		weft_yield(); /* others run while it is held, and must not come in */
	ck_assert_int_eq(--inside, 0);
}

enum { TASKS = 8, ROUNDS = 2000 };

static int lock_often(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		if (i % 3 == 0)
			while (weft_mutex_trylock(&mutex) != 0)
				weft_yield();
		else if (i % 3 == 1)
			ck_assert_int_eq(weft_mutex_lock_until(&mutex, soon()), 0);
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

TEST_TASKS(one_at_a_time_tasks_and_threads)
{
	struct weft_task *tasks[TASKS];
	pthread_t threads[2];
	for (int i = 0; i < TASKS; i++)
		tasks[i] = tasks_start(lock_often, NULL);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, lock_often_thread, NULL), 0);
	for (int i = 0; i < TASKS; i++)
		tasks_join(tasks[i]);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(shared, (TASKS + 2) * ROUNDS);
	ck_assert_int_eq(weft_mutex_trylock(&mutex), 0); /* nothing of it all is left in the word */
	ck_assert_uint_eq(mutex.weft_private[1], 0);
	weft_mutex_unlock(&mutex);
	ck_assert_uint_eq(mutex.weft_private[0], 0);
}

START_TEST(threads_alone_before_any_runtime)
{
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, lock_often_thread, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(shared, 4 * ROUNDS);
}
END_TEST

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

TEST_TASKS(deadlines_say_which_one_it_was)
{
	weft_mutex_lock(&mutex);
	ck_assert_int_eq(try_in_task(-1), -EAGAIN);
	ck_assert_int_eq(try_in_task(0), -EAGAIN);
	ck_assert_int_eq(try_in_task(1), -ETIMEDOUT);
	int64_t until = weft_after(3 * MS);
	ck_assert_int_eq(try_in_task(until), -ETIMEDOUT);
	ck_assert_int_ge(weft_now(), until);
	weft_mutex_unlock(&mutex);
	ck_assert_int_eq(try_in_task(-1), 0);
	ck_assert_int_eq(try_in_task(0), 0);
	ck_assert_int_eq(try_in_task(1), 0);
	ck_assert_uint_eq(mutex.weft_private[0], 0);
}

static int lock_and_tell(void *arg)
{
	weft_mutex_lock(&mutex);
	int got = shared++;
	weft_mutex_unlock(&mutex);
	return got + (weft_cancelled() ? 100 : 0);
}

TEST_TASKS(locking_is_not_cancellable)
{
	weft_mutex_lock(&mutex);
	struct weft_task *task = tasks_start(lock_and_tell, NULL);
	tasks_settle();
	ck_assert_int_eq(weft_cancel(task), 0);
	tasks_settle();
	ck_assert_int_eq(weft_join(task, NULL, 0), -EAGAIN);
	weft_mutex_unlock(&mutex);
	ck_assert_int_eq(tasks_join(task), 100);
}

/* Holds the mutex almost always: who wants it in between has to be given it. */
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

TEST_TASKS(who_has_waited_a_millisecond_is_next)
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
		/* 5 rounds are a millisecond; before the waiter's thread is woken or it gets a processor 50 may pass. */
		ck_assert_int_lt(after - before, 500);
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

TEST_TASKS(contenders_that_compute_are_no_deadlock)
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

TEST_TASKS(waiters_that_give_up_take_nothing_with_them)
{
	struct weft_task *tasks[TASKS];
	int locked = 0;
	for (int i = 0; i < TASKS; i++)
		tasks[i] = tasks_start(lock_briefly, NULL);
	for (int i = 0; i < TASKS; i++)
		locked += tasks_join(tasks[i]);
	ck_assert_int_eq(shared, locked);
	ck_assert_int_gt(locked, 0);
	weft_mutex_lock(&mutex);
	weft_mutex_unlock(&mutex);
	ck_assert_uint_eq(mutex.weft_private[0], 0);
}

/* The holder's last touch of a mutex is letting go: the next one may free it. */
static int unlock_shared(void *arg)
{
	struct weft_mutex *m = arg;
	weft_mutex_lock(m);
	weft_mutex_unlock(m);
	return 0;
}

TEST_TASKS(a_mutex_may_be_freed_by_who_locked_it_last)
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

START_TEST(unlocking_what_one_does_not_hold_is_misuse)
{
	expect_misuse("weft_mutex_unlock", unlock_unlocked);
	expect_misuse("weft_mutex_unlock", unlock_anothers);
}
END_TEST

static void add_all(TCase *tcase)
{
	add_tasks_test(tcase, one_at_a_time_tasks_and_threads);
	tcase_add_test(tcase, threads_alone_before_any_runtime);
	add_tasks_test(tcase, deadlines_say_which_one_it_was);
	add_tasks_test(tcase, locking_is_not_cancellable);
	add_tasks_test(tcase, who_has_waited_a_millisecond_is_next);
	add_tasks_test(tcase, contenders_that_compute_are_no_deadlock);
	add_tasks_test(tcase, waiters_that_give_up_take_nothing_with_them);
	add_tasks_test(tcase, a_mutex_may_be_freed_by_who_locked_it_last);
	tcase_add_test(tcase, unlocking_what_one_does_not_hold_is_misuse);
}

TESTS_MAIN("mutex", add_all)
