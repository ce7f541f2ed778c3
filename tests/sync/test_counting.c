/* SPDX-License-Identifier: MIT */
/* test_counting.c: semaphores, once, wait groups. */
#include <pthread.h>

#include "misuse.h"

/* ---- semaphores ---- */

static struct weft_sem sem = WEFT_SEM_INIT(3);
static struct weft_sem empty;
static int inside, order[8], order_count;

static int hold_unit(void *arg)
{
	for (int i = 0; i < 500; i++) {
		expect_eq(weft_sem_acquire(&sem, 1 + i % 3, soon()), 0);
		int n = __atomic_add_fetch(&inside, 1 + i % 3, __ATOMIC_SEQ_CST);
		expect_le(n, 3);
		if (i % 5 == 0)
			weft_yield();
		__atomic_sub_fetch(&inside, 1 + i % 3, __ATOMIC_SEQ_CST);
		weft_sem_release(&sem, 1 + i % 3);
	}
	return 0;
}

static void *hold_unit_thread(void *arg)
{
	hold_unit(arg);
	return NULL;
}

TASK_TEST("never more units than there are")
{
	struct weft_task *tasks[8];
	pthread_t thread;
	for (int i = 0; i < 8; i++)
		tasks[i] = tasks_start(hold_unit, NULL);
	expect_eq(pthread_create(&thread, NULL, hold_unit_thread, NULL), 0);
	for (int i = 0; i < 8; i++)
		tasks_join(tasks[i]);
	pthread_join(thread, NULL);
	expect_eq(weft_sem_acquire(&sem, 3, 0), 0);
	expect_eq(weft_sem_acquire(&sem, 1, 0), -EAGAIN);
	weft_sem_release(&sem, 3);
}

static int acquire_many(void *arg)
{
	int units = *(int *)arg;
	int err = weft_sem_acquire(&empty, (unsigned)units, WEFT_FOREVER);
	order[__atomic_fetch_add(&order_count, 1, __ATOMIC_SEQ_CST)] = units;
	return err;
}

TASK_TEST("the first to come is served first however much it wants")
{
	int three = 3, one = 1;
	struct weft_task *big = tasks_start(acquire_many, &three);
	tasks_settle();
	struct weft_task *small = tasks_start(acquire_many, &one);
	tasks_settle();
	weft_sem_release(&empty, 1);
	tasks_settle();
	expect_eq(order_count, 0);
	expect_eq(weft_sem_acquire(&empty, 1, 0), -EAGAIN);
	weft_sem_release(&empty, 3);
	expect_eq(tasks_join(big), 0);
	expect_eq(tasks_join(small), 0);
	expect_eq(weft_sem_acquire(&empty, 1, 0), -EAGAIN);
}

TASK_TEST("a wish that ends lets smaller ones through")
{
	int three = 3, one = 1;
	struct weft_task *big = tasks_start(acquire_many, &three);
	tasks_settle();
	struct weft_task *small = tasks_start(acquire_many, &one);
	tasks_settle();
	weft_sem_release(&empty, 2);
	weft_cancel(big);
	expect_eq(tasks_join(big), -ECANCELED);
	expect_eq(tasks_join(small), 0);
	expect_eq(weft_sem_acquire(&empty, 1, 0), 0);
	expect_eq(weft_sem_acquire(&empty, 1, 0), -EAGAIN);
}

TASK_TEST("semaphore deadlines say which one it was")
{
	expect_eq(weft_sem_acquire(&empty, 1, 0), -EAGAIN);
	expect_eq(weft_sem_acquire(&empty, 1, 1), -ETIMEDOUT);
	int64_t until = weft_after(2 * MS);
	expect_eq(weft_sem_acquire(&empty, 1, until), -ETIMEDOUT);
	expect_ge(weft_now(), until);
	weft_sem_release(&empty, 1);
	expect_eq(weft_sem_acquire(&empty, 1, 1), 0);
	expect_eq(weft_sem_acquire(&empty, 0, 0), 0);
}

static int release_too_many(void *arg)
{
	weft_sem_release(&empty, UINT32_MAX / 2);
	weft_sem_release(&empty, 1);
	return 0;
}

TEST("too many units are misuse")
{
	expect_misuse("weft_sem_release", release_too_many);
}

/* ---- once ---- */

