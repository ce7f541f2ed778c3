/* SPDX-License-Identifier: MIT */
/* task.c: the calls of weft/task.h about tasks; their life is in sched/task.c. */
#include "weft/task.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/call.h"
#include "api/once.h"
#include "base/sized.h"
#include "base/sys.h"
#include "base/time.h"
#include "sched/park.h"
#include "sched/schedule.h"
#include "sched/stack.h"
#include "sched/task.h"
#include "sched/trace.h"

enum { SPAWN_OPTIONS_FIRST = 24 }; /* bytes of 0.1's struct weft_spawn_options */
#define SHORT_SLEEP US(20)	   /* may be over by the time the task parks */

static struct task *task_of(struct weft_task *handle)
{
	return (struct task *)handle;
}

/* ---- starting ---- */

static int refused(void)
{
	return unlikely(load_relaxed(&sched.stopping)) ? -ESHUTDOWN : 0;
}

void weft__task_launch(struct thread *t, struct task *task)
{
	tsan_release(task);
	trace(t, birth, task->id, task->fn.plain);
	weft__ready_fresh(t, task);
	/* pairs with monitor.c:weft__monitor_stop_tasks */
	if (unlikely(!load_relaxed(&sched.membarrier)))
		fence_seq_cst();
	/* weft_stop was called meanwhile: its walk may have missed this task */
	if (unlikely(load_relaxed(&sched.stopping)))
		weft__task_cancel(t, task);
}

struct task *weft__task_make(struct thread *t, const struct task_options *options, int *err)
{
	struct task *task = weft__task_new(t, options);
	*err = task ? 0 : -ENOMEM;
	if (likely(t) || !task)
		return task;
	/* It counts as a task from here on, unless the runtime has begun to end before. */
	*err = weft__runtime_state();
	if (!*err)
		return task;
	weft__task_drop(NULL, task);
	return NULL;
}

static int go_foreign(void (*fn)(void *arg), void *arg)
{
	static const struct task_options options = {.detached = true};
	int err = weft__foreign_enter();
	if (err)
		return err;
	struct task *task = weft__task_make(NULL, &options, &err);
	if (task) {
		task_set_plain_function(task, fn, arg);
		weft__task_launch(NULL, task);
	}
	weft__foreign_leave();
	return err;
}

int weft_go(void (*fn)(void *arg), void *arg)
{
	static const struct task_options options = {.detached = true};
	if (!fn)
		return -EINVAL;
	if (refused())
		return -ESHUTDOWN;
	struct thread *t = enter();
	if (unlikely(!t))
		return go_foreign(fn, arg);
	struct task *task = weft__task_new(t, &options);
	if (likely(task)) {
		task_set_plain_function(task, fn, arg);
		weft__task_launch(t, task);
	}
	leave(t);
	return task ? 0 : -ENOMEM;
}

static int spawn_options(struct task_options *to, const struct weft_spawn_options *from)
{
	struct weft_spawn_options o = {0};
	int err = from ? weft__sized_read(&o, sizeof(o), from, SPAWN_OPTIONS_FIRST) : 0;
	if (err)
		return err;
	*to = (struct task_options){.name = o.name, .stack_size = o.stack_size};
	return o.stack_size && !weft__stack_class(o.stack_size) ? -EINVAL : 0;
}

int weft_spawn(struct weft_task **handle, const struct weft_spawn_options *options,
	       int (*fn)(void *arg), void *arg)
{
	struct task_options o;
	int err = handle && fn ? spawn_options(&o, options) : -EINVAL;
	if (err)
		return err;
	struct thread *t;
	err = runtime_enter(&t);
	if (unlikely(err))
		return err;
	err = refused();
	struct task *task = err ? NULL : weft__task_make(t, &o, &err);
	if (likely(task)) {
		task_set_function(task, fn, arg);
		*handle = (struct weft_task *)task;
		weft__task_launch(t, task);
	}
	runtime_leave(t);
	return err;
}

/* ---- joining ---- */

static _Noreturn cold void misuse(const struct task *task, const char *call, const char *what)
{
	char text[96];
	snprintf(text, sizeof(text), "task %llu %s", (unsigned long long)task->id, what);
	weft__misuse(call, text);
}

void weft__require_live(const struct task *task, const char *call)
{
	if (unlikely(task->state == TASK_FREE))
		misuse(task, call, "was joined or detached before");
}

/*
 * Takes the joiner's waiter back. False: the task has ended, and nobody will touch the waiter any
 * more.
 */
bool weft__join_unqueue(struct task *task, struct waiter *w)
{
	struct waiter *seen = w;
	if (cas_acq_rel(&task->join, &seen, JOIN_RUNNING)) /* pairs with sched/task.c:tell_joiner */
		return true;
	/* A few instructions: pairs with sched/task.c:tell_joiner. */
	for (unsigned i = 0; load_acquire(&task->join) != JOIN_ENDED; i++)
		weft__await_other(i);
	return false;
}

