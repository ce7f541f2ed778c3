/* SPDX-License-Identifier: MIT */
/* schedule.h: the main path (schedule.c) and what it stands on (proc.c, steal.c, thread.c,
 * lockthread.c, task.c). */
#ifndef WEFT_SCHED_SCHEDULE_H
#define WEFT_SCHED_SCHEDULE_H

#include "sched/sched.h"

/* ---- schedule.c ---- */

/* Leaves the calling task's stack; `after` says what becomes of the task. Returns when it runs
 * again, on *that* thread. Inside the runtime. */
struct thread *weft__switch_away(struct thread *t, enum after after);
/* A task that may run: to the caller's processor; t NULL or without a processor: to the global
 * queue. */
void weft__ready(struct thread *t, struct task *task);
/* Adds a new task to such a list as weft__ready_list takes. Here, because the links of its members belong to whoever
 * has the list, and ThreadSanitizer must not look at that. */
void weft__ready_later(struct task *task, struct list *tasks);
/* Tasks that may run, to the global queue; wakes processors for them. Any thread. Empties the list.
 */
void weft__ready_list(struct list *tasks);
/* The same, to t's own queue. */
void weft__ready_here(struct thread *t, struct list *tasks);
/* A task that has never run. */
void weft__ready_fresh(struct thread *t, struct task *task);
/* The loop of a thread on its own stack: returns when its locked task has ended or the runtime
 * ends. */
void weft__scheduler(struct thread *t);

/* ---- steal.c ---- */

/* t looks for work no more, whether it found some or was handed some: every way out of looking comes by here, or the
 * count in sched.spinning stays up and nobody is woken again. */
void weft__stop_spinning(struct thread *t, bool found);
/* p's holder has more to do than it will do next: wakes another processor, if that has been worth it of late. */
void weft__offer(struct processor *p);
/* Work for the holder of a processor, from anywhere, without sleeping. NULL: there is none now. */
struct task *weft__find_work(struct thread *t);

/* ---- proc.c: processors change hands ---- */

/* p to t, which has none; t->next becomes p->next. [S] is held. */
void weft__proc_attach(struct thread *t, struct processor *p);
/* Whether t, which asks for itself and without the lock, has a processor by now. */
static always_inline bool proc_given(const struct thread *t)
{
	/* pairs with proc.c:weft__proc_attach */
	return load_acquire(&t->processor);
}
/* t's processor, which is nobody's then. [S] is held; t is the caller, or not yet alive. */
struct processor *weft__proc_detach(struct thread *t);
/* Takes an idle processor for t. False: there is none. */
bool weft__proc_take_idle(struct thread *t);
/* t comes back from user code, its processor was taken: takes an idle one. False: there is none; t
 * still counts as in user code, until its task is queued. */
bool weft__proc_return(struct thread *t);
/* t lets its processor go, to the idle list. False, and t keeps it: work has come meanwhile. */
bool weft__proc_release(struct thread *t);
/* t's processor, with `next` to run first (or NULL), to another thread: of the idle ones, or a new
 * one. */
void weft__proc_hand_off(struct thread *t, struct task *next);
/* t's processor, as t ends and will not sleep again: to another thread if anything is left to do or
 * to be awaited, else to the idle list. */
void weft__proc_leave(struct thread *t);
/* hand_off for a processor that the monitor has taken. */
void weft__proc_start(struct processor *p);
/* t's processor to `to`, which sleeps, with `task` to run first. */
void weft__proc_give(struct thread *t, struct thread *to, struct task *task);
/* t goes to user code without its processor, which goes to another thread: weft_blocking_begin. */
void weft__proc_lend(struct thread *t);
/* Returns true when a timer runs or a descriptor is awaited and no thread sleeps in the poller. */
bool weft__proc_poller_missing(void);
/* Looks whether all tasks have ended, or wait for ever, as is done whenever the last processor goes
 * idle; the latter is left to the monitor's judgement. */
