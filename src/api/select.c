/* SPDX-License-Identifier: MIT */
/*
 * select.c: exactly one of several sends and receives.
 *
 *   1. Look at all cases without locks, choose one of those that seem ready, all with the same
 *      chance, and try it under its channel's lock alone. Mostly this is all.
 *   2. Otherwise lock all channels, in address order. That nothing is ready must hold for all at
 *      one moment: looked at one after the other, two channels of which one is always ready may
 *      both seem empty.
 *   3. Still nothing: queue a node on each channel, all with one waiter, drop the locks, park. The
 *      first to claim the waiter runs its case; all others find it claimed.
 *   4. Take the other nodes out again, one lock at a time.
 *
 * The nodes of up to FEW cases lie on the stack; for more, one allocation by malloc, outside of the
 * runtime.
 *
 * Cases that are not of channels (select_other.c) take part in steps 1, 3 and 4, where they are
 * queued once the locks are dropped. That nothing is ready is then not seen of all at one moment,
 * but each is looked at once more as it is queued.
 *
 * Rejected: shuffling the cases first (a random number for each, also when only one is ready),
 * locking all channels always (most selects find something).
 */
#include <stdlib.h>

#include "api/select.h"

enum { FEW = 16 };

/* ---- step 1 ---- */

static always_inline bool chan_case_ready(const struct weft_case *k)
{
	return chan_ready(k->chan, k->op);
}

/*
 * A ready one of `n` cases from place `first` on, in which each has the same chance, or `chosen`
 * out of *ready that came before.
 */
static always_inline int choose_from(const struct selection *s, struct thread *t, uint32_t first,
				     uint32_t n, bool (*is_ready)(const struct weft_case *k),
				     uint32_t *ready, int chosen)
{
	for (uint32_t i = first; i < first + n; i++)
		/* The n-th ready one replaces the choice with chance 1/n. */
		if (is_ready(&s->cases[s->order[i]]) &&
		    (++*ready == 1 || weft__pick(t, *ready) == 0))
			chosen = (int)s->order[i];
	return chosen;
}

/* A channel's ready case, each with the same chance; -1: none seems ready. */
static int choose(const struct selection *s, struct thread *t)
{
	uint32_t ready = 0;
	return choose_from(s, t, 0, s->live, chan_case_ready, &ready, -1);
}

/* The same of all cases. */
static noinline int choose_any(const struct selection *s, struct thread *t)
{
	uint32_t ready = 0;
	int chosen = choose_from(s, t, 0, s->live, chan_case_ready, &ready, -1);
	return choose_from(s, t, s->count - s->others, s->others, weft__select_ready, &ready,
			   chosen);
}

/* ---- step 2 ---- */

static struct weft_chan *chan_at(const struct selection *s, uint32_t i)
{
	return s->cases[s->order[i]].chan;
}

static void exchange(uint32_t *a, uint32_t *b)
{
	uint32_t was = *a;
	*a = *b;
	*b = was;
}

/* Cases of one channel come in random order, so that each may be the first in its queue. */
static void shuffle(struct selection *s, struct thread *t)
{
	for (uint32_t i = s->live; i > 1; i--)
		exchange(&s->order[i - 1], &s->order[weft__pick(t, i)]);
}

static void sort_by_address(struct selection *s)
{
	for (uint32_t gap = s->live / 2; gap; gap /= 2) /* Shell's sort */
		for (uint32_t i = gap; i < s->live; i++)
			for (uint32_t j = i; j >= gap && chan_at(s, j - gap) > chan_at(s, j);
			     j -= gap)
				exchange(&s->order[j], &s->order[j - gap]);
}

/* Is the same channel also at an earlier place than i? */
static bool again(const struct selection *s, uint32_t i)
{
	return i > 0 && chan_at(s, i) == chan_at(s, i - 1);
}

static void lock_all(const struct selection *s)
{
	for (uint32_t i = 0; i < s->live; i++)
		if (!again(s, i))
			chan_lock(chan_at(s, i), RANK_CHAN_NEXT);
}

