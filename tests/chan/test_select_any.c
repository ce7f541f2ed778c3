/* SPDX-License-Identifier: MIT */
/*
 * test_select_any.c: select over what is not a channel: units of semaphores, descriptors, the ends
 * of tasks and groups, beside channels.
 */
#include <poll.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../tasks.h"
#include "weft/sim.h"

_Static_assert(sizeof(struct weft_case) == 24, "as in 0.1");
_Static_assert(offsetof(struct weft_case, op) == 0 && offsetof(struct weft_case, result) == 4 &&
		       offsetof(struct weft_case, chan) == 8 &&
		       offsetof(struct weft_case, item) == 16,
	       "as in 0.1");
_Static_assert(WEFT_READY == 3 && WEFT_JOIN == 4 && WEFT_GROUP == 5 && WEFT_SEM == 6, "ABI");

static int give(void *arg)
{
	return (int)(intptr_t)arg;
}

static int wait_long(void *arg)
{
	return weft_sleep_until(WEFT_FOREVER);
}

/* Acts after a while, when the select waits most likely. */
static int send_later(void *arg)
{
	weft_sleep(MS);
	return weft_chan_send(arg, &(int){5}, WEFT_FOREVER);
}

static int release_later(void *arg)
{
	weft_sleep(MS);
	weft_sem_release(arg, 1);
	return 0;
}

static int write_later(void *arg)
{
	weft_sleep(MS);
	return (int)weft_write(*(int *)arg, "x", 1, WEFT_FOREVER);
}

static int seven_later(void *arg)
{
	weft_sleep(MS);
	return 7;
}

/* One of everything, none ready. */
static struct weft_chan *chan;
static struct weft_sem sem;
static int fds[2];
static struct weft_task *task;
static struct weft_group *group;
static int item, ended, all_ended;
enum { CHAN, SEM, FD, TASK, GROUP, CASES };

static void fill(struct weft_case *cases)
{
	cases[CHAN] = weft_on_recv(chan, &item);
	cases[SEM] = weft_on_sem(&sem);
	cases[FD] = weft_on_ready(fds[0], POLLIN);
	cases[TASK] = weft_on_join(task, &ended);
	cases[GROUP] = weft_on_group(group, &all_ended);
}

static void set_up(int (*of_task)(void *), int (*of_member)(void *))
{
	chan = weft_chan_new(sizeof(int), 0);
	memset(&sem, 0, sizeof(sem));
	expect_eq(pipe(fds), 0);
	task = tasks_start(of_task, (void *)7);
	weft_cancel_mask(1); /* so that a cancel of the caller does not end it */
	group = weft_group_new();
	weft_cancel_mask(0);
	expect_eq(weft_group_go(group, of_member, (void *)7), 0);
	item = ended = all_ended = -1;
}

static void tear_down(const struct weft_case *cases)
{
	if (cases[TASK].op) {
		weft_cancel(task);
		tasks_join(task);
	}
	if (cases[GROUP].op) {
		weft_group_cancel(group);
		expect_eq(weft_group_wait(group, NULL, soon()), 0);
	}
	weft_close(fds[0]);
	weft_close(fds[1]);
	weft_chan_unref(chan);
}

TASK_TEST("nothing ready: deadlines, the limit, a cancel")
{
	struct weft_case cases[CASES];
	set_up(wait_long, wait_long);
	fill(cases);
	expect_eq(weft_select(cases, CASES, 0), -EAGAIN);
	expect_eq(weft_select(cases, CASES, 1), -ETIMEDOUT);
	expect_eq(weft_select(cases, CASES, weft_after(MS)), -ETIMEDOUT);
	weft_limit(weft_after(MS));
	expect_eq(weft_select(cases, CASES, WEFT_FOREVER), -ETIMEDOUT);
	weft_limit_end(WEFT_FOREVER);
	for (int i = 0; i < CASES; i++)
		expect_ne(cases[i].op, 0);
	weft_cancel(weft_self());
	expect_eq(weft_select(cases, CASES, WEFT_FOREVER), -ECANCELED);
	expect_eq(weft_select(cases, CASES, 0), -ECANCELED);
	weft_cancel_clear();
	expect_eq(weft_group_wait(group, NULL, 0), -EAGAIN);
	tear_down(cases);
}

