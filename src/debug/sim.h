/* SPDX-License-Identifier: MIT */
/* sim.h: whoever fails in the deterministic mode says with which seed; see sim.c. */
#ifndef WEFT_DEBUG_SIM_H
#define WEFT_DEBUG_SIM_H

void weft__sim_watch(void);
void weft__sim_unwatch(void);

#endif
