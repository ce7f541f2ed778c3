/* SPDX-License-Identifier: MIT */
/* test_rwmutex.c: readers together, writers alone, nobody starved, misuse. */
#include <pthread.h>

#include "misuse.h"

static struct weft_rwmutex rw = WEFT_RWMUTEX_INIT;
static int readers, writers, most_readers;

static void read_inside(void)
{
	int n = __atomic_add_fetch(&readers, 1, __ATOMIC_SEQ_CST);
	ck_assert_int_eq(__atomic_load_n(&writers, __ATOMIC_SEQ_CST), 0);
	if (n > __atomic_load_n(&most_readers, __ATOMIC_RELAXED))
		__atomic_store_n(&most_readers, n, __ATOMIC_RELAXED);
	weft_yield();
	__atomic_sub_fetch(&readers, 1, __ATOMIC_SEQ_CST);
}

static void write_inside(void)
{
	ck_assert_int_eq(__atomic_add_fetch(&writers, 1, __ATOMIC_SEQ_CST), 1);
	ck_assert_int_eq(__atomic_load_n(&readers, __ATOMIC_SEQ_CST), 0);
	weft_yield();
	__atomic_sub_fetch(&writers, 1, __ATOMIC_SEQ_CST);
}

enum { TASKS = 10, ROUNDS = 300 };

static int use_often(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		if (i % 5 == 0) {
			weft_rwmutex_wrlock(&rw);
			write_inside();
			weft_rwmutex_wrunlock(&rw);
		} else if (i % 5 == 1 && weft_rwmutex_trywrlock(&rw) == 0) {
			write_inside();
			weft_rwmutex_wrunlock(&rw);
		} else if (i % 5 != 2 || weft_rwmutex_tryrdlock(&rw) != 0) {
			weft_rwmutex_rdlock(&rw);
			read_inside();
			weft_rwmutex_rdunlock(&rw);
		} else {
			read_inside();
			weft_rwmutex_rdunlock(&rw);
		}
	}
	return 0;
}

static void *use_often_thread(void *arg)
{
	use_often(arg);
	return NULL;
}

TEST_TASKS(readers_together_writers_alone)
{
	struct weft_task *tasks[TASKS];
	pthread_t thread;
	for (int i = 0; i < TASKS; i++)
		tasks[i] = tasks_start(use_often, NULL);
	ck_assert_int_eq(pthread_create(&thread, NULL, use_often_thread, NULL), 0);
	for (int i = 0; i < TASKS; i++)
		tasks_join(tasks[i]);
	pthread_join(thread, NULL);
	ck_assert_int_gt(most_readers, 1);
	for (int i = 0; i < 8; i++)
		ck_assert_uint_eq(rw.weft_private[i], 0);
}

TEST_TASKS(try_forms_never_wait)
{
	ck_assert_int_eq(weft_rwmutex_tryrdlock(&rw), 0);
	ck_assert_int_eq(weft_rwmutex_tryrdlock(&rw), 0);
	ck_assert_int_eq(weft_rwmutex_trywrlock(&rw), -EAGAIN);
	weft_rwmutex_rdunlock(&rw);
	weft_rwmutex_rdunlock(&rw);
	ck_assert_int_eq(weft_rwmutex_trywrlock(&rw), 0);
	ck_assert_int_eq(weft_rwmutex_tryrdlock(&rw), -EAGAIN);
	ck_assert_int_eq(weft_rwmutex_trywrlock(&rw), -EAGAIN);
	weft_rwmutex_wrunlock(&rw);
}

static int order[8], order_count;

static int write_and_note(void *arg)
{
	weft_rwmutex_wrlock(&rw);
	order[order_count++] = 'w';
	weft_rwmutex_wrunlock(&rw);
	return 0;
}

static int read_and_note(void *arg)
{
	weft_rwmutex_rdlock(&rw);
	order[__atomic_fetch_add(&order_count, 1, __ATOMIC_SEQ_CST)] = 'r';
	weft_rwmutex_rdunlock(&rw);
	return 0;
}

TEST_TASKS(a_waiting_writer_keeps_new_readers_out)
{
	struct weft_task *tasks[4];
	weft_rwmutex_rdlock(&rw);
	tasks[0] = tasks_start(write_and_note, NULL);
	tasks_settle();
	ck_assert_int_eq(weft_rwmutex_tryrdlock(&rw), -EAGAIN);
	tasks[1] = tasks_start(read_and_note, NULL);
	tasks_settle();
	tasks[2] = tasks_start(read_and_note, NULL);
	tasks_settle();
	tasks[3] = tasks_start(write_and_note, NULL);
	tasks_settle();
	ck_assert_int_eq(order_count, 0);
	weft_rwmutex_rdunlock(&rw);
	for (int i = 0; i < 4; i++)
		tasks_join(tasks[i]);
	ck_assert_int_eq(order[0], 'w');
	ck_assert_int_eq(order[1], 'r');
	ck_assert_int_eq(order[2], 'r');
	ck_assert_int_eq(order[3], 'w');
}

static int read_unlock(void *arg)
{
	weft_rwmutex_rdunlock(&rw);
	return 0;
}

static int write_unlock(void *arg)
{
	weft_rwmutex_wrunlock(&rw);
	return 0;
}

static int read_unlock_of_writer(void *arg)
{
	weft_rwmutex_wrlock(&rw);
	return read_unlock(arg);
}

static int write_unlock_of_reader(void *arg)
{
	weft_rwmutex_rdlock(&rw);
	return write_unlock(arg);
}

static int write_unlock_of_another(void *arg)
{
	struct weft_task *task;
	weft_rwmutex_wrlock(&rw);
	weft_spawn(&task, NULL, write_unlock, NULL);
	weft_join(task, NULL, WEFT_FOREVER);
	return 0;
}

START_TEST(unlocking_what_is_not_held_that_way_is_misuse)
{
	expect_misuse("weft_rwmutex_rdunlock", read_unlock);
	expect_misuse("weft_rwmutex_wrunlock", write_unlock);
	expect_misuse("weft_rwmutex_rdunlock", read_unlock_of_writer);
	expect_misuse("weft_rwmutex_wrunlock", write_unlock_of_reader);
	expect_misuse("weft_rwmutex_wrunlock", write_unlock_of_another);
}
END_TEST

static void add_all(TCase *tcase)
{
	add_tasks_test(tcase, readers_together_writers_alone);
	add_tasks_test(tcase, try_forms_never_wait);
	add_tasks_test(tcase, a_waiting_writer_keeps_new_readers_out);
	tcase_add_test(tcase, unlocking_what_is_not_held_that_way_is_misuse);
}

TESTS_MAIN("rwmutex", add_all)
