/* SPDX-License-Identifier: MIT */
/*
 * sched.h: the three structs of the scheduler, and what must always hold.
 *
 *   task        a function with a stack of its own
 *   thread      an OS thread that runs tasks
 *   processor   the right to run tasks: queues, caches, timers
 *
 * Invariants
 *  1. A processor is held by at most one thread: p->thread == t exactly while t->processor == p,
 *     but for the moment after a lease was taken, before t has noticed (t->lease.word is TAKEN
 *     then).
 *  2. What belongs to a processor (queues' owner side, caches, counters) is touched only by the
 *     thread that holds it, inside the runtime. weft__proc_check() checks it on every slow path,
 *     release builds included.
 *  3. A task is in exactly one place: in one queue, running on one thread, or parked (its waiter's
 *     word says how it can be woken), or ended. Whoever moves it out of a place owns it until it is
 *     in the next.
 *  4. A task's stack is entered by another thread only after its own thread has left it: everything
 *     that publishes a task (queueing it, marking it parked, freeing it) happens in
 *     finish_switch(), on the successor's stack.
 *  5. A processor on the idle list has empty queues: only its holder fills them, and looks once
 *     more before it lets go. So work is never left lying while all threads sleep.
 *  6. Records of tasks and threads are type-stable while the runtime runs: a stale pointer reads a
 *     record, never unmapped memory.
 *
 * The comment of a field says who writes it: [owner] the thread that holds the processor or runs
 * the task, [S] whoever holds sched.lock, [any] anybody, atomically.
 *
 * The way down: user call -> enter() -> park.h (wait, wake) -> schedule.c -> context.h -> switch.h.
 */
#ifndef WEFT_SCHED_SCHED_H
#define WEFT_SCHED_SCHED_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/self.h"
#include "base/atomic.h"
#include "base/attr.h"
#include "base/fatal.h"
#include "base/list.h"
#include "base/lock.h"
#include "sched/context.h"
#include "sched/exceptions.h"
#include "sched/lease.h"
#include "sched/program.h"
#include "sched/runq.h"
#include "sched/timerq.h"
#include "weft/task.h"

struct cache;
struct member;
struct stack;
struct stack_class;
struct trace_ring;
struct values;
struct weft_group;

/* ---- waiting: the protocol is in park.h ---- */

struct waiter {
	uint32_t word;
	struct task *task; /* NULL: a thread that is not the runtime's sleeps on `word` */
};

/* ---- timers: timer.h ---- */

struct timer {
	int64_t when;
	uint32_t index;		     /* of its entry in the queue, + 1; 0: in none [its lock] */
	struct processor *processor; /* whose queue [owner while in none, then fixed until out] */
	/* Called with the queue's lock held, on any thread; tasks that it wakes go to `ready`. Must
	 * not block. */
	void (*fire)(struct timer *timer, struct list *ready);
};

/* Of a processor. */
struct timers {
	struct lock lock;
	int64_t turn;		  /* others may serve it, too, from then on: timer.h [owner] */
	struct timer_queue queue; /* [lock] */
};

/* ---- tasks ---- */

enum task_state {
	TASK_FREE,    /* ended and freed, or never used (all-zero) */
	TASK_READY,   /* in a queue */
	TASK_RUNNING, /* on a thread */
	TASK_WAITING, /* parked, or about to be */
	TASK_ENDED,   /* waits to be joined */
};

/* What task->join holds when it is no joiner's waiter. */
#define JOIN_RUNNING ((struct waiter *)0)
#define JOIN_DETACHED ((struct waiter *)1)
#define JOIN_CLAIMING ((struct waiter *)2)
#define JOIN_ENDED ((struct waiter *)3)
#define JOIN_MEMBER ((struct waiter *)4)

/* What an upper floor attaches to a task: `end` is called in user code when the task ends. */
struct task_values {
	void (*end)(struct task *task);
};

enum { TASK_NAME = 32 }; /* bytes of a name, with its end */

/* Why a task may not simply be switched to: task->special. */
enum {
	TASK_LOCKED = 1,  /* it has a `locked_thread` */
	TASK_UNBORN = 2,  /* it has never run: task.c */
	TASK_PUT_OFF = 4, /* and there was no stack for it: schedule.c */
};

