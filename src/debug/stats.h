/* SPDX-License-Identifier: MIT */
/* stats.h: see stats.c. */
#ifndef WEFT_DEBUG_STATS_H
#define WEFT_DEBUG_STATS_H

/* The counters in a few lines on stderr: WEFT_STATS=1. */
void weft__stats_print(void);

#endif
