/* SPDX-License-Identifier: MIT */
/*
 * select_other.c: the cases of a select that are not of channels: a unit of a semaphore, a
 * descriptor that is ready, the end of a task or of a group.
 *
 * Each has a lock of its own, none of which is held while another is taken. So these cases are
 * queued one after the other, with the select's one waiter, when the channels' locks are dropped:
 *
 *   was queued                    its waker claims the waiter and hands over: `served` (semaphore),
 *                                 `hit` (descriptor), or the object has ended (task, group)
 *   is ready by now               the select claims its own waiter; if that fails, another case has
 *                                 run, and what was taken is given back
 *
 * So exactly one case runs. A descriptor is a hint only: it is asked by poll(2) when its event has
 * come, and if nothing is there any more (another task was faster), the select begins anew.
 *
 * Rejected: holding all locks at once as with channels (their order is that of the ranks, and a
 * descriptor is asked by a system call), a helper task for each case.
 */
#include "api/select.h"

#include <poll.h>

#include "api/attempt.h"
#include "api/group.h"

/* ---- what may be asked for ---- */

static bool is_object(const struct weft_case *k)
{
	return k->op == WEFT_JOIN || k->op == WEFT_GROUP;
}

/* The caller itself, nothing, or an object that an earlier case names. */
static int check_object(const struct selection *s, const struct weft_case *k)
{
	const struct thread *t = weft__thread_self();
	if (!k->task || (k->op == WEFT_JOIN && t && (struct task *)k->task == t->task))
		return -EINVAL;
	for (uint32_t i = 0; i < s->others; i++) {
		const struct weft_case *other = &s->cases[select_other(s, i)];
		if (is_object(other) && other->task == k->task)
			return -EINVAL;
	}
	if (k->op == WEFT_JOIN)
		weft__require_live((struct task *)k->task, "weft_select");
	else
		weft__group_require_maker(t, k->group);
	return 0;
}

static int come_inside(struct selection *s)
{
	if (likely(weft__thread_self()) || s->inside)
		return 0;
	int err = weft__foreign_enter();
	s->inside = !err;
	return err;
}

int weft__select_check(struct selection *s, const struct weft_case *k)
{
	if (k->op == WEFT_SEM)
		return k->sem ? 0 : -EINVAL;
	if (k->op != WEFT_READY && !is_object(k))
		return -EINVAL;
	int err = come_inside(s);
	if (err)
		return err;
	if (is_object(k))
		return check_object(s, k);
	return k->ready.zero ? -E2BIG : 0;
}

/* ---- at once ---- */

static int poll_now(const struct weft_case *k)
{
	return k->ready.fd < 0 ? -EBADF : weft__io_ready(k->ready.fd, k->ready.events);
}

bool weft__select_ready(const struct weft_case *k)
{
	if (k->op == WEFT_SEM)
		return weft__sem_ready(k->sem);
	if (k->op == WEFT_JOIN)
		return weft__join_ended((struct task *)k->task);
	return k->op == WEFT_GROUP ? weft__group_ended(k->group) : poll_now(k) != 0;
}

/* The object has ended: its result, and the case goes. */
static void run_object(struct thread *t, struct weft_case *k)
{
	int result = k->op == WEFT_JOIN ? weft__join_free(t, (struct task *)k->task)
					: weft__group_retire(t, k->group);
	k->result = 0;
	k->op = 0;
	if (k->item)
		*(int *)k->item = result;
}

bool weft__select_try(struct thread *t, struct weft_case *k)
{
	if (is_object(k)) {
		run_object(t, k); /* nobody but this task could have freed it since it was ready */
		return true;
	}
	k->result = k->op == WEFT_SEM ? weft_sem_acquire(k->sem, 1, 0) : poll_now(k);
	return k->op == WEFT_SEM ? k->result == 0 : k->result != 0;
}

/* ---- the wait ---- */

/* The select ends its own wait, if no waker has. */
static bool claim_own(struct waiter *w)
{
	if (!wait_claim(w))
		return false;
	wait_publish(w, WAKE_USER); /* it has not parked */
	return true;
}

/* Puts a descriptor into its queue, or finds what poll(2) or the poller says now: not 0. */
static int queue_ready(struct thread *t, const struct weft_case *k, struct select_node *n)
{
	struct descriptor *d = weft__descriptor(k->ready.fd);
	if (!d)
		return weft__descriptor_missing(k->ready.fd);
	n->fd.fd = k->ready.fd;
	n->fd.tokens = weft__io_tokens(k->ready.events);
	n->fd.hit = &n->hit;
	uint32_t tokens;
	if (!descriptor_enter(d, n->fd.tokens, &tokens))
		return -EBADF;
	n->d = d;
	n->tokens = 0; /* a token from before the look is worth no more than the look */
	for (int err = 1, now; err > 0;) {
		now = poll_now(k);
		if (now) {
			n->tokens = n->fd.tokens;
			return now;
		}
		err = weft__descriptor_queue(t, d, &n->fd);
		if (err < 0)
			return err;
		n->queued = err == 0;
	}
	return 0;
}

