/* SPDX-License-Identifier: MIT */
/*
 * runtime.c: how the runtime begins and ends.
 *
 *   move of sched.running     by
 *   NONE   -> BEGINS   weft__runtime_run, by CAS: one runtime per process
 *   BEGINS -> RUNS     run, when everything is ready: from here on foreign threads are let in
 *   RUNS   -> ENDS     proc.c:over_or_stuck, when the last processor goes idle and no task is left
 *   BEGINS -> ENDS     begin_threads or weft__runtime_run, when starting failed halfway
 *   ENDS   -> NONE     weft__runtime_run, when every thread is reaped and no foreign thread is
 *                      inside a call (foreign.c)
 *
 * The calling thread becomes the template (template.c). With WEFT_LOCK_MAIN it runs the main task
 * instead, and a template thread is started before.
 *
 * In a forked child there is no runtime: fork copies none of its other threads. The child's calls
 * return -ENOTSUP.
 */
#include "sched/runtime.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "base/cpus.h"
#include "base/sys.h"
#include "sched/cache.h"
#include "sched/chance.h"
#include "sched/foreign.h"
#include "sched/lockthread.h"
#include "sched/lost.h"
#include "sched/monitor.h"
#include "sched/netpoll.h"
#include "sched/overflow.h"
#include "sched/proc.h"
#include "sched/sched.h"
#include "sched/schedule.h"
#include "sched/sim.h"
#include "sched/stack.h"
#include "sched/task.h"
#include "sched/template.h"
#include "sched/thread.h"
#include "sched/timer.h"
#include "sched/trace.h"

enum { SPIN_ROUNDS = 64 };

/* ---- forked children ---- */

static void in_child(void)
{
	weft__foreign_forget();
	if (load_relaxed(&sched.running)) {
		sched.forked = 1;
		weft__thread_set_self(NULL);
	}
}

static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, in_child);
}

int weft__runtime_state(void)
{
	if (unlikely(sched.forked))
		return -ENOTSUP;
	/* pairs with run, weft__runtime_run */
	return load_acquire(&sched.running) == RUNTIME_RUNS ? 0 : -EINVAL;
}

/* ---- beginning ---- */

static void *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

static size_t processor_bytes(void)
{
	return sched.processor_count * (sizeof(struct processor) + sizeof(struct cache));
}

static void init_processor(struct processor *p, struct cache *cache, unsigned number)
{
	p->cache = cache;
	p->number = number;
	p->alone = sched.processor_count == 1;
	p->attention = sched.sim; /* in that mode it stays set */
	p->timers.queue.earliest = INT64_MAX;
	weft__cache_init(cache);
	list_push_tail(&sched.idle.processors, &p->idle);
	sched.idle.processor_count++;
}

static bool register_membarrier(void)
{
	return sys_membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0;
}

static void init_lists(void)
{
	list_init(&sched.idle.processors);
	list_init(&sched.idle.threads);
	list_init(&sched.threads);
	list_init(&sched.leaving);
	list_init(&sched.records.free);
	list_init(&sched.template.wanted);
	list_init(&sched.global_ready.list);
	list_init(&sched.global_fresh.list);
	list_init(&sched.global_busy.list);
}

static int init(const struct runtime_options *o)
{
	memset((char *)&sched + offsetof(struct runtime, running) + sizeof(sched.running), 0,
	       sizeof(sched) - offsetof(struct runtime, running) - sizeof(sched.running));
	init_lists();
	sched.sim = weft__sim_begin();
	sched.processor_count = sched.sim ? 1 : o->processors;
	sched.max_threads = o->max_threads;
	sched.needs = weft__program_needs();
	sched.stack_class = weft__stack_class(o->stack_size);
	sched.flags = o->flags;
	sched.membarrier = register_membarrier();
	sched.chance_seed = sched.sim ? 0 : chance_seed();
	sched.spin = sched.processor_count > 1 ? SPIN_ROUNDS : 0;
	sched.poller.until = INT64_MIN;
	sched.caller_tid = sys_gettid();
	sched.processors = map(processor_bytes());
	if (!sched.processors || !weft__thread_reserve())
		return -ENOMEM;
	struct cache *caches = (struct cache *)(sched.processors + sched.processor_count);
	for (unsigned i = 0; i < sched.processor_count; i++)
		init_processor(&sched.processors[i], &caches[i], i);
	return weft__netpoll_open();
}

static void *template_main(void *arg)
{
	store_relaxed(&sched.template.tid, sys_gettid());
	weft__template_loop();
	return NULL;
}

/* Makes the main task, which nobody can see yet. NULL: no memory. */
static struct task *main_task_new(int (*fn)(void *arg), void *arg)
{
	struct task_options options = {.name = "main", .detached = true};
	struct task *task = weft__task_new(NULL, &options);
	if (!task)
		return NULL;
	task_set_function(task, fn, arg);
	return sched.main.task = task;
}

