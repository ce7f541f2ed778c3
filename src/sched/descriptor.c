/* SPDX-License-Identifier: MIT */
/* descriptor.c: see descriptor.h. */
#include "sched/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "base/sys.h"
#include "base/time.h"
#include "sched/context.h"
#include "sched/foreign.h"
#include "sched/netpoll.h"
#include "sched/park.h"
#include "sched/sched.h"
#include "sched/timer.h"

#define BELIEVED MS(100)
enum { WAKE_DOUBT = WAKE_USER + 1 };

/* ---- the table ---- */

/* Region k holds the records of numbers FIRST << k up to twice that, less FIRST. */
enum { FIRST = DESCRIPTOR_FIRST, REGIONS = DESCRIPTOR_REGIONS };

struct descriptor *weft__descriptors[REGIONS];
#define regions weft__descriptors

static size_t region_bytes(unsigned k)
{
	return ((size_t)FIRST << k) * sizeof(struct descriptor);
}

static noinline struct descriptor *region_map(unsigned k)
{
	struct descriptor *none = NULL;
	/* The plain system call: ThreadSanitizer would take libc's for a write that races. */
	struct descriptor *fresh = sys_mmap(region_bytes(k), PROT_READ | PROT_WRITE,
					    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	if (sys_map_error(fresh))
		return NULL;
	/* pairs with region_map, weft__descriptor_far, descriptor.h:weft__descriptor */
	if (cas_acq_rel(&regions[k], &none, fresh))
		return fresh;
	munmap(fresh, region_bytes(k));
	return none;
}

static bool is_open(int fd)
{
	return sys_fcntl(fd, F_GETFD, 0) >= 0;
}

int weft__descriptor_missing(int fd)
{
	return is_open(fd) ? -ENOMEM : -EBADF;
}

struct descriptor *weft__descriptor_far(int fd)
{
	if (unlikely(fd < 0))
		return NULL;
	uint32_t place = (uint32_t)fd + FIRST;
	unsigned k = 21 - (unsigned)__builtin_clz(place);      /* log2(place) - log2(FIRST) */
	struct descriptor *region = load_acquire(&regions[k]); /* pairs with region_map */
	if (unlikely(!region) && (!is_open(fd) || !(region = region_map(k))))
		return NULL;
	return &region[place - ((uint32_t)FIRST << k)];
}

void weft__descriptor_shutdown(void)
{
	for (unsigned k = 0; k < REGIONS; k++) {
		if (regions[k])
			munmap(regions[k], region_bytes(k));
		regions[k] = NULL;
	}
}

/* ---- tokens ---- */

#define TOKENS (DESCRIPTOR_USER - 1)

/* Takes those of `tokens` that are there. False: there are none; on an own descriptor a try is
 * useless then. */
static bool take_tokens(struct descriptor *d, uint32_t tokens)
{
	if (!(load_relaxed(&d->word) & tokens))
		return false;
	/* pairs with hand_out, weft__descriptor_give, descriptor.h:descriptor_leave */
	return and_seq_cst(&d->word, ~(uint64_t)tokens) & tokens;
}

/* The first that waits, waits for something, and for this descriptor. list_check sees the others as
 * they come to the front. */
static void queue_check(const struct descriptor *d)
{
	if (list_empty(&d->waiting))
		return;
	list_check(&d->waiting);
	const struct wait_node *node = container_of(d->waiting.next, struct wait_node, link);
	require(node->tokens && weft__descriptor(node->fd) == d,
		"a wait for descriptor %d is in another's queue, or for nothing", node->fd);
}

static void take_lock(struct descriptor *d)
{
	lock_take(&d->lock, RANK_NETPOLL);
	if (unlikely(!d->waiting.next))
		list_init(&d->waiting);
	debug_run(queue_check(d));
}

static void drop_lock(struct descriptor *d)
{
	debug_run(queue_check(d));
	lock_drop_lightly(&d->lock, RANK_NETPOLL);
}

/* A node of a wait for several things is told that it was this one; its owner takes the lock before
 * it looks. [lock] */
static bool finish(struct wait_node *node, enum wake_reason reason, struct list *woken)
{
	uint32_t *hit = node->hit; /* not in the node, which may be gone once its wait has ended */
	bool finished = weft__wait_finish(node->waiter, reason, woken);
	if (finished && hit)
		*hit = reason;
	return finished;
}

/*
 * Ends the waits for any of `tokens`, or the first for each of them. A node belongs to its task
 * again once its wait has ended, and a node whose wait somebody else has ended is of no use here:
 * both are taken out of the queue first. Returns the tokens that are left. [lock]
 */
static uint32_t end_waits(struct descriptor *d, uint32_t tokens, enum wake_reason reason,
			  struct list *woken)
{
	struct list *next;
	for (struct list *l = d->waiting.next; tokens && l != &d->waiting; l = next) {
		struct wait_node *node = container_of(l, struct wait_node, link);
		uint32_t wanted = node->tokens;
		next = l->next;
		if (!(wanted & tokens))
			continue;
		list_remove(l);
		if (finish(node, reason, woken) && reason == WAKE_USER)
			tokens &= ~wanted;
	}
	return tokens;
}

/* Gives each token to the first task that waits for it, and puts what is left into the word.
 * [lock] */
static void hand_out(struct descriptor *d, uint32_t tokens, struct list *woken)
{
	tokens = end_waits(d, tokens, WAKE_USER, woken);
	/* pairs with take_tokens, descriptor.h:descriptor_enter */
	if (tokens)
		or_seq_cst(&d->word, tokens);
}

/* ---- lives ---- */

/* The number no longer stands for the record's file: everything that belongs to that file ends.
 * [lock] */
static void end_life(struct descriptor *d, struct list *woken)
{
	struct list *next;
	for (struct list *l = d->waiting.next; l != &d->waiting; l = next) {
		struct wait_node *node = container_of(l, struct wait_node, link);
		next = l->next;
		if (node->tokens == TOKEN_UNUSED)
			continue;
		list_remove(l);
		finish(node, load_relaxed(&node->checked) ? WAKE_CLOSED : WAKE_USER, woken);
	}
	if (descriptor_is(d, DESCRIPTOR_OWN))
		weft__netpoll_interest(-1);
	store_relaxed(&d->flags, 0);
	and_relaxed(&d->word, ~TOKENS);
}

/* Does the number still stand for the record's file? If not, the record is wiped. A close by weft
 * wipes it itself. [lock] */
static bool same_life(int fd, struct descriptor *d, struct list *woken)
{
	if (!descriptor_is(d, DESCRIPTOR_KNOWN) || load_relaxed(&d->word) & DESCRIPTOR_CLOSING ||
	    weft__netpoll_knows(fd))
		return true;
	end_life(d, woken);
	return false;
}

static struct wait_node *first_for(struct descriptor *d, uint32_t tokens)
{
	list_each (l, &d->waiting) {
		struct wait_node *node = container_of(l, struct wait_node, link);
		if (node->tokens & tokens)
			return node;
	}
	return NULL;
}

static void wake_all(struct thread *t, struct list *woken)
{
	for (struct list *l; (l = list_pop_head(woken));)
		weft__wake(t, container_of(l, struct task, link), NULL);
}

void weft__descriptor_hand_out(struct descriptor *d, uint32_t tokens)
{
	struct list woken;
	struct thread *t = enter();
	list_init(&woken);
	take_lock(d);
	const struct wait_node *node = first_for(d, tokens & ~(uint32_t)TOKEN_UNUSED);
	if ((!node || same_life(node->fd, d, &woken)) && take_tokens(d, tokens))
		hand_out(d, tokens, &woken);
	drop_lock(d);
	wake_all(t, &woken);
	call_leave(t);
}

void weft__descriptor_give(struct descriptor *d, uint32_t tokens)
{
	/* First the token, then the queue, like descriptor_leave; await_token does it in the other
	 * order: pairs with take_tokens, await_token, descriptor.h:descriptor_enter */
	or_seq_cst(&d->word, tokens);
	if (unlikely(descriptor_awaited(d)))
		weft__descriptor_hand_out(d, tokens);
}

/* ---- waiting ---- */

static uint32_t wanted(struct descriptor *d)
{
	uint32_t tokens = 0;
	list_each (l, &d->waiting)
		tokens |= container_of(l, struct wait_node, link)->tokens;
	return tokens;
}

static uint32_t once(uint32_t tokens)
{
	return (tokens & ~(uint32_t)TOKEN_UNUSED) | EPOLLONESHOT;
}

/* Asks the poller for one event for the tasks that wait on a borrowed descriptor. The number may
 * stand for another file than when the poller saw it last. [lock] */
static int arm(int fd, struct descriptor *d, uint32_t tokens)
{
	uint32_t events = once(tokens);
	int err = -ENOENT;
	if (descriptor_is(d, DESCRIPTOR_KNOWN))
		err = weft__netpoll_control(EPOLL_CTL_MOD, fd, events);
	if (err == -ENOENT)
		err = weft__netpoll_control(EPOLL_CTL_ADD, fd, events);
	if (err == -EEXIST)
		err = weft__netpoll_control(EPOLL_CTL_MOD, fd, events);
	if (!err)
		or_relaxed(&d->flags, DESCRIPTOR_KNOWN);
	return err;
}

/* The same for those who go on waiting after an event: the poller knew the number then. [lock] */
static void arm_again(int fd, struct descriptor *d, uint32_t tokens, struct list *woken)
{
	if (weft__netpoll_control(EPOLL_CTL_MOD, fd, once(tokens)) < 0)
		end_life(d, woken);
}

/* Must a wait that begins now be checked at once? [lock] */
static bool doubtful(struct descriptor *d, const struct wait_node *node, bool tried)
{
	if (node->tokens == TOKEN_UNUSED)
		return false;
	return !list_empty(&d->waiting) || (tried && descriptor_is(d, DESCRIPTOR_OWN));
}

/* Takes a token, or begins a wait that one will wake, or returns why there is neither. [lock] */
static int take_or_arm(struct descriptor *d, struct wait_node *node)
{
	bool lasts = node->tokens == TOKEN_UNUSED; /* the closer */
	if (!lasts && load_relaxed(&d->word) & DESCRIPTOR_CLOSING)
		return -EBADF; /* set before the closer takes the lock */
	node->borrowed = !descriptor_is(d, DESCRIPTOR_OWN);
	if (node->borrowed)
		weft__netpoll_interest(1);
	if (lasts || !node->borrowed)
		return take_tokens(d, node->tokens);
	node->checked = true;
	return arm(node->fd, d, wanted(d));
}

/* Queues the node: 0. Or takes a token that is there: 1. Or -errno. */
static int await_token(struct descriptor *d, struct wait_node *node, bool tried, struct list *woken)
{
	take_lock(d);
	if (doubtful(d, node, tried)) {
		same_life(node->fd, d, woken);
		node->checked = true;
	}
	list_push_tail(&d->waiting, &node->link);
	/* pairs with weft__descriptor_give, descriptor.h:descriptor_leave */
	fence_seq_cst();
	int err = take_or_arm(d, node);
	if (err)
		list_remove(&node->link);
	drop_lock(d);
	return err;
}

static void fire_doubt(struct timer *timer, struct list *ready)
{
	struct wait_node *node = container_of(timer, struct wait_node, doubt);
	if (weft__netpoll_knows(node->fd))
		store_relaxed(&node->checked, true);
	else
		weft__wait_finish(node->waiter, WAKE_DOUBT, ready);
}

/* Checks the wait later; when there is no memory for the timer, it is checked when it ends. */
static void doubt_later(struct thread *t, struct wait_node *node, int64_t deadline)
{
	node->doubt.when = weft__sched_now() + BELIEVED;
	node->doubt.fire = fire_doubt;
	if (node->doubt.when < deadline)
		timer_start_by(t, &node->doubt);
}

/* Takes a wait out of the queue that no token has ended. */
static void withdraw(struct descriptor *d, struct wait_node *node, struct list *woken)
{
	take_lock(d);
	list_remove(&node->link);
	if (!load_relaxed(&node->checked) && node->tokens != TOKEN_UNUSED)
		same_life(node->fd, d, woken);
	drop_lock(d);
}

static int park(struct thread **t, struct descriptor *d, struct wait_node *node, int64_t deadline,
		struct list *woken)
{
	bool doubt = !node->checked && node->tokens != TOKEN_UNUSED;
	if (doubt)
		doubt_later(*t, node, deadline);
	uint32_t reason = weft__wait_park(t, node->waiter, deadline);
	if (doubt && node->doubt.processor)
		weft__timer_stop(&node->doubt);
	if (reason == WAKE_USER)
		return 0;
	if (reason == WAKE_CLOSED)
		return -EBADF;
	withdraw(d, node, woken);
	return weft__wait_result(reason, deadline);
}

int weft__descriptor_wait(int fd, struct descriptor *d, uint32_t tokens, const char *why,
			  int64_t deadline, bool tried)
{
	struct list woken;
	struct waiter lone;
	struct thread *t = enter();
	struct wait_node node = {.tokens = tokens, .fd = fd};
	list_init(&woken);
	node.waiter = wait_begin_inside(t, &lone, why, tokens != TOKEN_UNUSED);
	int err = await_token(d, &node, tried || sched.sim, &woken);
	wake_all(t, &woken);
	if (err) {
		weft__wait_abandon(node.waiter);
	} else {
		poller_awaited(t, 1);
		err = park(&t, d, &node, deadline, &woken);
		poller_awaited(t, -1);
		wake_all(t, &woken);
	}
	if (unlikely(node.borrowed))
		weft__netpoll_interest(-1);
	call_leave(t);
	return min_of(err, 0);
}

int weft__descriptor_queue(struct thread *t, struct descriptor *d, struct wait_node *node)
{
	struct list woken;
	list_init(&woken);
	int err = await_token(d, node, true, &woken);
	wake_all(t, &woken);
	if (err && node->borrowed)
		weft__netpoll_interest(-1);
	return err;
}

void weft__descriptor_unqueue(struct descriptor *d, struct wait_node *node)
{
	take_lock(d);
	list_remove(&node->link);
	drop_lock(d);
	if (node->borrowed)
		weft__netpoll_interest(-1);
}

void weft__descriptor_event(int fd, uint32_t events, struct list *woken)
{
	const uint32_t all = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLERR | EPOLLHUP;
	struct descriptor *d = weft__descriptor(fd);
	uint32_t tokens = events;
	if (events & (EPOLLERR | EPOLLHUP))
		tokens = all;
	if (events & EPOLLRDHUP)
		tokens |= EPOLLIN;
	take_lock(d);
	if (events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP | EPOLLPRI))
		or_relaxed(&d->flags, DESCRIPTOR_UNSURE);
	hand_out(d, tokens, woken);
	if (!descriptor_is(d, DESCRIPTOR_OWN) && !list_empty(&d->waiting))
		arm_again(fd, d, wanted(d) & ~tokens, woken);
	drop_lock(d);
}