/* True: it is ready by now and ran. */
static bool queue_one(struct thread *t, struct weft_case *k, struct select_node *n,
		      struct waiter *w)
{
	int now = 0;
	if (k->op == WEFT_SEM) {
		n->wish = (struct wish){.link.waiter = w, .units = 1};
		n->queued = !weft__sem_queue(k->sem, &n->wish);
	} else if (k->op == WEFT_READY) {
		n->fd = (struct wait_node){.waiter = w};
		now = queue_ready(t, k, n);
	} else if (k->op == WEFT_JOIN) {
		n->queued = weft__join_queue((struct task *)k->task, w);
	} else {
		n->queued = weft__group_queue(k->group, w);
	}
	if (n->queued)
		return false;
	bool ran = claim_own(w);
	if (ran && is_object(k))
		run_object(t, k);
	else if (ran)
		k->result = now;
	else if (k->op == WEFT_SEM)
		weft__sem_give(t, k->sem, 1);
	return ran;
}

int weft__select_queue(const struct selection *s, struct thread *t, struct waiter *w)
{
	for (uint32_t i = 0; i < s->others; i++) {
		struct select_node *n = &s->nodes[select_other(s, i)];
		n->queued = false;
		n->d = NULL;
		n->hit = 0;
	}
	for (uint32_t i = 0; i < s->others; i++) {
		uint32_t at = select_other(s, i);
		if (queue_one(t, &s->cases[at], &s->nodes[at], w))
			return (int)at;
	}
	return -1;
}

bool weft__select_polls(const struct selection *s)
{
	for (uint32_t i = 0; i < s->others; i++)
		if (s->cases[select_other(s, i)].op == WEFT_READY &&
		    s->nodes[select_other(s, i)].queued)
			return true;
	return false;
}

/* Takes one out. Did the end of the wait make it run? */
static bool unqueue_object(struct thread *t, struct weft_case *k, struct waiter *w, bool may_run)
{
	bool waits = k->op == WEFT_JOIN ? weft__join_unqueue((struct task *)k->task, w)
					: weft__group_unqueue(k->group);
	if (waits || !may_run)
		return false;
	run_object(t, k);
	return true;
}

static bool unqueue_sem(struct thread *t, struct weft_case *k, struct select_node *n)
{
	if (!n->wish.served)
		weft__sem_unqueue(t, k->sem, &n->wish);
	k->result = 0;
	return n->wish.served;
}

/* A closed descriptor, or an event: what is there. False: nothing any more. */
static bool unqueue_ready(struct weft_case *k, struct select_node *n)
{
	weft__descriptor_unqueue(n->d, &n->fd);
	if (!n->hit)
		return false;
	n->tokens = n->fd.tokens;
	k->result = n->hit == WAKE_CLOSED ? -EBADF : poll_now(k);
	return k->result != 0;
}

/* The marks of wakers first: only where there is none, an object that has ended may run. */
static int unqueue_marked(const struct selection *s, struct thread *t)
{
	int ran = -1;
	for (uint32_t i = 0; i < s->others; i++) {
		uint32_t at = select_other(s, i);
		struct weft_case *k = &s->cases[at];
		struct select_node *n = &s->nodes[at];
		if (!n->queued || is_object(k))
			continue;
		if (k->op == WEFT_SEM ? unqueue_sem(t, k, n) : unqueue_ready(k, n))
			ran = (int)at;
	}
	return ran;
}

int weft__select_unqueue(const struct selection *s, struct thread *t, struct waiter *w,
			 bool may_run)
{
	int ran = unqueue_marked(s, t);
	for (uint32_t i = 0; i < s->others; i++) {
		uint32_t at = select_other(s, i);
		struct weft_case *k = &s->cases[at];
		if (!s->nodes[at].queued || !is_object(k))
			continue;
		if (unqueue_object(t, k, w, may_run && ran < 0))
			ran = (int)at;
	}
	return ran;
}

void weft__select_leave(const struct selection *s)
{
	for (uint32_t i = 0; i < s->others; i++) {
		struct select_node *n = &s->nodes[select_other(s, i)];
		if (n->d)
			descriptor_leave(n->d, n->tokens);
		n->d = NULL; /* a select that begins anew may end without a wait */
	}
}
