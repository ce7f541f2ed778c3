/* SPDX-License-Identifier: MIT */
/* test_typed.c: channels made by WEFT_CHAN_TYPE. What does not compile: test_typed.sh. */
#include "../tasks.h"
#include "weft/typed.h"

struct point {
	int x;
	double y;
};
typedef int (*function)(void *arg);

WEFT_CHAN_TYPE(numbers, int);
WEFT_CHAN_TYPE(points, struct point);
WEFT_CHAN_TYPE(texts, const char *);
WEFT_CHAN_TYPE(functions, function)

static int send_squares(void *chan)
{
	for (int i = 0; i < 100; i++) {
		int square = i * i;
		expect_eq(numbers_send(chan, &square, soon()), 0);
	}
	return numbers_close(chan);
}

TASK_TEST("a typed channel carries what it was given, and ends")
{
	struct numbers *chan = numbers_new(3);
	int n, count = 0;
	expect_eq(numbers_cap(chan), 3);
	struct weft_task *task = tasks_start(send_squares, chan);
	for (; numbers_recv(chan, &n, soon()) == 0; count++)
		expect_eq(n, count * count);
	expect_eq(count, 100);
	expect_eq(tasks_join(task), 0);
	expect_eq(numbers_recv(chan, &n, soon()), -EPIPE);
	expect_eq(numbers_send(chan, &n, soon()), -EPIPE);
	expect_eq(numbers_close(chan), -EPIPE);
	numbers_unref(chan);
}

TASK_TEST("structs, pointers and functions are items like any other")
{
	struct points *places = points_new(1);
	struct texts *words = texts_new(1);
	struct functions *calls = functions_new(1);
	struct point p = {3, 4.5};
	const char *word = "word";
	function call = send_squares;
	expect_eq(points_send(places, &p, 0), 0);
	expect_eq(texts_send(words, &word, 0), 0);
	expect_eq(functions_send(calls, &call, 0), 0);
	p = (struct point){0};
	word = NULL;
	call = NULL;
	expect_eq(points_recv(places, &p, 0), 0);
	expect_eq(texts_recv(words, &word, 0), 0);
	expect_eq(functions_recv(calls, &call, 0), 0);
	expect(p.x == 3 && p.y == 4.5);
	expect_eq(word, "word");
	expect(call == send_squares);
	points_unref(places);
	texts_unref(words);
	functions_unref(calls);
}

TASK_TEST("it is a channel like any other for select")
{
	int n = 7, got = 0;
	struct numbers *chan = numbers_ref(numbers_new(1));
	numbers_unref(chan); /* the other one is left */
	struct weft_case cases[] = {
		{.op = WEFT_CHAN_RECV, .chan = numbers_chan(chan), .item = &got},
	};
	expect_eq(numbers_send(chan, &n, 0), 0);
	expect_eq(numbers_len(chan), 1);
	expect_eq(weft_select(cases, 1, soon()), 0);
	expect_eq(got, 7);
	numbers_unref(chan);
}

TASK_TEST("no channel is never ready, as in weft/chan.h")
{
	int n = 0;
	expect_eq(numbers_send(NULL, &n, 0), -EAGAIN);
	expect_eq(numbers_recv(NULL, &n, 0), -EAGAIN);
	expect_eq(numbers_close(NULL), -EINVAL);
	expect_eq(numbers_len(NULL) + numbers_cap(NULL), 0);
	expect_eq(numbers_ref(NULL), NULL);
	numbers_unref(NULL);
}
