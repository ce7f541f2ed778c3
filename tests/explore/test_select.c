/* SPDX-License-Identifier: MIT */
/*
 * test_select.c: a select over not only channels (src/api/select.c, select_other.c, sem.c, park.c,
 * compiled) in every schedule: units of semaphores, an item, the end of an object, a cancel. One
 * case runs; what was given and not taken is there.
 *
 * Without store buffers: queues of waits are written atomically and read plainly, under their lock,
 * and the explorer's plain reads do not see the thread's own buffer.
 *
 * Thread 0 selects, the others give. The object stands for tasks and groups: it shows what select.c
 * asks of both.
 */
#include "../../src/api/select.c"
#include "../../src/api/select_other.c"

#include "base/sys.h"
#include "one_task.h"

enum { CASES = 2, NOT_YET = 99 };

struct runtime weft__sched;
struct descriptor *weft__descriptors[DESCRIPTOR_REGIONS];
__thread struct thread *weft__self;

static struct weft_sem left, right;
static union {
	struct weft_chan chan; /* of items without a size */
	char bytes[sizeof(struct weft_chan) + sizeof(uint64_t)];
} room;
static struct weft_chan *const chan = &room.chan;
static struct {
	struct lock lock;
	struct waiter *waiter;
	bool ended;
	unsigned retired;
} object;
static struct weft_case cases[CASES];
static int ran;

/* ---- what api/call.c does ---- */

void weft__wake_all(struct thread *t, const struct waitq *claimed)
{
	for (struct waitq_node *node = claimed->first, *next; node; node = next) {
		next = node->next;
		weft__wait_end(t, node->waiter, WAKE_USER);
	}
}

int weft__would_wait(void)
{
	return -EAGAIN;
}

uint32_t weft__pick(struct thread *t, uint32_t bound)
{
	return 0;
}

/* ---- the object ---- */

bool weft__group_ended(struct weft_group *g)
{
	lock_take(&object.lock, RANK_GROUP);
	bool ended = object.ended;
	lock_drop(&object.lock, RANK_GROUP);
	return ended;
}

bool weft__group_queue(struct weft_group *g, struct waiter *w)
{
	lock_take(&object.lock, RANK_GROUP);
	bool ended = object.ended;
	if (!ended)
		object.waiter = w;
	lock_drop(&object.lock, RANK_GROUP);
	return !ended;
}

bool weft__group_unqueue(struct weft_group *g)
{
	lock_take(&object.lock, RANK_GROUP);
	object.waiter = NULL;
	bool ended = object.ended;
	lock_drop(&object.lock, RANK_GROUP);
	return !ended;
}

int weft__group_retire(struct thread *t, struct weft_group *g)
{
	explore_check(object.ended && !object.waiter);
	object.retired++;
	return 0;
}

static void end_object(void)
{
	lock_take(&object.lock, RANK_GROUP);
	object.ended = true;
	struct waiter *w = object.waiter;
	bool claimed = w && wait_claim(w);
	lock_drop(&object.lock, RANK_GROUP);
	if (claimed)
		weft__wait_end(NULL, w, WAKE_USER);
}

/* ---- what no scenario does ---- */

