/* SPDX-License-Identifier: MIT */
/*
 * trace_order.c: see trace_order.h.
 *
 * The order is by time, and in each ring the ring's own. But a time may be wrong by as much as a
 * tick (sched/trace.h), so an event that must have come first is moved forward, with all that lies
 * before it in its ring, to the time of what it caused:
 *   - the wake-up, or the birth, of a task before its next run
 *   - what a thread did on a processor before that was taken from it
 *
 * No time becomes less true by that: the event happened before its effect, and now no longer seems
 * to have come later.
 *
 * Which wake-up caused which run follows from the order of what a task does: runs, leaves, is
 * woken, runs. Only a task that left to wait needs a wake-up. There may be none: deadlines and
 * descriptors wake without an event, and so does a waker that comes before the waiting task has
 * left its stack. Then nothing is moved forward, unless a later wake-up lies between the same two
 * stamps.
 */
#include "debug/trace_order.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sched/trace.h"

enum { WHYS = 64 };
enum task_is { UNKNOWN, READY, WAITING };

struct ring {
	struct trace_item *next, *end;
	uint64_t task; /* the one that runs there; 0: none, or not known */
	bool busy;     /* its next event waits for what comes first */
};

/* The wake-ups of a task, and its birth. */
struct causes {
	uint64_t task;
	size_t next, end; /* in order.causes */
	enum task_is is;
};

struct order {
	struct trace_log *log;
	struct trace_item **sorted, **causes;
	struct ring *rings;
	struct causes *tasks;
	size_t cause_count, task_count;
	struct {
		uint64_t address;
		bool waits;
	} whys[WHYS]; /* what log->text has answered */
	void (*each)(void *arg, const struct trace_item *item);
	void *arg;
};

static struct ring *ring_of(struct order *o, const struct trace_item *item)
{
	return &o->rings[min_of(item->processor, o->log->processors)];
}

static bool is_cause(const struct trace_item *item)
{
	return item->kind == TRACE_wake || item->kind == TRACE_birth;
}

/* ---- tasks ---- */

static int by_task(const void *key, const void *member)
{
	uint64_t task = *(const uint64_t *)key;
	const struct causes *c = member;
	return task < c->task ? -1 : task > c->task;
}

static struct causes *task_of(struct order *o, uint64_t task)
{
	return task ? bsearch(&task, o->tasks, o->task_count, sizeof(*o->tasks), by_task) : NULL;
}

static void set_task(struct order *o, uint64_t task, enum task_is is)
{
	struct causes *c = task_of(o, task);
	if (c)
		c->is = is;
}

/* Did a task that left for this reason wait? */
static bool why_waits(struct order *o, uint64_t why)
{
	static const char *const no[] = {"yield", "processor taken", "end"};
	unsigned slot = (unsigned)((why ^ why >> 6) % WHYS);
	if (!why || o->whys[slot].address == why)
		return why && o->whys[slot].waits;
	const char *text = o->log->text(o->log->arg, why);
	bool waits = text;
	for (unsigned i = 0; i < array_len(no) && text; i++)
		waits &= strcmp(text, no[i]) != 0;
	o->whys[slot].address = why;
	o->whys[slot].waits = waits;
	return waits;
}

/* Notes what the event does to the tasks that it is about. */
static void follow(struct order *o, const struct trace_item *item)
{
	struct ring *r = ring_of(o, item);
	switch (item->kind) {
	case TRACE_birth:
	case TRACE_wake:
		set_task(o, item->a, READY);
		break;
	case TRACE_run:
	case TRACE_stop:
		set_task(o, r->task, why_waits(o, item->b) ? WAITING : READY);
		r->task = item->kind == TRACE_run ? item->a : 0;
		set_task(o, r->task, READY);
		break;
	case TRACE_lease:
		if (item->a < o->log->processors)
			o->rings[item->a].task = 0;
		break;
	}
}

/* ---- what comes first ---- */

static void emit(struct order *o, struct trace_item *item, uint64_t limit);

static void emit_until(struct order *o, struct ring *r, const struct trace_item *last,
		       uint64_t limit)
{
	while (!r->busy && r->next <= last)
		emit(o, r->next, limit);
}

