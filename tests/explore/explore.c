/* SPDX-License-Identifier: MIT */
/* explore.c: explores a scenario, or replays one run of it, and says what came out. */
#include "explore.h"

#include <stdio.h>
#include <string.h>

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

static void explore_all(const char *name, const struct explore_scenario *s)
{
	unsigned long schedules = run_all(s);
	printf("%9lu schedules  %s", schedules, name);
	if (engine_wrong()) {
		printf(" (%s), choices ", engine_wrong());
		engine_print_choices();
	} else if (schedules == SCHEDULES_MAX) {
		printf(" (not finished)");
	}
	putchar('\n');
	expect_that(as_predicted(s, schedules), "expected %s",
		    s->fails ? s->fails : "no wrong schedule");
}

static void replay(const char *name, const struct explore_scenario *s, const char *choices)
{
	expect(engine_begin(s, choices, true));
	engine_run();
	printf("%s: %s\n", name, engine_wrong() ? engine_wrong() : "right");
	expect_eq(engine_wrong(), NULL);
}

void explore(const char *name, const struct explore_scenario *s)
{
	if (kit_arguments[0])
		replay(name, s, kit_arguments[0]);
	else
		explore_all(name, s);
}
