/* SPDX-License-Identifier: MIT */
/*
 * schedule.c: the main path.
 *
 *   user call -> enter() -> weft__wait_park / weft_yield / the end of a task
 *             -> weft__switch_away: who runs next?
 *                  a task of this processor's queues: straight to it (the common case, one switch)
 *                  anything else: to the thread's own stack, where weft__scheduler looks further:
 *                  timers, global queues, poller, theft, sleep
 *             -> finish_switch, on the new stack: what becomes of the task that was left
 *
 * Who runs next
 *   1. every 61st time, and when `attention` is set: the scheduler's stack looks at everything,
 *      oldest first
 *   2. tasks that were woken, first in first out
 *   3. tasks in the global queue (they come back from blocking code, or were woken by the poller)
 *   4. tasks that have never run, newest first
 *   5. tasks that computed until their processor was taken
 *
 * Woken ones go ahead of never-run ones, but after FRESH_EVERY of them a never-run one gets its
 * turn; the 61st look takes the oldest never-run one; and every 10 ms one that computes gets its
 * turn. So no kind starves, and no woken task waits behind many that compute (steal.c).
 *
 * No clock is read on this path. A task is never published before its stack is left: finish_switch
 * does it.
 *
 * Rejected: always switching through the scheduler's stack (Go's way: two switches for one), a "run
 * next" slot for the last woken task (needs a time slice to be fair; first in, first out is fair by
 * itself, and a pair that plays ping-pong finds the queue empty anyway).
 */
#include "sched/schedule.h"

#include "base/sys.h"
#include "base/time.h"
#include "sched/check.h"
#include "sched/park.h"
#include "sched/proc.h"
#include "sched/sleep.h"
#include "sched/steal.h"
#include "sched/task.h"
#include "sched/trace.h"

enum { LACK_TRIES = 10000 }; /* a millisecond apart, or more */

uint64_t weft__all_switches(void)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < sched.processor_count; i++)
		n += load_relaxed(&sched.processors[i].switches);
	return n;
}

/* `from_user` is 1 for a task that was counted as in user code until now: so at no moment is it
 * counted nowhere, which would look as if all tasks waited for ever. */
static noinline void queue_global(struct task_list *q, struct task *task, uint32_t from_user)
{
	lock_take(&sched.lock, RANK_SCHED);
	list_push_tail(&q->list, &task->link);
	store_relaxed(&q->length, q->length + 1);
	sched.in_user -= from_user;
	lock_drop(&sched.lock, RANK_SCHED);
	weft__proc_wake();
}

/* Queues a task that comes back from user code. A locked task needs no other thread than its own,
 * which looks for it in one queue alone. */
static void queue_returned(struct task *task, bool busy)
{
	bool behind = busy && !task->locked_thread;
	task->state = TASK_READY;
	queue_global(behind ? &sched.global_busy : &sched.global_ready, task, 1);
}

/* Another processor may help when there is more than this one runs next. A lone task waits until
 * the monitor looks: waking a thread costs more than most tasks run. */
static always_inline void offer(struct processor *p)
{
	if (unlikely(load_relaxed(&sched.idle.processor_count)) && !load_relaxed(&sched.spinning) &&
	    proc_has_surplus(p))
		weft__offer(p);
}

/* Half of a full queue and one more to the global queue. */
static void overflow(struct task_list *q, struct task **tasks, unsigned n, struct task *more)
{
	lock_take(&sched.lock, RANK_SCHED);
	for (unsigned i = 0; i < n; i++)
		list_push_tail(&q->list, &tasks[i]->link);
	list_push_tail(&q->list, &more->link);
	store_relaxed(&q->length, q->length + n + 1);
	lock_drop(&sched.lock, RANK_SCHED);
}

static noinline void overflow_ready(struct processor *p, struct task *task)
{
	struct task *half[RUNQ_SIZE / 2];
	overflow(&sched.global_ready, half, weft__runq_steal(&p->ready, half, array_len(half)),
		 task);
	offer(p);
}

static noinline void overflow_fresh(struct processor *p, struct task *task)
{
	struct task *half[DEQUE_SIZE / 2];
	unsigned n = 0;
	while (n < array_len(half) && (half[n] = weft__deque_steal(&p->fresh)))
		n++;
	overflow(&sched.global_fresh, half, n, task);
	offer(p);
}

/* The rarer paths are tail calls, so that the common one needs no frame. */
void weft__ready(struct thread *t, struct task *task)
{
	struct processor *p = t ? t->processor : NULL;
	task->state = TASK_READY;
	if (unlikely(!p))
		queue_global(&sched.global_ready, task, 0);
	else if (likely(runq_push(&p->ready, task)))
		offer(p);
	else
		overflow_ready(p, task);
}

void weft__ready_fresh(struct thread *t, struct task *task)
{
	task->state = TASK_READY;
	if (unlikely(!t))
		queue_global(&sched.global_fresh, task, 0);
	else if (likely(deque_push(&t->processor->fresh, task)))
		offer(t->processor);
	else
		overflow_fresh(t->processor, task);
}

