/* SPDX-License-Identifier: MIT */
/*
 * test_runq.c: a processor's two queues (src/sched/runq.c) in every schedule: no task is lost, none
 * runs twice.
 *
 * Thread 0 owns the queues, the others are thieves. The counters start just below their
 * wrap-around.
 */
#include <string.h>

#include "explore.h"
#include "sched/runq.h"

enum { TASKS = 3, NEAR_WRAP = -2 };

static struct runq queue;
static struct deque deque;
static char tasks[TASKS];
static unsigned pushed, got[TASKS];

static void setup(void)
{
	memset(&queue, 0, sizeof(queue));
	memset(&deque, 0, sizeof(deque));
	memset(got, 0, sizeof(got));
	queue.head = queue.tail = deque.top = deque.bottom = (uint32_t)NEAR_WRAP;
	pushed = 0;
}

static struct task *next_task(void)
{
	return (struct task *)&tasks[pushed++];
}

static bool take(struct task *task)
{
	if (!task)
		return false;
	explore_check((char *)task >= tasks && (char *)task < tasks + TASKS);
	explore_check(got[(char *)task - tasks]++ == 0);
	return true;
}

static void all_once(void)
{
	while (take(runq_pop(&queue)) || take(deque_pop(&deque)))
		;
	for (unsigned i = 0; i < pushed; i++)
		explore_check(got[i] == 1);
}

static void steal_from_queue(void)
{
	struct task *out[2];
	unsigned n = weft__runq_steal(&queue, out, 2);
	for (unsigned i = 0; i < n; i++)
		take(out[i]);
}

static void queue_and_thieves(unsigned n)
{
	if (n) {
		steal_from_queue();
		return;
	}
	explore_check(runq_push(&queue, next_task()));
	explore_check(runq_push(&queue, next_task()));
	take(runq_pop(&queue));
	explore_check(runq_push(&queue, next_task()));
	take(runq_pop(&queue));
}

static void deque_and_thieves(unsigned n)
{
	if (n) {
		take(weft__deque_steal(&deque));
		return;
	}
	explore_check(deque_push(&deque, next_task()));
	explore_check(deque_push(&deque, next_task()));
	take(deque_pop(&deque));
	take(deque_pop(&deque));
}

static void deque_emptied_and_refilled(unsigned n)
{
	if (n) {
		take(weft__deque_steal(&deque));
		return;
	}
	for (int i = 0; i < 2; i++) {
		explore_check(deque_push(&deque, next_task()));
		take(deque_pop(&deque));
	}
}

/* A thief that gets nothing from a queue from which no other took would never steal. */
static void thief_goes_hungry(void)
{
	explore_check(got[0] == 0);
}

static void push_and_steal(unsigned n)
{
	if (n)
		take(weft__deque_steal(&deque));
	else
		deque_push(&deque, next_task());
}

SCENARIO("queue: owner and a thief", .threads = 2, .preemptions = 5, .setup = setup,
	 .thread = queue_and_thieves, .finish = all_once);

SCENARIO("queue: owner and two thieves", .threads = 3, .preemptions = 3, .setup = setup,
	 .thread = queue_and_thieves, .finish = all_once);

SCENARIO("deque: owner and a thief", .threads = 2, .preemptions = 5, .setup = setup,
	 .thread = deque_and_thieves, .finish = all_once);

SCENARIO("deque: owner and two thieves", .threads = 3, .preemptions = 3, .setup = setup,
	 .thread = deque_and_thieves, .finish = all_once);

SCENARIO("deque: emptied and filled again", .threads = 3, .preemptions = 3, .setup = setup,
	 .thread = deque_emptied_and_refilled, .finish = all_once);

SCENARIO("deque: thieves do get tasks", .threads = 2, .preemptions = 2, .fails = "got[0] == 0",
	 .setup = setup, .thread = push_and_steal, .finish = thief_goes_hungry);

SCENARIO("planted: deque without its fences", .threads = 3, .preemptions = 2, .fails = "got[",
	 .faults = EXPLORE_NO_FENCE, .setup = setup, .thread = deque_and_thieves,
	 .finish = all_once);

SCENARIO("planted: a deque without its fences is not seen without store buffers", .threads = 3,
	 .preemptions = 2, .faults = EXPLORE_NO_FENCE | EXPLORE_NO_BUFFERS, .setup = setup,
	 .thread = deque_and_thieves, .finish = all_once);

SCENARIO("planted: queue with compare, then swap", .threads = 2, .preemptions = 2, .fails = "got[",
	 .faults = EXPLORE_SPLIT, .setup = setup, .thread = queue_and_thieves, .finish = all_once);

SCENARIO("planted: deque with compare, then swap", .threads = 2, .preemptions = 2, .fails = "got[",
	 .faults = EXPLORE_SPLIT, .setup = setup, .thread = deque_and_thieves, .finish = all_once);