/*
 * A task that waits and goes on touches two cache lines of its record, unless the wait has a
 * deadline. One that starts, runs and ends touches the third, too: for `named`, and for the timer's
 * index, where a name has lain. What few tasks need lies at the head of their stacks: struct stack.
 */
struct task {
	/* For whoever runs or queues it. */
	struct list link;	      /* in a queue or a free list [whoever owns the task] */
	struct context context;	      /* while it does not run [owner] */
	struct stack *stack;	      /* its own alone; NULL: none [owner] */
	struct thread *thread;	      /* runs it, or ran it last; for dumps [owner] */
	struct thread *locked_thread; /* lock_os_thread: only this thread may run it [owner] */
	uint64_t id;
	struct waiter *join;   /* who waits for the end, or JOIN_* [any] */
	uint8_t state;	       /* enum task_state; for dumps [owner] */
	uint8_t special;       /* why it may not simply be switched to, or 0 [owner] */
	uint8_t plain;	       /* which of the two kinds of function */
	uint8_t cancelled;     /* sticky [any] */
	uint8_t cancel_masked; /* [owner; weft_cancel reads it, atomically] */
	uint8_t limited;       /* `limit` is set; beside what every wait looks at anyway [owner] */
	uint8_t class;	       /* of its record and its stack: an index; fixed */
	/* It called weft_stop, which cancelled it: the walk over all tasks leaves it alone
	 * [owner]. */
	uint8_t called_stop;

	/* A wait. */
	const char *why;      /* what it waits for: a string constant; for dumps [owner] */
	int64_t since;	      /* about when the wait began (sched.coarse_now) [owner] */
	struct waiter waiter; /* its current wait [any] */

	/* The beginning and the end. */
	union {
		int (*with_result)(void *arg);
		void (*plain)(void *arg);
	} fn;
	void *arg;
	union {
		uintptr_t fp_env; /* floating-point environment to begin with: frame.h [owner] */
		int result;	  /* [owner] */
	};
	union {
		struct timer timer;   /* for a wait's deadline; in no queue when the task ends
				     * [owner] */
		char name[TASK_NAME]; /* while it has no stack; else there [owner] */
	};

	/* Rare: a birth writes `named`, and no wait without a limit touches any of it. */
	int64_t limit;	  /* no cancellable wait of it lasts longer, if `limited` [owner] */
	struct lock made; /* rank MADE; not reset with the record, as weft_stop's walk takes it */
	uint8_t named;	  /* it has a name: task.h:task_name [owner] */
	struct weft_group *groups; /* that it has made and not waited for: api/cancel.c [made] */
	struct member *member;	   /* of the group that has its handle: api/group.h; fixed */
} cache_aligned;

/* WEFT_FOREVER: none. */
static inline int64_t task_limit(const struct task *task)
{
	return task->limited ? task->limit : WEFT_FOREVER;
}

static inline void task_set_limit(struct task *task, int64_t limit)
{
	task->limit = limit;
	task->limited = limit != WEFT_FOREVER;
}

/* What a new task is to run: */
static inline void task_set_function(struct task *task, int (*fn)(void *arg), void *arg)
{
	task->plain = 0;
	task->fn.with_result = fn;
	task->arg = arg;
}

static inline void task_set_plain_function(struct task *task, void (*fn)(void *arg), void *arg)
{
	task->plain = 1;
	task->fn.plain = fn;
	task->arg = arg;
}

/* ---- threads ---- */

/* What becomes of the task that has just been switched away from: finish_switch(). */
enum after {
	AFTER_NOTHING,
	AFTER_YIELD, /* runnable: to the tail of the processor's queue */
	AFTER_PARK,  /* parked: marks its waiter; runnable at once when it was woken meanwhile */
	AFTER_QUEUE, /* runnable, but this thread has lost its processor: to the global queue */
	AFTER_BUSY,  /* the same, and lost it because the task computed: behind all others */
	AFTER_END,   /* ended */
};