void weft__ready_later(struct task *task, struct list *tasks)
{
	list_push_tail(tasks, &task->link);
}

void weft__ready_list(struct list *tasks)
{
	uint32_t n = 0;
	if (list_empty(tasks))
		return;
	list_each (l, tasks) {
		container_of(l, struct task, link)->state = TASK_READY;
		n++;
	}
	lock_take(&sched.lock, RANK_SCHED);
	list_move_all(&sched.global_ready.list, tasks);
	store_relaxed(&sched.global_ready.length, sched.global_ready.length + n);
	lock_drop(&sched.lock, RANK_SCHED);
	weft__proc_wake();
}

/*
 * Prefetches what the task after next will touch when it continues: the innermost frames of its
 * stack, above the red zone. Prefetching when a task is queued does not help: of 256 tasks that one
 * timer woke, little was still in the cache when they ran.
 */
static always_inline void fetch_ahead(const struct runq *q)
{
	const struct task *task = runq_peek(q, 1);
	if (likely(!task))
		return;
	const char *sp = task->context.sp;
	__builtin_prefetch(sp);
	for (unsigned i = 2; i < 8; i++)
		__builtin_prefetch(sp + i * CACHE_LINE);
}

/* After FRESH_EVERY woken tasks: is it the turn of one that has never run? */
static noinline bool fresh_turn(struct processor *p)
{
	if (deque_length(&p->fresh) || load_relaxed(&sched.global_fresh.length))
		return true;
	p->streak = 0;
	return false;
}

/* Returns the next task from this processor's queues; NULL: the scheduler's stack has to look. */
static always_inline struct task *pick_next(struct processor *p)
{
	if (unlikely(++p->tick >= LOOK_EVERY) || unlikely(load_relaxed(&p->attention)))
		return NULL;
	if (likely(p->streak < FRESH_EVERY) || !fresh_turn(p)) {
		struct task *task = p->alone ? runq_pop_alone(&p->ready) : runq_pop(&p->ready);
		if (task) {
			fetch_ahead(&p->ready);
			p->streak++;
			return task;
		}
		if (load_relaxed(&sched.global_ready.length))
			return NULL;
	}
	struct task *task = p->alone ? deque_pop_alone(&p->fresh) : deque_pop(&p->fresh);
	if (task)
		p->streak = 0; /* else it stays the turn of one that is nobody's */
	return task;
}

static always_inline void start_running(struct thread *t, struct task *task)
{
	debug_run(task_check(task, TASK_READY));
	t->task = task;
	task->thread = t;
	task->state = TASK_RUNNING;
	count_owned(&t->processor->switches, 1);
}

/* For a task that parked: its waker makes it runnable, unless the wake came before its stack was
 * left. */
static always_inline void finish_park(struct thread *t, struct task *task)
{
	/* Nobody else sets PARKED: adding it is one instruction where or-ing is a loop. It pairs
	 * with park.h:wait_publish, park.h:wait_end_open. */
	uint32_t old = add_acq_rel(&task->waiter.word, WAIT_PARKED);
	debug_check(wait_word_legal(old) && !(old & WAIT_PARKED));
	if (unlikely(!(old & WAIT_OPEN)))
		weft__ready(t, task);
}

/* Why a task leaves its stack, for traces. */
static const char *why_left(const struct task *task, enum after after)
{
	switch (after) {
	case AFTER_PARK:
		return task->why;
	case AFTER_YIELD:
		return "yield";
	case AFTER_QUEUE:
	case AFTER_BUSY:
		return "processor taken";
	default:
		return "end";
	}
}

static noinline void trace_switch(struct thread *t, const struct task *next,
				  const struct task *self, enum after after)
{
	const char *why = likely(after == AFTER_PARK) ? self->why : why_left(self, after);
	if (!trace_put(t, TRACE_run, next->id, (uintptr_t)why))
		weft__trace_exact(t, TRACE_run, next->id, (uintptr_t)why);
}

/* What becomes of the task whose stack was just left; the usual cases first. */
static always_inline void finish_switch(struct thread *t)
{
	struct task *task = t->previous;
	enum after after = t->after;
	if (likely(after == AFTER_PARK)) {
		finish_park(t, task);
	} else if (after == AFTER_YIELD) {
		weft__ready(t, task);
	} else if (after == AFTER_END) {
		weft__task_ended(t, task);
	} else if (after == AFTER_QUEUE || after == AFTER_BUSY) {
		queue_returned(task, after == AFTER_BUSY);
	}
}

/* May it be switched to from here, although it is special? */
static noinline bool can_switch_to(struct thread *t, struct task *next, enum after after)
{
	if (next->special & TASK_LOCKED)
		return false;
	return (after == AFTER_END && weft__task_inherit(next, t->task)) ||
	       weft__task_attach_cached(t, next);
}

