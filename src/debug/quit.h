/* SPDX-License-Identifier: MIT */
/* quit.h: SIGQUIT dumps all tasks; see quit.c. */
#ifndef WEFT_DEBUG_QUIT_H
#define WEFT_DEBUG_QUIT_H

#include <stdbool.h>

void weft__quit_watch(void);
void weft__quit_unwatch(void);
/* Is SIGQUIT's handler ours at this moment? */
bool weft__quit_watched(void);

#endif