static void unlock_all(const struct selection *s)
{
	for (uint32_t i = s->live; i > 0; i--)
		if (!again(s, i - 1))
			chan_unlock(chan_at(s, i - 1), RANK_CHAN_NEXT);
}

static int try_case(struct weft_case *k, struct chan_node **peer)
{
	int result = chan_try(k->chan, k->op, k->item, peer);
	if (result != CHAN_WAIT)
		k->result = result;
	return result;
}

/* All locks are held. Returns the index of the case that ran, or -1: none could. */
static int try_all(const struct selection *s, struct thread *t, struct chan_node **peer)
{
	int chosen;
	/*
	 * A failed try has removed the waits that had ended from the queue: each case fails at most
	 * once.
	 */
	while ((chosen = choose(s, t)) >= 0 && try_case(&s->cases[chosen], peer) == CHAN_WAIT)
		;
	return chosen;
}

/* ---- steps 3 and 4 ---- */

static void enqueue_all(const struct selection *s, struct waiter *w)
{
	for (uint32_t i = 0; i < s->live; i++) {
		const struct weft_case *k = &s->cases[s->order[i]];
		struct chan_node *node = &s->nodes[s->order[i]].chan;
		*node = (struct chan_node){.link.waiter = w, .item = k->item, .result = CHAN_WAIT};
		waitq_push_tail(chan_queue(k->chan, k->op), &node->link);
	}
}

/* Returns the index of the case that a waker ran, or -1. */
static int dequeue_all(const struct selection *s, bool woken)
{
	int ran = -1;
	for (uint32_t i = 0; i < s->live; i++) {
		struct weft_case *k = &s->cases[s->order[i]];
		struct chan_node *node = &s->nodes[s->order[i]].chan;
		if (woken && node->result != CHAN_WAIT) { /* its waker took it out */
			k->result = node->result;
			ran = (int)s->order[i];
			continue;
		}
		chan_lock(k->chan, RANK_CHAN);
		waitq_remove(chan_queue(k->chan, k->op), &node->link);
		chan_unlock(k->chan, RANK_CHAN);
	}
	return ran;
}

/* The descriptors among the cases count as one wait for the poller. */
static uint32_t park(struct thread **t, struct waiter *w, bool polls, int64_t deadline)
{
	if (polls)
		poller_awaited(*t, 1);
	uint32_t reason = weft__wait_park(t, w, deadline);
	if (polls)
		poller_awaited(*t, -1);
	return reason;
}

/* The same where there are other cases than channels', which are queued already. */
static noinline int await_any(const struct selection *s, struct thread **t, struct waiter *w,
			      int64_t deadline)
{
	int own = weft__select_queue(s, *t, w);
	uint32_t reason = park(t, w, weft__select_polls(s), deadline);
	int ran = dequeue_all(s, reason == WAKE_USER);
	int other = weft__select_unqueue(s, *t, w, reason == WAKE_USER && own < 0 && ran < 0);
	if (own >= 0 || ran >= 0)
		return own >= 0 ? own : ran;
	if (other >= 0)
		return other;
	int err = weft__wait_result(reason, deadline);
	return err ? err : SELECT_AGAIN;
}

static int await(const struct selection *s, struct thread **t, int64_t deadline)
{
	struct waiter lone;
	struct waiter *w = weft__wait_begin(*t, &lone, "select", true);
	if (unlikely(s->inside))
		wait_bind(w);
	enqueue_all(s, w);
	unlock_all(s);
	if (unlikely(s->others))
		return await_any(s, t, w, deadline);
	uint32_t reason = weft__wait_park(t, w, deadline);
	int ran = dequeue_all(s, reason == WAKE_USER);
	return ran >= 0 ? ran : weft__wait_result(reason, deadline);
}

/* ---- the call ---- */

