/* SPDX-License-Identifier: MIT */
/*
 * cancel.c: cancellation and limits of a task, and how cancellation goes down.
 *
 * Tasks and groups are a tree: a task has made groups (task->groups, under task->made), a group has
 * members (under group->lock), which are tasks. Each level has a lock of its own, so that groups
 * that have nothing to do with each other share nothing.
 *
 *   move                              who, holding
 *   task->groups    + group           its maker: made                 group.c:weft_group_new_with
 *                   - group           its maker: made                 group.c:retire
 *   group->members  + member          who starts it: group->lock      group.c:join_group
 *                   - member          the member's end: group->lock   group.c:member_ended
 *   group->cancelled  0 -> 1          by exchange: the maker's canceller, holding made; or who
 *                                     cancels the group, holding nothing
 *   task->cancelled   0 -> 1          its canceller: made
 *                     1 -> 0          the task: nothing
 *
 * Who turns group->cancelled owes the group a visit: he takes a reference and puts it on a list of
 * his own (group->below: nobody else turned it, so it is on one list only). A visit takes the
 * group's lock and cancels each member: member->made is taken, the groups of the member are turned
 * and put on the list, the member is marked and woken. So two locks at most are held, group->lock
 * and then made, at any depth, and the list takes the place of recursion.
 *
 * Nothing slips through (models/cancel.pml searches it):
 *   a new group    is put among its maker's and looks at the maker's mark in one section of `made`;
 *                  so a cancel that comes before is seen by it, and one that comes after sees it
 *   a new member   is put among the members only if the group is not cancelled, in one section of
 *                  the group's lock; who turned `cancelled` visits later: he finds the member, or
 *                  the member's start finds the group cancelled
 *
 * A task sees both or neither, its own mark and its groups': groups are turned first, and the
 * task's mark is a release that its looks acquire; who finds a group cancelled waits until its
 * maker's canceller has left `made` (weft__cancel_settle) before he says so.
 *
 * weft_stop marks every task by a walk over all records, each once; before, the same walk turns all
 * groups, without visiting members. Records are there for ever, so `made` is taken on records whose
 * task has ended, too: it is not reset with the record.
 *
 * Rejected: one lock for the whole tree (all groups of all processors would meet there), recursion
 * (tasks have small stacks, and a tree may be a chain of thousands), holding the locks on the way
 * down (as many as levels; a member's end would wait for a walk), a look upwards in each wait
 * instead of a walk downwards (every wait would pay), groups that a walk marks and their members
 * find (a member that waits has to be woken).
 */
#include "api/cancel.h"

#include "api/call.h"
#include "api/group.h"
#include "sched/foreign.h"
#include "weft/task.h"

/* Groups that were turned and not yet visited. */
struct walk {
	struct thread *t;
	struct weft_group *first;
	bool stop; /* of weft_stop: members are not its own */
};

/* ---- the way down ---- */

static void turn(struct walk *walk, struct weft_group *g, bool by_maker)
{
	if (swap_relaxed(&g->cancelled, 1))
		return;
	group_ref(g);
	g->by_maker = by_maker;
	g->below = walk->first;
	walk->first = g;
}

/* [maker->made] */
static void turn_groups(struct walk *walk, const struct task *maker)
{
	bool masked = load_relaxed(&maker->cancel_masked);
	for (struct weft_group *g = maker->groups; g; g = g->next)
		if (!g->apart)
			turn(walk, g, !masked);
}

static void cancel_one(struct walk *walk, struct task *task)
{
	lock_take(&task->made, RANK_MADE);
	turn_groups(walk, task);
	weft__task_cancel(walk->t, task);
	lock_drop(&task->made, RANK_MADE);
}

static void refuse(struct thread *t, const struct waitq *claimed)
{
	for (struct waitq_node *node = claimed->first, *next; node; node = next) {
		next = node->next; /* the node is its owner's again once that is woken */
		call_wake(t, node->waiter, WAKE_CLOSED);
	}
}

static void visit(struct walk *walk, struct weft_group *g)
{
	struct waitq refused = {0};
	struct waitq_node *node;
	lock_take(&g->lock, RANK_GROUP);
	if (g->by_maker && !group_ended(g))
		g->cut = -ECANCELED;
	if (!walk->stop)
		list_each (l, &g->members)
			cancel_one(walk, container_of(l, struct member, link)->task);
	while ((node = waitq_claim(&g->starters)))
		waitq_push_tail(&refused, node);
	lock_drop(&g->lock, RANK_GROUP);
	refuse(walk->t, &refused);
}

static void visit_all(struct walk *walk)
{
	struct weft_group *g;
	while ((g = walk->first)) {
		walk->first = g->below;
		visit(walk, g);
		weft__group_unref(walk->t, g);
	}
}

void weft__cancel_task(struct thread *t, struct task *task)
{
	struct walk walk = {.t = t};
	cancel_one(&walk, task);
	visit_all(&walk);
}

void weft__cancel_group(struct thread *t, struct weft_group *g)
{
	struct walk walk = {.t = t};
	turn(&walk, g, false);
	visit_all(&walk);
}

void weft__cancel_stop(struct task *maker)
{
	struct walk walk = {.stop = true};
	lock_take(&maker->made, RANK_MADE);
	turn_groups(&walk, maker);
	lock_drop(&maker->made, RANK_MADE);
	visit_all(&walk);
}

void weft__cancel_settle(struct task *maker)
{
	lock_take(&maker->made, RANK_MADE);
	lock_drop(&maker->made, RANK_MADE);
}

/* ---- the calls ---- */

int weft_cancel(struct weft_task *handle)
{
	struct task *task = (struct task *)handle;
	if (!task)
		return -EINVAL;
	struct thread *t;
	if (runtime_enter(&t) < 0)
		return weft__outside();
	weft__require_live(task, "weft_cancel");
	weft__cancel_task(t, task);
	runtime_leave(t);
	return 0;
}

int weft_cancelled(void)
{
	struct task *task = call_task();
	return task && load_acquire(&task->cancelled); /* pairs with park.c:weft__task_cancel */
}

void weft_cancel_clear(void)
{
	struct task *task = call_task();
	if (task)
		store_relaxed(&task->cancelled, 0);
}

int weft_cancel_mask(int on)
{
	struct task *task = call_task();
	if (!task)
		return -EINVAL;
	int old = task->cancel_masked;
	store_relaxed(&task->cancel_masked, on != 0);
	return old;
}

int64_t weft_limit(int64_t deadline)
{
	struct task *task = call_task();
	int64_t former = task ? task_limit(task) : WEFT_FOREVER;
	if (task && deadline < former)
		task_set_limit(task, deadline);
	return former;
}

void weft_limit_end(int64_t former)
{
	struct task *task = call_task();
	if (task)
		task_set_limit(task, former);
}
