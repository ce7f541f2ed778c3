/* SPDX-License-Identifier: MIT */
/*
 * test_descriptor.c: one own descriptor (src/sched/descriptor.c, compiled) in every schedule: calls
 * that take its token and pass it on, an event, a close. No token is lost, none is doubled, and the
 * number is given back after the last call. What the explorer cannot see here is the fence of
 * await_token: the queue's links are plain variables.
 *
 * Each thread is a task on a thread of the runtime's. The scheduler below is test_park.c's: a task
 * leaves its stack, its word gets PARKED, and it stands until it is made runnable.
 */
#include <string.h>
#include <sys/syscall.h>

#include "base/sys.h"
#include "explore.h"
#include "sched/netpoll.h"
#include "sched/park.h"

/* The fibres share a thread, so the way into the runtime cannot be the real one. */
static struct thread *enter_explored(void);
#undef enter
#undef leave
#define enter enter_explored
#define leave(t) ((void)(t))
#include "../../src/sched/descriptor.c"
#include "sched/schedule.h"

enum { FD = 3 };

struct runtime weft__sched;

static struct descriptor record[DESCRIPTOR_FIRST];
static struct task tasks[EXPLORE_THREADS_MAX];
static struct thread threads[EXPLORE_THREADS_MAX];
static struct processor processors[EXPLORE_THREADS_MAX];
static uint32_t runnable[EXPLORE_THREADS_MAX];
static uint32_t trying, tried, refused, closed;

/* ---- the scheduler, and the system calls ---- */

static struct thread *enter_explored(void)
{
	return &threads[explore_self()];
}

void weft__ready(struct thread *t, struct task *ready)
{
	explore_check(add_acq_rel(&runnable[ready - tasks], 1) == 0);
}

struct thread *weft__switch_away(struct thread *t, enum after after)
{
	uint32_t *go = &runnable[t->task - tasks];
	if (!(add_acq_rel(&t->task->waiter.word, WAIT_PARKED) & WAIT_OPEN))
		weft__ready(t, t->task);
	while (!load_acquire(go))
		cpu_relax();
	store_release(go, 0);
	return t;
}

int weft__netpoll_control(int operation, int fd, uint32_t events)
{
	explore_check(fd == FD);
	return 0;
}

void weft__netpoll_interest(int more)
{
}

/* Nobody else closes here, so the number always is what it was. */
bool weft__netpoll_knows(int fd)
{
	return true;
}

long weft__syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	explore_check(nr == SYS_close && a == FD);
	explore_check(load_relaxed(&trying) == 0);
	store_seq_cst(&closed, 1);
	return 0;
}

/* ---- the scenarios' parts ---- */

static void setup(void)
{
	memset(&record[FD], 0, sizeof(record[FD]));
	memset(tasks, 0, sizeof(tasks));
	memset(runnable, 0, sizeof(runnable));
	trying = tried = refused = closed = 0;
	weft__descriptors[0] = record;
	record[FD].flags = DESCRIPTOR_OWN | DESCRIPTOR_KNOWN;
	for (unsigned i = 0; i < EXPLORE_THREADS_MAX; i++) {
		tasks[i].waiter.task = &tasks[i];
		threads[i].task = &tasks[i];
		threads[i].processor = &processors[i];
	}
	explore_futex_reset();
}

static void setup_with_token(void)
{
	setup();
	record[FD].word = EPOLLIN;
}

/* A call as api/attempt.h makes it: with a token it tries, and passes it on. */
static void call(uint32_t gives)
{
	struct descriptor *d = &record[FD];
	uint32_t tokens;
	int err = 0;
	if (!descriptor_enter(d, EPOLLIN, &tokens)) {
		add_relaxed(&refused, 1);
		return;
	}
	if (load_relaxed(&closed)) /* the number's next life, in which nothing happens */
		err = -EBADF;
	else if (!tokens)
		err = weft__descriptor_wait(FD, d, EPOLLIN, "test", WEFT_FOREVER, true);
	if (!err) {
		explore_check(add_acq_rel(&trying, 1) == 0);
		explore_check(!load_relaxed(&closed));
		sub_acq_rel(&trying, 1);
	}
	explore_check(!err || err == -EBADF);
	add_relaxed(err ? &refused : &tried, 1);
	descriptor_leave(d, err ? 0 : gives);
}

static void deliver(void)
{
	struct list woken;
	list_init(&woken);
	weft__descriptor_event(FD, EPOLLIN, &woken);
	for (struct list *l; (l = list_pop_head(&woken));)
		weft__ready(enter(), container_of(l, struct task, link));
}

static void all_call(unsigned n)
{
	call(EPOLLIN);
}

static void one_keeps_it(unsigned n)
{
	call(n ? EPOLLIN : 0);
}

static void an_event_and_calls(unsigned n)
{
	if (n == 0)
		deliver();
	else
		call(EPOLLIN);
}

static void a_close_and_calls(unsigned n)
{
	if (n == 0)
		explore_check(weft__descriptor_close(FD, &record[FD]) == 0);
	else
		call(EPOLLIN);
}

static void token_is_back(void)
{
	explore_check(refused == 0 && record[FD].word == EPOLLIN &&
		      !descriptor_awaited(&record[FD]));
}

static void is_closed(void)
{
	explore_check(closed && tried + refused == 2);
	explore_check(record[FD].word < DESCRIPTOR_USER && !descriptor_awaited(&record[FD]));
}

SCENARIO("a token is passed on", .threads = 3, .preemptions = 2, .setup = setup_with_token,
	 .thread = all_call, .finish = token_is_back);

SCENARIO("an event and two calls", .threads = 3, .preemptions = 2, .setup = setup,
	 .thread = an_event_and_calls, .finish = token_is_back);

SCENARIO("a close and two calls", .threads = 3, .preemptions = 2, .setup = setup_with_token,
	 .thread = a_close_and_calls, .finish = is_closed);

SCENARIO("planted: a token is kept", .threads = 2, .preemptions = 2, .fails = "nobody can go on",
	 .setup = setup_with_token, .thread = one_keeps_it, .finish = token_is_back);

SCENARIO("planted: compare, then swap", .threads = 2, .preemptions = 2, .fails = "word == EPOLLIN",
	 .faults = EXPLORE_SPLIT, .setup = setup_with_token, .thread = all_call,
	 .finish = token_is_back);