bool weft__join_queue(struct task *task, struct waiter *w)
{
	struct waiter *seen = JOIN_RUNNING;
	if (cas_acq_rel(&task->join, &seen, w)) /* pairs with sched/task.c:tell_joiner */
		return true;
	if (unlikely(seen != JOIN_ENDED && seen != JOIN_CLAIMING))
		misuse(task, "weft_join", "is being joined, or was detached before");
	return false;
}

bool weft__join_ended(const struct task *task)
{
	return load_acquire(&task->join) == JOIN_ENDED; /* pairs with sched/task.c:tell_joiner */
}

int weft__join_free(struct thread *t, struct task *task)
{
	tsan_acquire(task);
	int result = task->result;
	weft__task_free(t, task);
	return result;
}

static int await_end(struct thread **t, struct task *task, int64_t deadline)
{
	struct waiter lone;
	struct waiter *w = wait_begin_inside(*t, &lone, "join", true);
	if (!weft__join_queue(task, w)) {
		weft__wait_abandon(w);
		return 0;
	}
	uint32_t reason = weft__wait_park(t, w, deadline);
	if (reason == WAKE_USER || !weft__join_unqueue(task, w))
		return 0;
	return weft__wait_result(reason, deadline);
}

int weft_join(struct weft_task *handle, int *result, int64_t deadline)
{
	struct task *task = task_of(handle);
	if (!task)
		return -EINVAL;
	struct thread *t;
	int err = runtime_enter(&t);
	if (unlikely(err))
		return err;
	weft__require_live(task, "weft_join");
	if (unlikely(t && task == t->task))
		err = -EDEADLK;
	else if (!weft__join_ended(task))
		err = await_end(&t, task, deadline);
	if (!err) {
		int ended = weft__join_free(t, task);
		if (result)
			*result = ended;
	}
	runtime_leave(t);
	return err;
}

int weft_detach(struct weft_task *handle)
{
	struct task *task = task_of(handle);
	struct waiter *seen = JOIN_RUNNING;
	if (!task)
		return -EINVAL;
	struct thread *t;
	if (runtime_enter(&t) < 0)
		return weft__outside();
	weft__require_live(task, "weft_detach");
	if (!cas_acq_rel(&task->join, &seen,
			 JOIN_DETACHED)) { /* pairs with sched/task.c:tell_joiner */
		if (unlikely(seen != JOIN_ENDED))
			misuse(task, "weft_detach", "is being joined, or was detached before");
		tsan_acquire(task);
		weft__task_free(t, task);
	}
	runtime_leave(t);
	return 0;
}

/* ---- the calling task ---- */

void weft_yield(void)
{
	struct thread *t = enter();
	if (unlikely(!t)) {
		weft__yield_cpu();
		return;
	}
	t = weft__switch_away(t, AFTER_YIELD);
	leave(t);
}

void weft_exit(int result)
{
	struct task *task = call_task();
	if (unlikely(!task) && !sched.forked)
		weft__misuse("weft_exit", "there is no task to end");
	if (task && unlikely(task->stack->onces))
		weft__once_end_all(task);
	weft__task_exit(result);
}

/* A thread that is not the runtime's needs one to begin; its sleep goes on beyond the end. */
static always_inline int sleep_by(uint32_t (*park)(struct thread **, struct waiter *, int64_t),
				  int64_t deadline)
{
	struct waiter lone;
	struct thread *t = enter();
	int err = likely(t) ? 0 : weft__runtime_state();
	if (unlikely(err))
		return err;
	struct waiter *w = weft__wait_begin(t, &lone, "sleep", true);
	int64_t until = weft__wait_until(w, deadline);
	uint32_t reason = park(&t, w, until);
	call_leave(t);
	return reason == WAKE_TIMEOUT && until == deadline ? 0
							   : weft__wait_result(reason, deadline);
}

/* The moment of the deadline has come: the sleep succeeds, for a cancelled task, too. */
static int sleep_no_more(void)
{
	struct thread *t;
	int err = runtime_enter(&t);
	if (!err)
		runtime_leave(t);
	return err;
}

int weft_sleep_until(int64_t deadline)
{
	return deadline <= weft__sched_now() ? sleep_no_more()
					     : sleep_by(weft__wait_park, deadline);
}

int weft_sleep(int64_t nanoseconds)
{
	if (nanoseconds < SHORT_SLEEP)
		return weft_sleep_until(nanoseconds <= 0 ? 0 : weft_after(nanoseconds));
	return sleep_by(weft__wait_park_ahead, weft_after(nanoseconds));
}

int64_t weft_now(void)
{
	return weft__sched_now();
}

int64_t weft_after(int64_t nanoseconds)
{
	int64_t now = weft__sched_now();
	int64_t sum;
	if (__builtin_add_overflow(now, nanoseconds, &sum))
		return nanoseconds > 0 ? INT64_MAX : INT64_MIN + 1;
	return sum;
}

struct weft_task *weft_self(void)
{
	return (struct weft_task *)call_task();
}

uint64_t weft_task_id(const struct weft_task *task)
{
	return task ? ((const struct task *)task)->id : 0;
}

int weft_set_name(const char *name)
{
	struct task *task = call_task();
	if (!task)
		return -EINVAL;
	weft__task_name(task, name ? name : "");
	return 0;
}
