/* SPDX-License-Identifier: MIT */
/*
 * weft/sim.h: find races by trying many schedules, and replay the one that failed. Since 0.1.
 *
 * In the deterministic mode one task runs at a time, on one processor, and a seed decides which:
 * the same seed gives the same schedule, every time. Each weft call is a place where others may run
 * first. The clock of weft_now and of all deadlines is virtual: when nothing can run it jumps to
 * the next deadline, so hours of timeouts take milliseconds. Any program runs in it, unchanged,
 * with WEFT_SIM=<seed> in its environment.
 *
 * What is not weft's stays as it is: code that blocks by itself stops everything for that long, and
 * other threads, signals, random bytes, addresses and what comes through descriptors may differ
 * from run to run. Races inside code that makes no weft call do not show; for those there is
 * ThreadSanitizer.
 */
#ifndef WEFT_SIM_H
#define WEFT_SIM_H

#include <stdint.h>

#include "weft/task.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/*
 * As weft_run, in the deterministic mode with this seed; `processors` in the options means nothing
 * here. When the result is not 0, or the program crashes or deadlocks, the seed is printed.
 * WEFT_SIM in the environment takes the place of `seed`. Results and errors are those of weft_run.
 */
WEFT_MUST_CHECK int weft_sim_run(uint64_t seed, const struct weft_options *options,
				 int (*main_task)(void *arg), void *arg);

/*
 * Runs main_task with the seeds first, first + 1, ..., `count` of them, until one run's result is
 * not 0. Returns that result, with the seed in *failed (may be NULL), or 0 when all runs returned
 * 0. With WEFT_SIM in the environment only that seed is run. `arg` is the same for every run:
 * main_task itself sets up what it changes. Errors are those of weft_run.
 */
WEFT_MUST_CHECK int weft_sim_search(uint64_t first, uint64_t count,
				    const struct weft_options *options, int (*main_task)(void *arg),
				    void *arg, uint64_t *failed);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
