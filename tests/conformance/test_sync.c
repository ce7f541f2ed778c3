/* SPDX-License-Identifier: MIT */
/* test_sync.c: what Go promises about semaphores, mutexes, conditions, wait groups and once. */
#include "../../src/api/waitq.h"
#include "../sync/misuse.h"
#include "promise.h"

static struct weft_mutex mutex;
static struct weft_rwmutex rwmutex;
static struct weft_cond cond;
static struct weft_sem sem;
static struct weft_waitgroup group;
static struct weft_once once;
static int value;

static void reset(void)
{
	memset(&mutex, 0, sizeof(mutex));
	memset(&rwmutex, 0, sizeof(rwmutex));
	memset(&cond, 0, sizeof(cond));
	memset(&sem, 0, sizeof(sem));
	memset(&group, 0, sizeof(group));
	memset(&once, 0, sizeof(once));
	value = 0;
}

/* ---- SemaHandoff: a task that releases and acquires at once does not overtake waiters ---- */

static int acquire_one(void *arg)
{
	expect_eq(weft_sem_acquire(&sem, 1, WEFT_FOREVER), 0);
	return 0;
}

static void await_waiter(void)
{
	const struct waited_word *inside = (const void *)&sem;
	for (int64_t deadline = soon(); waitq_empty(&inside->waiting) && weft_now() < deadline;)
		weft_sleep(MS / 10);
	expect(!waitq_empty(&inside->waiting));
}

PROMISE("SemaHandoff")
{
	reset();
	for (int i = 0; i < 50; i++) {
		struct weft_task *task = tasks_start(acquire_one, NULL);
		await_waiter();
		weft_sem_release(&sem, 1);
		expect_eq(weft_sem_acquire(&sem, 1, 0), -EAGAIN);
		tasks_join(task);
	}
}

/* ---- Mutex: hammered by many ---- */

static int hammer(void *arg)
{
	for (int i = 0; i < 1000; i++) {
		if (i % 3 == 0) {
			if (weft_mutex_trylock(&mutex) == 0) {
				value++;
				weft_mutex_unlock(&mutex);
			}
			continue;
		}
		weft_mutex_lock(&mutex);
		int now = value;
		if (i % 50 == 0)
			weft_yield();
		value = now + 1;
		weft_mutex_unlock(&mutex);
	}
	return 0;
}

PROMISE("Mutex")
{
	struct weft_task *tasks[10];
	reset();
	weft_mutex_lock(&mutex);
	expect_eq(weft_mutex_trylock(&mutex), -EAGAIN);
	weft_mutex_unlock(&mutex);
	expect_eq(weft_mutex_trylock(&mutex), 0);
	weft_mutex_unlock(&mutex);
	for (int i = 0; i < 10; i++)
		tasks[i] = tasks_start(hammer, NULL);
	for (int i = 0; i < 10; i++)
		expect_eq(tasks_join(tasks[i]), 0);
	expect_ge(value, 10 * 666);
	expect_le(value, 10 * 1000);
}

/*
 * ---- MutexFairness: one that holds it nearly always does not starve one that wants it now and
 * then ----
 */

static int hold_nearly_always(void *arg)
{
	while (!weft_cancelled()) {
		weft_mutex_lock(&mutex);
		weft_cancel_mask(1);
		weft_sleep(MS / 10);
		weft_cancel_mask(0);
		weft_mutex_unlock(&mutex);
	}
	return 0;
}

static int want_ten_times(void *arg)
{
	for (int i = 0; i < 10; i++) {
		weft_sleep(MS / 10);
		weft_mutex_lock(&mutex);
		weft_mutex_unlock(&mutex);
	}
	return 0;
}

PROMISE("MutexFairness")
{
	reset();
	struct weft_task *holder = tasks_start(hold_nearly_always, NULL),
			 *other = tasks_start(want_ten_times, NULL);
	expect_eq(weft_join(other, NULL, soon()), 0);
	weft_cancel(holder);
	tasks_join(holder);
}

/* ---- MutexMisuse ---- */

static int unlock_twice(void *arg)
{
	weft_mutex_lock(&mutex);
	weft_mutex_unlock(&mutex);
	weft_mutex_unlock(&mutex);
	return 0;
}

static int read_unlock_twice(void *arg)
{
	weft_rwmutex_rdlock(&rwmutex);
	weft_rwmutex_rdunlock(&rwmutex);
	weft_rwmutex_rdunlock(&rwmutex);
	return 0;
}

