/* SPDX-License-Identifier: MIT */
/* test_cond.c: signals reach who waits, one or all, and are never lost. */
#include <pthread.h>

#include "misuse.h"

static struct weft_mutex mutex = WEFT_MUTEX_INIT;
static struct weft_cond cond = WEFT_COND_INIT;
static int tickets, waiting;

static int wait_for_ticket(void *arg)
{
	int err = 0;
	weft_mutex_lock(&mutex);
	waiting++;
	while (!tickets && !err)
		err = weft_cond_wait(&cond, &mutex, WEFT_FOREVER);
	waiting--;
	if (!err)
		tickets--;
	ck_assert_int_eq(weft_mutex_trylock(&mutex), -EAGAIN); /* held in every case */
	weft_mutex_unlock(&mutex);
	return err;
}

static void *wait_for_ticket_thread(void *arg)
{
	return (void *)(intptr_t)wait_for_ticket(arg);
}

static void await_waiting(int n)
{
	for (;;) {
		weft_mutex_lock(&mutex);
		int now = waiting;
		weft_mutex_unlock(&mutex);
		if (now == n)
			return;
		weft_sleep(MS);
	}
}

static void give_ticket(void)
{
	weft_mutex_lock(&mutex);
	tickets++;
	weft_mutex_unlock(&mutex);
	weft_cond_signal(&cond);
}

enum { TASKS = 6 };

TEST_TASKS(a_signal_wakes_one)
{
	struct weft_task *tasks[TASKS];
	for (int i = 0; i < TASKS; i++)
		tasks[i] = tasks_start(wait_for_ticket, NULL);
	await_waiting(TASKS);
	for (int i = TASKS; i > 0; i--) {
		give_ticket();
		await_waiting(i - 1);
		ck_assert_int_eq(tickets, 0);
	}
	for (int i = 0; i < TASKS; i++)
		ck_assert_int_eq(tasks_join(tasks[i]), 0);
}

TEST_TASKS(a_broadcast_wakes_all_threads_included)
{
	struct weft_task *tasks[TASKS];
	pthread_t thread;
	void *result;
	for (int i = 0; i < TASKS; i++)
		tasks[i] = tasks_start(wait_for_ticket, NULL);
	ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_ticket_thread, NULL), 0);
	await_waiting(TASKS + 1);
	weft_mutex_lock(&mutex);
	tickets = TASKS + 1;
	weft_cond_broadcast(&cond);
	weft_mutex_unlock(&mutex);
	for (int i = 0; i < TASKS; i++)
		ck_assert_int_eq(tasks_join(tasks[i]), 0);
	pthread_join(thread, &result);
	ck_assert_ptr_null(result);
	ck_assert_int_eq(tickets, 0);
}

TEST_TASKS(nobody_waits_nobody_is_woken)
{
	weft_cond_signal(&cond);
	weft_cond_broadcast(&cond);
	weft_mutex_lock(&mutex);
	ck_assert_int_eq(weft_cond_wait(&cond, &mutex, weft_after(MS)), -ETIMEDOUT);
	weft_mutex_unlock(&mutex);
}

TEST_TASKS(deadlines_say_which_one_it_was_and_the_mutex_is_held)
{
	weft_mutex_lock(&mutex);
	ck_assert_int_eq(weft_cond_wait(&cond, &mutex, 0), -EAGAIN);
	ck_assert_int_eq(weft_cond_wait(&cond, &mutex, 1), -ETIMEDOUT);
	int64_t until = weft_after(2 * MS);
	ck_assert_int_eq(weft_cond_wait(&cond, &mutex, until), -ETIMEDOUT);
	ck_assert_int_ge(weft_now(), until);
	weft_mutex_unlock(&mutex);
}

TEST_TASKS(cancelling_ends_a_wait_with_the_mutex_held)
{
	struct weft_task *task = tasks_start(wait_for_ticket, NULL);
	await_waiting(1);
	weft_cancel(task);
	ck_assert_int_eq(tasks_join(task), -ECANCELED);
	ck_assert_int_eq(weft_mutex_trylock(&mutex), 0);
	weft_mutex_unlock(&mutex);
}

/* Signals race against deadlines: each reaches somebody as long as somebody waits. */
static int taken, given;

static int wait_briefly(void *arg)
{
	for (int i = 0; i < 400; i++) {
		weft_mutex_lock(&mutex);
		if (!tickets)
			weft_cond_wait(&cond, &mutex, weft_after((i % 40) * 1000));
		if (tickets) {
			tickets--;
			taken++;
		}
		weft_mutex_unlock(&mutex);
	}
	return 0;
}

TEST_TASKS(a_signal_that_loses_against_a_deadline_goes_to_the_next)
{
	struct weft_task *tasks[TASKS];
	struct weft_task *patient = tasks_start(wait_for_ticket, NULL);
	for (int i = 0; i < TASKS; i++)
		tasks[i] = tasks_start(wait_briefly, NULL);
	for (given = 0; given < 200; given++) {
		give_ticket();
		weft_yield();
	}
	for (int i = 0; i < TASKS; i++)
		tasks_join(tasks[i]);
	if (weft_join(patient, NULL, 0) != 0) {
		give_ticket();
		ck_assert_int_eq(tasks_join(patient), 0);
	}
}

static int wait_without_mutex(void *arg)
{
	return weft_cond_wait(&cond, &mutex, WEFT_FOREVER);
}

START_TEST(waiting_without_the_mutex_is_misuse)
{
	expect_misuse("weft_cond_wait", wait_without_mutex);
}
END_TEST

static void add_all(TCase *tcase)
{
	add_tasks_test(tcase, a_signal_wakes_one);
	add_tasks_test(tcase, a_broadcast_wakes_all_threads_included);
	add_tasks_test(tcase, nobody_waits_nobody_is_woken);
	add_tasks_test(tcase, deadlines_say_which_one_it_was_and_the_mutex_is_held);
	add_tasks_test(tcase, cancelling_ends_a_wait_with_the_mutex_held);
	add_tasks_test(tcase, a_signal_that_loses_against_a_deadline_goes_to_the_next);
	tcase_add_test(tcase, waiting_without_the_mutex_is_misuse);
}

TESTS_MAIN("cond", add_all)
