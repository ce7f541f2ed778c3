/* SPDX-License-Identifier: MIT */
/* engine.h: one run after the other, for explore.c, which judges and reports them. */
#ifndef WEFT_TESTS_ENGINE_H
#define WEFT_TESTS_ENGINE_H

#include <stdbool.h>

struct explore_scenario;

/*
 * The next run is one of `s` that begins with `choices` ("": none given). False: those are not
 * choices.
 */
bool engine_begin(const struct explore_scenario *s, const char *choices, bool tell_steps);
void engine_run(void);
/* Prepares the run after this one; false: there is none. */
bool engine_next(void);
/* Of the last run: what was wrong, NULL when it was right; and all choices that it made. */
const char *engine_wrong(void);
void engine_print_choices(void);

#endif
