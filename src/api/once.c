/* SPDX-License-Identifier: MIT */
/*
 * once.c: something that is done once, outside of the runtime.
 *
 *   word      meaning              who moves it
 *   NEW       no call yet          NEW -> RUNNING: the first caller, by CAS; it then calls fn
 *   RUNNING   fn runs              RUNNING, a node -> a node: a later caller, by CAS; it waits
 *   a node    fn runs, these wait  RUNNING, a node -> DONE: the first caller, by swap; it wakes
 *                                  the chain
 *   DONE      fn has ended         pairs with the acquire of all later calls
 *
 * A call that weft_exit ends in the middle counts as ended, too (as with Go's sync.Once): the task
 * keeps a chain of the calls that it is in, and weft_exit finishes them. An exception must not
 * leave fn: to notice one, libweft would need libgcc's unwinder.
 */
#include "api/once.h"

#include "api/call.h"
#include "sched/stack.h"
#include "weft/sync.h"

enum { NEW = 0, RUNNING = 1, DONE = 2 };

struct once {
	uintptr_t word;
	uintptr_t spare;
};
_Static_assert(sizeof(struct once) == sizeof(struct weft_once), "ABI");

/* A call of fn that is under way: on its caller's stack. */
struct once_call {
	struct once *once;
	struct once_call *outer; /* the call whose fn has made this one */
};

struct once_node {
	struct once_node *next;
	struct waiter *waiter;
};

static void await(struct once *o, uintptr_t seen)
{
	struct waiter lone;
	struct thread *t = enter();
	struct once_node node = {.waiter = weft__wait_begin(t, &lone, "once", false)};
	do {
		if (seen == DONE) {
			weft__wait_abandon(node.waiter);
			call_leave(t);
			return;
		}
		node.next = seen == RUNNING ? NULL : (struct once_node *)seen;
	} while (!cas_acq_rel(&o->word, &seen, (uintptr_t)&node)); /* pairs with finish */
	weft__wait_park(&t, node.waiter, WEFT_FOREVER);
	call_leave(t);
}

static void finish(struct once *o)
{
	uintptr_t seen = swap_acq_rel(&o->word, DONE); /* pairs with await, weft_once */
	if (seen == RUNNING)
		return;
	struct thread *t = enter();
	for (struct once_node *node = (struct once_node *)seen, *next; node; node = next) {
		next = node->next;
		bool claimed = wait_claim(node->waiter);
		check(claimed); /* these waits end in no other way */
		call_wake(t, node->waiter, WAKE_USER);
	}
	call_leave(t);
}

static void run(struct once *o, void (*fn)(void *arg), void *arg)
{
	struct task *task = call_task();
	struct once_call call = {.once = o, .outer = task ? task->stack->onces : NULL};
	if (task)
		task->stack->onces = &call;
	fn(arg);
	if (task)
		task->stack->onces = call.outer;
	finish(o);
}

void weft__once_end_all(struct task *task)
{
	for (struct once_call *call = task->stack->onces; call; call = call->outer)
		finish(call->once);
	task->stack->onces = NULL;
}

void weft_once(struct weft_once *once, void (*fn)(void *arg), void *arg)
{
	struct once *o = (struct once *)once;
	uintptr_t seen = load_acquire(&o->word); /* pairs with finish */
	if (likely(seen == DONE))
		return;
	/* pairs with weft_once: another first caller's */
	if (seen == NEW && cas_acq_rel(&o->word, &seen, RUNNING)) {
		run(o, fn, arg);
	} else if (seen != DONE) {
		await(o, seen);
	}
}
