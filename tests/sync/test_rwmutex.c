/* SPDX-License-Identifier: MIT */
/* test_rwmutex.c: readers together, writers alone, none starved, misuse. */
#include <pthread.h>

#include "misuse.h"

static struct weft_rwmutex rw = WEFT_RWMUTEX_INIT;
static int readers, writers, most_readers;

static void read_inside(void)
{
	int n = __atomic_add_fetch(&readers, 1, __ATOMIC_SEQ_CST);
	expect_eq(__atomic_load_n(&writers, __ATOMIC_SEQ_CST), 0);
	if (n > __atomic_load_n(&most_readers, __ATOMIC_RELAXED))
		__atomic_store_n(&most_readers, n, __ATOMIC_RELAXED);
	weft_yield();
	__atomic_sub_fetch(&readers, 1, __ATOMIC_SEQ_CST);
}

static void write_inside(void)
{
	expect_eq(__atomic_add_fetch(&writers, 1, __ATOMIC_SEQ_CST), 1);
	expect_eq(__atomic_load_n(&readers, __ATOMIC_SEQ_CST), 0);
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

TASK_TEST("readers together writers alone")
{
	struct weft_task *tasks[TASKS];
	pthread_t thread;
	for (int i = 0; i < TASKS; i++)
		tasks[i] = tasks_start(use_often, NULL);
	expect_eq(pthread_create(&thread, NULL, use_often_thread, NULL), 0);
	for (int i = 0; i < TASKS; i++)
		tasks_join(tasks[i]);
	pthread_join(thread, NULL);
	expect_gt(most_readers, 1);
	for (int i = 0; i < 8; i++)
		expect_eq(rw.weft_private[i], 0);
}

TASK_TEST("try forms never wait")
{
	expect_eq(weft_rwmutex_tryrdlock(&rw), 0);
	expect_eq(weft_rwmutex_tryrdlock(&rw), 0);
	expect_eq(weft_rwmutex_trywrlock(&rw), -EAGAIN);
	weft_rwmutex_rdunlock(&rw);
	weft_rwmutex_rdunlock(&rw);
	expect_eq(weft_rwmutex_trywrlock(&rw), 0);
	expect_eq(weft_rwmutex_tryrdlock(&rw), -EAGAIN);
	expect_eq(weft_rwmutex_trywrlock(&rw), -EAGAIN);
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

TASK_TEST("a waiting writer keeps new readers out")
{
	struct weft_task *tasks[4];
	weft_rwmutex_rdlock(&rw);
	tasks[0] = tasks_start(write_and_note, NULL);
	tasks_settle();
	expect_eq(weft_rwmutex_tryrdlock(&rw), -EAGAIN);
	tasks[1] = tasks_start(read_and_note, NULL);
	tasks_settle();
	tasks[2] = tasks_start(read_and_note, NULL);
	tasks_settle();
	tasks[3] = tasks_start(write_and_note, NULL);
	tasks_settle();
	expect_eq(order_count, 0);
	weft_rwmutex_rdunlock(&rw);
	for (int i = 0; i < 4; i++)
		tasks_join(tasks[i]);
	expect_eq(order[0], 'w');
	expect_eq(order[1], 'r');
	expect_eq(order[2], 'r');
	expect_eq(order[3], 'w');
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

TEST("unlocking what is not held that way is misuse")
{
	expect_misuse("weft_rwmutex_rdunlock", read_unlock);
	expect_misuse("weft_rwmutex_wrunlock", write_unlock);
	expect_misuse("weft_rwmutex_rdunlock", read_unlock_of_writer);
	expect_misuse("weft_rwmutex_wrunlock", write_unlock_of_reader);
	expect_misuse("weft_rwmutex_wrunlock", write_unlock_of_another);
}

/* ---- deadlines ---- */

/* Waits behind the main task's read lock, and in vain. */
static int write_in_vain(void *arg)
{
	int err = weft_rwmutex_wrlock_until(&rw, weft_after(20 * MS));
	return err;
}

static int read_behind(void *arg)
{
	weft_rwmutex_rdlock(&rw);
	weft_rwmutex_rdunlock(&rw);
	return 0;
}

/* The writer keeps the readers behind it out until it gives up; the lock is held all the time. */
TASK_TEST("readers join when the writer before them gives up")
{
	struct weft_task *writer, *behind[TASKS];
	int result;
	weft_rwmutex_rdlock(&rw);
	expect_eq(weft_spawn(&writer, NULL, write_in_vain, NULL), 0);
	while (weft_rwmutex_tryrdlock(&rw) == 0) { /* until the writer waits */
		weft_rwmutex_rdunlock(&rw);
		weft_yield();
	}
	for (int i = 0; i < TASKS; i++)
		expect_eq(weft_spawn(&behind[i], NULL, read_behind, NULL), 0);
	for (int i = 0; i < TASKS; i++)
		expect_eq(weft_join(behind[i], NULL, soon()), 0);
	expect_eq(weft_join(writer, &result, soon()), 0);
	expect_eq(result, -ETIMEDOUT);
	weft_rwmutex_rdunlock(&rw);
	expect_eq(weft_rwmutex_trywrlock(&rw), 0); /* nothing is left of those that waited */
	weft_rwmutex_wrunlock(&rw);
}

TASK_TEST("deadlines are kept")
{
	expect_eq(weft_rwmutex_wrlock_until(&rw, 0), 0);
	expect_eq(weft_rwmutex_rdlock_until(&rw, 0), -EAGAIN);
	expect_eq(weft_rwmutex_wrlock_until(&rw, 0), -EAGAIN);
	expect_eq(weft_rwmutex_rdlock_until(&rw, weft_after(-1)), -ETIMEDOUT);
	expect_eq(weft_rwmutex_wrlock_until(&rw, weft_after(MS)), -ETIMEDOUT);
	weft_rwmutex_wrunlock(&rw);
	expect_eq(weft_rwmutex_rdlock_until(&rw, 0), 0);
	expect_eq(weft_rwmutex_rdlock_until(&rw, weft_after(-1)), 0);
	expect_eq(weft_rwmutex_wrlock_until(&rw, weft_after(MS)), -ETIMEDOUT);
	weft_rwmutex_rdunlock(&rw);
	weft_rwmutex_rdunlock(&rw);
	expect_eq(weft_rwmutex_wrlock_until(&rw, WEFT_FOREVER), 0);
	weft_rwmutex_wrunlock(&rw);
}

static int use_until(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		int64_t deadline = weft_after((i % 7) * MS / 10);
		if (i % 3 == 0 && weft_rwmutex_wrlock_until(&rw, deadline) == 0) {
			write_inside();
			weft_rwmutex_wrunlock(&rw);
		} else if (i % 3 && weft_rwmutex_rdlock_until(&rw, deadline) == 0) {
			read_inside();
			weft_rwmutex_rdunlock(&rw);
		}
	}
	return 0;
}

/* Waiters of both kinds come and give up at every moment: none is lost, nothing is left. */
TASK_TEST("waiters that give up leave nothing behind")
{
	struct weft_task *tasks[TASKS];
	for (int i = 0; i < TASKS; i++)
		expect_eq(weft_spawn(&tasks[i], NULL, i % 3 ? use_until : use_often, NULL), 0);
	for (int i = 0; i < TASKS; i++)
		expect_eq(weft_join(tasks[i], NULL, soon()), 0);
	expect_eq(weft_rwmutex_trywrlock(&rw), 0);
	weft_rwmutex_wrunlock(&rw);
}