static int write_unlock_twice(void *arg)
{
	weft_rwmutex_wrlock(&rwmutex);
	weft_rwmutex_wrunlock(&rwmutex);
	weft_rwmutex_wrunlock(&rwmutex);
	return 0;
}

TEST("MutexMisuse")
{
	expect_misuse("weft_mutex_unlock", unlock_twice);
	expect_misuse("weft_rwmutex_rdunlock", read_unlock_twice);
	expect_misuse("weft_rwmutex_wrunlock", write_unlock_twice);
}

/* ---- conditions ---- */

static int waiting, awake;

static int wait_for_signal(void *arg)
{
	weft_mutex_lock(&mutex);
	waiting++;
	expect_eq(weft_cond_wait(&cond, &mutex, WEFT_FOREVER), 0);
	awake++;
	weft_mutex_unlock(&mutex);
	return 0;
}

/* Waits, under the mutex, until a counter has this value. */
static void await_count(const int *counter, int n)
{
	weft_mutex_lock(&mutex);
	while (*counter != n) {
		weft_mutex_unlock(&mutex);
		weft_sleep(MS / 10);
		weft_mutex_lock(&mutex);
	}
	weft_mutex_unlock(&mutex);
}

PROMISE("CondSignal")
{
	struct weft_task *tasks[4];
	reset();
	waiting = awake = 0;
	for (int i = 0; i < 4; i++)
		tasks[i] = tasks_start(wait_for_signal, NULL);
	await_count(&waiting, 4);
	for (int n = 1; n <= 4; n++) {
		weft_cond_signal(&cond);
		await_count(&awake, n); /* one, and no more */
		weft_sleep(MS / 5);
		await_count(&awake, n);
	}
	weft_cond_signal(&cond);
	for (int i = 0; i < 4; i++)
		expect_eq(tasks_join(tasks[i]), 0);
}

/* CondGenerations: the one that waited longer is woken first. */
static int order[100], order_count;

static int wait_and_note(void *arg)
{
	weft_mutex_lock(&mutex);
	waiting++;
	expect_eq(weft_cond_wait(&cond, &mutex, WEFT_FOREVER), 0);
	order[order_count++] = (int)(intptr_t)arg;
	weft_mutex_unlock(&mutex);
	return 0;
}

PROMISE("CondSignalGenerations")
{
	enum { TASKS = 30 };
	struct weft_task *tasks[TASKS];
	reset();
	waiting = order_count = 0;
	for (int i = 0; i < TASKS; i++) {
		tasks[i] = tasks_start(wait_and_note, (void *)(intptr_t)i);
		await_count(&waiting, i + 1);
	}
	for (int i = 0; i < TASKS; i++) {
		weft_cond_signal(&cond);
		await_count(&order_count, i + 1);
		expect_eq(order[i], i);
	}
	for (int i = 0; i < TASKS; i++)
		expect_eq(tasks_join(tasks[i]), 0);
}

static int wait_until_exit(void *arg)
{
	int rounds = 0;
	weft_mutex_lock(&mutex);
	while (value == 0) {
		waiting++;
		expect_eq(weft_cond_wait(&cond, &mutex, WEFT_FOREVER), 0);
		rounds++;
	}
	weft_mutex_unlock(&mutex);
	return rounds;
}

PROMISE("CondBroadcast")
{
	enum { TASKS = 20, ROUNDS = 10 };
	struct weft_task *tasks[TASKS];
	reset();
	waiting = 0;
	for (int i = 0; i < TASKS; i++)
		tasks[i] = tasks_start(wait_until_exit, NULL);
	for (int round = 1; round <= ROUNDS; round++) {
		await_count(&waiting, round * TASKS);
		weft_mutex_lock(&mutex);
		value = round == ROUNDS;
		weft_cond_broadcast(&cond);
		weft_mutex_unlock(&mutex);
	}
	for (int i = 0; i < TASKS; i++)
		expect_eq(tasks_join(tasks[i]), ROUNDS);
}

/*
 * CondSignalStealing: a task that begins to wait after a signal does not take it from one that
 * waited before.
 */
