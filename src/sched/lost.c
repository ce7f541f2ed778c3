/* SPDX-License-Identifier: MIT */
/*
 * lost.c: a task must not end the thread that it happens to run on. The thread holds a processor,
 * on which other tasks wait for their turn; without it weft_run would never return. So a message
 * names the task, and the program aborts, as after any other misuse.
 *
 *   pthread_exit, thrd_exit, pthread_cancel
 *       libc unwinds the task's stack, goes back to where the thread began, and runs the
 *       destructors of its keys: one key is ours, and at that time the thread still belongs
 *       to the runtime
 *   exit(2) as a raw system call
 *       nothing runs any more. Every half second the monitor looks whether the threads that are in
 *       user code still exist
 *
 * A thread that ends properly (exit.c) no longer belongs to the runtime when its keys' destructors
 * run, and until then it is inside the runtime, so neither check takes it for lost.
 *
 * Rejected: a robust mutex for each thread, which the kernel marks when its owner dies (nobody is
 * woken by it who could report it, so somebody would have to look at it, too); a cleanup handler in
 * the task's first function (needs -fexceptions, and misses threads that die outside of a task).
 */
#include "sched/lost.h"

#include <errno.h>
#include <pthread.h>

#include "base/sys.h"
#include "sched/task.h"
#include "sched/tid.h"

enum { LOST_BATCH = 64 }; /* threads at a time: a system call each */

static pthread_key_t key;
static int key_error = -EAGAIN;
static uint32_t next;	  /* the record to look at [monitor] */
static int64_t last_look; /* [monitor] */

static _Noreturn void report(const struct thread *t)
{
	const struct task *task = t->task ? t->task : t->locked_task;
	if (!task)
		weft__fatal("thread %u of the runtime was ended from outside (pthread_cancel?)",
			    t->number);
	weft__fatal(
		"task %llu '%s' has ended its thread (pthread_exit, thrd_exit, pthread_cancel or "
		"exit(2)): a task ends when its function returns, or by weft_exit",
		(unsigned long long)task->id, task_name(task));
}

static void on_thread_end(void *arg)
{
	if (arg == weft__thread_self())
		report(arg);
}

static void make_key(void)
{
	key_error = -pthread_key_create(&key, on_thread_end);
}

int weft__lost_begin(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, make_key);
	last_look = 0;
	return key_error;
}

void weft__lost_watch(struct thread *t)
{
	pthread_setspecific(key, t); /* without memory the end of this thread is just not noticed */
}

/* Is the thread of this record in user code? */
static bool in_user_code(const struct thread *t)
{
	return load_relaxed(&t->tid) && load_relaxed(&t->phase) <= THREAD_RUNNING &&
	       !load_relaxed(&t->lease.in_runtime);
}

/* The process's first thread stays in the kernel's list after its end, as a zombie. */
static bool is_gone(pid_t tid)
{
	if (tid == sys_getpid())
		return weft__tid_letter(tid) == 'Z';
	return sys_tgkill(sys_getpid(), tid, 0) == -ESRCH;
}

static void look_at(const struct thread *t)
{
	pid_t tid = load_relaxed(&t->tid);
	if (!in_user_code(t) || !is_gone(tid))
		return;
	lock_take(&sched.lock, RANK_SCHED); /* a thread that ends properly takes it first */
	bool lost = in_user_code(t) && load_relaxed(&t->tid) == tid;
	lock_drop(&sched.lock, RANK_SCHED);
	if (lost)
		report(t);
}

void weft__lost_look(int64_t now)
{
	uint32_t used = load_relaxed(&sched.records.used);
	if (now - last_look < LOST_EVERY)
		return;
	last_look = now;
	for (uint32_t n = min_of(used, LOST_BATCH); n; n--) {
		next = next + 1 < used ? next + 1 : 0;
		look_at(&sched.records.all[next]);
	}
}
