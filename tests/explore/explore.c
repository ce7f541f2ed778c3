/* SPDX-License-Identifier: MIT */
/* explore.c: explores a table of scenarios, or replays one run, and says what came out. */
#include "explore.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "engine.h"

enum { SCHEDULES_MAX = 20 * 1000 * 1000 };

static unsigned long run_all(const struct explore_scenario *s)
{
	unsigned long schedules = 0;
	engine_begin(s, "", false);
	do {
		engine_run();
		schedules++;
	} while (!engine_wrong() && schedules < SCHEDULES_MAX && engine_next());
	return schedules;
}

static bool as_predicted(const struct explore_scenario *s, unsigned long schedules)
{
	const char *wrong = engine_wrong();
	if (s->fails)
		return wrong && strstr(wrong, s->fails);
	return !wrong && schedules < SCHEDULES_MAX;
}

static long milliseconds(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* True: as predicted. */
static bool explore(const struct explore_scenario *s)
{
	long began = milliseconds();
	unsigned long schedules = run_all(s);
	bool ok = as_predicted(s, schedules);
	printf("%-5s %-4s %9lu schedules %6ld ms  %s", ok ? "ok" : "WRONG",
	       s->fails ? "fail" : "pass", schedules, milliseconds() - began, s->name);
	if (engine_wrong()) {
		printf(" (%s), choices ", engine_wrong());
		engine_print_choices();
	} else if (schedules == SCHEDULES_MAX) {
		printf(" (not finished)");
	}
	putchar('\n');
	return ok;
}

static int usage(const char *program)
{
	fprintf(stderr, "usage: %s [--replay SCENARIO CHOICES]\n", program);
	return 2;
}

static int replay(const char *program, const struct explore_scenario *s, const char *choices)
{
	if (!engine_begin(s, choices, true))
		return usage(program);
	engine_run();
	printf("%s: %s\n", s->name, engine_wrong() ? engine_wrong() : "right");
	return engine_wrong() != NULL;
}

int explore_main(int argc, char **argv, const struct explore_scenario *scenarios, size_t count)
{
	int status = 0;
	bool one = argc == 4 && strcmp(argv[1], "--replay") == 0;
	if (argc != 1 && !one)
		return usage(argv[0]);
	for (size_t i = 0; i < count; i++) {
		if (!one)
			status |= !explore(&scenarios[i]);
		else if (strcmp(scenarios[i].name, argv[2]) == 0)
			return replay(argv[0], &scenarios[i], argv[3]);
	}
	return one ? usage(argv[0]) : status;
}