/* Which one comes first is decided by the helper; the others stay as they are. */
static void expect_case(int which, int (*helper)(void *), void *arg)
{
	struct weft_case cases[CASES];
	set_up(which == TASK ? seven_later : wait_long, which == GROUP ? seven_later : wait_long);
	fill(cases);
	struct weft_task *help = helper ? tasks_start(helper, arg) : NULL;
	expect_eq(weft_select(cases, CASES, soon()), which);
	expect_eq(cases[which].result, which == FD ? POLLIN : 0);
	for (int i = 0; i < CASES; i++)
		expect_eq(cases[i].op == 0, i == which && (i == TASK || i == GROUP));
	expect_eq(item, which == CHAN ? 5 : -1);
	expect_eq(ended, which == TASK ? 7 : -1);
	expect_eq(all_ended, which == GROUP ? 7 : -1);
	if (help)
		tasks_join(help);
	tear_down(cases);
}

static int send_chan(void *arg)
{
	return send_later(chan);
}

TASK_TEST("each kind ends the wait, alone")
{
	expect_case(CHAN, send_chan, NULL);
	expect_case(SEM, release_later, &sem);
	expect_case(FD, write_later, &fds[1]);
	expect_case(TASK, NULL, NULL);
	expect_case(GROUP, NULL, NULL);
}

TASK_TEST("what is ready runs at once, with deadline 0, too, and each gets its turn")
{
	int runs[CASES] = {0};
	for (int i = 0; i < 400; i++) {
		struct weft_case cases[CASES];
		chan = weft_chan_new(sizeof(int), 1);
		memset(&sem, 0, sizeof(sem));
		expect_eq(pipe(fds), 0);
		group = weft_group_new();
		expect_eq(weft_chan_send(chan, &(int){5}, 0), 0);
		weft_sem_release(&sem, 1);
		expect_eq(write(fds[1], "x", 1), 1);
		fill(cases);
		cases[TASK].op = 0;
		int ran = weft_select(cases, CASES, i % 2 ? WEFT_FOREVER : 0);
		expect_that(ran >= 0 && ran < CASES, "%d", ran);
		runs[ran]++;
		tear_down(cases);
	}
	for (int i = 0; i < CASES; i++) /* 100 each; below 40 once in 10^11 */
		expect_that(i == TASK || runs[i] > 40, "case %d: %d", i, runs[i]);
}

TASK_TEST("a loop goes on with the array until every task has ended")
{
	enum { MANY = 40 };
	struct weft_case cases[MANY];
	int results[MANY], sum = 0;
	for (int i = 0; i < MANY; i++)
		cases[i] = weft_on_join(tasks_start(i % 2 ? give : seven_later, (void *)7),
					&results[i]);
	for (int i = 0; i < MANY; i++) {
		int ran = weft_select(cases, MANY, soon());
		expect_ge(ran, 0);
		expect_eq(cases[ran].op, 0);
		sum += results[ran];
	}
	expect_eq(sum, 7 * MANY);
	expect_eq(weft_select(cases, MANY, weft_after(MS)), -ETIMEDOUT);
}

/* ---- nothing is taken twice, nothing is lost ---- */

enum { UNITS = 2000 };
static struct weft_sem left, right;

static int giver(void *arg)
{
	for (int i = 0; i < UNITS; i++) {
		weft_sem_release(i % 2 ? &left : &right, 1);
		if (i % 7 == 0)
			weft_yield();
	}
	return 0;
}

static int taker(void *arg)
{
	int taken = 0;
	for (;;) {
		struct weft_case cases[] = {weft_on_sem(&left), weft_on_sem(&right),
					    weft_on_recv(chan, NULL)};
		int ran = weft_select(cases, 3, WEFT_FOREVER);
		if (ran == 2)
			return taken;
		taken += ran >= 0;
	}
}

