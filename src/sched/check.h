/* SPDX-License-Identifier: MIT */
/*
 * check.h: what must hold of a task's record, and of a processor's queues, in words and in code.
 *
 * Debug builds call these through debug_run (base/fatal.h), where the cost of a walk is lost among
 * other things: each task at its birth, when it begins to run and at its end; the queues at their
 * owner's regular look (steal.c). Other structures are checked where they are at home:
 *
 *   timerq.c:timerq_check   wheel and heap        chan.h:chan_check        ring and queues
 *   cache.c:bin_check       free records          waitq.h:waitq_check      a queue of waits
 *   cache.c:magazines_check records and stacks    descriptor.c:queue_check waits for a descriptor
 *   stackcheck.h            a class of stacks     cache.c:records_check    free records of tasks
 *   base/list.h:list_check  links
 *
 * Rejected: release builds that check, too (a walk reads memory that no operation needs), a task
 * that walks all structures from time to time (it would need all locks, and would find what is
 * wrong long after it went wrong).
 */
#ifndef WEFT_SCHED_CHECK_H
#define WEFT_SCHED_CHECK_H

#include "sched/park.h"
#include "sched/sched.h"

/* An open wait has no reason yet; one that is over has its reason, and nobody's claim. */
static inline bool wait_word_legal(uint32_t word)
{
	uint32_t reason = word >> WAIT_REASON_SHIFT;
	if (word & WAIT_OPEN)
		return !reason;
	return !(word & (WAIT_CLAIMED | WAIT_CANCEL)) && (reason || !word);
}

/* A task whose owner the caller is: it is in `state`, and only one that runs or waits has an open
 * wait. */
static inline void task_check(const struct task *task, enum task_state state)
{
	uint32_t word = load_relaxed(&task->waiter.word);
	require(task->state == state, "task %p is in state %u, not %u", (const void *)task,
		task->state, state);
	require(task->waiter.task == task, "task %p has another's waiter", (const void *)task);
	require(wait_word_legal(word), "task %p has a wait word that cannot be: %#x",
		(const void *)task, word);
	require(!(word & WAIT_OPEN) || state == TASK_RUNNING || state == TASK_WAITING,
		"task %p neither runs nor waits, and has an open wait", (const void *)task);
}

/* What lies at place `i` of a queue is ready to run, unless a thief has taken it: then `first`, the
 * place of the oldest, is beyond i. */
static inline void place_check(const struct task *task, const uint32_t *first, uint32_t i)
{
	require(task, "a queue of runnable tasks has an empty place");
	/* Before the place: pairs with runq.c:weft__runq_steal, runq.c:weft__deque_steal. */
	uint32_t state = load_acquire(&task->state);
	bool taken = (int32_t)(load_relaxed(first) - i) > 0;
	require(state == TASK_READY || taken, "task %p is queued to run and in state %u",
		(const void *)task, state);
}

/* The owner's: no more tasks than places, and each of them ready to run. */
static inline void runq_check(const struct runq *q)
{
	uint32_t head = load_relaxed(&q->head), tail = load_relaxed(&q->tail);
	require(tail - head <= RUNQ_SIZE, "a queue's head %u is beyond its tail %u", head, tail);
	for (uint32_t i = head; i != tail; i++)
		place_check(load_relaxed(&q->ring[i % RUNQ_SIZE]), &q->head, i);
}

static inline void deque_check(const struct deque *d)
{
	uint32_t top = load_relaxed(&d->top), bottom = load_relaxed(&d->bottom);
	require(bottom - top <= DEQUE_SIZE, "a deque's top %u is beyond its bottom %u", top,
		bottom);
	for (uint32_t i = top; i != bottom; i++)
		place_check(load_relaxed(&d->ring[i % DEQUE_SIZE]), &d->top, i);
}

#endif