void weft__proc_look_stuck(void);
/* The monitor's: reports a deadlock if there is one. True: there may be one later. */
bool weft__proc_judge(void);
/* Puts an idle processor to work for what waits in the global queues, for want of a thread. */
void weft__proc_serve_waiting(void);
/* Puts one idle processor to work, if there is one and nobody looks for work already. */
void weft__proc_wake(void);
/* Sleeps until t holds a processor. False: the runtime ends. */
bool weft__thread_sleep(struct thread *t);
/* Does the caller have a processor and all rights? One predicted branch; see sched.h, invariant 2.
 */
void weft__proc_check(const struct thread *t, const char *what);
/* Are more runnable tasks queued here than the holder will run next? Then another processor should
 * help. */
static inline bool proc_has_surplus(const struct processor *p)
{
	return runq_length(&p->ready) + deque_length(&p->fresh) > 1;
}

static inline bool proc_has_work(const struct processor *p)
{
	return runq_length(&p->ready) + deque_length(&p->fresh) > 0;
}

/* ---- thread.c: birth and death of threads ---- */

/* Asks for a thread for a processor on sched.wanted; [S] is held. */
void weft__thread_want(struct processor *p);
/* Lets half of the threads that have lain idle since the last call go. True: there may be more to do. */
bool weft__thread_trim(void);
/* The template thread's work until the runtime has ended and every thread is reaped. */
void weft__template_loop(void);
void weft__template_wake(void);
/* The thread that called weft_run gets a record and may run weft__scheduler; and back, once that
 * has returned. */
void weft__thread_adopt_caller(struct thread *t);
void weft__thread_retire_caller(struct thread *t);
struct thread *weft__thread_record(void);
/* May one more thread be born? [S] is held. */
static inline bool weft__thread_birth_possible(void)
{
	return sched.thread_count + sched.wanted_count < sched.max_threads && !sched.births_fail;
}
/* May one more thread be had, an idle one or a new one? If not, the template is told that one is
 * missed. [S] is held. */
bool weft__thread_available(void);
/* Starts the first thread of a runtime, idle; called before any task runs. 0, -EAGAIN or -ENOMEM. */
int weft__thread_first(void);
/* Memory for max_threads records. False: there is none. */
bool weft__thread_reserve(void);
/* Frees it. */
void weft__thread_shutdown(void);

/* ---- task.c ---- */

/* What the caller fixes about a new task; starts it through weft__ready_fresh. */
struct task_options {
	const char *name;
	size_t stack_size; /* 0: default */
	bool detached;
};
/* NULL: no memory. The task is not yet visible to anyone. */
struct task *weft__task_new(struct thread *t, const struct task_options *options);
/* Names it: a copy, cut to fit. */
void weft__task_name(struct task *task, const char *name);
/* Its name; "" when it has none. */
static inline const char *task_name(const struct task *task)
{
	return task->named ? task->name : "";
}
/* Takes back a task that was never started. */
void weft__task_drop(struct thread *t, struct task *task);
/* What a task with JOIN_MEMBER is given to when it has ended; set before there is any. */
extern void (*weft__on_member_end)(struct thread *t, struct task *task);
/* Frees an ended task. */
void weft__task_free(struct thread *t, struct task *task);
/* The second half of a task's end, on another stack. */
void weft__task_ended(struct thread *t, struct task *task);
/* Ends the calling task; never returns. */
_Noreturn void weft__task_exit(int result);
/* Tasks that have started and not ended; exact only while nothing runs. */
uint64_t weft__task_count(void);

/* ---- monitor.c ---- */

int weft__monitor_start(void);
void weft__monitor_stop(void);
/* Something runs again, or there is something to look at. Async-signal-safe. */
void weft__monitor_wake(void);
/* weft_stop was called. Async-signal-safe. */
void weft__monitor_poke(void);
/* The kernel's letter for what a thread of this process does; 0: it cannot be told. */
char weft__thread_letter(pid_t tid);
/* Cancels all tasks, once, when weft_stop was called. */
void weft__monitor_stop_tasks(void);

#endif
