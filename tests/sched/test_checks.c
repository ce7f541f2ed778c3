/* SPDX-License-Identifier: MIT */
/*
 * test_checks.c: the checks of debug builds find what is wrong. Each test spoils one structure,
 * uses it, and expects the message of the check that knows better: neither a crash later on, nor
 * the message of another check.
 */
#include <unistd.h>

#include "../tasks.h"
#include "api/chan.h"
#include "base/sys.h"
#include "sched/cache.h"
#include "sched/descriptor.h"
#include "sched/park.h"
#include "sched/record.h"
#include "sched/sched.h"
#include "sched/stack.h"
#include "sched/timer.h"

enum { FOUND = 3, TIMERS = 40 };

static int message[2]; /* a pipe that stderr goes to */
static int terminal;   /* where it went before */
static const char *awaited;

/* Between the last line of the program and abort(), on whichever thread finds the fault: by the
 * kernel's calls, because to ThreadSanitizer nothing orders it after expect_message. */
static void compare(void)
{
	char text[512] = "";
	weft__syscall(SYS_dup3, terminal, STDERR_FILENO, 0, 0, 0, 0);
	expect_gt(sys_read(message[0], text, sizeof(text) - 1), 0);
	expect_that(strstr(text, awaited), "expected '%s' in: %s", awaited, text);
	_exit(FOUND);
}

/* From here on a message of our own ends the test: well, if it contains `words`. */
static void expect_message(const char *words)
{
#ifndef WEFT_DEBUG
	skip("the checks are part of debug builds");
#endif
	awaited = words;
	terminal = dup(STDERR_FILENO);
	expect_eq(pipe(message), 0);
	expect_eq(dup2(message[1], STDERR_FILENO), STDERR_FILENO);
	weft__fatal_hook = compare;
}

#define CHECK_TEST(name) TEST(name, .ends = EXITS(FOUND))
#define CHECK_TASK_TEST(name) TASK_TEST(name, .ends = EXITS(FOUND))

static struct processor *mine(void)
{
	return weft__thread_self()->processor;
}

/* ---- timers ---- */

static struct processor processor;
static struct thread thread;
static struct timer timers[TIMERS];

static void never(struct timer *timer, struct list *ready)
{
	fail("a timer of a spoilt queue fired");
}

/* Half of the timers are due soon and lie in the heap, the others in the wheel. */
static struct timer_queue *some_timers(void)
{
	struct timer_queue *q = &processor.timers.queue;
	thread.lease.in_runtime = 1;
	thread.processor = &processor;
	processor.thread = &thread;
	q->earliest = INT64_MAX;
	sched.poller.until = INT64_MIN;
	for (int i = 0; i < TIMERS; i++) {
		timers[i].when = i < TIMERS / 2 ? i : i * MS;
		timers[i].fire = never;
		expect_eq(weft__timer_start(&thread, &timers[i]), 0);
	}
	expect_eq(q->heaped, TIMERS / 2);
	return q;
}

static void use_timers(void)
{
	static struct timer last[TIMERS];
	for (int i = 0; i < TIMERS; i++) {
		last[i].when = 100 * MS;
		weft__timer_start(&thread, &last[i]);
	}
}

static struct timer_chunk *some_chunk(struct timer_queue *q)
{
	unsigned bucket = 0;
	while (!q->buckets[bucket].first)
		bucket++;
	return &q->chunks[q->buckets[bucket].first - 1];
}

CHECK_TEST("a heap of timers out of order is found")
{
	struct timer_queue *q = some_timers();
	expect_message("is due before its parent");
	q->heap[2].when = -1;
	use_timers();
}

CHECK_TEST("a timer that does not know its place in the heap is found")
{
	struct timer_queue *q = some_timers();
	expect_message("is wrong about its place");
	q->entries[q->heap[3].entry].place = 4;
	use_timers();
}

CHECK_TEST("a timer in the heap that belongs into the wheel is found")
{
	struct timer_queue *q = some_timers();
	expect_message("beyond the horizon");
	q->heap[q->heaped - 1].when = 3600 * 1000 * (int64_t)MS;
	use_timers();
}