PROMISE("CondSignalStealing")
{
	for (int i = 0; i < 30; i++) {
		reset();
		waiting = awake = 0;
		struct weft_task *first = tasks_start(wait_for_signal, NULL);
		await_count(&waiting, 1);
		weft_mutex_lock(&mutex);
		weft_cond_signal(&cond);
		weft_mutex_unlock(&mutex);
		struct weft_task *second = tasks_start(wait_for_signal, NULL);
		expect_eq(tasks_join(first), 0);
		await_count(&waiting, 2);
		weft_cond_signal(&cond);
		expect_eq(tasks_join(second), 0);
	}
}

/* ---- RWMutex: readers in parallel, writers alone ---- */

static int read_together(void *arg)
{
	weft_rwmutex_rdlock(&rwmutex);
	weft_waitgroup_done(&group);				 /* inside */
	expect_eq(weft_waitgroup_wait(&group, WEFT_FOREVER), 0); /* until all are */
	weft_rwmutex_rdunlock(&rwmutex);
	return 0;
}

PROMISE("RWMutexParallelReaders")
{
	struct weft_task *tasks[10];
	reset();
	weft_waitgroup_add(&group, 10);
	for (int i = 0; i < 10; i++)
		tasks[i] = tasks_start(read_together, NULL);
	for (int i = 0; i < 10; i++)
		expect_eq(tasks_join(tasks[i]), 0);
}

static int activity;

static int read_often(void *arg)
{
	for (int i = 0; i < 300; i++) {
		weft_rwmutex_rdlock(&rwmutex);
		int n = __atomic_add_fetch(&activity, 1, __ATOMIC_SEQ_CST);
		expect(n >= 1 && n < 10000);
		if (i % 10 == 0)
			weft_yield();
		__atomic_sub_fetch(&activity, 1, __ATOMIC_SEQ_CST);
		weft_rwmutex_rdunlock(&rwmutex);
	}
	return 0;
}

static int write_often(void *arg)
{
	for (int i = 0; i < 300; i++) {
		weft_rwmutex_wrlock(&rwmutex);
		int n = __atomic_add_fetch(&activity, 10000, __ATOMIC_SEQ_CST);
		expect_eq(n, 10000);
		if (i % 10 == 0)
			weft_yield();
		__atomic_sub_fetch(&activity, 10000, __ATOMIC_SEQ_CST);
		weft_rwmutex_wrunlock(&rwmutex);
	}
	return 0;
}

PROMISE("RWMutex")
{
	struct weft_task *tasks[12];
	reset();
	for (int i = 0; i < 12; i++)
		tasks[i] = tasks_start(i < 2 ? write_often : read_often, NULL);
	for (int i = 0; i < 12; i++)
		expect_eq(tasks_join(tasks[i]), 0);
}

/* ---- WaitGroup ---- */

static int done_and_exit(void *arg)
{
	weft_waitgroup_done(arg);
	return 0;
}

PROMISE("WaitGroup")
{
	struct weft_waitgroup first = WEFT_WAITGROUP_INIT, second = WEFT_WAITGROUP_INIT;
	for (int round = 0; round < 8; round++) {
		struct weft_task *tasks[16];
		weft_waitgroup_add(&first, 16);
		weft_waitgroup_add(&second, 16);
		for (int i = 0; i < 16; i++)
			tasks[i] = tasks_start(done_and_exit, &first);
		expect_eq(weft_waitgroup_wait(&first, WEFT_FOREVER), 0);
		expect_eq(weft_waitgroup_wait(&second, 0), -EAGAIN);
		weft_waitgroup_add(&second, -16);
		expect_eq(weft_waitgroup_wait(&second, 0), 0);
		for (int i = 0; i < 16; i++)
			tasks_join(tasks[i]);
	}
}

static int done_once_too_often(void *arg)
{
	weft_waitgroup_add(&group, 1);
	weft_waitgroup_done(&group);
	weft_waitgroup_done(&group);
	return 0;
}

TEST("WaitGroupMisuse")
{
	expect_misuse("weft_waitgroup_done", done_once_too_often);
}

/* ---- Once ---- */

static void increment(void *arg)
{
	value++;
}

static int call_once(void *arg)
{
	weft_once(&once, increment, NULL);
	return value;
}

PROMISE("Once")
{
	struct weft_task *tasks[10];
	reset();
	for (int i = 0; i < 10; i++)
		tasks[i] = tasks_start(call_once, NULL);
	for (int i = 0; i < 10; i++)
		expect_eq(tasks_join(tasks[i]), 1);
}
