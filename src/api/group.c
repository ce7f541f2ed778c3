/* SPDX-License-Identifier: MIT */
/*
 * group.c: tasks that belong together.
 *
 * A member is a task whose handle belongs to the group (JOIN_MEMBER); a record of the processor's
 * cache ties the two. A member has ended when its task has, destructors of its keys included, in
 * whichever way it ended (weft_exit, too): the scheduler then calls member_ended on the stack that
 * runs next. So a caller that has waited finds the members' stacks gone.
 *
 *   state of a group   means                              move
 *   open               starts members
 *   cancelled          starts none, members are           open -> cancelled: cancel.c, which holds
 *                      cancelled or will be soon          how this goes down the tree
 *   ended              no member, and no place taken      by the last member's end; a new member
 *                                                         opens it again
 *   freed              the wait for it has returned 0     ended -> freed: weft_group_wait; the
 *                                                         memory stays while a visit holds it
 *
 * The lock guards members, places and results. The last member claims the waiter under it, and
 * touches the group no more once that is published: the waiter frees it.
 *
 * A waiter that is cancelled, or whose limit passes, cancels the group and waits again, this time
 * for the members and its deadline alone. Why it did so is `cut`, if a member still ran then. A
 * cancelled maker's canceller sets it, too, at the moment when it gets to the members: so the
 * result does not depend on how fast members end.
 *
 * Places. With a limit, a member holds a place; who starts one takes it before. A member's end
 * hands its place to the first who waits for one, else gives it back; who was handed one and then
 * starts nothing does the same. A group has not ended while a place is taken.
 *
 * Rejected: joining the members one by one (the first failure has to be noticed whichever it is), a
 * counter alone (cancelling needs to find them), a semaphore for the places (a cancelled group has
 * to turn away those who wait there, and the wait for the group would not see a place on its way).
 */
#include "api/group.h"

#include <string.h>

#include "api/call.h"
#include "api/cancel.h"
#include "base/sized.h"
#include "sched/cache.h"
#include "sched/stack.h"
#include "sched/task.h"

enum { GROUP_OPTIONS_FIRST = 32 }; /* bytes of 0.2's struct weft_group_options */

/* ---- places ---- */

/* Of who is to be woken once the lock is dropped. */
struct woken {
	struct waiter *starter; /* has the place now */
	struct waiter *waiter;	/* all have ended */
};

/* A place is free, if one was taken. [lock] */
static void leave_place(struct weft_group *g, struct woken *woken)
{
	struct waitq_node *heir = waitq_claim(&g->starters);
	if (heir)
		woken->starter = heir->waiter;
	else if (g->places)
		g->places--;
	if (group_ended(g) && g->waiter && wait_claim(g->waiter))
		woken->waiter = g->waiter;
}

static void wake(struct thread *t, const struct woken *woken)
{
	if (woken->starter)
		call_wake(t, woken->starter, WAKE_USER);
	if (woken->waiter)
		call_wake(t, woken->waiter, WAKE_USER);
}

static void give_place(struct thread *t, struct weft_group *g)
{
	struct woken woken = {0};
	lock_take(&g->lock, RANK_GROUP);
	leave_place(g, &woken);
	lock_drop(&g->lock, RANK_GROUP);
	wake(t, &woken);
}

static bool is_member(const struct thread *t, const struct weft_group *g)
{
	return t && t->task->join == JOIN_MEMBER && t->task->member->group == g;
}

static int await_place(struct thread **t, struct weft_group *g, struct waitq_node *node)
{
	uint32_t reason = weft__wait_park(t, node->waiter, WEFT_FOREVER);
	if (reason == WAKE_USER)
		return 0;
	if (reason == WAKE_CLOSED)
		return -ECANCELED;
	lock_take(&g->lock, RANK_GROUP);
	waitq_remove(&g->starters, node);
	lock_drop(&g->lock, RANK_GROUP);
	return weft__wait_result(reason, WEFT_FOREVER);
}

/* 0: a place is taken. Members never wait for one: all might wait for each other. */
static int take_place(struct thread **t, struct weft_group *g, bool may_wait)
{
	struct waiter lone;
	struct waitq_node node = {.waiter = NULL};
	may_wait = may_wait && !is_member(*t, g);
	lock_take(&g->lock, RANK_GROUP);
	bool open = !load_relaxed(&g->cancelled);
	bool taken = open && g->places < g->limit;
	g->places += taken;
	if (open && !taken && may_wait) {
		node.waiter = wait_begin_inside(*t, &lone, "group's place", true);
		waitq_push_tail(&g->starters, &node);
	}
	lock_drop(&g->lock, RANK_GROUP);
	if (node.waiter)
		return await_place(t, g, &node);
	return taken ? 0 : open ? weft__would_wait() : -ECANCELED;
}

/* ---- members ---- */

/* The first failure? [lock] */
static bool fails(struct weft_group *g, int result)
{
	if (!result || g->result)
		return false;
	g->result = result;
	group_ref(g); /* the last member's end may free it */
	return true;
}