CHECK_TEST("a timer that does not know its place in the wheel is found")
{
	struct timer_queue *q = some_timers();
	expect_message("is wrong about its place in the wheel");
	q->entries[some_chunk(q)->slots[0].entry].place++;
	use_timers();
}

CHECK_TEST("a timer in a wrong bucket is found")
{
	struct timer_queue *q = some_timers();
	expect_message("a timer of another time is in bucket");
	some_chunk(q)->slots[0].when += 3600 * 1000 * (int64_t)MS;
	use_timers();
}

CHECK_TEST("a chunk in a wrong bucket is found")
{
	struct timer_queue *q = some_timers();
	expect_message("a chunk of bucket");
	some_chunk(q)->bucket++;
	use_timers();
}

CHECK_TEST("an empty chunk of timers is found")
{
	struct timer_queue *q = some_timers();
	expect_message("has 0 timers");
	some_chunk(q)->count = 0;
	use_timers();
}

CHECK_TEST("a bucket that counts as empty and is not is found")
{
	struct timer_queue *q = some_timers();
	expect_message("is wrong about whether it is empty");
	memset(q->occupied, 0, sizeof(q->occupied));
	use_timers();
}

CHECK_TEST("a wrong number of timers is found")
{
	struct timer_queue *q = some_timers();
	expect_message("a queue of");
	q->count--;
	use_timers();
}

CHECK_TEST("an earliest time that is too late is found")
{
	struct timer_queue *q = some_timers();
	expect_message("earliest time is too late");
	q->earliest = MS;
	use_timers();
}

/* ---- queues of runnable tasks ---- */

static struct weft_chan *channel;

static int receive_one(void *arg)
{
	uint64_t item;
	return weft_chan_recv(channel, &item, WEFT_FOREVER);
}

static int send_one(void *arg)
{
	uint64_t item = 1;
	return weft_chan_send(channel, &item, WEFT_FOREVER);
}

static int nothing(void *arg)
{
	return 0;
}

static void spawn_detached(int (*fn)(void *arg))
{
	struct weft_task *task;
	expect_eq(weft_spawn(&task, NULL, fn, NULL), 0);
	expect_eq(weft_detach(task), 0);
}

/* Has this processor look at everything, as it does each 61st time. */
static void look(void)
{
	__atomic_store_n(&mine()->attention, 1, __ATOMIC_RELAXED);
	weft_yield();
}

/* Two tasks that have never run, on the only processor. */
static struct weft_task **queue_two(void)
{
	static struct weft_task *two[2];
	for (int i = 0; i < 2; i++)
		expect_eq(weft_spawn(&two[i], NULL, nothing, NULL), 0);
	return two;
}

static struct task *record_of(struct weft_task *task)
{
	return (struct task *)task;
}

static int spoil_place(void *arg)
{
	struct deque *d = &mine()->fresh;
	queue_two();
	expect_message("has an empty place");
	d->ring[d->top % DEQUE_SIZE] = NULL;
	look();
	return 0;
}

CHECK_TEST("an empty place among runnable tasks is found")
{
	tasks_run(1, spoil_place, NULL);
}

static int spoil_state(void *arg)
{
	struct weft_task **two = queue_two();
	expect_message("is queued to run and in state 4");
	record_of(two[0])->state = TASK_ENDED;
	look();
	return 0;
}

CHECK_TEST("a task that has ended among runnable ones is found")
{
	tasks_run(1, spoil_state, NULL);
}

static int spoil_positions(void *arg)
{
	expect_message("is beyond its tail");
	mine()->ready.head = mine()->ready.tail + 1;
	__atomic_store_n(&mine()->attention, 1, __ATOMIC_RELAXED);
	weft_sleep(1);
	return 0;
}

CHECK_TEST("a queue whose end comes before its beginning is found")
{
	tasks_run(1, spoil_positions, NULL);
}

/* ---- tasks ---- */

static int spoil_started(void *arg)
{
	struct weft_task **two = queue_two();
	expect_message("is in state 0, not 1");
	record_of(two[1])->state = TASK_FREE; /* the newest, which runs next */
	return weft_sleep(MS);
}

