/* SPDX-License-Identifier: MIT */
/*
 * locked.c: what a locked task costs that draws random bytes and takes its thread along.
 */
#include "rows.h"

enum { FLIGHT_MAX = 16 };

struct starter {
	struct weft_task *task;
	uint64_t ends, done;
};

static int lock_draw_end(void *arg)
{
	weft_lock_os_thread();
	weft_random_u32();
	return 0;
}

static int starter(void *arg)
{
	struct starter *s = arg;
	for (; s->done < s->ends; s->done++)
		finish(start(lock_draw_end, NULL));
	return 0;
}

static uint64_t storm(uint64_t ends, unsigned flight)
{
	struct starter s[FLIGHT_MAX];
	uint64_t done = 0;
	for (unsigned i = 0; i < flight; i++) {
		s[i] = (struct starter){.ends = SHARE(ends, flight, i)};
		s[i].task = start(starter, &s[i]);
	}
	for (unsigned i = 0; i < flight; i++) {
		finish(s[i].task);
		done += s[i].done;
	}
	return done;
}

uint64_t row_locked_1(const struct bench *b)
{
	return storm(b->size, 1);
}

uint64_t row_locked_16(const struct bench *b)
{
	return storm(b->size, FLIGHT_MAX);
}
