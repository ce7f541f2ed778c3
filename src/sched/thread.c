/* SPDX-License-Identifier: MIT */
/*
 * thread.c: records of threads, and how a thread begins and is retired. The template starts and
 * reaps threads (template.c); a locked task's thread ends in exit.c.
 *
 * A record is used again, with its stack, when its thread has been joined. Records are never
 * unmapped while the runtime runs: a stale pointer reads a record.
 */
#include "sched/thread.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/sys.h"
#include "random/wipe.h"
#include "sched/chance.h"
#include "sched/exit.h"
#include "sched/lost.h"
#include "sched/proc.h"
#include "sched/schedule.h"
#include "sched/stack.h"
#include "sched/template.h"
#include "sched/trace.h"

enum {
	/* For the scheduler's frames, a signal stack and the program's key destructors, beside what
	 * libc puts there. */
	OWN_STACK = 256 * 1024,
	LARGEST_STACK = 1 << 30,
	SIGNAL_STACK = 48 * 1024, /* AMX state alone takes 8 KiB of a signal frame */
};

/* ---- records ---- */

struct thread *weft__thread_record_take(void)
{
	struct list *l = list_pop_head(&sched.records.free);
	struct thread *t = l ? container_of(l, struct thread, all) : NULL;
	if (!t && sched.records.used < sched.max_threads)
		t = &sched.records.all[sched.records.used++];
	if (!t)
		return NULL;
	char *stack = t->stack;
	size_t stack_size = t->stack_size;
	wipe(t, sizeof(*t));
	t->stack = stack;
	t->stack_size = stack_size;
	t->number = ++sched.records.born;
	thread_chance_begin(t);
	t->lease.word = LEASE_TAKEN;
	t->lease.in_runtime = 1;
	t->lease.order = load_relaxed(&sched.membarrier) ? LEASE_BARRIER : LEASE_FENCED;
	list_init(&t->idle);
	list_push_tail(&sched.threads, &t->all);
	store_relaxed(&sched.thread_count, sched.thread_count + 1);
	return t;
}

void weft__thread_record_free(struct thread *t)
{
	list_push_head(&sched.records.free, &t->all);
	store_relaxed(&t->phase, THREAD_GONE);
	store_relaxed(&sched.thread_count, sched.thread_count - 1);
	sched.counts.threads_retired++;
}

struct thread *weft__thread_record(void)
{
	lock_take(&sched.lock, RANK_SCHED);
	struct thread *t = weft__thread_record_take();
	lock_drop(&sched.lock, RANK_SCHED);
	return t;
}

/* ---- a thread's life ---- */

/* For the sanitizer: where this thread's own stack lies. */
static void own_stack(void **bottom, size_t *size)
{
	*bottom = NULL;
	*size = 0;
#ifdef WEFT_ASAN
	pthread_attr_t attr;
	if (pthread_getattr_np(pthread_self(), &attr) == 0) {
		pthread_attr_getstack(&attr, bottom, size);
		pthread_attr_destroy(&attr);
	}
#endif
}

static void adopt(struct thread *t, const stack_t *signal_stack, stack_t *old)
{
	void *bottom;
	size_t size;
	own_stack(&bottom, &size);
	sigaltstack(signal_stack, old);
	weft__context_adopt(&t->context, bottom, size);
	t->exceptions = exceptions_of_thread();
	store_relaxed(&t->tid, sys_gettid());
	t->pthread = pthread_self();
	weft__thread_set_self(t);
	weft__lost_watch(t);
	tsan_release(t);
}

static void *thread_main(void *arg)
{
	struct thread *t = arg;
	char signal_stack[SIGNAL_STACK];
	stack_t ss = {.ss_sp = signal_stack, .ss_size = sizeof(signal_stack)};
	adopt(t, &ss, NULL);
	trace_exact(t, thread_birth, 0, 0);
	weft__scheduler(t);
	tsan_acquire(&t->context); /* key destructors free what its tasks left */
	return weft__thread_exit(t);
}

static char caller_signal_stack[SIGNAL_STACK];
static stack_t caller_old_stack;