CHECK_TEST("a task that is to run and is not ready is found")
{
	tasks_run(1, spoil_started, NULL);
}

CHECK_TASK_TEST("a wait word that cannot be is found")
{
	struct task *self = weft__thread_self()->task;
	expect_message("has a wait word that cannot be: 0x2");
	self->waiter.word = WAIT_CLAIMED;
	weft_exit(0);
}

CHECK_TASK_TEST("a runnable task with an open wait is found")
{
	struct task *self = weft__thread_self()->task;
	expect_message("neither runs nor waits");
	self->waiter.word = WAIT_OPEN;
	weft_yield();
}

CHECK_TASK_TEST("a wait within a wait is found")
{
	struct task *self = weft__thread_self()->task;
	expect_message("WAIT_OPEN");
	channel = weft_chan_new(sizeof(uint64_t), 1);
	self->waiter.word = WAIT_OPEN;
	receive_one(NULL);
}

CHECK_TASK_TEST("a task that has another's waiter is found")
{
	struct task *self = weft__thread_self()->task;
	expect_message("has another's waiter");
	self->waiter.task = NULL;
	weft_exit(0);
}

/* ---- free records and tasks ---- */

CHECK_TASK_TEST("a bin that does not count its free records is found")
{
	struct thread *t = enter();
	expect_message("a bin of");
	mine()->cache->bins[0].count++;
	for (int i = 0; i < 1000; i++)
		weft__cache_alloc(t, CACHE_MIN);
}

CHECK_TASK_TEST("a magazine that does not count its free tasks is found")
{
	struct thread *t = enter();
	expect_message("a magazine of");
	mine()->cache->records.count++;
	for (int i = 0; i < 1000; i++)
		weft__cache_record_take(t);
}

CHECK_TASK_TEST("a task in use among the free ones is found")
{
	static struct task *taken[1000];
	struct thread *t = enter();
	for (int i = 0; i < 1000; i++)
		taken[i] = weft__cache_record_take(t);
	expect_message("is in state 2, not 0");
	taken[0]->state = TASK_RUNNING;
	for (int i = 0; i < 1000; i++)
		weft__cache_record_give(t, taken[i]);
}

/* ---- a class of stacks, without a runtime: so nobody else looks at it ---- */

enum { STACKS = 4 };

static struct stack *stacks[STACKS]; /* warm ones, the last in front */

static struct stack_class *some_stacks(void)
{
	struct stack_class *c = weft__stack_class(1);
	struct task *task;
	struct list list;
	list_init(&list);
	expect_eq(weft__record_take(c, &task, 1), 1);
	for (int i = 0; i < STACKS; i++)
		expect_eq(weft__stack_take(c, &stacks[i], 1), 1);
	for (int i = 0; i < STACKS; i++)
		list_push_head(&list, &stacks[i]->link);
	weft__stack_give(c, &list, STACKS);
	return c;
}

CHECK_TEST("a stack that is free in another class is found")
{
	struct stack_class *c = some_stacks();
	expect_message("is free in a class that is not its own");
	stacks[STACKS - 1]->class = c + 1;
	weft__stack_take(c, stacks, 1);
}

CHECK_TEST("a stack that lies elsewhere than its number says is found")
{
	struct stack_class *c = some_stacks();
	expect_message("says that it is number 0");
	stacks[STACKS - 1]->slot = 0;
	weft__stack_take(c, stacks, 1);
}

CHECK_TEST("a free stack that was never taken is found")
{
	struct stack_class *c = some_stacks();
	expect_message("stack 4 is free, and was never taken");
	stacks[STACKS - 1]->slot = c->taken;
	weft__stack_take(c, stacks, 1);
}

CHECK_TEST("a stack without a guard is found")
{
	struct stack_class *c = some_stacks();
	expect_message("of a class 4 stacks are taken, 3 have guards");
	c->guarded = STACKS - 1;
	weft__stack_trim();
}

CHECK_TEST("more records than stacks are found")
{
	struct stack_class *c = some_stacks();
	expect_message("records for");
	c->used = c->open + 1;
	weft__stack_trim();
}

