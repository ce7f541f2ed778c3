/* SPDX-License-Identifier: MIT */
/* sim.c: runs in the deterministic mode, one seed or many; the mode itself is sched/sim.c. */
#include "weft/sim.h"

#include <stdbool.h>

#include "sched/sim.h"

int weft_sim_run(uint64_t seed, const struct weft_options *options, int (*main_task)(void *arg),
		 void *arg)
{
	weft__sim_prepare(seed);
	return weft_run(options, main_task, arg);
}

int weft_sim_search(uint64_t first, uint64_t count, const struct weft_options *options,
		    int (*main_task)(void *arg), void *arg, uint64_t *failed)
{
	uint64_t seed;
	if (weft__sim_environment(&seed)) {
		first = seed;
		count = 1;
	}
	for (uint64_t i = 0; i < count; i++) {
		int result = weft_sim_run(first + i, options, main_task, arg);
		if (result && failed)
			*failed = first + i;
		if (result)
			return result;
	}
	return 0;
}