static struct weft_once once = WEFT_ONCE_INIT;
static int calls, done;

static void slowly(void *arg)
{
	weft_sleep(5 * MS);
	calls++;
	done = 1;
}

static int call_once(void *arg)
{
	weft_once(&once, slowly, NULL);
	return done; /* the first call has returned by now, whichever task made it */
}

TASK_TEST("it happens once and everybody waits for it")
{
	struct weft_task *tasks[10];
	for (int i = 0; i < 10; i++)
		tasks[i] = tasks_start(call_once, NULL);
	weft_cancel(tasks[3]); /* waiting for it is not cancellable */
	for (int i = 0; i < 10; i++)
		expect_eq(tasks_join(tasks[i]), 1);
	expect_eq(calls, 1);
}

static void at_once(void *arg)
{
	calls++;
	done = 1;
}

static void *call_once_thread(void *arg)
{
	weft_once(&once, at_once, NULL);
	return (void *)(intptr_t)done;
}

TEST("threads before any runtime count too")
{
	pthread_t threads[4];
	void *result;
	for (int i = 0; i < 4; i++)
		expect_eq(pthread_create(&threads[i], NULL, call_once_thread, NULL), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &result);
		expect_eq((intptr_t)result, 1);
	}
	expect_eq(calls, 1);
}

/* ---- wait groups ---- */

static struct weft_waitgroup wg = WEFT_WAITGROUP_INIT;

static int finish_later(void *arg)
{
	weft_sleep(MS);
	__atomic_fetch_add(&inside, 1, __ATOMIC_SEQ_CST);
	weft_waitgroup_done(&wg);
	return 0;
}

static void *wait_thread(void *arg)
{
	return (void *)(intptr_t)weft_waitgroup_wait(&wg, soon());
}

TASK_TEST("a wait ends when the count is zero and it can be used again")
{
	for (int round = 0; round < 20; round++) {
		struct weft_task *tasks[10];
		pthread_t thread;
		void *result;
		inside = 0;
		expect_eq(weft_waitgroup_wait(&wg, 0), 0);
		weft_waitgroup_add(&wg, 10);
		expect_eq(weft_waitgroup_wait(&wg, 0), -EAGAIN);
		expect_eq(weft_waitgroup_wait(&wg, 1), -ETIMEDOUT);
		for (int i = 0; i < 10; i++)
			tasks[i] = tasks_start(finish_later, NULL);
		expect_eq(pthread_create(&thread, NULL, wait_thread, NULL), 0);
		expect_eq(weft_waitgroup_wait(&wg, soon()), 0);
		expect_eq(inside, 10);
		pthread_join(thread, &result);
		expect_eq((intptr_t)result, 0);
		for (int i = 0; i < 10; i++)
			tasks_join(tasks[i]);
	}
}

struct job {
	struct weft_waitgroup wg;
};

static int finish_job(void *arg)
{
	struct job *job = arg;
	weft_waitgroup_done(&job->wg);
	return 0;
}

TASK_TEST("a task that has waited may free it")
{
	for (int i = 0; i < 300; i++) {
		struct job *job = calloc(1, sizeof(*job));
		weft_waitgroup_add(&job->wg, 2);
		struct weft_task *a = tasks_start(finish_job, job),
				 *b = tasks_start(finish_job, job);
		expect_eq(weft_waitgroup_wait(&job->wg, soon()), 0);
		free(job); /* the sanitizer builds see a use after this */
		tasks_join(a);
		tasks_join(b);
	}
}

static int wait_forever(void *arg)
{
	return weft_waitgroup_wait(&wg, WEFT_FOREVER);
}

TASK_TEST("waiting for a wait group can be cancelled")
{
	weft_waitgroup_add(&wg, 1);
	struct weft_task *a = tasks_start(wait_forever, NULL), *b = tasks_start(wait_forever, NULL);
	tasks_settle();
	weft_cancel(a);
	expect_eq(tasks_join(a), -ECANCELED);
	weft_waitgroup_done(&wg);
	expect_eq(tasks_join(b), 0);
}

static int below_zero(void *arg)
{
	weft_waitgroup_add(&wg, 1);
	weft_waitgroup_add(&wg, -2);
	return 0;
}

TEST("a count below zero is misuse")
{
	expect_misuse("weft_waitgroup_add", below_zero);
}