enum thread_phase {
	THREAD_STARTING,
	THREAD_RUNNING, /* has a processor, or its task is in user code without one */
	THREAD_IDLE,	/* sleeps: on the idle list */
	THREAD_LOCKED,	/* sleeps until its locked task may run */
	THREAD_LEAVING, /* in thread_exit, still with the runtime's memory */
	THREAD_BARE,	/* in thread_exit: the runtime's memory is not touched any more */
	THREAD_GONE,	/* reaped; the record is free */
};

struct thread {
	struct lease lease;	     /* lease.h [owner and monitor] */
	struct task *task;	     /* the one that it runs; NULL: the scheduler [owner] */
	struct processor *processor; /* NULL: none, [owner]; [S] hands one to a sleeping thread */
	struct processor *given;     /* the next one, for when it has let its own go [S] */
	struct task *previous;	     /* for finish_switch [owner] */
	enum after after;
	struct context context;	       /* of the scheduler's stack while a task runs [owner] */
	struct exceptions *exceptions; /* exceptions.h; fixed, NULL without C++ */
	struct task *locked_task;      /* [owner] */
	/* The scheduler's loop must run it next [owner, or whoever hands t a processor]. */
	struct task *next;
	uint32_t leaving; /* its locked task has ended: thread_exit is next [owner] */
	uint32_t parent;  /* not to be retired: it has a child [owner] */

	uint32_t wake cache_aligned; /* futex: 1 = go on [any] */
	uint32_t phase;		     /* enum thread_phase [owner] */
	uint32_t polling;	     /* sleeps in the poller, not on the futex [owner] */
	uint32_t spinning;	     /* counted in sched.spinning [owner] */
	uint32_t number;	     /* 1, 2, ... in order of birth */
	pid_t tid;
	pthread_t pthread;
	struct list all;     /* sched.threads, sched.leaving or sched.records.free [S] */
	struct list idle;    /* sched.idle.threads [S] */
	uint64_t chance;     /* chance.h [owner] */
	uint32_t taken_busy; /* lost its processor while it computed [S; owner until it has one] */
	char *stack;	     /* above its guard; kept when the record is used again [template] */
	size_t stack_size;   /* [template] */
	uint32_t exit_step;  /* of thread_exit: exit.c [owner] */
};

/* ---- processors ---- */

/* Who runs next (schedule.c): a look at everything each so many picks, and a never-run task after
 * so many woken ones. */
enum { LOOK_EVERY = 61, FRESH_EVERY = 32 };

/* elder.c: tasks up to this number had been born at that time, and a queue has held some since. */
struct elder_notes {
	uint64_t born_by_then;
	int64_t since;
};

/* What processor->helps holds when it is no time. */
enum { HELPS_NOT, HELPS_SOON /* it was woken for that, and has not looked yet */ };

struct processor {
	struct cache *cache;   /* cache.h [owner] */
	struct thread *thread; /* holder [S, owner] */
	uint32_t number;
	struct task *next; /* becomes thread->next of the thread that a hand-off will find [S] */
	/* pick_next must look beyond the queues: timers are due, or the deterministic mode
	 * [any]. */
	uint32_t attention;
	uint32_t alone;	 /* there is no other processor: nobody steals; fixed */
	uint32_t tick;	 /* picks; every 61st looks at the global queues and timers first [owner] */
	uint32_t looks;	 /* regular looks at everything [owner] */
	uint32_t streak; /* picks of woken tasks since the last never-run one [owner] */
	/* When it began to help others, or HELPS_*: steal.c [owner; S while idle]. */
	int64_t helps;
	uint64_t offered;  /* `switches` when its own work was last offered [owner] */
	int64_t busy_turn; /* when it last took a task from sched.global_busy [owner] */
	uint64_t elders;   /* no never-run task with this number or less may wait: elder.c [any] */
	struct list idle;  /* sched.idle.processors [S] */
	/* Counters, written by the holder, read by all. */
	uint64_t started, ended, switches, parks, steals, next_id, last_id;
	uint32_t awaiting_poller; /* waits begun here less waits ended here: netpoll.h [owner] */
	struct trace_ring *ring;  /* trace.h; fixed while the rings are there */
	/* What the monitor last saw of the holder [monitor]. */
	struct {
		struct thread *thread;
		uint64_t switches;
		int64_t since, cpu, cpu_start;
		bool asleep; /* at the first look */
		struct elder_notes fresh;
	} seen cache_aligned;
	struct runq ready;
	struct deque fresh;
	struct timers timers cache_aligned;
} cache_aligned;