/* ---- opening and closing ---- */

/* Ends all waits with -EBADF, and has the poller forget the descriptor. */
static void turn_out(int fd, struct descriptor *d)
{
	struct list ended;
	struct thread *t = enter();
	list_init(&ended);
	take_lock(d);
	end_waits(d, UINT32_MAX, WAKE_CLOSED, &ended);
	if (descriptor_is(d, DESCRIPTOR_KNOWN))
		weft__netpoll_control(EPOLL_CTL_DEL, fd, 0);
	drop_lock(d);
	wake_all(t, &ended);
	call_leave(t);
}

int weft__descriptor_adopt(int fd, uint32_t flags)
{
	const uint32_t events = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET;
	struct descriptor *d = weft__descriptor(fd);
	if (!d)
		return -ENOMEM;
	lock_take(&d->closing, RANK_IO); /* its last life may be just ending */
	if (unlikely(descriptor_awaited(d)))
		turn_out(fd, d); /* they have waited since a life that was closed behind our back */
	/* An own descriptor's number, which was closed behind our back. */
	bool was_own = descriptor_is(d, DESCRIPTOR_OWN);
	store_relaxed(&d->flags, flags | DESCRIPTOR_OWN | DESCRIPTOR_KNOWN);
	and_relaxed(&d->word, ~TOKENS);
	or_relaxed(&d->word, EPOLLIN | EPOLLOUT);
	int err = weft__netpoll_control(EPOLL_CTL_ADD, fd, events);
	if (err == -EEXIST) /* borrowed while it was connected */
		err = weft__netpoll_control(EPOLL_CTL_MOD, fd, events);
	weft__netpoll_interest((err ? 0 : 1) - was_own);
	if (err)
		store_relaxed(&d->flags, 0);
	lock_drop(&d->closing, RANK_IO);
	return err;
}

