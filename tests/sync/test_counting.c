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
		ck_assert_int_eq(weft_sem_acquire(&sem, 1 + i % 3, soon()), 0);
		int n = __atomic_add_fetch(&inside, 1 + i % 3, __ATOMIC_SEQ_CST);
		ck_assert_int_le(n, 3);
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

TEST_TASKS(never_more_units_than_there_are)
{
	struct weft_task *tasks[8];
	pthread_t thread;
	for (int i = 0; i < 8; i++)
		tasks[i] = tasks_start(hold_unit, NULL);
	ck_assert_int_eq(pthread_create(&thread, NULL, hold_unit_thread, NULL), 0);
	for (int i = 0; i < 8; i++)
		tasks_join(tasks[i]);
	pthread_join(thread, NULL);
	ck_assert_int_eq(weft_sem_acquire(&sem, 3, 0), 0);
	ck_assert_int_eq(weft_sem_acquire(&sem, 1, 0), -EAGAIN);
	weft_sem_release(&sem, 3);
}

static int acquire_many(void *arg)
{
	int units = *(int *)arg;
	int err = weft_sem_acquire(&empty, (unsigned)units, WEFT_FOREVER);
	order[__atomic_fetch_add(&order_count, 1, __ATOMIC_SEQ_CST)] = units;
	return err;
}

TEST_TASKS(who_came_first_is_served_first_however_much_it_wants)
{
	int three = 3, one = 1;
	struct weft_task *big = tasks_start(acquire_many, &three);
	tasks_settle();
	struct weft_task *small = tasks_start(acquire_many, &one);
	tasks_settle();
	weft_sem_release(&empty, 1);
	tasks_settle();
	ck_assert_int_eq(order_count, 0);
	ck_assert_int_eq(weft_sem_acquire(&empty, 1, 0), -EAGAIN);
	weft_sem_release(&empty, 3);
	ck_assert_int_eq(tasks_join(big), 0);
	ck_assert_int_eq(tasks_join(small), 0);
	ck_assert_int_eq(weft_sem_acquire(&empty, 1, 0), -EAGAIN);
}

TEST_TASKS(a_wish_that_ends_lets_smaller_ones_through)
{
	int three = 3, one = 1;
	struct weft_task *big = tasks_start(acquire_many, &three);
	tasks_settle();
	struct weft_task *small = tasks_start(acquire_many, &one);
	tasks_settle();
	weft_sem_release(&empty, 2);
	weft_cancel(big);
	ck_assert_int_eq(tasks_join(big), -ECANCELED);
	ck_assert_int_eq(tasks_join(small), 0);
	ck_assert_int_eq(weft_sem_acquire(&empty, 1, 0), 0);
	ck_assert_int_eq(weft_sem_acquire(&empty, 1, 0), -EAGAIN);
}

TEST_TASKS(semaphore_deadlines_say_which_one_it_was)
{
	ck_assert_int_eq(weft_sem_acquire(&empty, 1, 0), -EAGAIN);
	ck_assert_int_eq(weft_sem_acquire(&empty, 1, 1), -ETIMEDOUT);
	int64_t until = weft_after(2 * MS);
	ck_assert_int_eq(weft_sem_acquire(&empty, 1, until), -ETIMEDOUT);
	ck_assert_int_ge(weft_now(), until);
	weft_sem_release(&empty, 1);
	ck_assert_int_eq(weft_sem_acquire(&empty, 1, 1), 0);
	ck_assert_int_eq(weft_sem_acquire(&empty, 0, 0), 0);
}

static int release_too_many(void *arg)
{
	weft_sem_release(&empty, UINT32_MAX / 2);
	weft_sem_release(&empty, 1);
	return 0;
}

START_TEST(too_many_units_are_misuse)
{
	expect_misuse("weft_sem_release", release_too_many);
}
END_TEST

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
	return done; /* the first call has returned by now, whoever made it */
}