/* Runs on another stack, inside the runtime: the task has left its own for ever. */
static void member_ended(struct thread *t, struct task *task)
{
	tsan_acquire(task);
	struct member *m = task->member;
	struct weft_group *g = m->group;
	struct woken woken = {0};
	lock_take(&g->lock, RANK_GROUP);
	list_remove(&m->link);
	bool failed = fails(g, task->result);
	leave_place(g, &woken);
	lock_drop(&g->lock, RANK_GROUP);
	weft__cache_free(t, m, sizeof(*m));
	if (failed) {
		weft__cancel_group(t, g);
		weft__group_unref(t, g);
	}
	wake(t, &woken);
}

/* False: the group is cancelled. */
static bool join_group(struct weft_group *g, struct member *m)
{
	lock_take(&g->lock, RANK_GROUP);
	bool open = !load_relaxed(&g->cancelled);
	if (open)
		list_push_tail(&g->members, &m->link);
	lock_drop(&g->lock, RANK_GROUP);
	return open;
}

static int start_member(struct thread *t, struct weft_group *g, int (*fn)(void *arg), void *arg)
{
	const struct task_options options = {.name = *g->name ? g->name : NULL,
					     .stack_size = g->stack_size};
	int err;
	struct member *m = weft__cache_alloc(t, sizeof(*m));
	if (!m)
		return -ENOMEM;
	struct task *task = weft__task_make(t, &options, &err);
	if (!task)
		goto no_task;
	*m = (struct member){.group = g, .task = task};
	task_set_function(task, fn, arg);
	task_set_limit(task, g->until);
	task->join = JOIN_MEMBER;
	task->member = m;
	err = -ECANCELED;
	if (!join_group(g, m))
		goto refused;
	weft__task_launch(t, task);
	return 0;
refused:
	weft__task_drop(t, task);
no_task:
	weft__cache_free(t, m, sizeof(*m));
	return err;
}

static int start(struct thread **t, struct weft_group *g, int (*fn)(void *arg), void *arg,
		 bool may_wait)
{
	if (load_relaxed(&sched.stopping))
		return -ESHUTDOWN;
	int err = g->limit ? take_place(t, g, may_wait) : 0;
	if (!err) {
		err = load_relaxed(&sched.stopping) ? -ESHUTDOWN : start_member(*t, g, fn, arg);
		if (err && g->limit)
			give_place(*t, g);
	}
	if (err == -ECANCELED && g->maker)
		weft__cancel_settle(g->maker);
	return err;
}

static int go(struct weft_group *g, int (*fn)(void *arg), void *arg, bool may_wait)
{
	if (!g || !fn)
		return -EINVAL;
	struct thread *t;
	int err = runtime_enter(&t);
	if (unlikely(err))
		return err;
	err = start(&t, g, fn, arg, may_wait);
	runtime_leave(t);
	return err;
}

int weft_group_go(struct weft_group *group, int (*fn)(void *arg), void *arg)
{
	return go(group, fn, arg, true);
}

int weft_group_try_go(struct weft_group *group, int (*fn)(void *arg), void *arg)
{
	return go(group, fn, arg, false);
}

/* ---- the beginning and the end ---- */

/* Puts it among those of its maker. It is born cancelled if that is cancelled. */
static void enter_tree(struct weft_group *g, struct task *maker)
{
	lock_take(&maker->made, RANK_MADE);
	g->apart = maker->cancel_masked;
	g->cancelled = load_relaxed(&maker->cancelled) && !g->apart;
	g->maker = maker;
	g->next = maker->groups;
	g->at = &maker->groups;
	if (g->next)
		g->next->at = &g->next;
	store_relaxed(&maker->groups, g);
	lock_drop(&maker->made, RANK_MADE);
}

static void leave_tree(struct weft_group *g)
{
	lock_take(&g->maker->made, RANK_MADE);
	store_relaxed(g->at, g->next);
	if (g->next)
		g->next->at = g->at;
	lock_drop(&g->maker->made, RANK_MADE);
}

static struct weft_group *group_new(struct thread *t, const struct weft_group_options *o)
{
	struct weft_group *g = weft__cache_alloc(t, sizeof(*g));
	if (!g)
		return NULL;
	*g = (struct weft_group){.refs = 1, .limit = o->limit, .stack_size = o->stack_size};
	list_init(&g->members);
	if (o->name)
		strncpy(g->name, o->name, sizeof(g->name) - 1);
	g->until = WEFT_FOREVER;
	if (likely(t)) {
		if (!t->task->cancel_masked)
			g->until = task_limit(t->task);
		enter_tree(g, t->task);
	}
	return g;
}

void weft__group_unref(struct thread *t, struct weft_group *g)
{
	/* The last one sees what the others did: pairs with weft__group_unref. */
	if (sub_acq_rel(&g->refs, 1) == 1)
		weft__cache_free(t, g, sizeof(*g));
}

static int read_options(struct weft_group_options *to, const struct weft_group_options *from)
{
	int err = weft__sized_read(to, sizeof(*to), from, GROUP_OPTIONS_FIRST);
	if (err)
		return err;
	return to->flags || (to->stack_size && !weft__stack_class(to->stack_size)) ? -EINVAL : 0;
}