/* ---- the runtime ---- */

struct task_list {
	struct list list;
	uint32_t length; /* read without the lock [S] */
};

/* The moves are runtime.c's. */
enum runtime_phase {
	RUNTIME_NONE,
	RUNTIME_RUNS,
	RUNTIME_ENDS, /* threads go home */
	RUNTIME_BEGINS,
};

struct runtime {
	/* Fixed while the runtime runs. */
	unsigned processor_count;
	unsigned max_threads;
	struct stack_class *stack_class; /* for tasks that ask for no other */
	unsigned flags;
	struct processor *processors;
	uint32_t sim;	       /* deterministic mode: sim.c */
	struct {	       /* trace.h */
		uint32_t on;   /* 0: off [any, also other processes] */
		uint32_t room; /* places in a ring, a power of two */
		void *rings;
	} trace;
	uint32_t membarrier; /* 1: membarrier(2) works; it may cease to [monitor] */
	uint32_t spin; /* rounds for which a thread without work looks around before it sleeps */
	uint64_t chance_seed; /* of all threads: chance.h */
	struct program_needs needs;
	size_t thread_stack; /* bytes of a thread's own stack: thread.c [template] */

	uint32_t foreign_inside; /* threads of others inside a call; outlives the runtime [any] */
	uint32_t run;		 /* number of this run of the runtime [weft_run] */
	uint32_t running;	 /* enum runtime_phase [any] */
	/* All below is zero when a runtime begins. */
	uint32_t stopped; /* weft_stop's walk over all tasks is done [monitor] */
	uint32_t begun;	  /* the main task is in a queue: before, there are no tasks either [any] */
	uint32_t stopping; /* weft_stop: no new tasks [any] */
	uint32_t forked;   /* this process is the child of a fork: the runtime is not here */
	/* The number of threads without a processor that may have woken tasks which are in no queue
	 * yet, and no longer with a timer or the poller. A thread adds itself before it ends the
	 * first wait, and subtracts itself after the last task is in a queue; a check whether all
	 * tasks wait for ever reads the timers and the poller first, and this last [any]. */
	uint32_t carrying;
	uint32_t foreign_polls; /* waits for the poller, by threads that are not ours [any] */
	int64_t coarse_now;	/* the monitor's last look at the clock [monitor] */

	struct lock lock cache_aligned; /* rank SCHED; guards all that is marked [S] */
	struct {
		struct list processors;
		struct list threads;
		uint32_t processor_count; /* read without the lock [S] */
		uint32_t thread_count;	  /* read without the lock [S] */
		uint32_t thread_low;	  /* the least since weft__thread_trim last looked [S] */
	} idle;
	struct {		   /* schedule.c: tasks that found no stack [S] */
		uint64_t switches; /* of all processors at the last try */
		uint32_t tries;	   /* in a row while all stood still */
	} lack;
	struct list threads; /* those that may run tasks [S] */
	struct list leaving; /* on their way out, for the template to reap [S] */
	uint32_t leaving_count;
	struct task_list global_ready, global_fresh;
	struct elder_notes global_oldest; /* [monitor] */
	uint64_t elders;		  /* as a processor's, of global_fresh [any] */
	struct task_list global_busy; /* that computed until their processor was taken: steal.c */
	uint32_t spinning;	      /* threads with a processor that look for work [any] */
	struct {		      /* of work: steal.c [any] */
		uint32_t reluctance;  /* how many to pass over before the next one is accepted */
		uint32_t passed;      /* how many were passed over since the last accepted one */
	} offers;
	struct {		    /* thread.c: those in use come first, more or less [S] */
		struct thread *all; /* max_threads of them; fixed */
		struct list free;
		uint32_t used, born;
	} records;
	uint32_t thread_count; /* records in use, leaving ones too; read without the lock [S] */
	/* Records that outlive the template: the caller's, if the main task is locked to it. */
	uint32_t clean_threads;
	uint32_t in_user;   /* threads whose task is in user code without a processor [S] */
	uint32_t busy_away; /* of them, those that computed when it was taken [S] */
	struct {	    /* for weft_stats [S] */
		uint64_t foreign_started; /* tasks, from threads that hold no processor */
		uint64_t threads_started, threads_retired, handoffs, leases_taken, netpoll_wakeups;
	} counts;
	struct {
		int64_t until;	/* when the sleeping poller wakes; INT64_MIN: nobody polls [any] */
		uint32_t fired; /* timers that fired when its last sleep ended [poller] */
	} poller;

