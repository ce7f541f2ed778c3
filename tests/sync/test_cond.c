/* SPDX-License-Identifier: MIT */
/* test_cond.c: signals reach waiters, one or all, and are never lost. */
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
	expect_eq(weft_mutex_trylock(&mutex), -EAGAIN); /* held in every case */
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

TASK_TEST("a signal wakes one")
{
	struct weft_task *tasks[TASKS];
	for (int i = 0; i < TASKS; i++)
		tasks[i] = tasks_start(wait_for_ticket, NULL);
	await_waiting(TASKS);
	for (int i = TASKS; i > 0; i--) {
		give_ticket();
		await_waiting(i - 1);
		expect_eq(tickets, 0);
	}
	for (int i = 0; i < TASKS; i++)
		expect_eq(tasks_join(tasks[i]), 0);
}

TASK_TEST("a broadcast wakes all threads included")
{
	struct weft_task *tasks[TASKS];
	pthread_t thread;
	void *result;
	for (int i = 0; i < TASKS; i++)
		tasks[i] = tasks_start(wait_for_ticket, NULL);
	expect_eq(pthread_create(&thread, NULL, wait_for_ticket_thread, NULL), 0);
	await_waiting(TASKS + 1);
	weft_mutex_lock(&mutex);
	tickets = TASKS + 1;
	weft_cond_broadcast(&cond);
	weft_mutex_unlock(&mutex);
	for (int i = 0; i < TASKS; i++)
		expect_eq(tasks_join(tasks[i]), 0);
	pthread_join(thread, &result);
	expect_eq(result, NULL);
	expect_eq(tickets, 0);
}

TASK_TEST("a signal without a waiter wakes none")
{
	weft_cond_signal(&cond);
	weft_cond_broadcast(&cond);
	weft_mutex_lock(&mutex);
	expect_eq(weft_cond_wait(&cond, &mutex, weft_after(MS)), -ETIMEDOUT);
	weft_mutex_unlock(&mutex);
}

TASK_TEST("deadlines say which one it was and the mutex is held")
{
	weft_mutex_lock(&mutex);
	expect_eq(weft_cond_wait(&cond, &mutex, 0), -EAGAIN);
	expect_eq(weft_cond_wait(&cond, &mutex, 1), -ETIMEDOUT);
	int64_t until = weft_after(2 * MS);
	expect_eq(weft_cond_wait(&cond, &mutex, until), -ETIMEDOUT);
	expect_ge(weft_now(), until);
	weft_mutex_unlock(&mutex);
}

TASK_TEST("cancelling ends a wait with the mutex held")
{
	struct weft_task *task = tasks_start(wait_for_ticket, NULL);
	await_waiting(1);
	weft_cancel(task);
	expect_eq(tasks_join(task), -ECANCELED);
	expect_eq(weft_mutex_trylock(&mutex), 0);
	weft_mutex_unlock(&mutex);
}

/* Signals race against deadlines: each reaches a waiter as long as there is one. */
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

TASK_TEST("a signal that loses against a deadline goes to the next")
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
		expect_eq(tasks_join(patient), 0);
	}
}

static int wait_without_mutex(void *arg)
{
	return weft_cond_wait(&cond, &mutex, WEFT_FOREVER);
}

TEST("waiting without the mutex is misuse")
{
	expect_misuse("weft_cond_wait", wait_without_mutex);
}