TASK_TEST("units of two semaphores are taken once each by many selects")
{
	struct weft_task *takers[4], *givers[2];
	int taken = 0;
	memset(&left, 0, sizeof(left));
	memset(&right, 0, sizeof(right));
	chan = weft_chan_new(0, 0);
	for (int i = 0; i < 4; i++)
		takers[i] = tasks_start(taker, NULL);
	for (int i = 0; i < 2; i++)
		givers[i] = tasks_start(giver, NULL);
	for (int i = 0; i < 2; i++)
		tasks_join(givers[i]);
	tasks_settle();
	weft_chan_close(chan);
	for (int i = 0; i < 4; i++)
		taken += tasks_join(takers[i]);
	while (weft_sem_acquire(&left, 1, 0) == 0 || weft_sem_acquire(&right, 1, 0) == 0)
		taken++;
	expect_eq(taken, 2 * UNITS);
	weft_chan_unref(chan);
}

/* ---- descriptors ---- */

static int close_later(void *arg)
{
	weft_sleep(MS);
	return weft_close(*(int *)arg);
}

TASK_TEST("a closed descriptor is a case that ran, and one that is not open, too")
{
	int other[2];
	expect_eq(pipe(fds), 0);
	expect_eq(pipe(other), 0);
	struct weft_task *closer = tasks_start(close_later, &fds[0]);
	struct weft_case cases[] = {weft_on_ready(other[0], POLLIN), weft_on_ready(fds[0], POLLIN)};
	expect_eq(weft_select(cases, 2, soon()), 1);
	expect_eq(cases[1].result, -EBADF);
	expect_eq(tasks_join(closer), 0);
	expect_eq(weft_select(cases, 2, soon()), 1);
	expect_eq(cases[1].result, -EBADF);
	cases[1] = weft_on_ready(-1, POLLIN);
	expect_eq(weft_select(cases, 2, 0), 1);
	expect_eq(cases[1].result, -EBADF);
	weft_close(fds[1]);
	weft_close(other[0]);
	weft_close(other[1]);
}

TASK_TEST("a descriptor is not consumed, twice is allowed, and an end is an event")
{
	char byte;
	expect_eq(pipe(fds), 0);
	struct weft_case cases[] = {weft_on_ready(fds[0], POLLIN), weft_on_ready(fds[0], POLLIN)};
	expect_eq(weft_select(cases, 2, weft_after(MS)), -ETIMEDOUT);
	expect_eq(write(fds[1], "xy", 2), 2);
	for (int i = 0; i < 3; i++)
		expect_eq(cases[weft_select(cases, 2, soon())].result, POLLIN);
	expect_eq(weft_read(fds[0], &byte, 1, soon()), 1);
	expect_eq(weft_read(fds[0], &byte, 1, soon()), 1);
	expect_eq(weft_select(cases, 2, 0), -EAGAIN);
	weft_close(fds[1]);
	expect_eq(cases[weft_select(cases, 2, soon())].result, POLLHUP);
	weft_close(fds[0]);
}

static int await_child(void *arg)
{
	struct weft_case one = weft_on_ready(fds[0], POLLIN);
	return weft_select(&one, 1, WEFT_FOREVER) == 0 ? one.result : -1;
}

TEST("a select that waits for a descriptor alone is no deadlock")
{
	expect_eq(pipe(fds), 0);
	pid_t child = fork();
	if (child == 0) {
		usleep(300 * 1000); /* the runtime has long gone to sleep */
		_exit(write(fds[1], "x", 1) != 1);
	}
	expect_eq(tasks_run(2, await_child, NULL), POLLIN);
	expect_eq(waitpid(child, NULL, 0), child);
}

/* ---- an event that was another's ---- */

static int select_unit(void *arg)
{
	struct weft_case cases[] = {weft_on_ready(fds[0], POLLIN), weft_on_sem(&sem)};
	int ran;
	while ((ran = weft_select(cases, 2, WEFT_FOREVER)) == 0)
		expect_eq(cases[0].result, POLLIN);
	return ran;
}