void weft__thread_adopt_caller(struct thread *t)
{
	stack_t ss = {.ss_sp = caller_signal_stack, .ss_size = SIGNAL_STACK};
	adopt(t, &ss, &caller_old_stack);
}

void weft__thread_retire_caller(struct thread *t)
{
	if (t->processor)
		weft__proc_leave(t);
	lock_take(&sched.lock, RANK_SCHED);
	list_remove(&t->all);
	lock_drop(&sched.lock, RANK_SCHED);
	weft__thread_set_self(NULL);
	sigaltstack(&caller_old_stack, NULL);
}

static void drop_stack(struct thread *t)
{
	size_t guard = weft__stack_guard_size();
	if (t->stack)
		munmap(t->stack - guard, guard + t->stack_size);
	t->stack = NULL;
}

static int take_stack(struct thread *t)
{
	size_t guard = weft__stack_guard_size(), size = sched.thread_stack;
	char *base = weft__stack_reserve(guard + size);
	if (!base)
		return -ENOMEM;
	t->stack = base + guard;
	t->stack_size = size;
	int err = weft__stack_open(t->stack, size);
	if (err)
		drop_stack(t);
	return err;
}

/*
 * On a stack of ours, one per record, used again with the record: libc returns the stacks that it
 * makes to the kernel at every exit, and the interrupts that this sends to all CPUs were an eighth
 * of a storm's time.
 */
static int create_on_stack(struct thread *t)
{
	pthread_attr_t attr;
	int err = t->stack ? 0 : take_stack(t);
	if (err)
		return err;
	err = pthread_attr_init(&attr);
	if (err)
		return -err;
	pthread_attr_setstack(&attr, t->stack, t->stack_size);
	err = pthread_create(&t->pthread, &attr, thread_main, t);
	pthread_attr_destroy(&attr);
	return -err;
}

/* -EINVAL: libc needs more of the stack than the program's files say (program.c); the next stack is
 * larger. */
int weft__thread_create(struct thread *t)
{
	int err = create_on_stack(t);
	while (err == -EINVAL && t->stack_size < LARGEST_STACK) {
		sched.thread_stack = max_of(sched.thread_stack, 2 * t->stack_size);
		drop_stack(t);
		err = create_on_stack(t);
	}
	return err;
}

/* How many idle threads stay because they have children. [S] */
static uint32_t idle_parents(void)
{
	uint32_t n = 0;
	list_each (l, &sched.idle.threads)
		n += container_of(l, struct thread, idle)->parent;
	return n;
}

bool weft__thread_trim(void)
{
	lock_take(&sched.lock, RANK_SCHED);
	uint32_t keep = sched.processor_count + 1 + idle_parents();
	uint32_t spare = sched.idle.thread_low > keep ? (sched.idle.thread_low - keep + 1) / 2 : 0;
	struct list *before;
	for (struct list *l = sched.idle.threads.prev; spare && l != &sched.idle.threads;
	     l = before) {
		struct thread *t = container_of(l, struct thread, idle);
		before = l->prev; /* from the one that has slept longest */
		if (t->polling || t->parent)
			continue;
		spare--;
		thread_idle_remove(t);
		t->leaving = 1;
		/* pairs with sleep.c:sleep_once: its futex */
		store_release(&t->wake, 1);
		weft__futex_wake(&t->wake, 1);
	}
	sched.idle.thread_low = sched.idle.thread_count;
	bool more = sched.idle.thread_count > keep;
	bool dead = !list_empty(&sched.leaving);
	lock_drop(&sched.lock, RANK_SCHED);
	if (dead) /* a batch that is not full may lie there, unreaped */
		weft__template_wake();
	return more || dead;
}

void weft__thread_shutdown(void)
{
	if (!sched.records.all)
		return;
	for (uint32_t i = 0; i < sched.records.used; i++)
		drop_stack(&sched.records.all[i]);
	munmap(sched.records.all, sched.max_threads * sizeof(*sched.records.all));
	sched.records.all = NULL;
}

bool weft__thread_reserve(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	sched.thread_stack = round_up(OWN_STACK + sched.needs.thread_local_bytes, page);
	sched.records.all = weft__stack_table(sched.max_threads * sizeof(*sched.records.all));
	return sched.records.all != NULL;
}
