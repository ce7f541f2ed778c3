/* SPDX-License-Identifier: MIT */
/*
 * tasks.c: what starting, joining and switching tasks costs.
 */
#include "rows.h"

enum { BATCH = 1000, PER_PROCESSOR = 2 };

struct yielder {
	struct weft_task *task;
	uint64_t turns, done;
};

static int yielder(void *arg)
{
	struct yielder *y = arg;
	for (; y->done < y->turns; y->done++)
		weft_yield();
	return 0;
}

/* Two tasks per processor yield to each other. */
uint64_t row_yield(const struct bench *b)
{
	unsigned n = PER_PROCESSOR * b->processors;
	struct yielder y[n];
	uint64_t done = 0;
	for (unsigned i = 0; i < n; i++) {
		y[i] = (struct yielder){.turns = SHARE(b->size, n, i)};
		y[i].task = start(yielder, &y[i]);
	}
	for (unsigned i = 0; i < n; i++) {
		finish(y[i].task);
		done += y[i].done;
	}
	return done;
}

static int identity(void *arg)
{
	return (int)(intptr_t)arg;
}

/* Starts a thousand tasks, joins them, and again. */
uint64_t row_spawn(const struct bench *b)
{
	struct weft_task *task[BATCH];
	uint64_t done = 0;
	while (done < b->size) {
		int n = (int)(b->size - done < BATCH ? b->size - done : BATCH);
		for (int i = 0; i < n; i++)
			task[i] = start(identity, (void *)(intptr_t)i);
		for (int i = 0; i < n; i++) {
			int result;
			weft_join(task[i], &result, WEFT_FOREVER);
			done += result == i;
		}
	}
	return done;
}

struct node {
	struct weft_chan *up;
	uint64_t first, leaves;
};

static void node(void *arg);

/* Ten children share the leaves; their sums go up. */
static uint64_t children(const struct node *n)
{
	struct weft_chan *c = channel(sizeof(uint64_t), 0);
	struct node child[10];
	uint64_t sum = 0, part, first = n->first;
	for (unsigned i = 0; i < 10; i++) {
		child[i] = (struct node){c, first, n->leaves / 10};
		first += n->leaves / 10;
		if (weft_go(node, &child[i]) < 0)
			bench_fail("cannot start a task");
	}
	for (unsigned i = 0; i < 10; i++) {
		weft_chan_recv(c, &part, WEFT_FOREVER);
		sum += part;
	}
	weft_chan_unref(c);
	return sum;
}

static void node(void *arg)
{
	struct node n = *(struct node *)arg;
	uint64_t sum = n.leaves == 1 ? n.first : children(&n);
	weft_chan_send(n.up, &sum, WEFT_FOREVER);
}

/*
 * A tree of tasks, ten children each, that adds up the numbers of its leaves; a power of ten of
 * them.
 */
uint64_t row_skynet(const struct bench *b)
{
	struct node root = {channel(sizeof(uint64_t), 0), 0, b->size};
	uint64_t sum;
	weft_go(node, &root);
	weft_chan_recv(root.up, &sum, WEFT_FOREVER);
	weft_chan_unref(root.up);
	return sum == b->size * (b->size - 1) / 2 ? b->size : 0;
}