/* The select is woken for a byte that is gone, and begins anew, when there may be a unit. */
static int take_back(void *arg)
{
	char byte;
	expect_eq(pipe(fds), 0);
	memset(&sem, 0, sizeof(sem));
	struct weft_task *select = tasks_start(select_unit, NULL);
	weft_sleep(MS);
	expect_eq(weft_write(fds[1], "x", 1, 0), 1);
	expect_eq(weft_read(fds[0], &byte, 1, 0), 1);
	weft_sem_release(&sem, 1);
	expect_eq(tasks_join(select), 1);
	expect_eq(weft_read(fds[0], &byte, 1, 0), -EAGAIN);
	expect_eq(weft_close(fds[0]), 0);
	return weft_close(fds[1]);
}

TEST("a select that begins anew is a user of its descriptor once")
{
	expect_eq(weft_sim_search(1, 40, NULL, take_back, NULL, NULL), 0);
}

static int serve(void *arg)
{
	int fd = weft_accept(*(int *)arg, NULL, NULL, WEFT_FOREVER);
	char byte;
	expect_ge(fd, 0);
	while (weft_read(fd, &byte, 1, WEFT_FOREVER) == 1)
		expect_eq(weft_write(fd, &byte, 1, WEFT_FOREVER), 1);
	return weft_close(fd);
}

TASK_TEST("a descriptor of weft's own wakes the select each time")
{
	char path[64], byte;
	snprintf(path, sizeof(path), "@weft-select-%d", (int)getpid());
	int listener = weft_unix_listen(path, 1);
	expect_ge(listener, 0);
	struct weft_task *server = tasks_start(serve, &listener);
	int fd = weft_unix_dial(path, soon());
	expect_ge(fd, 0);
	struct weft_case one = weft_on_ready(fd, POLLIN);
	for (int i = 0; i < 200; i++) {
		expect_eq(weft_write(fd, "x", 1, soon()), 1);
		expect_eq(weft_select(&one, 1, soon()), 0);
		expect_eq(weft_read(fd, &byte, 1, 0), 1);
	}
	weft_close(fd);
	expect_eq(tasks_join(server), 0);
	weft_close(listener);
}

/* ---- what is refused ---- */

TASK_TEST("an object twice, the caller, nothing, and unknown bytes are refused")
{
	set_up(wait_long, wait_long);
	struct weft_case cases[CASES], two[2];
	fill(cases);
	two[0] = two[1] = cases[TASK];
	expect_eq(weft_select(two, 2, 0), -EINVAL);
	two[0] = two[1] = cases[GROUP];
	expect_eq(weft_select(two, 2, 0), -EINVAL);
	two[0] = weft_on_join(weft_self(), NULL);
	expect_eq(weft_select(two, 1, 0), -EINVAL);
	two[0] = weft_on_join(NULL, NULL);
	expect_eq(weft_select(two, 1, 0), -EINVAL);
	two[0] = weft_on_group(NULL, NULL);
	expect_eq(weft_select(two, 1, 0), -EINVAL);
	two[0] = weft_on_ready(fds[0], POLLIN);
	two[0].ready.zero = 1;
	expect_eq(weft_select(two, 1, 0), -E2BIG);
	two[0].op = 7;
	expect_eq(weft_select(two, 1, 0), -EINVAL);
	two[0].op = -1;
	expect_eq(weft_select(two, 1, 0), -EINVAL);
	tear_down(cases);
}

TEST("outside of tasks semaphores and channels alone")
{
	struct weft_sem one = {0};
	struct weft_case cases[] = {weft_on_sem(&one), weft_on_recv(NULL, NULL)};
	expect_eq(weft_select(cases, 2, weft_after(MS)), -ETIMEDOUT);
	weft_sem_release(&one, 1);
	expect_eq(weft_select(cases, 2, weft_after(MS)), 0);
	const struct weft_case others[] = {
		weft_on_ready(0, POLLIN),
		weft_on_join((struct weft_task *)&one, NULL),
		weft_on_group((struct weft_group *)&one, NULL),
	};
	for (unsigned i = 0; i < 3; i++) {
		cases[0] = others[i];
		expect_eq(weft_select(cases, 2, 0), -EINVAL);
	}
}