int weft_group_new_with(struct weft_group **group, const struct weft_group_options *options)
{
	struct weft_group_options o;
	int err = group ? read_options(&o, options) : -EINVAL;
	if (err)
		return err;
	struct thread *t;
	err = runtime_enter(&t);
	if (unlikely(err))
		return err;
	/* Several may, and all the same. */
	store_relaxed(&weft__on_member_end, member_ended);
	store_relaxed(&weft__on_stop, weft__cancel_stop);
	struct weft_group *g = group_new(t, &o);
	runtime_leave(t);
	if (!g)
		return -ENOMEM;
	*group = g;
	return 0;
}

struct weft_group *weft_group_new(void)
{
	struct weft_group *g = NULL;
	weft_group_new_with(&g, NULL);
	return g;
}

/* ---- waiting ---- */

enum { LIMIT_PASSED = -ETIME }; /* in place of what a deadline gives */

void weft__group_require_maker(const struct thread *t, const struct weft_group *g)
{
	if (unlikely(is_member(t, g)))
		weft__misuse("weft_group_wait", "the calling task is a member of the group");
	if (unlikely(g->maker && g->maker != (t ? t->task : NULL)))
		weft__misuse("weft_group_wait", "another task has made the group");
}

bool weft__group_ended(struct weft_group *g)
{
	lock_take(&g->lock, RANK_GROUP);
	bool ended = group_ended(g);
	lock_drop(&g->lock, RANK_GROUP);
	return ended;
}

bool weft__group_queue(struct weft_group *g, struct waiter *w)
{
	lock_take(&g->lock, RANK_GROUP);
	if (unlikely(g->waiter))
		weft__misuse("weft_group_wait", "another thread waits for this group already");
	bool ended = group_ended(g);
	if (!ended)
		g->waiter = w;
	lock_drop(&g->lock, RANK_GROUP);
	return !ended;
}

bool weft__group_unqueue(struct weft_group *g)
{
	lock_take(&g->lock, RANK_GROUP);
	g->waiter = NULL;
	bool ended = group_ended(g);
	lock_drop(&g->lock, RANK_GROUP);
	return !ended;
}

/* A call that may not wait: has the limit passed? */
static int would_wait(const struct thread *t, bool cancellable)
{
	const struct task *task = t ? t->task : NULL;
	int err = cancellable ? weft__would_wait() : -EAGAIN;
	bool limited = err == -EAGAIN && cancellable && task && !task->cancel_masked;
	return limited && task_limit(task) <= weft__sched_now() ? LIMIT_PASSED : err;
}

static int await(struct thread **t, struct weft_group *g, int64_t deadline, bool cancellable)
{
	struct waiter lone;
	if (!deadline)
		return weft__group_ended(g) ? 0 : would_wait(*t, cancellable);
	struct waiter *w = wait_begin_inside(*t, &lone, "group", cancellable);
	if (!weft__group_queue(g, w)) {
		weft__wait_abandon(w);
		return 0;
	}
	int64_t until = weft__wait_until(w, deadline);
	uint32_t reason = weft__wait_park(t, w, deadline);
	if (reason == WAKE_USER)
		return 0;
	weft__group_unqueue(g);
	/* a limit that cannot be watched counts as passed */
	if (until < deadline && (reason == WAKE_TIMEOUT || reason == WAKE_NO_TIMER))
		return LIMIT_PASSED;
	return weft__wait_result(reason, deadline);
}

/* The caller is cancelled, or its limit has passed: all below is cancelled. */
static void cut_short(struct thread *t, struct weft_group *g, int why)
{
	lock_take(&g->lock, RANK_GROUP);
	if (!g->cut && !group_ended(g))
		g->cut = why;
	lock_drop(&g->lock, RANK_GROUP);
	weft__cancel_group(t, g);
}

static int await_members(struct thread **t, struct weft_group *g, int64_t deadline)
{
	int err = await(t, g, deadline, true);
	if (err != -ECANCELED && err != LIMIT_PASSED)
		return err;
	cut_short(*t, g, err == LIMIT_PASSED ? -ETIMEDOUT : err);
	return await(t, g, deadline, false);
}

int weft__group_retire(struct thread *t, struct weft_group *g)
{
	int result = g->result ? g->result : g->cut;
	if (g->maker)
		leave_tree(g);
	weft__group_unref(t, g);
	return result;
}

int weft_group_wait(struct weft_group *group, int *result, int64_t deadline)
{
	if (!group)
		return -EINVAL;
	struct thread *t;
	int err = runtime_enter(&t);
	if (unlikely(err))
		return err;
	weft__group_require_maker(t, group);
	err = await_members(&t, group, deadline);
	if (!err) {
		int ended = weft__group_retire(t, group);
		if (result)
			*result = ended;
	}
	runtime_leave(t);
	return err;
}

int weft_group_cancel(struct weft_group *group)
{
	if (!group)
		return -EINVAL;
	struct thread *t;
	int err = runtime_enter(&t);
	if (err)
		return err;
	weft__cancel_group(t, group);
	runtime_leave(t);
	return 0;
}