CHECK_TEST("a wrong number of warm stacks is found")
{
	struct stack_class *c = some_stacks();
	expect_message("a class of 5 warm stacks has 4");
	c->warm_count++;
	weft__stack_trim();
}

CHECK_TEST("a stack that two gave back is found")
{
	struct stack_class *c = some_stacks();
	expect_message("a class of 3 warm stacks has more");
	c->warm_count--;
	weft__stack_trim();
}

CHECK_TEST("more stacks that nobody needed than there are is found")
{
	struct stack_class *c = some_stacks();
	expect_message("of 4 warm stacks 5 were never needed");
	c->warm_low = STACKS + 1;
	weft__stack_trim();
}

CHECK_TEST("a cold stack that was never taken is found")
{
	struct stack_class *c = some_stacks();
	expect_message("stack 4 is cold, and was never taken");
	c->cold_first = c->taken + 1;
	weft__stack_trim();
}

CHECK_TEST("a stack that is warm and cold is found")
{
	struct stack_class *c = some_stacks();
	expect_message("of 4 stacks 4 are warm, and more than the others cold");
	c->cold_first = 1;
	weft__stack_trim();
}

/* ---- channels ---- */

CHECK_TEST("a channel with more items than room is found")
{
	struct weft_chan *c = weft_chan_new(8, 4);
	expect_message("a channel of 4 holds 5 items");
	c->count = 5;
	weft_chan_close(c);
}

CHECK_TEST("a channel that begins behind its room is found")
{
	struct weft_chan *c = weft_chan_new(8, 4);
	expect_message("a channel of 4 begins at place 4");
	c->first = 4;
	weft_chan_close(c);
}

/* A channel with room for one item, on which a task waits. */
static struct weft_chan *awaited_channel(int (*wait)(void *arg), size_t items)
{
	channel = weft_chan_new(sizeof(uint64_t), 1);
	for (size_t i = 0; i < items; i++)
		send_one(NULL);
	spawn_detached(wait);
	while (waitq_empty(&channel->receivers) && waitq_empty(&channel->senders))
		weft_yield();
	return channel;
}

CHECK_TASK_TEST("a receiver that waits while there are items is found")
{
	struct weft_chan *c = awaited_channel(receive_one, 0);
	expect_message("somebody waits to receive from a channel that holds 1 item");
	c->count = 1;
	receive_one(NULL);
}

CHECK_TASK_TEST("a sender that waits while there is room is found")
{
	struct weft_chan *c = awaited_channel(send_one, 1);
	expect_message("somebody waits to send to a channel of 1 that holds 0");
	c->count = 0;
	send_one(NULL);
}

CHECK_TASK_TEST("a wait for a closed channel is found")
{
	struct weft_chan *c = awaited_channel(receive_one, 0);
	expect_message("somebody waits for a closed channel");
	c->closed = 1;
	send_one(NULL);
}

CHECK_TASK_TEST("a wait that its neighbours do not know is found")
{
	struct weft_chan *c = awaited_channel(receive_one, 0);
	struct waitq_node stray = {.queued = true};
	expect_message("is not where its neighbours in the queue say");
	c->receivers.last = &stray;
	send_one(NULL);
}

/* ---- descriptors ---- */

CHECK_TEST("the end of a call on a descriptor that never began is found")
{
	struct descriptor d = {0};
	expect_message("a call on a descriptor ends that never began");
	descriptor_leave(&d, 0);
}

static int readable[2];

static int wait_readable(void *arg)
{
	char byte;
	return weft_read(readable[0], &byte, 1, WEFT_FOREVER) == 1;
}

CHECK_TASK_TEST("a wait in another descriptor's queue is found")
{
	expect_eq(pipe(readable), 0);
	struct descriptor *d = weft__descriptor(readable[0]);
	struct descriptor *other = weft__descriptor(readable[1]);
	spawn_detached(wait_readable);
	while (!descriptor_awaited(d))
		weft_yield();
	expect_message("is in another's queue, or for nothing");
	list_init(&other->waiting);
	list_move_all(&other->waiting, &d->waiting);
	weft_close(readable[1]);
}