static void first_the_cause(struct order *o, const struct trace_item *run, uint64_t limit)
{
	struct causes *c = task_of(o, run->a);
	if (!c)
		return;
	while (c->next < c->end && o->causes[c->next] < ring_of(o, o->causes[c->next])->next)
		c->next++;
	if (c->is == READY || c->next == c->end)
		return;
	const struct trace_item *cause = o->causes[c->next];
	if (cause->least <= run->most && (c->is == WAITING || cause->kind == TRACE_birth))
		emit_until(o, ring_of(o, cause), cause, limit);
}

static void first_the_holder(struct order *o, const struct trace_item *lease, uint64_t limit)
{
	if (lease->a >= o->log->processors)
		return;
	struct ring *r = &o->rings[lease->a];
	while (!r->busy && r->next < r->end && r->next->thread == lease->thread &&
	       r->next->least < lease->ticks)
		emit(o, r->next, limit);
}

/* The recursion is at most as deep as there are rings: each ring that waits is busy. */
static void emit(struct order *o, struct trace_item *item, uint64_t limit)
{
	struct ring *r = ring_of(o, item);
	limit = min_of(limit, item->ticks);
	r->busy = true;
	if (item->kind == TRACE_run)
		first_the_cause(o, item, limit);
	else if (item->kind == TRACE_lease)
		first_the_holder(o, item, limit);
	r->busy = false;
	item->ticks = limit;
	r->next = item + 1;
	follow(o, item);
	o->each(o->arg, item);
}

/* ---- tables ---- */

static int by_time(const void *a, const void *b)
{
	const struct trace_item *x = *(struct trace_item *const *)a,
				*y = *(struct trace_item *const *)b;
	if (x->ticks != y->ticks)
		return x->ticks < y->ticks ? -1 : 1;
	return x < y ? -1 : x > y;
}

static int by_task_and_time(const void *a, const void *b)
{
	const struct trace_item *x = *(struct trace_item *const *)a,
				*y = *(struct trace_item *const *)b;
	return x->a != y->a ? (x->a < y->a ? -1 : 1) : by_time(a, b);
}

static void list_items(struct order *o)
{
	for (size_t i = 0; i < o->log->count; i++) {
		struct trace_item *item = &o->log->items[i];
		struct ring *r = ring_of(o, item);
		r->next = r->next ? r->next : item;
		r->end = item + 1;
		o->sorted[i] = item;
		if (is_cause(item))
			o->causes[o->cause_count++] = item;
	}
	qsort(o->sorted, o->log->count, sizeof(*o->sorted), by_time);
	qsort(o->causes, o->cause_count, sizeof(*o->causes), by_task_and_time);
}

static void list_tasks(struct order *o)
{
	for (size_t i = 0; i < o->cause_count; i++) {
		if (!i || o->causes[i]->a != o->causes[i - 1]->a)
			o->tasks[o->task_count++] = (struct causes){o->causes[i]->a, i, i, UNKNOWN};
		o->tasks[o->task_count - 1].end = i + 1;
	}
}

int weft__trace_each(struct trace_log *log, void (*each)(void *arg, const struct trace_item *item),
		     void *arg)
{
	struct order o = {.log = log, .each = each, .arg = arg};
	o.sorted = calloc(log->count + 1, sizeof(*o.sorted));
	o.causes = calloc(log->count + 1, sizeof(*o.causes));
	o.tasks = calloc(log->count + 1, sizeof(*o.tasks));
	o.rings = calloc(log->processors + 1, sizeof(*o.rings));
	int err = o.sorted && o.causes && o.tasks && o.rings ? 0 : -ENOMEM;
	if (!err) {
		list_items(&o);
		list_tasks(&o);
		for (size_t i = 0; i < log->count; i++)
			if (o.sorted[i] >= ring_of(&o, o.sorted[i])->next)
				emit(&o, o.sorted[i], UINT64_MAX);
	}
	free(o.sorted);
	free(o.causes);
	free(o.tasks);
	free(o.rings);
	return err;
}