TEST_TASKS(it_happens_once_and_everybody_waits_for_it)
{
	struct weft_task *tasks[10];
	for (int i = 0; i < 10; i++)
		tasks[i] = tasks_start(call_once, NULL);
	weft_cancel(tasks[3]); /* waiting for it is not cancellable */
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(tasks_join(tasks[i]), 1);
	ck_assert_int_eq(calls, 1);
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

START_TEST(threads_before_any_runtime_count_too)
{
	pthread_t threads[4];
	void *result;
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, call_once_thread, NULL), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &result);
		ck_assert_int_eq((intptr_t)result, 1);
	}
	ck_assert_int_eq(calls, 1);
}
END_TEST

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

TEST_TASKS(a_wait_ends_when_the_count_is_zero_and_it_can_be_used_again)
{
	for (int round = 0; round < 20; round++) {
		struct weft_task *tasks[10];
		pthread_t thread;
		void *result;
		inside = 0;
		ck_assert_int_eq(weft_waitgroup_wait(&wg, 0), 0);
		weft_waitgroup_add(&wg, 10);
		ck_assert_int_eq(weft_waitgroup_wait(&wg, 0), -EAGAIN);
		ck_assert_int_eq(weft_waitgroup_wait(&wg, 1), -ETIMEDOUT);
		for (int i = 0; i < 10; i++)
			tasks[i] = tasks_start(finish_later, NULL);
		ck_assert_int_eq(pthread_create(&thread, NULL, wait_thread, NULL), 0);
		ck_assert_int_eq(weft_waitgroup_wait(&wg, soon()), 0);
		ck_assert_int_eq(inside, 10);
		pthread_join(thread, &result);
		ck_assert_int_eq((intptr_t)result, 0);
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

TEST_TASKS(who_has_waited_may_free_it)
{
	for (int i = 0; i < 300; i++) {
		struct job *job = calloc(1, sizeof(*job));
		weft_waitgroup_add(&job->wg, 2);
		struct weft_task *a = tasks_start(finish_job, job),
				 *b = tasks_start(finish_job, job);
		ck_assert_int_eq(weft_waitgroup_wait(&job->wg, soon()), 0);
		free(job); /* the sanitizer builds see a use after this */
		tasks_join(a);
		tasks_join(b);
	}
}

static int wait_forever(void *arg)
{
	return weft_waitgroup_wait(&wg, WEFT_FOREVER);
}

TEST_TASKS(waiting_for_a_wait_group_can_be_cancelled)
{
	weft_waitgroup_add(&wg, 1);
	struct weft_task *a = tasks_start(wait_forever, NULL), *b = tasks_start(wait_forever, NULL);
	tasks_settle();
	weft_cancel(a);
	ck_assert_int_eq(tasks_join(a), -ECANCELED);
	weft_waitgroup_done(&wg);
	ck_assert_int_eq(tasks_join(b), 0);
}

static int below_zero(void *arg)
{
	weft_waitgroup_add(&wg, 1);
	weft_waitgroup_add(&wg, -2);
	return 0;
}

START_TEST(a_count_below_zero_is_misuse)
{
	expect_misuse("weft_waitgroup_add", below_zero);
}
END_TEST

static void add_all(TCase *tcase)
{
	add_tasks_test(tcase, never_more_units_than_there_are);
	add_tasks_test(tcase, who_came_first_is_served_first_however_much_it_wants);
	add_tasks_test(tcase, a_wish_that_ends_lets_smaller_ones_through);
	add_tasks_test(tcase, semaphore_deadlines_say_which_one_it_was);
	tcase_add_test(tcase, too_many_units_are_misuse);
	add_tasks_test(tcase, it_happens_once_and_everybody_waits_for_it);
	tcase_add_test(tcase, threads_before_any_runtime_count_too);
	add_tasks_test(tcase, a_wait_ends_when_the_count_is_zero_and_it_can_be_used_again);
	add_tasks_test(tcase, who_has_waited_may_free_it);
	add_tasks_test(tcase, waiting_for_a_wait_group_can_be_cancelled);
	tcase_add_test(tcase, a_count_below_zero_is_misuse);
}

TESTS_MAIN("counting", add_all)
