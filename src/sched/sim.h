/* SPDX-License-Identifier: MIT */
/* sim.h: the deterministic mode: one processor, seeded choices, a virtual clock; see sim.c. */
#ifndef WEFT_SCHED_SIM_H
#define WEFT_SCHED_SIM_H

#include <stdbool.h>
#include <stdint.h>

struct task;
struct thread;

/* The next weft__runtime_run of this process is deterministic, with this seed. */
void weft__sim_prepare(uint64_t seed);
/* Is the run that begins now deterministic, by weft__sim_prepare or by WEFT_SIM in the environment
 * (which wins)? */
bool weft__sim_begin(void);
void weft__sim_end(void);
/* The seed of the current run, or of the last one. */
uint64_t weft__sim_seed(void);
/* Reads WEFT_SIM from the environment. False: it is not set, or not a number. */
bool weft__sim_environment(uint64_t *seed);

/* The functions below are for the time while sched.sim is set. */

/* The virtual clock. */
int64_t weft__sim_now(void);
/* A number from the seed's stream; the caller holds the processor. The threads' own random numbers
 * would depend on which of them happened to be idle. */
uint64_t weft__sim_draw(void);
/* Returns the task that runs next; NULL: none can, and no timer runs. The caller holds the
 * processor. */
struct task *weft__sim_pick(struct thread *t);
/* Takes any task out of the pool, as its processor has no thread. NULL: it is empty. */
struct task *weft__sim_give_up(void);
/* Can a task run, or will one when time has passed? Only the holder of the processor makes that
 * happen, so it does not go idle then. */
bool weft__sim_goes_on(void);
/* A task has entered the runtime: others may run first. Returns the thread on which it
 * continues. */
struct thread *weft__sim_entered(struct thread *t);

#endif
