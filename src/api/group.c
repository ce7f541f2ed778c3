/* SPDX-License-Identifier: MIT */
/*
 * group.c: tasks that belong together.
 *
 * A member is a task whose handle belongs to the group (JOIN_MEMBER); a record of the processor's
 * cache ties the two. A member has ended when its task has, destructors of its keys included, in
 * whichever way it ended (weft_exit, too): the scheduler then calls member_ended on the stack that
 * runs next. So a caller that has waited finds the members' stacks gone.
 *
 * The lock guards everything in the group. The last member claims the waiter under it, and does not
 * touch the group after dropping it: the waiter frees the group.
 *
 * Rejected: joining the members one by one (the first failure must be noticed, whichever member
 * fails), a counter alone (cancelling needs to find the members).
 */
#include "weft/group.h"

#include "api/call.h"
#include "sched/cache.h"
#include "sched/task.h"

struct weft_group {
	struct lock lock; /* rank GROUP */
	uint32_t cancelled;
	struct list members;
	struct waiter *waiter; /* of weft_group_wait, NULL: nobody waits */
	int result;	       /* the first that was not zero */
};

struct member {
	struct list link; /* in group->members */
	struct weft_group *group;
	struct task *task;
	int (*fn)(void *arg);
	void *arg;
};

/* ---- members ---- */

static int member_main(void *arg)
{
	struct member *m = arg;
	return m->fn(m->arg);
}

/* The lock is held. */
static void cancel_members(struct thread *t, struct weft_group *g)
{
	if (g->cancelled)
		return;
	g->cancelled = 1;
	list_each (l, &g->members)
		weft__task_cancel(t, container_of(l, struct member, link)->task);
}

/* Runs on another stack, inside the runtime: the task has left its own for ever. */
static void member_ended(struct thread *t, struct task *task)
{
	tsan_acquire(task);
	struct member *m = task->arg;
	struct weft_group *g = m->group;
	struct waiter *w = NULL;
	lock_take(&g->lock, RANK_GROUP);
	list_remove(&m->link);
	if (task->result && !g->result) {
		g->result = task->result;
		cancel_members(t, g);
	}
	if (list_empty(&g->members) && g->waiter && wait_claim(g->waiter))
		w = g->waiter;
	lock_drop(&g->lock, RANK_GROUP);
	weft__cache_free(t, m, sizeof(*m));
	if (w)
		weft__wait_end(t, w, WAKE_USER);
}

/* False: the group is cancelled. */
static bool join_group(struct weft_group *g, struct member *m)
{
	lock_take(&g->lock, RANK_GROUP);
	bool open = !g->cancelled;
	if (open)
		list_push_tail(&g->members, &m->link);
	lock_drop(&g->lock, RANK_GROUP);
	return open;
}

static int start_member(struct thread *t, struct weft_group *g, int (*fn)(void *arg), void *arg)
{
	static const struct task_options options = {0};
	int err = -ENOMEM;
	struct member *m = weft__cache_alloc(t, sizeof(*m));
	if (!m)
		return err;
	struct task *task = weft__task_new(t, &options);
	if (!task)
		goto no_task;
	*m = (struct member){.group = g, .task = task, .fn = fn, .arg = arg};
	task_set_function(task, member_main, m);
	task->join = JOIN_MEMBER;
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

int weft_group_go(struct weft_group *group, int (*fn)(void *arg), void *arg)
{
	if (!group || !fn)
		return -EINVAL;
	struct thread *t = enter();
	if (!t)
		return weft__outside();
	int err = load_relaxed(&sched.stopping) ? -ESHUTDOWN : start_member(t, group, fn, arg);
	leave(t);
	return err;
}

/* ---- groups ---- */

struct weft_group *weft_group_new(void)
{
	struct thread *t = enter();
	if (!t)
		return NULL;
	store_relaxed(&weft__on_member_end,
		      member_ended); /* several may do so: the value is the same */
	struct weft_group *g = weft__cache_alloc(t, sizeof(*g));
	if (g) {
		*g = (struct weft_group){0};
		list_init(&g->members);
	}
	leave(t);
	return g;
}

/* Announces a waiter for the last member. NULL: there is no member, or no time to wait. */
static struct waiter *announce(struct thread *t, struct weft_group *g, bool *ended, bool may_wait)
{
	struct waiter *w = NULL;
	lock_take(&g->lock, RANK_GROUP);
	if (unlikely(g->waiter))
		weft__misuse("weft_group_wait", "another task waits for this group already");
	*ended = list_empty(&g->members);
	if (!*ended && may_wait)
		g->waiter = w = weft__wait_begin(t, NULL, "group", true);
	lock_drop(&g->lock, RANK_GROUP);
	return w;
}

static int await(struct thread **t, struct weft_group *g, struct waiter *w, int64_t deadline)
{
	uint32_t reason = weft__wait_park(t, w, deadline);
	if (reason == WAKE_USER)
		return 0;
	lock_take(&g->lock, RANK_GROUP);
	g->waiter = NULL;
	lock_drop(&g->lock, RANK_GROUP);
	return weft__wait_result(reason, deadline);
}

int weft_group_wait(struct weft_group *group, int *result, int64_t deadline)
{
	bool ended;
	int err = 0;
	if (!group)
		return -EINVAL;
	struct thread *t = enter();
	if (!t)
		return weft__outside();
	struct waiter *w = announce(t, group, &ended, deadline != 0);
	if (w)
		err = await(&t, group, w, deadline);
	else if (!ended)
		err = weft__would_wait();
	if (!err) {
		if (result)
			*result = group->result;
		weft__cache_free(t, group, sizeof(*group));
	}
	leave(t);
	return err;
}

int weft_group_cancel(struct weft_group *group)
{
	if (!group)
		return -EINVAL;
	struct thread *t = enter();
	if (!t)
		return weft__outside();
	lock_take(&group->lock, RANK_GROUP);
	cancel_members(t, group);
	lock_drop(&group->lock, RANK_GROUP);
	leave(t);
	return 0;
}
