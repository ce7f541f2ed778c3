/* SPDX-License-Identifier: MIT */
/* thread.h: records and lives of threads. */
#ifndef WEFT_SCHED_THREAD_H
#define WEFT_SCHED_THREAD_H

#include "sched/sched.h"

/* When an idle thread is taken, among those that sleep on their futex. */
enum idle_turn { IDLE_NEXT, IDLE_LAST };

/* Puts t on the list of idle threads, unless it is on it. [S] is held. */
static inline void thread_idle_add(struct thread *t, enum idle_turn turn)
{
	if (!list_empty(&t->idle))
		return;
	if (turn == IDLE_LAST)
		list_push_tail(&sched.idle.threads, &t->idle);
	else
		list_push_head(&sched.idle.threads, &t->idle);
	sched.idle.thread_count++;
}

/* Takes t off the list of idle threads if it is on it. [S] is held. */
static inline void thread_idle_remove(struct thread *t)
{
	if (list_empty(&t->idle))
		return;
	list_remove(&t->idle);
	sched.idle.thread_count--;
}

/* Has the scheduler of t, which has a processor, run a task next that is in no queue. */
static inline void thread_run_next(struct thread *t, struct task *task)
{
	task->state = TASK_READY;
	t->next = task;
}

/* Ends half of the threads that have been idle since the last call. Returns true when there may be
 * more to do. */
bool weft__thread_trim(void);
/* The thread that called weft_run gets a record and may run weft__scheduler; and loses it, once
 * that has returned. */
void weft__thread_adopt_caller(struct thread *t);
void weft__thread_retire_caller(struct thread *t);
/* Takes a free record. NULL: max_threads is reached. [S] is held. */
struct thread *weft__thread_record_take(void);
/* The same, for callers that do not hold the lock. */
struct thread *weft__thread_record(void);
/* Frees a record whose thread is gone, or was never started. [S] is held. */
void weft__thread_record_free(struct thread *t);
/* Starts the thread of a record. 0 or -errno. */
int weft__thread_create(struct thread *t);
/* Reserves memory for max_threads records. False: there is none. */
bool weft__thread_reserve(void);
/* Frees it. */
void weft__thread_shutdown(void);

#endif