	struct {
		uint32_t wake cache_aligned; /* futex [any] */
		struct list wanted;	     /* processors for which to start a thread [S] */
		uint32_t wanted_count;	     /* read without the lock [S] */
		uint32_t missed; /* a thread was needed and there was none; read without lock [S] */
		uint32_t failed; /* no thread could be started at the last attempt [S] */
		uint32_t spares; /* idle threads to be kept ready, in a storm [template] */
		pid_t tid;
	} template;
	struct {
		uint32_t wake;	  /* futex: 1 = look */
		uint32_t asleep;  /* 1: sleeps until woken */
		uint32_t rescues; /* for tests: rounds that did a poller's work [monitor] */
		pid_t tid;
	} monitor;
	/* Every task waits and nothing of ours can wake one; [S] is held. Returns true: ask again
	 * later. */
	bool (*on_stuck)(void);
	/* Returns true when something outside may wake a task; set where on_stuck is, [S] is
	 * held. */
	bool (*outside_wakes)(void);
	struct {
		struct task *task; /* until it ends [owner] */
		int result;	   /* [owner] */
		uint32_t returned;
	} main;
	/* Signal channels, child waits: what may still wake a task from outside [any] */
	uint32_t outside_wakers;
	pid_t caller_tid;
};

extern struct runtime weft__sched;
#define sched weft__sched

/* Is there work that belongs to no processor? */
static inline bool global_work_waits(void)
{
	return load_relaxed(&sched.global_ready.length) ||
	       load_relaxed(&sched.global_fresh.length) || load_relaxed(&sched.global_busy.length);
}

/* ---- the current thread ---- */

/* The calling thread's record, NULL on threads that are not the runtime's. */
static always_inline struct thread *weft__thread_self(void)
{
	return self_read();
}
void weft__thread_set_self(struct thread *t);

/* The runtime's clock: CLOCK_MONOTONIC, or the virtual one of the deterministic mode. */
int64_t weft__sched_now(void);

/* The lease was lost, or this is a call inside a call. Returns the thread on which the task
 * continues. */
struct thread *weft__enter_slow(struct thread *t);
_Noreturn void weft__enter_twice(void);

/* Into the runtime. Returns the calling task's thread, which holds a processor; NULL: the caller is
 * not a task. */
static always_inline struct thread *enter_inline(void)
{
	struct thread *t = weft__thread_self();
	if (unlikely(!t))
		return NULL;
	if (unlikely(t->lease.in_runtime))
		weft__enter_twice();
#ifdef WEFT_NO_LEASE
	t->lease.in_runtime = 1;
#else
	if (unlikely(!lease_enter(&t->lease)))
		t = weft__enter_slow(t);
#endif
	return t;
}

/* Back to user code. */
static always_inline void leave_inline(struct thread *t)
{
	lease_leave(&t->lease);
}

#ifdef WEFT_TSAN
/* Out of line, where nothing is instrumented: tasks on one thread share its record by design. */
struct thread *weft__enter(void);
void weft__leave(struct thread *t);
#define enter weft__enter
#define leave weft__leave
#else
#define enter enter_inline
#define leave leave_inline
#endif

/* Wall three of a thread's exit: nobody touches a processor's things without holding it. */
static always_inline bool proc_held(const struct thread *t)
{
	return t && t->processor && t->processor->thread == t && t->lease.in_runtime;
}

static always_inline struct thread *task_thread(const struct task *task)
{
	return load_relaxed(&task->thread);
}

#endif
