/* SPDX-License-Identifier: MIT */
/*
 * stress_mix.c: everything at once, in proportions that each round draws anew: locked tasks among
 * sleepers, readers and writers, channels, selects, groups, limits, timers, locks, signals,
 * blocking and computing tasks, child processes, and threads that are not the runtime's. What one
 * kind of wait leaves undone shows in another one: a thread that goes must hand on what others wait
 * for.
 *
 * A worker draws its acts by the weights of its round. An act may start workers of its own, which
 * start others down to the depth of DEEPEST, alone or as a group, and joins them; so what is
 * locked, cancelled or without a processor holds others up in turn.
 *
 * Required: each wait that must end does (the parent looks on, stress.h); what was sent is what
 * came and what is left, for items of channels, bytes of pipes and sockets, tokens of a condition;
 * what a lock protects is whole; every task, timer's task and child process comes to its end; a
 * locked task stays on its thread; a descriptor closed behind a waiter's back does no harm to the
 * next user of its number.
 *
 * In rounds with few threads (struct round, may_lock) a task is locked only where a permit is left,
 * and no task blocks in the kernel for what another one does: else standing still would be right.
 *
 * With MIX_DETERMINISTIC each round runs in the deterministic mode, without threads from outside.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/attr.h"
#include "mix.h"

enum { WORKERS = 24, FOREIGN = 3, STEPS = 32, DEEPEST = 2 };

/* ---- bytes ---- */

/* A pipe or a pair of sockets of one worker; each side closes its end when it has done. */
struct flow {
	int ends[2];
	struct draw draw;
	size_t came;
};

static int read_to_the_end(void *arg)
{
	struct flow *f = arg;
	char bytes[5000];
	ssize_t n;
	while ((n = weft_read(f->ends[0], bytes, 1 + draw_below(&f->draw, sizeof(bytes)),
			      some_deadline(&f->draw))) != 0)
		f->came += moved(n);
	return close(f->ends[0]);
}

static void open_flow(struct flow *f, struct worker *w)
{
	*f = (struct flow){.draw = draw_fork(&w->draw)};
	if (draw_one_in(&w->draw, 2))
		require(pipe2(f->ends, O_CLOEXEC) == 0);
	else
		require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, f->ends) == 0);
}

static size_t write_some(struct worker *w, int fd)
{
	static const char bytes[20000];
	size_t went = 0;
	for (unsigned n = draw_below(&w->draw, 8); n; n--) {
		went += moved(weft_write(fd, bytes, draw_below(&w->draw, sizeof(bytes)),
					 some_deadline(&w->draw)));
		if (draw_one_in(&w->draw, 3))
			act(w);
	}
	return went;
}

bool bear(struct weft_task **task, int (*fn)(void *arg), void *arg)
{
	int err = weft_spawn(task, NULL, fn, arg);
	require(err == 0 || err == -ESHUTDOWN);
	return !err;
}

static void close_both(const int *ends)
{
	require(close(ends[0]) == 0 && close(ends[1]) == 0);
}

static void flow(struct worker *w)
{
	struct flow f;
	struct weft_task *reader;
	open_flow(&f, w);
	if (!bear(&reader, read_to_the_end, &f)) {
		close_both(f.ends);
		return;
	}
	size_t went = write_some(w, f.ends[1]);
	if (draw_one_in(&w->draw, 4))
		weft_cancel(reader);
	require((draw_one_in(&w->draw, 2) ? close(f.ends[1]) : weft_close(f.ends[1])) == 0);
	require(join_always(reader) == 0);
	require(f.came == went);
}

/* Looks only: by the time of the look the number may be another's already. */
static int look_at_a_number(void *arg)
{
	struct flow *f = arg;
	int events = weft_wait_fd(f->ends[0], POLLIN, weft_after(draw_below(&f->draw, 2 * MS)));
	stress_result(events < 0 && events != -EBADF ? events : 0);
	return 0;
}

static void close_behind_a_waiter(struct worker *w)
{
	struct flow f;
	struct weft_task *waiter;
	open_flow(&f, w);
	bool waits = bear(&waiter, look_at_a_number, &f);
	sleep_shortly(w);
	close_both(f.ends);
	act(w);
	require(!waits || join_always(waiter) == 0);
}

/* ---- threads ---- */

/* True: one more may be locked; give_permit. */
static bool take_permit(struct place *p)
{
	if (add_relaxed(&p->locked, 1) < p->round->may_lock)
		return true;
	sub_relaxed(&p->locked, 1);
	return false;
}

static void give_permit(struct place *p)
{
	sub_relaxed(&p->locked, 1);
}

static void act_locked(struct worker *w)
{
	if (!take_permit(w->place))
		return;
	require(weft_lock_os_thread() == 0);
	pid_t thread = gettid();
	for (unsigned n = 1 + draw_below(&w->draw, 3); n; n--) {
		act(w);
		require(gettid() == thread);
	}
	require(weft_unlock_os_thread() == 0);
	give_permit(w->place);
}