#define NEVER(result, name, ...) \
	result name(__VA_ARGS__) \
	{ \
		explore_fail(#name); \
	}

NEVER(struct thread *, weft__enter_slow, struct thread *t)
NEVER(_Noreturn void, weft__enter_twice, void)
NEVER(void, weft__foreign_wake, struct waiter *w, uint32_t reason)
NEVER(long, weft__syscall, long number, long a, long b, long c, long d, long e, long f)
NEVER(void, weft__misuse, const char *call, const char *what)
NEVER(int, weft__outside, void)
NEVER(void, weft__require_live, const struct task *joined, const char *call)
NEVER(void, weft__group_require_maker, const struct thread *t, const struct weft_group *g)
NEVER(bool, weft__join_queue, struct task *joined, struct waiter *w)
NEVER(bool, weft__join_unqueue, struct task *joined, struct waiter *w)
NEVER(bool, weft__join_ended, const struct task *joined)
NEVER(int, weft__join_free, struct thread *t, struct task *joined)
NEVER(struct descriptor *, weft__descriptor_far, int fd)
NEVER(int, weft__descriptor_missing, int fd)
NEVER(bool, weft__descriptor_enter_slow, struct descriptor *d)
NEVER(void, weft__descriptor_hand_out, struct descriptor *d, uint32_t tokens)
NEVER(int, weft__descriptor_queue, struct thread *t, struct descriptor *d, struct wait_node *n)
NEVER(void, weft__descriptor_unqueue, struct descriptor *d, struct wait_node *n)
NEVER(int, weft__io_ready, int fd, short events)
NEVER(uint32_t, weft__io_tokens, short events)

/* ---- the scenarios ---- */

static void setup(void)
{
	memset(&left, 0, sizeof(left));
	memset(&right, 0, sizeof(right));
	memset(&object, 0, sizeof(object));
	memset(&room, 0, sizeof(room));
	chan->capacity = 1;
	ran = NOT_YET;
	one_task_reset();
}

static bool in_a_queue(const struct select_node *n, int op)
{
	return op == WEFT_SEM ? n->wish.link.queued && !n->wish.served : n->chan.link.queued;
}

static void select_from(struct weft_case first, struct weft_case second)
{
	struct select_node nodes[CASES] = {0};
	uint32_t order[CASES];
	struct selection s = {.cases = cases, .nodes = nodes, .order = order, .count = CASES};
	struct thread *t = &thread;
	cases[0] = first;
	cases[1] = second;
	for (uint32_t i = 0; i < CASES; i++)
		if (cases[i].op == WEFT_CHAN_RECV)
			order[s.live++] = i;
		else
			order[s.count - ++s.others] = i;
	ran = run_one(&s, &t, WEFT_FOREVER);
	for (uint32_t i = 0; i < CASES; i++) /* they are gone with this frame */
		explore_check(!in_a_queue(&nodes[i], cases[i].op));
}

static void give(struct weft_sem *s)
{
	weft__sem_give(&thread, s, 1);
}

static void send_item(void)
{
	struct chan_node *peer = NULL;
	chan_lock(chan, RANK_CHAN);
	explore_check(chan_try_send(chan, chan, &peer) == 0);
	chan_unlock(chan, RANK_CHAN);
	if (peer)
		weft__wait_end(NULL, peer->link.waiter, WAKE_USER);
}

/* The units that are left; none if somebody is still queued. */
static int units(struct weft_sem *s)
{
	int n = 0;
	while (weft_sem_acquire(s, 1, 0) == 0)
		n++;
	return n;
}

static void two_units(unsigned n)
{
	if (n == 0)
		select_from(weft_on_sem(&left), weft_on_sem(&right));
	else
		give(n == 1 ? &left : &right);
}

static void one_is_left(void)
{
	explore_check(ran == 0 || ran == 1);
	explore_check(units(&left) == (ran == 1) && units(&right) == (ran == 0));
}

static void unit_and_cancel(unsigned n)
{
	if (n == 0)
		select_from(weft_on_sem(&left), weft_on_sem(&right));
	else if (n == 1)
		weft__task_cancel(NULL, &task);
	else
		give(&left);
}

static void taken_or_left(void)
{
	explore_check(ran == 0 || ran == -ECANCELED);
	explore_check(units(&left) == (ran != 0) && units(&right) == 0);
}

static struct weft_case on_object(void)
{
	return weft_on_group((struct weft_group *)&object, NULL);
}

static void unit_and_end(unsigned n)
{
	if (n == 0)
		select_from(weft_on_sem(&left), on_object());
	else if (n == 1)
		end_object();
	else
		give(&left);
}

static void end_alone(unsigned n)
{
	if (n < 2)
		unit_and_end(n);
}

/* Queued the other way round. */
static void end_and_unit(unsigned n)
{
	if (n == 0)
		select_from(on_object(), weft_on_sem(&left));
	else
		unit_and_end(n);
}

static void unit_or_end_is_left(void)
{
	explore_check(ran == 0 || ran == 1);
	bool of_object = !cases[ran].op;
	explore_check(units(&left) == of_object && object.retired == of_object);
	explore_check(object.ended && !object.waiter);
}

static void end_has_run(void)
{
	explore_check(ran == 1 && object.retired == 1 && units(&left) == 0);
}

static void item_and_end(unsigned n)
{
	if (n == 0)
		select_from(weft_on_recv(chan, NULL), on_object());
	else if (n == 1)
		send_item();
	else
		end_object();
}

static void item_or_end_is_left(void)
{
	explore_check(ran == 0 || ran == 1);
	explore_check(chan->count == (ran == 1) && object.retired == (ran == 1));
	explore_check(waitq_empty(&chan->receivers) && !object.waiter);
}

static void unit_and_item(unsigned n)
{
	if (n == 0)
		select_from(weft_on_recv(chan, NULL), weft_on_sem(&left));
	else if (n == 1)
		send_item();
	else
		give(&left);
}

static void item_or_unit_is_left(void)
{
	explore_check(ran == 0 || ran == 1);
	explore_check(chan->count == (ran == 1) && units(&left) == (ran == 0));
	explore_check(waitq_empty(&chan->receivers));
}

SCENARIO("units of two semaphores", .threads = 3, .preemptions = 2, .faults = EXPLORE_NO_BUFFERS,
	 .setup = setup, .thread = two_units, .finish = one_is_left);

SCENARIO("a unit and a cancel", .threads = 3, .preemptions = 2, .faults = EXPLORE_NO_BUFFERS,
	 .setup = setup, .thread = unit_and_cancel, .finish = taken_or_left);

SCENARIO("a unit and an end", .threads = 3, .preemptions = 2, .faults = EXPLORE_NO_BUFFERS,
	 .setup = setup, .thread = unit_and_end, .finish = unit_or_end_is_left);

SCENARIO("an end alone", .threads = 2, .preemptions = 3, .faults = EXPLORE_NO_BUFFERS,
	 .setup = setup, .thread = end_alone, .finish = end_has_run);

SCENARIO("an end and a unit", .threads = 3, .preemptions = 2, .faults = EXPLORE_NO_BUFFERS,
	 .setup = setup, .thread = end_and_unit, .finish = unit_or_end_is_left);

SCENARIO("an item and an end", .threads = 3, .preemptions = 2, .faults = EXPLORE_NO_BUFFERS,
	 .setup = setup, .thread = item_and_end, .finish = item_or_end_is_left);

SCENARIO("a unit and an item", .threads = 3, .preemptions = 2, .faults = EXPLORE_NO_BUFFERS,
	 .setup = setup, .thread = unit_and_item, .finish = item_or_unit_is_left);

SCENARIO("planted: compare, then swap", .threads = 3, .preemptions = 2, .fails = "units(&left)",
	 .faults = EXPLORE_NO_BUFFERS | EXPLORE_SPLIT, .setup = setup, .thread = two_units,
	 .finish = one_is_left);
