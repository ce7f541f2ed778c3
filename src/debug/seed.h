/* SPDX-License-Identifier: MIT */
/* seed.h: a run that fails in the deterministic mode says with which seed; see seed.c. */
#ifndef WEFT_DEBUG_SEED_H
#define WEFT_DEBUG_SEED_H

void weft__seed_watch(void);
void weft__seed_unwatch(void);

#endif
