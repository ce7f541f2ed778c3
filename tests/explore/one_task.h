/* SPDX-License-Identifier: MIT */
/*
 * one_task.h: the scheduler below a scenario in which one task waits, on thread 0: it leaves its
 * stack, its word gets PARKED, and it stands until it is made runnable.
 */
#ifndef TESTS_EXPLORE_ONE_TASK_H
#define TESTS_EXPLORE_ONE_TASK_H

#include <string.h>

#include "explore.h"
#include "sched/park.h"
#include "sched/schedule.h"

static struct task task;
static struct thread thread;
static struct processor processor;
static uint32_t runnable;

static void one_task_reset(void)
{
	memset(&task, 0, sizeof(task));
	task.waiter.task = &task;
	thread.task = &task;
	thread.processor = &processor;
	runnable = 0;
	explore_futex_reset();
}

void weft__ready(struct thread *t, struct task *ready)
{
	explore_check(ready == &task);
	explore_check(add_acq_rel(&runnable, 1) == 0);
}

struct thread *weft__switch_away(struct thread *t, enum after after)
{
	/* Nobody else adds PARKED: adding and or-ing are the same. */
	if (!(add_acq_rel(&task.waiter.word, WAIT_PARKED) & WAIT_OPEN))
		weft__ready(t, &task);
	while (!load_acquire(&runnable))
		cpu_relax();
	store_release(&runnable, 0);
	return t;
}

#endif
