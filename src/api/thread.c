/* SPDX-License-Identifier: MIT */
/* thread.c: the calls of weft/thread.h; see sched/lockthread.c and sched/lease.h. */
#include "weft/thread.h"

#include <errno.h>

#include "api/call.h"
#include "sched/lockthread.h"
#include "sched/proc.h"
#include "sched/stack.h"

int weft_lock_os_thread(void)
{
	struct thread *t = enter();
	if (!t)
		return weft__outside();
	weft__lock_thread(t);
	leave(t);
	return 0;
}

int weft_unlock_os_thread(void)
{
	struct thread *t = enter();
	if (!t)
		return weft__outside();
	int err = weft__unlock_thread(t);
	leave(t);
	return err;
}

int weft_blocking_begin(void)
{
	struct thread *t = weft__thread_self();
	int err = call_outside();
	if (err)
		return err;
	if (t->task->stack->in_user_wait) {
		t->task->stack->in_user_wait++;
		return 0;
	}
	t = enter();
	t->task->stack->in_user_wait = 1; /* from here on an entry is misuse: weft__enter_slow */
	weft__proc_lend(t);
	leave(t);
	return 0;
}

int weft_blocking_end(void)
{
	struct thread *t = weft__thread_self();
	int err = call_outside();
	if (err)
		return err;
	if (!t->task->stack->in_user_wait)
		return -EPERM;
	if (--t->task->stack->in_user_wait)
		return 0;
	t = enter(); /* finds that the processor is gone and waits for one */
	leave(t);
	return 0;
}