bool weft__descriptor_enter_slow(struct descriptor *d)
{
	lock_take(&d->closing, RANK_IO);
	bool closing = load_relaxed(&d->word) & DESCRIPTOR_CLOSING;
	lock_drop(&d->closing, RANK_IO);
	return !closing;
}

/* False: somebody else closes this life of the number. A life before it may be just ending. */
static bool begin_close(struct descriptor *d)
{
	/* pairs with descriptor.h:descriptor_enter */
	while (or_seq_cst(&d->word, DESCRIPTOR_CLOSING) & DESCRIPTOR_CLOSING)
		if (!weft__descriptor_enter_slow(d))
			return false;
	return true;
}

int weft__descriptor_close(int fd, struct descriptor *d)
{
	if (!begin_close(d))
		return -EBADF;
	turn_out(fd, d);
	/* pairs with descriptor.h:descriptor_leave, api/attempt.c:weft__io_hold */
	while ((load_acquire(&d->word) & ~TOKENS) != DESCRIPTOR_CLOSING)
		weft__descriptor_wait(fd, d, TOKEN_UNUSED, "close", WEFT_FOREVER, false);
	lock_take(&d->closing, RANK_IO);
	if (descriptor_is(d, DESCRIPTOR_OWN))
		weft__netpoll_interest(-1);
	store_relaxed(&d->flags, 0);
	store_relaxed(&d->accept, 0);
	tsan_closes(fd);
	int err = sys_close(fd);
	/* pairs with descriptor.h:descriptor_enter */
	and_release(&d->word, ~(DESCRIPTOR_CLOSING | TOKENS));
	lock_drop(&d->closing, RANK_IO);
	return err == -EINTR ? 0 : err; /* Linux has closed it all the same */
}
