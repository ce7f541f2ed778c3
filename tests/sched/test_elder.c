/* SPDX-License-Identifier: MIT */
/*
 * test_elder.c: never-run tasks that have waited for long (elder.c, from inside, at times of the
 * test's own), and that a chain of starts holds no task up.
 */
#include "../../src/sched/elder.c"

#include "../tasks.h"

enum { TASKS = 100, OLD = 5000, LINK_STEPS = 1000, LINKS_EACH = 300 };

static struct processor processor;
static struct thread holder = {.processor = &processor};
static struct task task[TASKS];

/* A processor and its holder, and tasks with the numbers 1, 2, ... in no queue. */
static void prepare(void)
{
	sched.processors = &processor;
	sched.processor_count = 1;
	list_init(&sched.global_fresh.list);
	for (unsigned i = 0; i < TASKS; i++)
		task[i].id = i + 1;
}

static void queue_own(unsigned first, unsigned n)
{
	for (unsigned i = first; i < first + n; i++)
		expect(deque_push(&processor.fresh, &task[i]));
}

static void queue_global(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		list_push_tail(&sched.global_fresh.list, &task[i].link);
	sched.global_fresh.length = n;
}

static void expect_woken(unsigned first, unsigned n)
{
	expect_eq(runq_length(&processor.ready), n);
	for (unsigned i = 0; i < n; i++)
		expect_eq(runq_pop(&processor.ready), &task[first + i]);
}

TEST("when a queue holds one of those born ten milliseconds ago, they are elders")
{
	struct elder_notes notes = {.born_by_then = 0};
	expect_eq(note(&notes, 5, MS), 0);
	notes.born_by_then = 77;
	expect_eq(note(&notes, 5, MS + PATIENCE - 1), 0);
	expect_eq(note(&notes, 6, MS + PATIENCE), 77); /* another one, and as old */
	expect_eq(note(&notes, 77, MS + 2 * PATIENCE), 77);
	expect_eq(note(&notes, 78, MS + 2 * PATIENCE), 0);
	expect_eq(note(&notes, 0, 3 * PATIENCE), 0);
	expect_eq(note(&notes, 0, 9 * PATIENCE), 0);
}

/* Of TASKS tasks that are queued somewhere, the oldest BATCH + 5 are elders. */
static void bring_elders(uint64_t *elders)
{
	*elders = BATCH + 5;
	weft__elder_bring(&holder);
	expect_woken(0, BATCH);
	expect(elders_wait(&processor));
	weft__elder_bring(&holder);
	expect_woken(BATCH, 5);
	expect(!elders_wait(&processor));
}

TEST("elders come oldest first, a batch at a time, and younger ones stay")
{
	prepare();
	queue_own(0, TASKS);
	bring_elders(&processor.elders);
	expect_eq(deque_length(&processor.fresh), TASKS - BATCH - 5);
}

TEST("so they do from the global queue")
{
	prepare();
	queue_global(TASKS);
	bring_elders(&sched.elders);
	expect_eq(sched.global_fresh.length, TASKS - BATCH - 5);
}

TEST("no more are brought than the queue of woken tasks holds")
{
	static struct task other;
	prepare();
	queue_own(0, TASKS);
	processor.elders = TASKS;
	while (runq_length(&processor.ready) < RUNQ_SIZE - 5)
		runq_push(&processor.ready, &other);
	weft__elder_bring(&holder);
	expect_eq(runq_length(&processor.ready), RUNQ_SIZE);
	expect_eq(deque_length(&processor.fresh), TASKS - 5);
	expect(elders_wait(&processor));
}

/* ---- for real ---- */

static int old_ended, links;

static void old(void *arg)
{
	(void)arg;
	add_relaxed(&old_ended, 1);
}

/* Starts the next one while it runs: always the newest. */
static void chain(void *arg)
{
	for (volatile int i = 0; i < LINK_STEPS; i++)
		;
	links++;
	if (load_relaxed(&old_ended) < OLD)
		expect_eq(weft_go(chain, arg), 0);
}

static int main_task(void *arg)
{
	for (int i = 0; i < OLD; i++)
		expect_eq(weft_go(old, arg), 0);
	expect_eq(weft_go(chain, arg), 0);
	return 0;
}

/* Newest first alone, it is one of them among 976 links. */
TEST("old tasks have run before a chain of starts is much longer than they are many")
{
	expect_eq(tasks_run(1, main_task, NULL), 0);
	expect_eq(old_ended, OLD);
	expect_lt(links, OLD * LINKS_EACH);
}

enum { CROWD = 256, AT_ONCE = 64, YIELDS = 5 };

static unsigned begun, ended, most_at_once;

static void yields(void *arg)
{
	(void)arg;
	if (++begun - ended > most_at_once)
		most_at_once = begun - ended;
	for (int i = 0; i < YIELDS; i++)
		weft_yield();
	ended++;
}

static int start_crowd(void *arg)
{
	for (int i = 0; i < CROWD; i++)
		expect_eq(weft_go(yields, arg), 0);
	for (int64_t until = weft_now() + 3 * PATIENCE; weft_now() < until;)
		;
	return 0;
}

TEST("elders do not all begin before the first of them goes on")
{
	expect_eq(tasks_run(1, start_crowd, NULL), 0);
	expect_eq(ended, CROWD);
	expect_lt(most_at_once, AT_ONCE);
}