static void end_locked(struct worker *w)
{
	if (!take_permit(w->place))
		return;
	require(weft_lock_os_thread() == 0);
	sleep_shortly(w);
	give_permit(w->place);
}

/* ---- tasks ---- */

int work(void *arg)
{
	struct worker *w = arg;
	for (unsigned n = draw_below(&w->draw, STEPS >> (2 * w->depth)); n; n--)
		act(w);
	if (w->ends_locked && !w->foreign)
		end_locked(w);
	return 0;
}

struct worker worker(struct place *p, struct draw *d, unsigned depth)
{
	return (struct worker){p, draw_fork(d), depth, .ends_locked = draw_one_in(d, 4)};
}

static void bear_worker(struct worker *w)
{
	struct worker child = worker(w->place, &w->draw, w->depth);
	struct weft_task *task;
	if (!bear(&task, work, &child))
		return;
	act(w);
	if (draw_one_in(&w->draw, 4))
		weft_cancel(task);
	require(join_always(task) == 0);
}

static int send_for_ever(void *arg)
{
	int result;
	while ((result = weft_chan_send(arg, NULL, WEFT_FOREVER)) != 0)
		stress_result(result);
	return 0;
}

static void meet(struct worker *w)
{
	struct weft_chan *chan = weft_chan_new(0, 0);
	struct weft_task *other;
	int result;
	require(chan);
	if (bear(&other, send_for_ever, chan)) {
		while ((result = weft_chan_recv(chan, NULL, WEFT_FOREVER)) != 0)
			stress_result(result);
		require(join_always(other) == 0);
	}
	weft_chan_unref(chan);
}

static void count_me(void *arg)
{
	struct place *p = arg;
	weft_yield();
	add_relaxed(&p->came, 1);
	weft_waitgroup_done(&p->others);
}

/* Also from outside. */
static void go(struct worker *w)
{
	struct place *p = w->place;
	weft_waitgroup_add(&p->others, 1);
	int err = weft_go(count_me, p);
	require(err == 0 || err == -ESHUTDOWN);
	if (err)
		weft_waitgroup_done(&p->others);
	add_relaxed(&p->to_come, !err);
}

/* ---- timers ---- */

static void timer_sends(struct worker *w)
{
	struct weft_chan *chan = weft_chan_new(sizeof(int64_t), 1);
	struct weft_timer *timer = weft_timer_new_chan(chan);
	int64_t due = weft_after(draw_below(&w->draw, 300 * US)), sent;
	int result;
	require(chan && timer && weft_timer_start(timer, due, 0) == 0);
	act(w);
	while ((result = weft_chan_recv(chan, &sent, WEFT_FOREVER)) != 0)
		stress_result(result);
	require(sent == due && weft_now() >= due);
	weft_timer_free(timer);
	weft_chan_unref(chan);
}

/* Its firing happens, or stopping it says that it does not; after weft_stop it starts no task. */
static void timer_starts_task(struct worker *w)
{
	struct place *p = w->place;
	if (p->round->stops)
		return;
	struct weft_timer *timer = weft_timer_new_task(count_me, p);
	require(timer);
	weft_waitgroup_add(&p->others, 1);
	require(weft_timer_start(timer, weft_after(draw_below(&w->draw, 300 * US)), 0) == 0);
	act(w);
	int stopped = weft_timer_stop(timer);
	if (stopped)
		weft_waitgroup_done(&p->others);
	add_relaxed(&p->to_come, !stopped);
	weft_timer_free(timer);
}

/* ---- child processes ---- */

static pid_t forked(void)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	return pid;
}

static pid_t executed(void)
{
	static char name[] = "true", *arguments[] = {name, NULL};
	pid_t pid;
	require(posix_spawn(&pid, "/bin/true", NULL, NULL, arguments, NULL) == 0);
	return pid;
}

static void child_process(struct worker *w)
{
	int status = -1, err;
	if (!draw_one_in(&w->draw, 4))
		return; /* they are dear */
	pid_t pid = draw_one_in(&w->draw, 2) ? forked() : executed();
	require(pid > 0);
	while ((err = weft_wait_pid(pid, &status, some_deadline(&w->draw))) != 0)
		stress_result(err);
	require(status == 0);
}

/* ---- the workers ---- */

static const struct {
	void (*act)(struct worker *w);
	enum { ANYBODY, TASK, PARENT } by;
} acts[ACTS] = {
	{yield, ANYBODY},
	{sleep_shortly, ANYBODY},
	{sleep_to_the_beat, TASK},
	{compute, ANYBODY},
	{block, ANYBODY},
	{block_with_a_hint, TASK},
	{block_in_a_read, ANYBODY},
	{send_item, ANYBODY},
	{receive_item, ANYBODY},
	{select_item, ANYBODY},
	{write_shared, TASK},
	{read_shared, TASK},
	{flow, PARENT},
	{close_behind_a_waiter, PARENT},
	{hold_mutex, ANYBODY},
	{wait_for_token, ANYBODY},
	{read_both, ANYBODY},
	{write_both, ANYBODY},
	{hold_unit, ANYBODY},
	{signal_arrives, TASK},
	{act_locked, PARENT},
	{act_limited, PARENT},
	{bear_worker, PARENT},
	{meet, PARENT},
	{group, PARENT},
	{select_anything, PARENT},
	{go, ANYBODY},
	{timer_sends, PARENT},
	{timer_starts_task, PARENT},
	{child_process, TASK},
};

