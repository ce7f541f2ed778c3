/* SPDX-License-Identifier: MIT */
/*
 * mix_groups.c: the acts of stress_mix in which cancels and limits go down: groups within groups,
 * and selects over channels, units, descriptors, the ends of tasks and of groups. See mix.h.
 */
#include <errno.h>
#include <poll.h>

#include "base/atomic.h"
#include "mix.h"

/* Until a moment ahead, or just over. Members of groups inherit it. */
void act_limited(struct worker *w)
{
	int64_t former = weft_limit(weft_after(draw_below(&w->draw, 300 * US)));
	act(w);
	weft_limit_end(former);
}

/* ---- groups ---- */

static int member(void *arg)
{
	struct worker *w = arg;
	work(w);
	return draw_one_in(&w->draw, 4) ? 7 : 0;
}

static void start_member(struct worker *w, struct weft_group *g, struct worker *child)
{
	*child = worker(w->place, &w->draw, w->depth);
	int err = draw_one_in(&w->draw, 3) ? weft_group_try_go(g, member, child)
					   : weft_group_go(g, member, child);
	if (err != -ESHUTDOWN)
		stress_result(err);
}

static struct weft_group *new_group(struct worker *w, struct worker *children)
{
	struct weft_group_options o = {.size = sizeof(o), .name = "member"};
	struct weft_group *g;
	o.limit = draw_below(&w->draw, 3);
	o.stack_size = draw_one_in(&w->draw, 4) ? 256 * 1024 : 0;
	require(weft_group_new_with(&g, &o) == 0);
	for (unsigned i = 0, n = draw_below(&w->draw, CHILDREN + 1); i < n; i++)
		start_member(w, g, &children[i]);
	return g;
}

static bool is_result_of_group(int result)
{
	return result == 0 || result == 7 || result == -ECANCELED || result == -ETIMEDOUT;
}

void group(struct worker *w)
{
	struct worker children[CHILDREN];
	struct weft_group *g = new_group(w, children);
	int result, err;
	if (draw_one_in(&w->draw, 4))
		weft_group_cancel(g);
	while ((err = weft_group_wait(g, &result, some_deadline(&w->draw))) != 0)
		stress_result(err);
	require(is_result_of_group(result));
}

/* ---- a select over everything ---- */

enum { ITEM, UNIT, BYTES, TASK, GROUP, CASES };

static void use_unit(struct place *p)
{
	require(add_relaxed(&p->used, 1) < p->units);
	sub_relaxed(&p->used, 1);
	weft_sem_release(&p->sem, 1);
}

/* What ran besides a task or a group, each of which goes by itself. Units and bytes are there again
 * at once: a loop that took them each time would never wait, and let nobody else run. */
static void take_case(struct place *p, struct weft_case *cases, int ran)
{
	if (ran == ITEM)
		take_out(&p->items, *(uint64_t *)cases[ITEM].item);
	if (ran == UNIT)
		use_unit(p);
	if (ran == UNIT || ran == BYTES)
		cases[ran].op = 0;
}

/* Goes on until the task and the group have ended. */
void select_anything(struct worker *w)
{
	struct place *p = w->place;
	struct worker children[CHILDREN], child = worker(p, &w->draw, w->depth);
	struct weft_group *g = new_group(w, children);
	struct weft_task *task = NULL;
	uint64_t item = 0;
	int of_task = 0, of_group = 0;
	bool born = bear(&task, work, &child);
	struct weft_case cases[CASES] = {weft_on_recv(p->chans[0], &item), weft_on_sem(&p->sem),
					 weft_on_ready(p->shared[0], POLLIN),
					 weft_on_join(task, &of_task), weft_on_group(g, &of_group)};
	if (!born)
		cases[TASK].op = 0;
	while (cases[TASK].op || cases[GROUP].op) {
		int ran = weft_select(cases, CASES, some_deadline(&w->draw));
		stress_result(ran < 0 ? ran : cases[ran].result < 0 ? cases[ran].result : 0);
		take_case(p, cases, ran);
	}
	require(of_task == 0 && is_result_of_group(of_group));
}