static bool try_chosen(struct thread *t, struct weft_case *k)
{
	struct chan_node *peer = NULL;
	if (unlikely(k->op > WEFT_CHAN_RECV))
		return weft__select_try(t, k);
	chan_lock(k->chan, RANK_CHAN);
	int result = try_case(k, &peer);
	chan_unlock(k->chan, RANK_CHAN);
	if (peer)
		call_wake(t, peer->link.waiter, WAKE_USER);
	return result != CHAN_WAIT;
}

static int run_one(struct selection *s, struct thread **t, int64_t deadline)
{
	struct chan_node *peer = NULL;
	int chosen = unlikely(s->others) ? choose_any(s, *t) : choose(s, *t);
	if (chosen >= 0 && try_chosen(*t, &s->cases[chosen]))
		return chosen;
	shuffle(s, *t);
	sort_by_address(s);
	lock_all(s);
	chosen = try_all(s, *t, &peer);
	if (chosen < 0 && deadline != 0)
		return await(s, t, deadline);
	unlock_all(s);
	if (peer)
		call_wake(*t, peer->link.waiter, WAKE_USER);
	return chosen < 0 ? weft__would_wait() : chosen;
}

static int run_once(struct selection *s, int64_t deadline)
{
	struct thread *t = enter();
	if (call_forked(t))
		return -ENOTSUP;
	int ran = run_one(s, &t, deadline);
	call_leave(t);
	if (unlikely(s->others) && deadline)
		weft__select_leave(s);
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a case that ran is one of them */
	if (ran >= 0 && s->cases[ran].op == WEFT_CHAN_RECV && s->cases[ran].result == -EPIPE)
		chan_zero(s->cases[ran].chan, s->cases[ran].item);
	return ran;
}

static int run(struct selection *s, int64_t deadline)
{
	int ran;
	do
		ran = run_once(s, deadline);
	while (unlikely(ran == SELECT_AGAIN));
	return ran;
}

/* One more case that is not of a channel. 0 or an error. */
static noinline int add_other(struct selection *s, uint32_t i)
{
	int err = weft__select_check(s, &s->cases[i]);
	if (err)
		return err;
	s->others++;
	s->order[s->count - s->others] = i;
	s->nodes[i].d = NULL;
	return 0;
}

/* Fills in the cases that can ever be ready. 0 or an error. */
static int check_cases(struct selection *s, unsigned count)
{
	int err = 0;
	s->count = count;
	s->live = s->others = 0;
	s->inside = false;
	for (unsigned i = 0; i < count && !err; i++) {
		const struct weft_case *k = &s->cases[i];
		bool channel = k->op == WEFT_CHAN_SEND || k->op == WEFT_CHAN_RECV;
		if (unlikely(!channel) && k->op)
			err = add_other(s, i);
		else if (channel && k->chan)
			s->order[s->live++] = i;
	}
	return err;
}

static int check_and_run(struct selection *s, unsigned count, int64_t deadline)
{
	int result = check_cases(s, count);
	if (!result)
		result = run(s, deadline);
	if (unlikely(s->inside))
		weft__foreign_leave();
	return result;
}

static int select_few(struct weft_case *cases, unsigned count, int64_t deadline)
{
	struct select_node nodes[FEW];
	uint32_t order[FEW];
	struct selection s = {.cases = cases, .nodes = nodes, .order = order};
	return check_and_run(&s, count, deadline);
}

static int select_many(struct weft_case *cases, unsigned count, int64_t deadline)
{
	struct select_node *nodes = calloc(count, sizeof(*nodes) + sizeof(uint32_t));
	if (!nodes)
		return -ENOMEM;
	struct selection s = {.cases = cases, .nodes = nodes, .order = (uint32_t *)(nodes + count)};
	int result = check_and_run(&s, count, deadline);
	free(nodes);
	return result;
}

int weft_select(struct weft_case *cases, unsigned count, int64_t deadline)
{
	if ((!cases && count) || count > INT32_MAX)
		return -EINVAL;
	return count <= FEW ? select_few(cases, count, deadline)
			    : select_many(cases, count, deadline);
}