static unsigned draw_act(struct worker *w)
{
	unsigned i = 0;
	for (unsigned n = draw_below(&w->draw, w->place->weight); n >= w->place->weights[i]; i++)
		n -= w->place->weights[i];
	return i;
}

/* Acts within acts end at DEEPEST. */
static bool may_act(const struct worker *w, unsigned i)
{
	return acts[i].by == ANYBODY || (!w->foreign && (acts[i].by == TASK || w->depth < DEEPEST));
}

void act(struct worker *w)
{
	unsigned i = draw_act(w);
	if (!may_act(w, i))
		i = 0;
	w->depth++;
	acts[i].act(w);
	w->depth--;
	stress_count(COUNT_STEPS, 1);
}

static void *work_outside(void *arg)
{
	work(arg);
	return NULL;
}

/* ---- a round ---- */

static void draw_weights(struct place *p, struct draw *d)
{
	for (unsigned i = 0; i < ACTS; i++) {
		p->weights[i] = draw_one_in(d, 2) ? draw_below(d, 8) : i == 0;
		p->weight += p->weights[i];
	}
}

static void place_open(struct place *p, struct draw *d)
{
	const struct timeval limit = {0, 300};
	draw_weights(p, d);
	p->units = 1 + draw_below(d, 6);
	weft_sem_release(&p->sem, p->units);
	for (unsigned i = 0; i < CHANS; i++)
		require((p->chans[i] = weft_chan_new(sizeof(uint64_t), draw_below(d, 3))));
	require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p->shared) == 0);
	require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p->silent) == 0);
	require(setsockopt(p->silent[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0);
}

/* Takes out what was not fetched. */
static void drain(struct place *p)
{
	uint64_t item;
	char byte;
	for (unsigned i = 0; i < CHANS; i++)
		while (weft_chan_recv(p->chans[i], &item, 0) == 0)
			take_out(&p->items, item);
	while (weft_read(p->shared[0], &byte, 1, 0) == 1)
		take_out(&p->bytes, 1);
}

static void check_place(struct place *p)
{
	require(weft_waitgroup_wait(&p->others, WEFT_FOREVER) == 0);
	require(p->came == p->to_come);
	require(p->items.in == p->items.out);
	require(p->bytes.in == p->bytes.out);
	require(weft_mutex_trylock(&p->mutex) == 0);
	require(p->taken.in - p->taken.out == p->tokens);
	require(weft_rwmutex_trywrlock(&p->rwmutex) == 0);
	require(p->left == p->right);
	require(weft_sem_acquire(&p->sem, p->units, 0) == 0);
	require(p->locked == 0);
}

static void place_close(struct place *p)
{
	for (unsigned i = 0; i < CHANS; i++)
		weft_chan_unref(p->chans[i]);
	close_both(p->shared);
	close_both(p->silent);
}

static int mix_round(void *arg)
{
	struct round *r = arg;
	struct place p = {.round = r};
	struct worker workers[WORKERS + FOREIGN];
	struct team team = {.count = 0};
	pthread_t threads[FOREIGN];
	unsigned tasks = 1 + draw_below(&r->draw, WORKERS);
	unsigned outside = !deterministic && draw_one_in(&r->draw, 4) ? FOREIGN : 0;
	place_open(&p, &r->draw);
	for (unsigned i = 0; i < outside + tasks; i++) {
		workers[i] = worker(&p, &r->draw, 0);
		workers[i].foreign = i < outside;
	}
	for (unsigned i = 0; i < outside; i++)
		require(pthread_create(&threads[i], NULL, work_outside, &workers[i]) == 0);
	for (unsigned i = outside; i < outside + tasks; i++)
		team_start(&team, work, &workers[i]);
	team_disturb(&team, r);
	team_join(&team);
	for (unsigned i = 0; i < outside; i++)
		require(pthread_join(threads[i], NULL) == 0);
	drain(&p);
	check_place(&p);
	place_close(&p);
	return 0;
}

int main(int argc, char **argv)
{
	signal(SIGUSR1, SIG_IGN); /* what comes once nobody waits for it any more: signal_arrives */
	const struct stress mix = {
		.name = deterministic ? "stress_mix_sim" : "stress_mix",
		.main_task = mix_round,
		.few_threads = true,
		.deterministic = deterministic,
	};
	return stress_main(&mix, argc, argv);
}