static bool main_is_locked(void)
{
	return sched.flags & WEFT_LOCK_MAIN;
}

/* With WEFT_LOCK_MAIN the calling thread runs the main task, and another is the template. No
 * foreign thread is let in yet, so that an error leaves nothing behind. */
static int begin_threads(pthread_t *template)
{
	if (!main_is_locked()) {
		store_relaxed(&sched.template.tid, sys_gettid());
		return weft__thread_first();
	}
	struct thread *t = weft__thread_record();
	sched.clean_threads = 1;
	int err = -pthread_create(template, NULL, template_main, NULL);
	if (err)
		return err;
	weft__thread_adopt_caller(t);
	err = weft__thread_first();
	if (err) {
		weft__thread_retire_caller(t);
		/* pairs with template.c:weft__template_loop */
		store_release(&sched.running, RUNTIME_ENDS);
		weft__template_wake();
		pthread_join(*template, NULL);
	}
	return err;
}

/* The calling thread runs the main task. Its processor may have gone to a task that a foreign
 * thread has started: then the main task is queued like any other, and whoever finds it there gives
 * the thread one. */
static void run_locked(struct task *task, pthread_t template)
{
	struct thread *t = weft__thread_self();
	weft__lock_to(t, task);
	if (weft__proc_take_idle(t))
		thread_run_next(t, task);
	else
		weft__ready_fresh(NULL, task);
	/* pairs with proc.c:over_or_stuck */
	store_release(&sched.begun, 1);
	weft__scheduler(t);
	weft__thread_retire_caller(t);
	pthread_join(template, NULL);
}

static void run_free(struct task *task)
{
	trace(NULL, birth, task->id, task->fn.plain);
	weft__ready_fresh(NULL, task);
	/* pairs with proc.c:over_or_stuck */
	store_release(&sched.begun, 1);
	weft__proc_look_stuck(); /* everything may have ended before */
	weft__template_loop();
}

static int run(int (*fn)(void *arg), void *arg)
{
	pthread_t template;
	struct task *task = main_task_new(fn, arg);
	int err = task ? begin_threads(&template) : -ENOMEM;
	if (err)
		return err;
	tsan_release(&sched.foreign_inside);
	/* pairs with weft__runtime_state, foreign.c:weft__foreign_enter, key.c:weft_key_create,
	 * api/timer.c:start_task */
	store_seq_cst(&sched.running, RUNTIME_RUNS);
	if (main_is_locked())
		run_locked(task, template);
	else
		run_free(task);
	return 0;
}

unsigned weft__runtime_default_processors(void)
{
	int n = weft__cpu_count(0);
	n = max_of(n, 1);
	struct cgroup_limits limits;
	weft__cgroup_limits("", &limits);
	return limits.cpu_millis < 1000 * (int64_t)n
		       ? (unsigned)max_of(1, (limits.cpu_millis + 999) / 1000)
		       : (unsigned)n;
}

/* ---- end ---- */

static void shut_down(void)
{
	weft__foreign_await_outside();
	weft__netpoll_close();
	for (unsigned i = 0; sched.processors && i < sched.processor_count; i++)
		weft__timer_free(&sched.processors[i]);
	weft__cache_shutdown();
	weft__stack_shutdown();
	if (sched.processors)
		munmap(sched.processors, processor_bytes());
	weft__thread_shutdown();
	weft__sim_end();
	sched.processors = NULL;
	sched.processor_count = 0;
}

int weft__runtime_run(const struct runtime_options *options, int (*fn)(void *arg), void *arg,
		      int *result)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	uint32_t none = 0;
	if (sched.forked || weft__thread_self())
		return sched.forked ? -ENOTSUP : -EBUSY;
	/* pairs with weft__runtime_run: the one before */
	if (!cas_acq_rel(&sched.running, &none, RUNTIME_BEGINS))
		return -EBUSY;
	pthread_once(&once, watch_forks);
	sched.run++;
	int err = init(options);
	if (!err)
		err = weft__lost_begin();
	if (!err && !(options->flags & WEFT_NO_SIGNALS))
		weft__overflow_watch();
	if (!err && options->begin)
		options->begin();
	if (!err)
		err = weft__monitor_start();
	if (!err) {
		err = run(fn, arg);
		weft__monitor_stop();
	}
	/* pairs with weft__runtime_state, foreign.c:weft__foreign_enter */
	store_release(&sched.running, RUNTIME_ENDS);
	tsan_acquire(&sched);
	if (sched.processors && options->end)
		options->end();
	weft__overflow_unwatch(); /* the first handler to come is the last to go */
	shut_down();
	*result = sched.main.result;
	store_relaxed(&sched.stopping, 0);
	/* pairs with weft__runtime_run, weft__runtime_state */
	store_release(&sched.running, RUNTIME_NONE);
	return err;
}