static always_inline struct thread *switch_away(struct thread *t, enum after after)
{
	struct task *self = t->task;
	struct task *next = NULL;
	if (likely(t->processor && !t->locked_task)) {
		next = pick_next(t->processor);
		if (unlikely(next && next->special) && !can_switch_to(t, next, after)) {
			t->next = next; /* the scheduler brings it to its thread, or a stack */
			next = NULL;
		}
	}
	t->previous = self;
	t->after = after;
	struct context *to = &t->context;
	if (likely(next)) {
		trace_probe(run, next->id, why_left(self, after));
		if (trace_on())
			trace_switch(t, next, self, after);
		start_running(t, next);
		to = &next->context;
	} else {
		trace_exact(t, stop, 0, why_left(self, after));
		t->task = NULL;
	}
	tsan_release(&t->context); /* pairs with thread_main */
	if (after == AFTER_END && next && !to->sp)
		context_start_over(to, next->stack, t, next->fp_env);
	struct exceptions mine = exceptions_take(t->exceptions);
	t = context_switch(&self->context, to, t, after == AFTER_END);
	exceptions_put(t->exceptions, mine);
	tsan_acquire(t); /* what its start wrote: libc's part of its thread-local storage */
	finish_switch(t);
	return t;
}

struct thread *weft__switch_away(struct thread *t, enum after after)
{
	if (after == AFTER_END)
		__builtin_unreachable(); /* that is weft__switch_end */
	return switch_away(t, after);
}

void weft__switch_end(struct thread *t)
{
	switch_away(t, AFTER_END);
	__builtin_unreachable();
}

/* The first C code on every task's stack; start.S calls it. */
_Noreturn void weft__task_main(struct thread *t);
void weft__task_main(struct thread *t)
{
	struct task *self = t->task;
	context_arrived(&self->context);
	/* Before what the task before this one left to do, which may run a group's code. */
	tsan_acquire(self->stack); /* pairs with weft__task_exit: whose it was */
	exceptions_put(t->exceptions, (struct exceptions){0});
	finish_switch(t);
	tsan_acquire(t);
	tsan_acquire(self);
	leave(t);
	int result = 0;
	if (self->plain)
		self->fn.plain(self->arg);
	else
		result = self->fn.with_result(self->arg);
	weft__task_exit(result);
}

/* Returns the next task for this thread, and sleeps while there is none. NULL: the runtime ends. */
static struct task *next_task(struct thread *t)
{
	for (;;) {
		if (!proc_given(t) && !weft__thread_sleep(t))
			return NULL;
		struct task *task = t->next;
		t->next = NULL;
		if (!task)
			task = weft__find_work(t);
		weft__stop_spinning(t, task != NULL);
		if (task && task->locked_thread == (t->locked_task ? t : NULL))
			return task;
		if (t->locked_task)
			weft__proc_hand_off(t, task);
		else if (task)
			weft__proc_give(t, task->locked_thread, task);
		else
			weft__proc_release(t);
	}
}

/* Counts one more try in vain to find a stack. Returns true after LACK_TRIES for each processor, if
 * all the while nothing ran and nothing could wake a task: what was just woken would have run. */
static bool note_lack(void)
{
	bool still = weft__proc_stands_still();
	uint64_t switches = weft__all_switches();
	lock_take(&sched.lock, RANK_SCHED);
	if (!still || switches != sched.lack.switches)
		sched.lack.tries = 0;
	sched.lack.switches = switches;
	bool enough = ++sched.lack.tries == LACK_TRIES * sched.processor_count;
	if (enough)
		sched.lack.tries = 0;
	lock_drop(&sched.lock, RANK_SCHED);
	return enough && !weft__proc_outside_wakes();
}

/*
 * Its stack is likely to come: free ones are in the caches of others, who give them back when they
 * end, or the kernel is short of memory for a moment. Why there is none, stack.c has said. As long
 * as anything may run or be woken it is tried again, after a pause. Tries are counted, not time: a
 * program that was stopped for a while has not tried. A try takes a millisecond at least, and all
 * processors may be trying, so those of note_lack last ten seconds or more.
 */
static void put_off(struct thread *t, struct task *task)
{
	struct timespec pause = timespec_of(MS(1));
	if (note_lack())
		weft__fatal("task %llu '%s' has started, and there is no memory for its stack; "
			    "no other runs, and nothing will wake one",
			    (unsigned long long)task->id, task_name(task));
	task->special |= TASK_PUT_OFF;
	t->processor->tick = LOOK_EVERY; /* the poller is looked at before this task is again */
	queue_global(&sched.global_fresh, task, 0);
	sys_nanosleep(&pause);
}

void weft__scheduler(struct thread *t)
{
	while (!t->leaving) {
		struct task *task = next_task(t);
		if (!task)
			return;
		if (unlikely(task->special & TASK_UNBORN) && !weft__task_attach(t, task)) {
			put_off(t, task);
			continue;
		}
		t->after = AFTER_NOTHING;
		trace_exact(t, run, task->id, NULL);
		start_running(t, task);
		struct exceptions mine = exceptions_take(t->exceptions);
		t = context_switch(&t->context, &task->context, t, false);
		exceptions_put(t->exceptions, mine);
		finish_switch(t);
	}
}
